"""Workbooks (XLSX) as XlsxWriter writes them: row by row in little memory, equal cells give equal bytes."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import BytesIO
from itertools import count
from types import TracebackType
from typing import Any, BinaryIO, Self

import xlsxwriter

from equipoise.common.safe_cells import safe_cell
from trials.domain.storable import REPLACEMENT

MAX_ROWS = 1_048_576
"""Rows of a sheet, as a spreadsheet allows."""
_MAX_TITLE = 31
"""Characters of a sheet's title."""
_MAX_TEXT = 32_767
"""Characters of a cell; what is longer is cut."""
_MIN_COLUMN_WIDTH, _MAX_COLUMN_WIDTH = 8, 40
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML file may hold, and so no workbook."""
_MARKUP = "<r>"
"""Text that begins so is taken by XlsxWriter for a run of its own markup, and not escaped."""
_CREATED = datetime(1980, 1, 1, tzinfo=UTC)
"""Said of every workbook, since equal cells shall give equal bytes."""


class Workbook:
    """A workbook that is being written into a file, sheet after sheet; a context manager.

    Text that would be run as a formula or taken for markup is quoted, whoever wrote it; U+FFFD stands for each
    character that no workbook can hold. Numbers have 16 digits (the CSV files have all); what is no number, and None,
    leave their cells empty.
    """

    def __init__(self, sink: BinaryIO) -> None:
        self._book = xlsxwriter.Workbook(sink, {"constant_memory": True})
        self._book.set_properties({"created": _CREATED})
        self._titles: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._book.filename = BytesIO()  # closing removes what it has on disk; nothing of it is asked for
        self._book.close()

    def sheet(self, name: str, columns: Sequence[str], lines: Iterable[Iterable[Any]]) -> None:
        """Write a sheet: a line of the columns' names, then the lines; what no longer fits is named in the last row."""
        title = _free_title(name, self._titles)
        self._titles.add(title.lower())
        sheet = self._book.add_worksheet(title)
        for place, column in enumerate(columns):
            sheet.set_column(place, place, min(max(len(column) + 2, _MIN_COLUMN_WIDTH), _MAX_COLUMN_WIDTH))
        _write(sheet, 0, columns)
        for number, line in zip(count(1), lines, strict=False):
            if number == MAX_ROWS - 1:
                _write(sheet, number, [f"A sheet holds no more rows; the rest of {name} is in the CSV."])
                break
            _write(sheet, number, line)


def _free_title(name: str, taken: set[str]) -> str:
    """Return a title of no more characters than a spreadsheet allows, which no other sheet has, in any case."""
    title, number = name[:_MAX_TITLE], 1
    while title.lower() in taken:
        number += 1
        title = f"{name[: _MAX_TITLE - len(str(number)) - 1]} {number}"
    return title


def _write(sheet: Any, number: int, line: Iterable[Any]) -> None:
    for place, value in enumerate(line):
        if isinstance(value, dict | list):
            value = json.dumps(value, ensure_ascii=False)
        if isinstance(value, str):
            if value:
                held = NOT_IN_XML.sub(REPLACEMENT, safe_cell(value))[:_MAX_TEXT]
                sheet.write_string(number, place, f"'{held}" if held.startswith(_MARKUP) else held)
        elif isinstance(value, bool):
            sheet.write_boolean(number, place, value)
        elif isinstance(value, int | float):
            if math.isfinite(value):
                sheet.write_number(number, place, value)
        elif value is not None:
            raise TypeError(f"A cell holds text, a number or a truth value; got {type(value).__name__}.")
