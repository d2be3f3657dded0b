"""Tidy tables: reading them from files or data frames, checking them column by column, handing them on.

A table is a name and typed columns (float arrays with ``nan`` for missing, text arrays with ``""`` for missing). It
is deliberately not a pandas frame: loading pandas alone takes longer than most analyses of a reader study.
:meth:`Table.to_frame` makes one for whoever wants it. Columns that the schema does not know are kept as text; they
are the answers to form questions or, in segmentation tables, further metrics.

Row numbers in messages are those of a spreadsheet: the header is row 1.
"""

import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from equipoise.analysis.errors import AnalysisInputError
from equipoise.common.safe_cells import read_cell

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
Kind = Literal["text", "number", "integer", "flag"]

FIRST_DATA_ROW = 2
"""The header of a spreadsheet is row 1."""

MAX_ROWS = 1_048_576
"""Of a workbook or Parquet file, its header among them: as many as a sheet of Excel has."""
MAX_COLUMNS = 1_000
MAX_CELLS = 10_000_000
"""A small file can stand for far more cells than memory holds."""
MAX_UNPACKED_BYTES = 200 * 1024 * 1024
"""Of a workbook's or a Parquet file's parts together."""

_MAX_PROBLEMS_PER_COLUMN = 20
_MISSING_WORDS = frozenset({"na", "n/a", "nan", "none", "null", "-", "."})
_INFINITE_WORDS = {"inf": math.inf, "+inf": math.inf, "infinity": math.inf, "-inf": -math.inf}
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]+)?(e-?[0-9]{1,2})?")
_FLAG_WORDS = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}


@dataclass(frozen=True)
class Column:
    """What one column of a tidy table may hold."""

    name: str
    kind: Kind = "text"
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    infinite: bool = False
    """Whether ``inf`` is a value (a distance to an empty mask)."""
    known: bool = True
    """False for a column that no schema names: a form question or a further measurement."""


@dataclass(frozen=True)
class Schema:
    """The columns a table is known to have and those that together name one row."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def column(self, name: str) -> Column | None:
        """Return what is known of a column, ``None`` for one that is not known."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, eq=False)
class Table(Mapping[str, Array]):
    """Typed columns of equal length, addressed by name like a mapping of arrays."""

    name: str
    columns: Mapping[str, Array]
    row_numbers: Array
    notes: tuple[str, ...] = ()
    checked_against: Schema | None = None
    """The schema by which the columns were found good; they can no longer be changed then."""

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def n_rows(self) -> int:
        """Return the number of rows (``len`` is the number of columns, as in any mapping)."""
        return len(self.row_numbers)

    @classmethod
    def of(cls, name: str, columns: Mapping[str, Iterable[Any]], notes: Iterable[str] = ()) -> "Table":
        """Build a table from columns of Python values; ``None`` is missing."""
        arrays = {column: _as_column(values) for column, values in columns.items()}
        lengths = {len(array) for array in arrays.values()}
        if len(lengths) > 1:
            raise ValueError(f"columns of table '{name}' differ in length: {sorted(lengths)}.")
        n_rows = lengths.pop() if lengths else 0
        return cls(name, arrays, np.arange(n_rows) + FIRST_DATA_ROW, tuple(notes))

    @classmethod
    def of_rows(cls, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> "Table":
        """Build a table from rows of Python values; ``None`` is missing."""
        listed = list(rows)
        return cls.of(name, {column: [row[i] for row in listed] for i, column in enumerate(header)})

    def where(self, mask: Array) -> "Table":
        """Return the rows for which the mask is true."""
        columns = {name: values[mask] for name, values in self.columns.items()}
        return Table(self.name, columns, self.row_numbers[mask], self.notes)

    def with_columns(self, **columns: Array) -> "Table":
        """Return the table with columns added or replaced."""
        return Table(self.name, {**self.columns, **columns}, self.row_numbers, self.notes)

    def text(self, name: str, default: str = "") -> Array:
        """Return a column as text, or the default for every row if it is absent."""
        if name not in self.columns:
            return np.full(self.n_rows, default, dtype=object)
        values = self.columns[name]
        if values.dtype == object:
            return values
        different, places = np.unique(values, return_inverse=True)  # many rows share few numbers
        return np.array([format_number(value) for value in different], dtype=object)[places]

    def numbers(self, name: str, *, infinite: bool = False) -> Array:
        """Return a column as floats (all ``nan`` if absent); refuse text, naming file, row and column."""
        if name not in self.columns:
            return np.full(self.n_rows, np.nan)
        values = self.columns[name]
        if values.dtype != object:
            return values
        problems: list[str] = []
        column = Column(name, "number", infinite=infinite)
        parsed = _parse_column(values, self.row_numbers, column, self.name, problems, decimal_comma=False)
        if problems:
            raise AnalysisInputError(problems)
        return parsed

    def is_numeric(self, name: str) -> bool:
        """Return whether every value present in the column is a number."""
        if name not in self.columns:
            return False
        values = self.columns[name]
        return values.dtype != object or all(_is_number(str(value)) for value in values if value != "")

    def levels(self, name: str) -> list[str]:
        """Return the different values of a column in order of first appearance, without missing."""
        return [value for value in dict.fromkeys(self.text(name).tolist()) if value != ""]

    def groups(self, *names: str) -> dict[tuple[str, ...], Array]:
        """Return the row indices of every combination of values, in order of first appearance."""
        keys = zip(*(self.text(name).tolist() for name in names), strict=True)
        found: dict[tuple[str, ...], list[int]] = {}
        for index, key in enumerate(keys):
            found.setdefault(key, []).append(index)
        return {key: np.array(indices) for key, indices in found.items()}

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries of plain Python values; missing and non-finite are ``None``."""
        names = list(self.columns)
        lists = [[plain(value) for value in self.columns[name].tolist()] for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]

    def to_csv(self) -> str:
        """Return the table as CSV text: comma, point, full precision, empty for missing."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(zip(*(self.text(name).tolist() for name in self.columns), strict=True))
        return out.getvalue()

    def to_frame(self) -> "pd.DataFrame":
        """Return the table as a pandas data frame."""
        import pandas as pd

        return pd.DataFrame({name: values.copy() for name, values in self.columns.items()})

    def sha256(self) -> str:
        """Return the digest of the CSV text.

        The same values give the same digest whatever file they came from, columns unknown to the schema excepted:
        those are taken as they are written.
        """
        return self._sha256

    @cached_property
    def _sha256(self) -> str:
        return hashlib.sha256(self.to_csv().encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: numbers that are not finite and empty text become ``None``."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if value == "" else value


def format_number(value: float) -> str:
    """Return a number at full precision, whole numbers without a point, missing as empty text."""
    number = float(value)
    if math.isnan(number):
        return ""
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _as_column(values: Iterable[Any]) -> Array:
    listed = [value.item() if isinstance(value, np.generic) else value for value in values]
    if any(isinstance(value, str) for value in listed):
        return np.array([_cell_text(value) for value in listed], dtype=object)
    return np.array([math.nan if value is None else float(value) for value in listed], dtype=float)


def _cell_text(value: Any) -> str:
    """Return the text of one cell however it was stored; missing is empty."""
    if value is None:
        return ""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return format_number(value)
    if type(value).__name__ in {"NaTType", "NAType"}:  # the missing values of pandas, without loading it
        return ""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return str(value).strip()


# ---------------------------------------------------------------- reading files


@dataclass(frozen=True)
class _RawTable:
    """Header and cells as text, before any column is checked."""

    name: str
    header: list[str]
    cells: list[list[str]]
    decimal_comma: bool = False
    notes: tuple[str, ...] = ()


def read_table(
    path: Path, schema: Schema, *, required: Sequence[str] = (), columns: Mapping[str, str] | None = None
) -> Table:
    """Read and check a tidy table.

    Parameters
    ----------
    path : Path
        A ``.csv``, ``.xlsx`` or ``.parquet`` file. CSV is UTF-8 with a header; comma, semicolon or tab separate, and
        where semicolon or tab do, a decimal comma is recognised. A cell that was quoted so that no spreadsheet runs it
        as a formula is read as what was quoted.
    schema : Schema
        The columns that are known; others are kept as text.
    required : sequence of str
        Columns that must be there.
    columns : mapping of str to str, optional
        Known name -> name in the file, for tables collected elsewhere.

    Raises
    ------
    AnalysisInputError
        With every problem of the file at once.
    """
    readers: dict[str, Callable[[Path], _RawTable]] = {
        ".csv": _read_csv,
        ".txt": _read_csv,
        ".tsv": _read_csv,
        ".xlsx": _read_xlsx,
        ".parquet": _read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise AnalysisInputError(
            [f"{path.name}: '{path.suffix}' tables are not read; give CSV, XLSX or Parquet."]
        )
    if not path.is_file():
        raise AnalysisInputError([f"{path}: there is no such file."])
    return _checked(reader(path), schema, required=required, columns=columns or {})


def table_from_frame(
    frame: "pd.DataFrame | Table | Mapping[str, Iterable[Any]]",
    schema: Schema,
    *,
    required: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
) -> Table:
    """Check a table that is already in memory (a data frame, a table, or columns by name) like one read from a file.

    One that was checked by the same schema before is only asked for the columns that are required now.
    """
    if isinstance(frame, Table) and frame.checked_against is schema and not columns:
        problems = _absent(frame.name, list(frame), required) or _empty_key_cells(frame, required, schema)
        if problems:
            raise AnalysisInputError(problems)
        return frame
    names = [str(name) for name in frame]
    if isinstance(frame, Table):
        lists = [frame.text(name).tolist() for name in names]
    else:
        lists = [[_cell_text(value) for value in _values(frame[name])] for name in frame]  # type: ignore[index]  # a frame's names
    if len({len(values) for values in lists}) > 1:
        raise AnalysisInputError([f"{schema.name}: the columns differ in length."])
    cells = [list(row) for row in zip(*lists, strict=True)]
    return _checked(_RawTable(schema.name, names, cells), schema, required=required, columns=columns or {})


def _values(column: Any) -> Iterable[Any]:
    return list(np.asarray(column, dtype=object))


def _read_csv(path: Path) -> _RawTable:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnalysisInputError(
            [f"{path.name}: byte {error.start} is not UTF-8 text. Save the table as 'CSV UTF-8'."]
        ) from error
    if not text.strip():
        raise AnalysisInputError([f"{path.name}: the file is empty."])
    delimiter = _delimiter(text.lstrip("\r\n").split("\n", 1)[0])
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    header, *records = [[read_cell(cell.strip()) for cell in row] for row in rows]
    _refuse_uneven_rows(path.name, header, records, delimiter)
    cells = [row for row in records if any(row)]
    decimal_comma = delimiter != "," and any(_is_decimal_comma(cell) for row in cells for cell in row)
    notes: list[str] = []
    if delimiter != ",":
        separator = "semicolons" if delimiter == ";" else "tabs"
        notes.append(
            f"{path.name} was read with {separator} between cells and a decimal "
            f"{'comma' if decimal_comma else 'point'}."
        )
    return _RawTable(path.name, header, cells, decimal_comma, tuple(notes))


def _delimiter(header_line: str) -> str:
    """Return what separates the cells: the header's names hold no separator themselves."""
    return max((",", ";", "\t"), key=lambda mark: (header_line.count(mark), mark == ","))


def _refuse_uneven_rows(
    name: str, header: Sequence[str], records: Sequence[Sequence[str]], delimiter: str
) -> None:
    problems = []
    for number, row in enumerate(records, FIRST_DATA_ROW):
        if len(row) == len(header) or not any(row):
            continue
        hint = ""
        if delimiter == "," and len(row) > len(header):
            hint = " A decimal comma cannot be told from a separator: write 0.5, or separate cells with semicolons."
        problems.append(f"{name} row {number}: {len(row)} cells, but the header has {len(header)}.{hint}")
    if problems:
        raise AnalysisInputError(_capped(problems, name))


def _is_decimal_comma(cell: str) -> bool:
    whole, comma, fraction = cell.lstrip("+-").partition(",")
    return bool(comma) and whole.isdigit() and fraction.isdigit()


def _read_xlsx(path: Path) -> _RawTable:
    import zipfile
    from xml.etree.ElementTree import ParseError

    from openpyxl import load_workbook

    try:
        with zipfile.ZipFile(path) as parts:
            _refuse_large(path.name, unpacked=sum(part.file_size for part in parts.infolist()))
        workbook = load_workbook(path, read_only=True, data_only=True)
        try:
            header, cells = _sheet_cells(path.name, workbook.worksheets[0])
        finally:
            workbook.close()
    except (zipfile.BadZipFile, ParseError, LookupError, ValueError) as error:
        raise AnalysisInputError([f"{path.name}: this is not an XLSX workbook."]) from error
    notes: tuple[str, ...] = ()
    if len(workbook.worksheets) > 1:
        notes = (f"{path.name}: the first of {len(workbook.worksheets)} sheets was read.",)
    return _RawTable(path.name, header, cells, notes=notes)


def _sheet_cells(name: str, sheet: Any) -> tuple[list[str], list[list[str]]]:
    """Return header and rows that hold something of a sheet; what it says of its own size is not believed."""
    sheet.reset_dimensions()
    header: list[str] | None = None
    cells: list[list[str]] = []
    n_cells = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        n_cells += len(row)
        _refuse_large(name, rows=number, columns=len(row), cells=n_cells)
        texts = [_cell_text(value) for value in row]
        if header is None:
            header = texts[: max((i + 1 for i, text in enumerate(texts) if text), default=0)]
        elif any(texts[: len(header)]):
            cells.append(texts[: len(header)] + [""] * (len(header) - len(texts)))
            n_cells += max(len(header) - len(texts), 0)
    if header is None:
        raise AnalysisInputError([f"{name}: the first sheet is empty."])
    return header, cells


def _refuse_large(name: str, *, rows: int = 0, columns: int = 0, cells: int = 0, unpacked: int = 0) -> None:
    """Refuse a packed table beyond what is read, before it fills the memory."""
    problems = [
        f"{name}: the table has more than {limit:,} {what}; give fewer, or several tables."
        for number, limit, what in (
            (rows, MAX_ROWS, "rows, empty ones counted"),
            (columns, MAX_COLUMNS, "columns"),
            (cells, MAX_CELLS, "cells"),
            (unpacked, MAX_UNPACKED_BYTES, "bytes when unpacked"),
        )
        if number > limit
    ]
    if problems:
        raise AnalysisInputError(problems)


def _read_parquet(path: Path) -> _RawTable:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            facts = file.metadata
            groups = [facts.row_group(i) for i in range(facts.num_row_groups)]
            _refuse_large(
                path.name,
                rows=facts.num_rows + 1,
                columns=facts.num_columns,
                unpacked=sum(group.total_byte_size for group in groups),
            )
            values = sum(group.column(i).num_values for group in groups for i in range(group.num_columns))
            _refuse_large(path.name, cells=max(values, facts.num_rows * facts.num_columns))
            columns = file.read().to_pydict()
    except pa.ArrowException as error:
        raise AnalysisInputError([f"{path.name}: this is not a Parquet file."]) from error
    lists = [[_cell_text(value) for value in values] for values in columns.values()]
    return _RawTable(path.name, list(columns), [list(row) for row in zip(*lists, strict=True)])


# ---------------------------------------------------------------- checking


def _checked(raw: _RawTable, schema: Schema, *, required: Sequence[str], columns: Mapping[str, str]) -> Table:
    header = _renamed(raw, columns)
    problems = [f"{raw.name}: column {i} has no name." for i, name in enumerate(header, 1) if not name]
    problems += [f"{raw.name}: two columns are called '{name}'." for name in _repeated(header)]
    problems += _absent(raw.name, header, required)
    if not raw.cells:
        problems.append(f"{raw.name}: there is no row below the header.")
    if problems:
        raise AnalysisInputError(problems)
    row_numbers = np.arange(len(raw.cells)) + FIRST_DATA_ROW
    parsed: dict[str, Array] = {}
    for index, name in enumerate(header):
        texts = np.array([row[index] for row in raw.cells], dtype=object)
        column = schema.column(name) or Column(name, known=False)
        parsed[name] = _parse_column(
            texts, row_numbers, column, raw.name, problems, decimal_comma=raw.decimal_comma
        )
        parsed[name].flags.writeable = False
    table = Table(raw.name, parsed, row_numbers, raw.notes, checked_against=schema)
    problems += _empty_key_cells(table, required, schema) + _duplicates(table, schema)
    if problems:
        raise AnalysisInputError(problems)
    return table


def _absent(table: str, header: Sequence[str], required: Sequence[str]) -> list[str]:
    found = ", ".join(header)
    return [
        f"{table}: column '{name}' is missing. Columns found: {found}."
        for name in required
        if name not in header
    ]


def _renamed(raw: _RawTable, columns: Mapping[str, str]) -> list[str]:
    absent = [given for given in columns.values() if given not in raw.header]
    if absent:
        found = ", ".join(raw.header)
        raise AnalysisInputError(
            [f"{raw.name}: the plan names column '{name}', but the columns are: {found}." for name in absent]
        )
    known_by_given = {given: known for known, given in columns.items()}
    return [known_by_given.get(name, name) for name in raw.header]


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name and names.count(name) > 1]


def _parse_column(
    texts: Array, row_numbers: Array, column: Column, table: str, problems: list[str], *, decimal_comma: bool
) -> Array:
    faults: list[str] = []
    if column.kind == "text":
        if column.choices:
            faults = [
                f"{table} row {number}, column {column.name}: '{text}' is not one of {', '.join(column.choices)}."
                for text, number in zip(texts, row_numbers, strict=True)
                if text not in {"", *column.choices}
            ]
        if decimal_comma and not column.known:
            texts = np.array(
                [t.replace(",", ".") if _is_decimal_comma(t) else t for t in texts], dtype=object
            )
        problems += _capped(faults, f"{table}, column {column.name}")
        return texts
    values = np.full(len(texts), np.nan)
    for index, text in enumerate(texts):
        if text == "":
            continue
        try:
            values[index] = _parse_number(str(text), column, decimal_comma=decimal_comma)
        except ValueError as error:
            faults.append(f"{table} row {row_numbers[index]}, column {column.name}: {error}")
    problems += _capped(faults, f"{table}, column {column.name}")
    return values


def _parse_number(text: str, column: Column, *, decimal_comma: bool) -> float:
    if column.kind == "flag":
        if text.lower() not in _FLAG_WORDS:
            raise ValueError(f"'{text}' is neither 0 nor 1.")
        return _FLAG_WORDS[text.lower()]
    value = _number(text, column, decimal_comma=decimal_comma)
    if column.kind == "integer" and not value.is_integer():
        raise ValueError(f"'{text}' is not a whole number.")
    if column.minimum is not None and value < column.minimum:
        raise ValueError(f"{text} is below {column.minimum:g}.")
    if column.maximum is not None and value > column.maximum:
        raise ValueError(f"{text} is above {column.maximum:g}.")
    return value


def _number(text: str, column: Column, *, decimal_comma: bool) -> float:
    if _PLAIN_NUMBER.fullmatch(text):  # as almost all are, in tables of millions
        return float(text)
    lowered = text.lower()
    if lowered in _INFINITE_WORDS:
        if column.infinite:
            return _INFINITE_WORDS[lowered]
        raise ValueError(f"'{text}' is not a finite number.")
    if lowered in _MISSING_WORDS:
        raise ValueError(f"'{text}' is not a number; leave the cell empty where the value is missing.")
    if decimal_comma:
        if "," in text and "." in text:
            raise ValueError(
                f"'{text}' mixes point and comma; write the number without thousands separators."
            )
        text = text.replace(",", ".")
    elif _is_decimal_comma(text):
        raise ValueError(f"'{text}' has a decimal comma; write {text.replace(',', '.')}.")
    if not _is_number(text):
        raise ValueError(f"'{text}' is not a number.")
    return float(text)


def _is_number(text: str) -> bool:
    if text.lower() in _INFINITE_WORDS:
        return True
    if not text.isascii() or "_" in text:
        return False
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _empty_key_cells(table: Table, required: Sequence[str], schema: Schema) -> list[str]:
    faults: list[str] = []
    for name in required:
        if name not in schema.key:
            continue
        empty = table.row_numbers[np.array([text == "" for text in table.text(name)])]
        faults += _capped(
            [f"{table.name} row {number}, column {name}: empty, but every row needs it." for number in empty],
            f"{table.name}, column {name}",
        )
    return faults


def _duplicates(table: Table, schema: Schema) -> list[str]:
    key = [name for name in schema.key if name in table]
    if not key:
        return []
    faults = []
    for values, indices in table.groups(*key).items():
        if len(indices) > 1:
            first, *others = table.row_numbers[indices].tolist()
            named = ", ".join(f"{name} {value or '(empty)'}" for name, value in zip(key, values, strict=True))
            rows = ", ".join(str(number) for number in others[:5]) + (" ..." if len(others) > 5 else "")
            faults.append(f"{table.name} row {rows}: a second row for {named} (first in row {first}).")
    return _capped(faults, f"{table.name}, repeated rows")


def _capped(problems: Sequence[str], where: str) -> list[str]:
    if len(problems) <= _MAX_PROBLEMS_PER_COLUMN:
        return list(problems)
    more = len(problems) - _MAX_PROBLEMS_PER_COLUMN
    return [*problems[:_MAX_PROBLEMS_PER_COLUMN], f"{where}: {more} more problems of this kind."]
