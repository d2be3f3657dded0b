"""Workbooks: every cell as it was given, nothing that runs, the same bytes twice, rows as they come."""

import io
import tracemalloc

import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from trials.reports import workbook
from trials.reports.workbook import Workbook

MARKUP = "<r><t>x</t></r>"
CELLS = (
    0.1 + 0.2, 1e-7, -1.5e300, 5e-324, 2**53, True, False, None, "", float("nan"), float("inf"),
    " a\tb\r\nc ", "a<r>&\"'</r>", MARKUP, "é \U0001f600", "007", "#N/A", "_x0041_", ["=1"], {"k": "=1"},
)  # fmt: skip


def written(*sheets):
    out = io.BytesIO()
    with Workbook(out) as book:
        for name, columns, lines in sheets:
            book.sheet(name, columns, lines)
    return out.getvalue()


def text_of(value):
    """Return text as a spreadsheet shows it: this reader leaves escaped characters of strings within a sheet alone."""
    return unescape(value) if isinstance(value, str) else value


def test_every_cell_is_read_back_as_it_was_given():
    columns = [f"c{n}" for n in range(len(CELLS))]
    (sheet,) = load_workbook(io.BytesIO(written(("cells", columns, [CELLS])))).worksheets
    head, told = sheet.iter_rows(values_only=True, max_col=len(CELLS))
    assert list(head) == columns
    empty = {"", None}
    expected = [None if one in empty or one != one or one == float("inf") else one for one in CELLS[:-2]]
    expected[expected.index(MARKUP)] = f"'{MARKUP}"
    expected[0] = 0.3
    assert [text_of(one) for one in told] == [*expected, '["=1"]', '{"k": "=1"}']
    assert [type(one) for one in told] == [type(one) for one in (*expected, "", "")]


def test_text_that_a_spreadsheet_would_run_is_quoted_everywhere():
    formulas = ["=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "=" + "x" * 200]
    (sheet,) = load_workbook(io.BytesIO(written(("safe", formulas, [formulas])))).worksheets
    for row in sheet.iter_rows():
        assert [text_of(cell.value) for cell in row] == ["'" + one for one in formulas]
        assert {cell.data_type for cell in row} == {"s"}


def test_what_no_cell_holds_is_replaced_cut_or_refused():
    book = load_workbook(io.BytesIO(written(("s", ["a", "b"], [["x\x0b\ud800", "y" * 40_000]]))))
    assert list(book["s"].values)[1] == ("x\ufffd\ufffd", "y" * 32_767)
    with pytest.raises(TypeError, match="got complex"):
        written(("s", ["a"], [[1j]]))


def test_equal_cells_give_equal_bytes_and_titles_differ():
    sheets = [(f"{'long' * 8}{n}", ["a"], [[n]]) for n in range(3)] + [("a & <b>", [], [])]
    assert written(*sheets) == written(*sheets)
    names = load_workbook(io.BytesIO(written(*sheets))).sheetnames
    assert names == ["long" * 7 + "lon", "long" * 7 + "l 2", "long" * 7 + "l 3", "a & <b>"]


def test_columns_past_z_and_the_last_row(monkeypatch):
    monkeypatch.setattr(workbook, "MAX_ROWS", 4)
    wide = list(range(30))
    (sheet,) = load_workbook(io.BytesIO(written(("wide", [f"c{n}" for n in wide], [wide] * 5)))).worksheets
    assert sheet["AD3"].value == 29
    assert sheet.max_row == 4
    assert sheet["A4"].value == "A sheet holds no more rows; the rest of wide is in the CSV."


def test_rows_are_written_as_they_come():
    tracemalloc.start()
    try:
        written(("long", ["a", "b"], ([n, f"text {n}"] for n in range(50_000))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6_000_000  # fifty thousand rows as objects take more than twenty


def test_a_failed_workbook_is_no_workbook():
    out = io.BytesIO()
    with pytest.raises(TypeError), Workbook(out) as book:
        book.sheet("a", ["a"], [[object()]])
    assert out.getvalue() == b""
