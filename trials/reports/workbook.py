"""Workbooks (XLSX, ECMA-376), written row by row: no more than one row stands in memory, equal cells give equal bytes.

The usual writers of workbooks round numbers to 16 digits, and take several times as long over a large trial.
"""

import json
import math
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from io import TextIOWrapper
from itertools import count
from types import TracebackType
from typing import Any, BinaryIO, Self
from xml.sax.saxutils import escape, quoteattr

from trials.domain.safe_cells import safe_cell
from trials.domain.storable import REPLACEMENT

MAX_ROWS = 1_048_576
"""Rows of a sheet, as a spreadsheet allows."""
_MAX_TITLE = 31
"""Characters of a sheet's title."""
_MAX_TEXT = 32_767
"""Characters of a cell; what is longer is cut."""
_MIN_COLUMN_WIDTH, _MAX_COLUMN_WIDTH = 8, 40
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What no XML file may hold, and so no workbook."""
_SHORT = 64
"""Characters of a text that may be a code, of which a column has many alike."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="1"><xf xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


class Workbook:
    """A workbook that is being written into a file, sheet after sheet; a context manager.

    Text that a spreadsheet would run as a formula is quoted, whoever wrote it; U+FFFD stands for each character that
    no workbook can hold. Numbers keep every digit; what is no number, and None, leave their cells empty.
    """

    def __init__(self, sink: BinaryIO) -> None:
        self._file = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED)
        self._titles: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self._finish()

    def sheet(self, name: str, columns: Sequence[str], lines: Iterable[Iterable[Any]]) -> None:
        """Write a sheet: a line of the columns' names, then the lines; what no longer fits is named in the last row."""
        self._titles.append(_free_title(name, {title.lower() for title in self._titles}))
        letters = [_letters(place) for place in range(1, len(columns) + 1)]
        with tempfile.TemporaryFile() as plain:
            text = TextIOWrapper(plain, encoding="utf-8", newline="")
            text.write(f'{_HEAD}<worksheet xmlns="{_MAIN}">{_widths(columns)}<sheetData>')
            text.write(_row(1, letters, columns))
            for number, line in zip(count(2), lines, strict=False):
                if number == MAX_ROWS:
                    line = [f"A sheet holds no more rows; the rest of {name} is in the CSV."]
                text.write(_row(number, letters, line))
                if number == MAX_ROWS:
                    break
            text.write("</sheetData></worksheet>")
            text.flush()
            entry = _entry(f"xl/worksheets/sheet{len(self._titles)}.xml")
            entry.file_size = plain.tell()
            plain.seek(0)
            with self._file.open(entry, "w") as packed:
                shutil.copyfileobj(plain, packed, 1 << 20)

    def _finish(self) -> None:
        """Write the parts that name the sheets."""
        numbers = range(1, len(self._titles) + 1)
        sheets = "".join(
            f'<sheet name={quoteattr(title)} sheetId="{number}" r:id="rId{number}"/>'
            for number, title in zip(numbers, self._titles, strict=True)
        )
        parts = {f"xl/worksheets/sheet{number}.xml": "worksheet" for number in numbers}
        parts |= {"xl/styles.xml": "styles", "xl/workbook.xml": "sheet.main"}
        types = "".join(
            f'<Override PartName="/{part}" ContentType="{_TYPE}.{kind}+xml"/>' for part, kind in parts.items()
        )
        related = "".join(
            f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
            for number in numbers
        )
        for name, text in {
            "xl/styles.xml": _STYLES,
            "xl/workbook.xml": (
                f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'
            ),
            "xl/_rels/workbook.xml.rels": (
                f'<Relationships xmlns="{_PACKAGE}/relationships">{related}'
                f'<Relationship Id="rId{len(numbers) + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/>'
                "</Relationships>"
            ),
            "_rels/.rels": (
                f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
                f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
            ),
            "[Content_Types].xml": (
                f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
                f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{types}</Types>'
            ),
        }.items():
            self._file.writestr(_entry(name), _HEAD + text)


def _entry(name: str) -> zipfile.ZipInfo:
    """Return a file of the package, with no time of its own: equal cells shall give equal bytes."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _free_title(name: str, taken: Iterable[str]) -> str:
    """Return a title of no more characters than a spreadsheet allows, which no other sheet has, in any case."""
    title, number = name[:_MAX_TITLE], 1
    while title.lower() in taken:
        number += 1
        title = f"{name[: _MAX_TITLE - len(str(number)) - 1]} {number}"
    return title


def _letters(place: int) -> str:
    """Return what a spreadsheet calls a column: A to Z, AA to ZZ, AAA and on."""
    letters = ""
    while place:
        place, letter = divmod(place - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def _widths(columns: Sequence[str]) -> str:
    widths = [min(max(len(column) + 2, _MIN_COLUMN_WIDTH), _MAX_COLUMN_WIDTH) for column in columns]
    told = "".join(
        f'<col min="{place}" max="{place}" width="{width}" customWidth="1"/>'
        for place, width in enumerate(widths, start=1)
    )
    return f"<cols>{told}</cols>" if told else ""


def _row(number: int, letters: Sequence[str], line: Iterable[Any]) -> str:
    cells = "".join(
        [
            f'<c r="{letter}{number}"{told}</c>'
            for letter, value in zip(letters, line, strict=False)
            if value is not None and (told := _cell(value))
        ]
    )
    return f'<row r="{number}">{cells}</row>'


def _cell(value: Any) -> str:
    """Return the rest of a cell's opening tag and what is in the cell; nothing for an empty one."""
    if isinstance(value, str):
        return _short_text(value) if len(value) < _SHORT else _text(value)
    if isinstance(value, bool):
        return f' t="b"><v>{value:d}</v>'
    if isinstance(value, int | float):
        return f"><v>{value!r}</v>" if math.isfinite(value) else ""
    if isinstance(value, dict | list):
        return _text(json.dumps(value, ensure_ascii=False))
    raise TypeError(f"A cell holds text, a number or a truth value; got {type(value).__name__}.")


def _text(value: str) -> str:
    held = _NOT_IN_XML.sub(REPLACEMENT, safe_cell(value))[:_MAX_TEXT]
    told = escape(held, {"\r": "&#13;"})
    return f' t="inlineStr"><is><t xml:space="preserve">{told}</t></is>' if told else ""


_short_text = lru_cache(maxsize=4096)(_text)
