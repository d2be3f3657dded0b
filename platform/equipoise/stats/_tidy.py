"""Reading a tidy table, whatever holds it: a data frame, a mapping of columns, or a list of rows.

Nothing is computed here. Every estimator that takes ``readings`` goes through this door, so pandas is not
needed and not imported.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.object_]
"""A column of labels; ``None`` where there is none."""

Table = Any
"""Anything with columns: a pandas or polars data frame, ``{"reader": [...], ...}``, or ``[{"reader": ...},
...]``."""


class Columns:
    """The columns of a tidy table, by name.

    Parameters
    ----------
    table : Table
        See :data:`Table`. All columns must have the same length.
    """

    def __init__(self, table: Table) -> None:
        self._columns = _as_mapping(table)
        lengths = {len(column) for column in self._columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"The columns of the table differ in length: {sorted(lengths)}.")
        self.length = lengths.pop() if lengths else 0

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def require(self, names: Iterable[str]) -> None:
        """Raise ``ValueError`` naming every absent column."""
        absent = [name for name in names if name not in self._columns]
        if absent:
            raise ValueError(f"The table lacks the columns {absent}; it has {sorted(self._columns)}.")

    def labels(self, name: str) -> Labels:
        """Return a column as labels: strings and numbers as they are, everything missing as ``None``."""
        self.require([name])
        out = np.empty(self.length, dtype=object)
        for row, value in enumerate(self._columns[name]):
            out[row] = label(value)
        return out

    def optional_labels(self, name: str) -> Labels:
        """Return a column as labels, or ``None`` everywhere where the table lacks it."""
        return self.labels(name) if name in self._columns else np.full(self.length, None, dtype=object)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers, missing as ``nan``."""
        values = self.labels(name)
        try:
            return np.array(
                [math.nan if value is None else float(value) for value in values], dtype=np.float64
            )
        except (TypeError, ValueError) as error:
            raise ValueError(f"Column {name!r} must hold numbers: {error}.") from error


def label(value: Any) -> Any:
    """Return the value as a label: stripped text, a Python scalar, or ``None`` for anything missing."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    if hasattr(value, "item"):
        value = value.item()
    if value != value:
        return None
    return None if type(value).__name__ == "NAType" else value


def codes(labels: Sequence[Any] | Labels) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the distinct labels, in order (numbers by size, text by letter), and each row's index into
    them."""
    distinct = sort_labels(set(labels))
    place = {value: index for index, value in enumerate(distinct)}
    return distinct, np.array([place[value] for value in labels], dtype=np.intp)


def sort_labels(labels: Collection[Any]) -> list[Any]:
    """Return labels in order; labels of mixed kinds come by kind, then by their text."""
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=lambda value: (type(value).__name__, str(value)))


def _as_mapping(table: Table) -> dict[str, Sequence[Any]]:
    if isinstance(table, Mapping):
        return {str(name): list(column) for name, column in table.items()}
    if hasattr(table, "columns") and hasattr(table, "__getitem__"):
        return {str(name): list(table[name]) for name in table.columns}
    rows = list(table)
    if not all(isinstance(row, Mapping) for row in rows):
        raise TypeError("A table is a data frame, a mapping of columns, or a list of mappings (rows).")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {str(name): [row.get(name) for row in rows] for name in names}
