"""The door of the multi-reader analyses: a tidy table of readings becomes an array, or a sentence says why not."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equipoise.stats._binary_truth import Bools, Floats
from equipoise.stats._common import UnclusteredItemsWarning
from equipoise.stats._tidy import Table, label, sort_labels

CaseDesign = Literal[
    "crossed",
    "partly crossed",
    "nested in readers",
    "nested in conditions",
    "nested in readers and conditions",
]
ReaderDesign = Literal["crossed", "nested in conditions"]


@dataclass(frozen=True)
class ReadingArray:
    """Readings of conditions x readers x units.

    A unit is a case, or an item of a case where the table has items.

    Attributes
    ----------
    conditions, readers, units : tuple of label
        In order: numbers by size, text by letter.
    positive : ndarray of bool, shape (units,)
        The reference standard.
    scores : ndarray of float, shape (conditions, readers, units)
        ``nan`` where there is no reading.
    cluster_codes, n_clusters : ndarray of int, shape (units,), and int; or None
    case_design, reader_design
        What the table shows, not what was planned.
    notes : tuple of str
        How rows were selected and what was missing.
    """

    conditions: tuple[Any, ...]
    readers: tuple[Any, ...]
    units: tuple[Any, ...]
    positive: Bools
    scores: Floats
    clusters: tuple[NDArray[np.intp], int] | None
    case_design: CaseDesign
    reader_design: ReaderDesign
    notes: tuple[str, ...]

    @property
    def read(self) -> Bools:
        """Where there is a reading, shape (conditions, readers, units)."""
        return ~np.isnan(self.scores)

    @property
    def missing_words(self) -> str:
        """What happened to missing readings, in words."""
        return "; ".join(self.notes) or "no reading missing"


def read_readings(
    readings: Table,
    *,
    clusters: str | Sequence[Any] | None = None,
    score_column: str = "score",
    refuse_algorithms: bool = True,
) -> ReadingArray:
    """Turn a tidy table into an array.

    Parameters
    ----------
    readings : data frame, mapping of columns, or list of rows
        Columns ``reader`` (or ``participant``), ``case``, ``condition``, ``truth`` and the score; optional
        ``item`` (several per case), ``repeat`` (only the first is analysed) and ``participant_kind``.
    clusters : str or sequence of label, optional
        A column name, or one label per row.
    score_column : str
    refuse_algorithms : bool
        Whether a ``participant_kind`` of ``algorithm`` is an error.

    Raises
    ------
    ValueError
        Naming the column, the cell or the case that is wrong.
    """
    columns = _columns(readings)
    reader_column = "reader" if "reader" in columns or "participant" not in columns else "participant"
    absent = [n for n in (reader_column, "case", "condition", score_column, "truth") if n not in columns]
    if absent:
        raise ValueError(f"readings lacks the columns {absent}; it has {sorted(columns)}.")
    clusters_of_rows = _cluster_column(columns, clusters)
    if clusters_of_rows is not None:
        columns["_clusters"] = clusters_of_rows
    columns, notes = _first_repeat(columns)
    if not len(columns["case"]):
        raise ValueError("readings holds no row.")
    if refuse_algorithms:
        _refuse_algorithms(columns, reader_column)
    scores = _finite_numbers(columns[score_column], score_column)
    truth = _truth(columns["truth"])
    conditions, condition = _codes(columns["condition"], "condition")
    readers, reader = _codes(columns[reader_column], reader_column)
    units, unit = _units(columns, clustered=clusters_of_rows is not None)
    shape = (len(conditions), len(readers), len(units))
    flat = np.ravel_multi_index((condition, reader, unit), shape)
    _refuse_duplicates(flat, (conditions, readers, units), shape)
    array = np.full(math.prod(shape), np.nan)
    array[flat] = scores
    array = array.reshape(shape)
    positive = _unit_truth(unit, truth, units)
    read = ~np.isnan(array)
    n_cells = int(read.any(axis=2).sum())
    n_missing = n_cells * len(units) - int(read.sum())
    case_design, reader_design = _design(read)
    if n_missing and case_design == "partly crossed":
        notes.append(
            f"{n_missing} of {n_cells * len(units)} readings missing: each cell uses the cases it has"
        )
    return ReadingArray(
        tuple(conditions),
        tuple(readers),
        tuple(units),
        positive,
        array,
        None if clusters_of_rows is None else _unit_clusters(unit, columns["_clusters"], units),
        case_design,
        reader_design,
        tuple(notes),
    )


def has_column(readings: Table, name: str) -> bool:
    """Return whether a table of any kind has a column."""
    if isinstance(readings, Mapping) or hasattr(readings, "columns"):
        return name in (readings if isinstance(readings, Mapping) else readings.columns)
    return isinstance(readings, Sequence) and any(
        isinstance(row, Mapping) and name in row for row in readings[:1]
    )


def _columns(readings: Table) -> dict[str, list[Any]]:
    if isinstance(readings, Mapping):
        columns = {str(name): _as_list(values) for name, values in readings.items()}
    elif hasattr(readings, "columns") and hasattr(readings, "__getitem__"):
        columns = {str(name): _as_list(readings[name]) for name in readings.columns}
    else:
        rows = list(readings)
        if not all(isinstance(row, Mapping) for row in rows):
            raise TypeError(
                "readings must be a data frame, a mapping of columns, or a list of mappings (rows)."
            )
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {str(name): [row.get(name) for row in rows] for name in names}
    if len({len(values) for values in columns.values()}) > 1:
        raise ValueError("the columns of readings differ in length.")
    return columns


def _as_list(values: Any) -> list[Any]:
    to_list = getattr(values, "tolist", None) or getattr(values, "to_list", None)
    return list(to_list() if callable(to_list) else values)


def _cluster_column(columns: dict[str, list[Any]], clusters: str | Sequence[Any] | None) -> list[Any] | None:
    if clusters is None:
        return None
    if isinstance(clusters, str):
        if clusters not in columns:
            raise ValueError(f"readings lacks the column {clusters!r} that clusters names.")
        return columns[clusters]
    labels = _as_list(clusters)
    n_rows = len(columns["case"])
    if len(labels) != n_rows:
        raise ValueError(f"clusters must have one label per row of readings ({n_rows}), got {len(labels)}.")
    return labels


def _first_repeat(columns: dict[str, list[Any]]) -> tuple[dict[str, list[Any]], list[str]]:
    """Keep the first repeat: only it enters effect estimates."""
    if "repeat" not in columns:
        return columns, []
    keep = [value is None or value != value or float(value) == 1.0 for value in columns["repeat"]]
    left_out = len(keep) - sum(keep)
    if not left_out:
        return columns, []
    kept = {
        name: [value for value, wanted in zip(values, keep, strict=True) if wanted]
        for name, values in columns.items()
    }
    return kept, [f"{left_out} repeated readings left out (repeat > 1)"]


def _refuse_algorithms(columns: dict[str, list[Any]], reader_column: str) -> None:
    if "participant_kind" not in columns:
        return
    named = {
        str(reader)
        for reader, kind in zip(columns[reader_column], columns["participant_kind"], strict=True)
        if str(kind).strip().lower() == "algorithm"
    }
    if named:
        raise ValueError(
            f"participant_kind says that {', '.join(sorted(named))} is an algorithm: an algorithm is a fixed "
            "comparator and never a random reader. Leave it out and use compare_readers_with_algorithm."
        )


def _finite_numbers(values: list[Any], name: str) -> Floats:
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {name!r} must hold numbers: {error}.") from error
    finite = np.isfinite(numbers)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise ValueError(
            f"column {name!r} must hold finite numbers, got {values[row]!r} in row {row}: a reading without a score "
            "is left out of the table, and counts as missing."
        )
    return numbers


def _truth(values: list[Any]) -> Bools:
    numbers = _finite_numbers(values, "truth")
    positive: Bools = numbers == 1.0
    if not (positive | (numbers == 0.0)).all():
        raise ValueError(f"column 'truth' must hold 0 and 1 only, got {sorted(set(numbers.tolist()))[:5]}.")
    return positive


def _codes(values: list[Any], name: str) -> tuple[list[Any], NDArray[np.intp]]:
    """Return the distinct labels in order, and each row's index into them."""
    cleaned = {value: label(value) for value in dict.fromkeys(values)}
    if None in cleaned.values():
        row = next(row for row, value in enumerate(values) if label(value) is None)
        raise ValueError(f"column {name!r} is empty in row {row}.")
    distinct = sort_labels(set(cleaned.values()))
    place = {value: index for index, value in enumerate(distinct)}
    code = {value: place[clean] for value, clean in cleaned.items()}
    return distinct, np.fromiter(map(code.__getitem__, values), dtype=np.intp, count=len(values))


def _units(columns: dict[str, list[Any]], *, clustered: bool) -> tuple[list[Any], NDArray[np.intp]]:
    if "item" not in columns:
        return _codes(columns["case"], "case")
    cases, case = _codes(columns["case"], "case")
    labels = [label(value) for value in columns["item"]]
    items, item = _codes(["-" if value is None else value for value in labels], "item")
    pairs = np.unique(case * len(items) + item)
    if pairs.size == len(cases):
        return cases, case
    if not clustered:
        warnings.warn(
            f"{len(cases)} cases have {pairs.size} items, analysed as if they were independent: "
            "give clusters='case'.",
            UnclusteredItemsWarning,
            stacklevel=4,
        )
    units = [(cases[pair // len(items)], items[pair % len(items)]) for pair in pairs.tolist()]
    return units, np.searchsorted(pairs, case * len(items) + item)


def _refuse_duplicates(
    flat: NDArray[np.intp], names: tuple[list[Any], list[Any], list[Any]], shape: tuple[int, int, int]
) -> None:
    counts = np.bincount(flat, minlength=0)
    if counts.max() > 1:
        condition, reader, unit = np.unravel_index(int(np.argmax(counts > 1)), shape)
        raise ValueError(
            f"reader {names[1][reader]!r} has {counts.max()} readings of case {names[2][unit]!r} in condition "
            f"{names[0][condition]!r}: one reading per reader, case and condition is expected."
        )


def _unit_truth(unit: NDArray[np.intp], truth: Bools, units: list[Any]) -> Bools:
    n_rows = np.bincount(unit, minlength=len(units))
    n_positive = np.bincount(unit[truth], minlength=len(units))
    mixed = (n_positive > 0) & (n_positive < n_rows)
    if mixed.any():
        raise ValueError(f"truth of case {units[int(np.argmax(mixed))]!r} is 0 in some rows and 1 in others.")
    positive: Bools = n_positive > 0
    if positive.all() or not positive.any():
        raise ValueError(
            f"truth holds one class only: all cases are {'positive' if positive[0] else 'negative'}."
        )
    return positive


def _unit_clusters(
    unit: NDArray[np.intp], labels: list[Any], units: list[Any]
) -> tuple[NDArray[np.intp], int]:
    clusters, row_codes = _codes(labels, "clusters")
    if len(clusters) < 2:
        raise ValueError("clusters holds one cluster only: between-cluster variation cannot be estimated.")
    codes = np.full(len(units), -1, dtype=np.intp)
    codes[unit] = row_codes
    if (codes[unit] != row_codes).any():
        row = int(np.argmax(codes[unit] != row_codes))
        raise ValueError(f"case {units[unit[row]]!r} belongs to more than one cluster.")
    return codes, len(clusters)


def _design(read: Bools) -> tuple[CaseDesign, ReaderDesign]:
    cells = read.any(axis=2)
    n_conditions, n_readers = cells.shape
    nested_readers = n_conditions > 1 and bool((cells.sum(axis=0) == 1).all())
    reader_design: ReaderDesign = "nested in conditions" if nested_readers else "crossed"
    in_one_reader = n_readers > 1 and bool((read.any(axis=0).sum(axis=0) == 1).all())
    in_one_condition = n_conditions > 1 and bool((read.any(axis=1).sum(axis=0) == 1).all())
    if in_one_reader and in_one_condition:
        return "nested in readers and conditions", reader_design
    if in_one_reader:
        return "nested in readers", reader_design
    if in_one_condition:
        return "nested in conditions", reader_design
    complete = bool(read[cells].all())
    return "crossed" if complete else "partly crossed", reader_design
