"""The reference standard as a table: one row per case, checked cell by cell, everything wrong named at once.

Columns: ``case``, then ``truth`` (0 or 1; empty unless final), ``status`` (final, indeterminate, pending; final if left
out), ``source``, ``date`` (ISO), ``labellers``. Every other column is a covariate of the case. A table without
``truth`` and ``status`` brings covariates alone.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from equipoise.common.errors import ValidationFailedError
from equipoise.common.safe_cells import read_cell

STATUSES = ("final", "indeterminate", "pending")
OWN_COLUMNS = ("case", "item", "truth", "status", "version", "source", "date", "labellers")
"""What is not a covariate. ``item`` and ``version`` are read past: an exported table can be brought in again."""
MAX_ROWS = 20_000
MAX_TEXT = 300
MAX_COVARIATE = 200
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class ReferenceRow:
    """What the table says of one case."""

    case: str
    has_reference: bool
    truth: int | None = None
    status: str = "final"
    source: str = ""
    established_on: date | None = None
    labellers: str = ""
    covariates: dict[str, Any] = field(default_factory=dict)


def read_reference_table(content: bytes, *, cases: Iterable[str]) -> list[ReferenceRow]:
    """Return the rows of a CSV, or raise naming every wrong cell by row (the header is row 1) and column."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValidationFailedError.of_fields(
            {"/file": f"The table must be UTF-8 text; byte {error.start} is not. Save it as CSV (UTF-8)."}
        ) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="")
    columns = [read_cell(name.strip()) for name in reader.fieldnames or ()]
    _check_header(columns)
    known, seen = set(cases), set[str]()
    problems: dict[str, str] = {}
    rows = []
    for number, raw in enumerate(reader, start=2):
        if number > MAX_ROWS + 1:
            raise ValidationFailedError.of_fields({"/file": f"A table has at most {MAX_ROWS} rows."})
        if "" in raw:
            problems[f"/rows/{number}"] = f"Row {number} has more cells than the header."
        cells = {
            read_cell(str(name).strip()): read_cell((value or "").strip())
            for name, value in raw.items()
            if name
        }
        row = _row(number, cells, columns, known, problems)
        if row.case in seen:
            problems[f"/rows/{number}/case"] = f"Row {number}: case {row.case} stands in the table twice."
        seen.add(row.case)
        rows.append(row)
    if problems:
        raise ValidationFailedError.of_fields(problems)
    if not rows:
        raise ValidationFailedError.of_fields({"/file": "The table has a header and no rows."})
    return rows


def _check_header(columns: list[str]) -> None:
    problems = {}
    if "case" not in columns:
        problems["/header/case"] = f"The table needs a column 'case'; got {', '.join(columns) or 'none'}."
    for name in columns:
        if columns.count(name) > 1:
            problems[f"/header/{name}"] = f"The column '{name}' stands in the header twice."
        elif name not in OWN_COLUMNS and not _KEY.fullmatch(name):
            problems[f"/header/{name}"] = (
                f"A covariate's name is lower case with digits and underscores, such as site; got {name!r}."
            )
    if "status" in columns and "truth" not in columns:
        problems["/header/truth"] = "A status goes with a truth: add the column 'truth'."
    for needed in ("source", "date", "labellers"):
        if "truth" in columns and needed not in columns:
            problems[f"/header/{needed}"] = (
                f"A reference standard says its {needed}: add the column '{needed}'."
            )
    if problems:
        raise ValidationFailedError.of_fields(problems)


def _row(
    number: int, cells: Mapping[str, str], columns: list[str], known: set[str], problems: dict[str, str]
) -> ReferenceRow:
    def wrong(column: str, message: str) -> None:
        problems[f"/rows/{number}/{column}"] = f"Row {number}, column '{column}': {message}"

    case = cells.get("case", "")
    if case not in known:
        wrong("case", f"the trial has no case {case!r}.")
    covariates: dict[str, Any] = {}
    for name in columns:
        if name not in OWN_COLUMNS and cells.get(name, "") != "":
            if len(cells[name]) > MAX_COVARIATE:
                wrong(name, f"at most {MAX_COVARIATE} characters.")
            covariates[name] = cells[name]
    if "truth" not in columns or not any(cells.get(name) for name in ("truth", "status", "source", "date")):
        return ReferenceRow(case=case, has_reference=False, covariates=covariates)
    status = cells.get("status") or "final"
    if status not in STATUSES:
        wrong("status", f"must be one of {', '.join(STATUSES)}; got {status!r}.")
    truth = cells.get("truth", "")
    if status == "final" and truth not in ("0", "1"):
        wrong("truth", f"must be 0 (not diseased) or 1 (diseased) where the status is final; got {truth!r}.")
    if status != "final" and truth:
        wrong("truth", f"must be empty where the status is {status}; got {truth!r}.")
    for name in ("source", "labellers"):
        if not cells.get(name) or len(cells[name]) > MAX_TEXT:
            wrong(name, f"must not be empty and has at most {MAX_TEXT} characters.")
    established = None
    try:
        established = date.fromisoformat(cells.get("date", ""))
    except ValueError:
        wrong("date", f"must be a day such as 2026-03-31; got {cells.get('date', '')!r}.")
    return ReferenceRow(
        case=case,
        has_reference=True,
        truth=int(truth) if truth in ("0", "1") else None,
        status=status,
        source=cells.get("source", "")[:MAX_TEXT],
        established_on=established,
        labellers=cells.get("labellers", "")[:MAX_TEXT],
        covariates=covariates,
    )
