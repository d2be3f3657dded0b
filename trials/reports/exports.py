"""The readings as CSV, JSON and spreadsheet. Text that a spreadsheet would run as a formula is quoted."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from trials.models import Analysis, AnalysisState, Trial
from trials.selectors.allocation import ALLOCATION_COLUMNS, allocation_rows
from trials.selectors.monitor import participants_document
from trials.selectors.tables import (
    EXTERNAL,
    form_and_closing_answers,
    is_blinded,
    readings_columns,
    readings_rows,
)

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_EXCEL_MAX_ROWS = 1_048_576
_MIN_COLUMN_WIDTH, _MAX_COLUMN_WIDTH = 8, 40


def safe_cell(value: Any) -> Any:
    """Return the value as a cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return value


def _csv_line(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(["" if cell is None else cell for cell in cells])
    return out.getvalue()


def readings_csv(trial: Trial) -> Iterator[str]:
    """Yield ``readings.csv`` line by line; sources stay empty until unblinding."""
    columns = readings_columns(trial)
    yield _csv_line(columns)
    for row in readings_rows(trial, unblinded=not is_blinded(trial)):
        yield _csv_line(safe_cell(row[name]) for name in columns)


def readings_json(trial: Trial) -> Iterator[str]:
    """Yield the same rows as one JSON array."""
    yield "["
    separator = "\n"
    for row in readings_rows(trial, unblinded=not is_blinded(trial)):
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    yield "\n]\n"


def allocation_csv(trial: Trial) -> Iterator[str]:
    """Yield ``allocation.csv`` line by line: every reading as it was allocated. Only for those who may see the rows."""
    yield _csv_line(ALLOCATION_COLUMNS)
    for row in allocation_rows(trial):
        yield _csv_line(safe_cell(row[name]) for name in ALLOCATION_COLUMNS)


def tables_workbook(trial: Trial) -> bytes:
    """Return a spreadsheet with one sheet per table.

    Readings and participants always; once unblinded, the allocation's rows, what participants answered before and
    after reading, and the tables of the newest run of each analysis of the trial's own readings.
    """
    book = Workbook(write_only=True)
    rows = readings_rows(trial, unblinded=not is_blinded(trial))
    _sheet(book, "readings", readings_columns(trial), rows)
    told = {} if is_blinded(trial) else form_and_closing_answers(trial)
    people = [
        {k: v for k, v in row.items() if k != "id"} | told.get(row["id"], {})
        for row in participants_document(trial)
    ]
    for row in people:
        for name in ("joined_at", "last_activity_at"):
            row[name] = row[name].date().isoformat() if row[name] else None
    _sheet(book, "participants", _all_columns(people), people)
    if not is_blinded(trial):
        _sheet(book, "allocation", ALLOCATION_COLUMNS, allocation_rows(trial))
        for analysis in latest_analyses(trial):
            for name in analysis.results["order"]["tables"]:
                table = analysis.results["tables"][name]
                cells = [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]]
                _sheet(book, f"{analysis.name} {name}"[:31], tuple(table["columns"]), cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _all_columns(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for row in rows for name in row)) or ("code",)


def latest_analyses(trial: Trial) -> list[Analysis]:
    """Return the newest successful run of each analysis of the trial's own readings; imported tables are others'."""
    newest: dict[str, Analysis] = {}
    for analysis in Analysis.objects.filter(trial=trial, state=AnalysisState.SUCCEEDED).order_by(
        "created_at"
    ):
        if EXTERNAL not in analysis.options:
            newest[analysis.name] = analysis
    return list(newest.values())


def _sheet(book: Workbook, name: str, columns: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    sheet = book.create_sheet(name)
    for index, column in enumerate(columns, start=1):
        width = min(max(len(column) + 2, _MIN_COLUMN_WIDTH), _MAX_COLUMN_WIDTH)
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.append(list(columns))
    for number, row in enumerate(rows, start=2):
        if number > _EXCEL_MAX_ROWS:
            raise ValueError(f"The sheet {name} has more rows than a spreadsheet can hold; take the CSV.")
        sheet.append([safe_cell(row.get(column)) for column in columns])
