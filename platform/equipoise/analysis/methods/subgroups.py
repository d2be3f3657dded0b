"""Subgroups of cases: by intervals of a measurement, by categories, by labels that several people gave."""

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.tables import Array, Table

_INTERVAL = re.compile(r"^\s*([\[(])\s*([^,\s]+)\s*,\s*([^,\s]+)\s*([\])])\s*$")


@dataclass(frozen=True)
class Interval:
    """A range of a measurement with its ends in or out."""

    text: str
    low: float
    high: float
    has_low: bool
    has_high: bool

    def contains(self, values: Array) -> Array:
        """Return which values lie in the interval."""
        above = values >= self.low if self.has_low else values > self.low
        below = values <= self.high if self.has_high else values < self.high
        inside: Array = above & below
        return inside


def parsed_intervals(texts: tuple[str, ...], parameter: str) -> list[Interval]:
    """Return intervals written as ``(2.5, 5]``; they may not overlap."""
    intervals = []
    for text in texts:
        match = _INTERVAL.match(text)
        if match is None:
            raise AnalysisInputError(
                [f"Parameter {parameter}: '{text}' is not an interval such as '(2.5, 5]'."]
            )
        opening, low, high, closing = match.groups()
        try:
            bounds = float(low), float(high)
        except ValueError as error:
            raise AnalysisInputError(
                [f"Parameter {parameter}: '{text}' has a bound that is not a number."]
            ) from error
        if not bounds[0] < bounds[1]:
            raise AnalysisInputError([f"Parameter {parameter}: '{text}' is empty."])
        intervals.append(Interval(text.strip(), *bounds, has_low=opening == "[", has_high=closing == "]"))
    ordered = sorted(intervals, key=lambda i: i.low)
    for before, after in itertools.pairwise(ordered):
        if before.high > after.low or (before.high == after.low and before.has_high and after.has_low):
            raise AnalysisInputError([f"Parameter {parameter}: {before.text} and {after.text} overlap."])
    return ordered


def levels_by_interval(values: Array, intervals: list[Interval]) -> Array:
    """Return the interval of each value as text, empty where it lies in none or is missing."""
    levels = np.full(len(values), "", dtype=object)
    known = ~np.isnan(values)
    for interval in intervals:
        levels[known & interval.contains(values)] = interval.text
    return levels


def combined_label(table: Table, columns: list[str]) -> Array:
    """Return a 0/1 label of several labellers per case: 1 where any of them says 1, so disagreement counts as 1."""
    labels = np.column_stack([table.numbers(name) for name in columns])
    wrong = ~np.isnan(labels) & ~np.isin(labels, (0, 1))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise AnalysisInputError(
            f"{table.name} row {table.row_numbers[row]}, column {columns[column]}: '{labels[row, column]:g}' "
            "is neither 0 nor 1."
        )
    known = ~np.isnan(labels).all(axis=1)
    combined = np.full(table.n_rows, "", dtype=object)
    combined[known] = np.where(np.nansum(labels[known], axis=1) > 0, "1", "0")
    return combined


def subgroup_levels(
    table: Table, name: str, *, intervals: Mapping[str, list[Interval]], labels: Mapping[str, str]
) -> tuple[Array, list[str]]:
    """Return the level of each row in the named subgroup, and the levels in order.

    ``name`` is a column, a name of ``labels`` (columns joined by ``+``), or several of either joined by ``*``.
    """
    if "*" in name:
        parts = [
            subgroup_levels(table, part.strip(), intervals=intervals, labels=labels)[0]
            for part in name.split("*")
        ]
        crossed = np.array(
            [" · ".join(row) if all(row) else "" for row in zip(*parts, strict=True)], dtype=object
        )
        return crossed, sorted(set(crossed.tolist()) - {""})
    if name in labels:
        columns = [column.strip() for column in labels[name].split("+")]
        _require(table, columns)
        return combined_label(table, columns), ["0", "1"]
    _require(table, [name])
    if name in intervals:
        values = table.numbers(name)
        return levels_by_interval(values, intervals[name]), [interval.text for interval in intervals[name]]
    levels = table.text(name)
    return levels, sorted(set(levels.tolist()) - {""}, key=_natural)


def _natural(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return math.inf, text


def _require(table: Table, columns: list[str]) -> None:
    absent = [column for column in columns if column not in table]
    if absent:
        raise AnalysisInputError(
            f"{table.name}: there is no column '{column}' for a subgroup. Columns found: {', '.join(table)}."
            for column in absent
        )
