"""Files of tables: Parquet with the cells of the CSV, in groups; one table of a result as workbook and LaTeX."""

import csv
import io
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from django.test import Client
from openpyxl import load_workbook

from tests.factories import trials as factory
from trials.domain.protocol.questions import QuestionKind
from trials.reports import columnar
from trials.reports.exports import readings_csv
from trials.reports.table_files import table_latex, table_workbook

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def test_parquet_holds_what_the_csv_holds_and_is_written_group_by_group(monkeypatch):
    world = factory.open_world()
    factory.read_everything(world.enrol())
    monkeypatch.setattr(columnar, "ROWS_PER_GROUP", 4)
    client = Client()
    client.force_login(world.administrator)
    answer = client.get(f"/api/v1/trials/{world.trial.id}/export/readings.parquet")
    blocks = list(answer.streaming_content)
    file = pq.ParquetFile(io.BytesIO(b"".join(blocks)))
    told = list(csv.DictReader(io.StringIO("".join(readings_csv(world.trial)))))
    assert file.metadata.num_row_groups == -(-len(told) // 4) == len(blocks) - 1
    table = file.read().to_pylist()
    assert [row["participant"] for row in table] == [row["participant"] for row in told]
    assert {row["preferred"] for row in table} == {None}
    for name in ("wall_s", "repeat", "experience_years"):
        assert [row[name] for row in table] == [float(row[name]) if row[name] else None for row in told]
    assert file.schema_arrow.field("flags").type == "string"


def test_a_question_named_like_a_measure_stays_what_it_is(monkeypatch):
    world = factory.open_world()
    asked = [
        SimpleNamespace(key="lobes_s", kind=QuestionKind.CHOICE),
        SimpleNamespace(key="n_s", kind=QuestionKind.NUMBER),
    ]
    protocol = SimpleNamespace(task=SimpleNamespace(form_questions=asked))
    monkeypatch.setattr(columnar, "protocol_of_version", lambda version: protocol)
    monkeypatch.setattr(columnar, "readings_columns", lambda trial: ("wall_s", "lobes_s", "n_s"))
    numeric = columnar._numeric(world.trial)
    assert {"wall_s", "n_s"} <= numeric
    assert "lobes_s" not in numeric


def test_a_group_is_asked_for_only_when_the_one_before_it_was_taken():
    asked = []

    def rows():
        for number in range(3 * columnar.ROWS_PER_GROUP):
            asked.append(number)
            yield {"case": f"C-{number}", "score": number}

    blocks = columnar.parquet_blocks(("case", "score"), frozenset({"score"}), rows())
    next(blocks)
    assert len(asked) == columnar.ROWS_PER_GROUP


def test_a_table_of_a_result_leaves_as_workbook_and_as_latex():
    table = {
        "columns": ["group", "p_value", "n"],
        "rows": [["=1+1 & 50 %_x", 0.000123456, 7], [None, None, 12], ["[20, 150]", 0.5, 1]],
    }
    (sheet,) = load_workbook(io.BytesIO(table_workbook("scores", table))).worksheets
    assert [list(row) for row in sheet.iter_rows(values_only=True)] == [
        ["group", "p_value", "n"],
        ["'=1+1 & 50 %_x", 0.000123456, 7],
        [None, None, 12],
        ["[20, 150]", 0.5, 1],
    ]
    assert table_latex(table).splitlines()[1:] == [
        "\\begin{tabular}{lrr}",
        "\\toprule",
        "group & p value & n \\\\",
        "\\midrule",
        "=1+1 \\& 50 \\%\\_x & 0.0001235 & 7 \\\\",
        " &  & 12 \\\\",
        "{[}20, 150] & 0.5 & 1 \\\\",
        "\\bottomrule",
        "\\end{tabular}",
    ]
