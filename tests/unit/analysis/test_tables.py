"""Tidy tables: what is read, what is refused, and that everything wrong is said at once."""

import re
import zipfile

import numpy as np
import pandas as pd
import pytest

from equipoise.analysis import tables as tables_module
from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.schemas import READINGS, SEGMENTATIONS, TRUTH
from equipoise.analysis.tables import Table, read_table, table_from_frame


def write(folder, text, name="readings.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def problems(path, schema=READINGS, **kwargs):
    with pytest.raises(AnalysisInputError) as caught:
        read_table(path, schema, **kwargs)
    return list(caught.value.problems)


def test_columns_are_typed_and_unknown_ones_kept_as_text(tmp_path):
    path = write(tmp_path, "participant,case,score,decision,how sure?\nR1,C1,0.5,1,very\nR1,C2,,0,\n")
    table = read_table(path, READINGS)
    assert table.n_rows == 2
    np.testing.assert_array_equal(table["score"], [0.5, np.nan])
    np.testing.assert_array_equal(table["decision"], [1.0, 0.0])
    assert table["how sure?"].tolist() == ["very", ""]
    assert table.row_numbers.tolist() == [2, 3]


def test_every_problem_is_named_with_file_row_and_column(tmp_path):
    rows = ["participant,case,score,decision,repeat,participant_kind"]
    rows += [f"R1,C{i},0.5,1,1,reader" for i in range(2, 17)]
    rows += ["R1,C17,abc,2,0,robot", "R1,C18,NA,1,1.5,reader"]
    assert problems(write(tmp_path, "\n".join(rows))) == [
        "readings.csv row 17, column score: 'abc' is not a number.",
        "readings.csv row 18, column score: 'NA' is not a number; leave the cell empty where the value is missing.",
        "readings.csv row 17, column decision: '2' is neither 0 nor 1.",
        "readings.csv row 17, column repeat: 0 is below 1.",
        "readings.csv row 18, column repeat: '1.5' is not a whole number.",
        "readings.csv row 17, column participant_kind: 'robot' is not one of reader, algorithm.",
    ]


def test_missing_and_repeated_columns_are_named(tmp_path):
    path = write(tmp_path, "participant,score,score\nR1,1,2\n")
    assert problems(path, required=("participant", "case")) == [
        "readings.csv: two columns are called 'score'.",
        "readings.csv: column 'case' is missing. Columns found: participant, score, score.",
    ]


def test_a_second_row_for_one_reading_is_refused(tmp_path):
    path = write(tmp_path, "participant,case,score\nR1,C1,1\nR1,C2,1\nR1,C1,0\n")
    assert problems(path) == [
        "readings.csv row 4: a second row for participant R1, case C1 (first in row 2)."
    ]


def test_an_empty_key_cell_is_refused(tmp_path):
    path = write(tmp_path, "participant,case,score\nR1,,1\n")
    assert problems(path, required=("participant", "case")) == [
        "readings.csv row 2, column case: empty, but every row needs it."
    ]


def test_semicolons_with_decimal_commas_are_recognised(tmp_path):
    path = write(tmp_path, "participant;case;score;extra\nR1;C1;0,25;1,5\nR1;C2;1;2\n")
    table = read_table(path, READINGS)
    assert table["score"].tolist() == [0.25, 1.0]
    assert table.numbers("extra").tolist() == [1.5, 2.0]
    assert table.notes == ("readings.csv was read with semicolons between cells and a decimal comma.",)


def test_thousands_separators_are_refused(tmp_path):
    path = write(tmp_path, "participant;case;score\nR1;C1;1.234,5\nR1;C2;0,5\n")
    (problem,) = problems(path)
    assert problem == (
        "readings.csv row 2, column score: '1.234,5' mixes point and comma; "
        "write the number without thousands separators."
    )


def test_decimal_commas_between_commas_are_refused(tmp_path):
    path = write(tmp_path, "participant,case,score\nR1,C1,0,25\n")
    (problem,) = problems(path)
    assert problem == (
        "readings.csv row 2: 4 cells, but the header has 3. A decimal comma cannot be told from a separator: "
        "write 0.5, or separate cells with semicolons."
    )


def test_a_quoted_decimal_comma_is_refused(tmp_path):
    path = write(tmp_path, 'participant,case,score\nR1,C1,"0,25"\n')
    assert problems(path) == ["readings.csv row 2, column score: '0,25' has a decimal comma; write 0.25."]


@pytest.mark.parametrize(
    "content, sentence",
    [
        (b"", "readings.csv: the file is empty."),
        (b"participant,case\n", "readings.csv: there is no row below the header."),
        (
            b"participant,case\nR\xe9,C1\n",
            "readings.csv: byte 18 is not UTF-8 text. Save the table as 'CSV UTF-8'.",
        ),
    ],
)
def test_files_without_a_table_are_refused(tmp_path, content, sentence):
    path = tmp_path / "readings.csv"
    path.write_bytes(content)
    assert problems(path) == [sentence]


def test_other_formats_and_absent_files_are_refused(tmp_path):
    assert problems(tmp_path / "readings.sav") == [
        "readings.sav: '.sav' tables are not read; give CSV, XLSX or Parquet."
    ]
    assert problems(tmp_path / "none.csv") == [f"{tmp_path / 'none.csv'}: there is no such file."]


@pytest.mark.parametrize("ending", ["xlsx", "parquet"])
def test_damaged_binary_tables_are_refused(tmp_path, ending):
    path = write(tmp_path, "not a table", f"truth.{ending}")
    kind = {"xlsx": "an XLSX workbook", "parquet": "a Parquet file"}[ending]
    assert problems(path, TRUTH) == [f"truth.{ending}: this is not {kind}."]


def workbook_of(path, rows):
    """Write a workbook whose sheet holds these lines of XML; what it says of its size is small."""
    whole = path.with_name("whole.xlsx")
    pd.DataFrame({"case": ["1"]}).to_excel(whole, index=False)
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.namelist():
            sheet = re.sub(
                rb"(?s)<sheetData>.*</sheetData>", b"<sheetData>" + rows + b"</sheetData>", source.read(part)
            )
            target.writestr(part, sheet)
    return path


FIRST_ROW = b'<row r="1"><c r="A1" t="inlineStr"><is><t>case</t></is></c></row>'


@pytest.mark.parametrize(
    ("limit", "value", "rows", "said"),
    [
        (
            "MAX_ROWS",
            1_048_576,
            b'<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>',
            "1,048,576 rows",
        ),
        ("MAX_COLUMNS", 1_000, b'<row r="2"><c r="ZZZ2"><v>1</v></c></row>', "1,000 columns"),
        ("MAX_CELLS", 20, b"".join(b"<row><c><v>%d</v></c></row>" % i for i in range(30)), "20 cells"),
        ("MAX_UNPACKED_BYTES", 50_000, b"<row/>" * 10_000, "50,000 bytes when unpacked"),
    ],
)
def test_a_small_workbook_that_stands_for_a_large_table_is_refused(
    tmp_path, monkeypatch, limit, value, rows, said
):
    monkeypatch.setattr(tables_module, limit, value)
    path = workbook_of(tmp_path / "truth.xlsx", FIRST_ROW + rows)
    (problem,) = problems(path, TRUTH)
    assert problem.startswith(f"truth.xlsx: the table has more than {said}")


def test_a_row_number_that_is_none_is_refused(tmp_path):
    path = workbook_of(tmp_path / "truth.xlsx", FIRST_ROW + b'<row r="1.5"/>')
    assert problems(path, TRUTH) == ["truth.xlsx: this is not an XLSX workbook."]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame({"case": np.zeros(1_048_576, dtype=np.int8)}), "1,048,576 rows"),
        (pd.DataFrame(np.zeros((1, 1_001)), columns=[f"c{i}" for i in range(1_001)]), "1,000 columns"),
        (
            pd.DataFrame(np.zeros((20_000, 501), np.int8), columns=[f"c{i}" for i in range(501)]),
            "10,000,000 cells",
        ),
    ],
)
def test_a_large_parquet_table_is_refused_before_it_is_read(tmp_path, frame, said):
    frame.to_parquet(tmp_path / "truth.parquet", index=False)
    (problem,) = problems(tmp_path / "truth.parquet", TRUTH)
    assert problem.startswith(f"truth.parquet: the table has more than {said}")


def test_csv_xlsx_parquet_and_frames_give_the_same_table(tmp_path):
    frame = pd.DataFrame({"case": ["1", "2", "3"], "truth": [0, 1, None], "volume": [1.5, 2.0, 3.25]})
    frame.to_csv(tmp_path / "truth.csv", index=False)
    frame.to_excel(tmp_path / "truth.xlsx", index=False)
    frame.to_parquet(tmp_path / "truth.parquet", index=False)
    tables = [read_table(tmp_path / f"truth.{ending}", TRUTH) for ending in ("csv", "xlsx", "parquet")]
    tables.append(table_from_frame(frame, TRUTH))
    assert {table.sha256() for table in tables[1:]} == {tables[1].sha256()}
    for table in tables:
        assert table["case"].tolist() == ["1", "2", "3"]
        np.testing.assert_array_equal(table["truth"], [0, 1, np.nan])
        np.testing.assert_array_equal(table.numbers("volume"), [1.5, 2.0, 3.25])


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_bytes(b"\xef\xbb\xbfcase,truth\r\nC1,1\r\n")
    assert list(read_table(path, TRUTH)) == ["case", "truth"]


def test_columns_may_come_under_other_names(tmp_path):
    path = write(tmp_path, "who,case\nR1,C1\n")
    assert read_table(path, READINGS, columns={"participant": "who"})["participant"].tolist() == ["R1"]
    assert problems(path, columns={"participant": "whom"}) == [
        "readings.csv: the plan names column 'whom', but the columns are: who, case."
    ]


def test_infinite_distances_are_values_and_infinite_scores_are_not(tmp_path):
    path = write(tmp_path, "case,first,second,hausdorff_95_mm,dice\nC1,a,b,inf,0\n", "segmentations.csv")
    assert read_table(path, SEGMENTATIONS)["hausdorff_95_mm"].tolist() == [np.inf]
    path = write(tmp_path, "participant,case,score\nR1,C1,inf\n")
    assert problems(path) == ["readings.csv row 2, column score: 'inf' is not a finite number."]


def test_text_where_a_question_must_be_numeric_is_refused_on_demand(tmp_path):
    table = read_table(write(tmp_path, "participant,case,q1\nR1,C1,4\nR1,C2,often\n"), READINGS)
    assert not table.is_numeric("q1")
    with pytest.raises(AnalysisInputError, match=r"readings.csv row 3, column q1: 'often' is not a number."):
        table.numbers("q1")


def test_tables_are_written_with_full_precision_and_empty_for_missing():
    table = Table.of("t", {"a": [0.1 + 0.2, None, 3.0], "b": ["x", None, 'say "y"']})
    assert table.to_csv() == 'a,b\n0.30000000000000004,x\n,\n3,"say ""y"""\n'
    assert table.records() == [
        {"a": 0.30000000000000004, "b": "x"},
        {"a": None, "b": None},
        {"a": 3.0, "b": 'say "y"'},
    ]


def test_long_lists_of_problems_are_cut_and_counted(tmp_path):
    path = write(tmp_path, "participant,case,score\n" + "".join(f"R1,C{i},x\n" for i in range(30)))
    found = problems(path)
    assert len(found) == 21
    assert found[-1] == "readings.csv, column score: 10 more problems of this kind."
