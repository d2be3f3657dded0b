"""From ``readings.csv`` to coded answers: which reading counts, and whose candidate it prefers."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.stats._tidy import Columns, Labels, Table, codes

NO_PREFERENCE = "none"
"""``preferred`` of a reading that prefers neither candidate."""

NOT_ASSESSABLE = frozenset({"not_assessable", "cannot_assess"})
"""What ``preferred`` or one of the ``flags`` says of a reading that could not be assessed."""

ALGORITHM = 1.0
OTHER = 0.0
NEITHER = 0.5

_SEPARATORS = re.compile(r"[\s;,|]+")


@dataclass(frozen=True)
class PreferenceReadings:
    """Readings of pairs with one candidate of the algorithm and one of someone else.

    Attributes
    ----------
    participant, group, case, item : Labels, shape (n,)
    answer : ndarray of float, shape (n,)
        1 the algorithm's candidate, 0 the other, 0.5 neither; ``nan`` without an answer.
    not_assessable : ndarray of bool, shape (n,)
    side : ndarray of float, shape (n,)
        +0.5 where the algorithm's candidate was on the left, -0.5 on the right, ``nan`` where not recorded.
    repeat : ndarray of int, shape (n,)
    algorithm : tuple of str
        The sources counted as the algorithm's.
    n_excluded : int
        Readings of items without exactly one candidate of the algorithm.
    """

    participant: Labels
    group: Labels
    case: Labels
    item: Labels
    answer: NDArray[np.float64]
    not_assessable: NDArray[np.bool_]
    side: NDArray[np.float64]
    repeat: NDArray[np.intp]
    algorithm: tuple[str, ...]
    n_excluded: int

    def keep(self, rows: NDArray[np.bool_]) -> "PreferenceReadings":
        """Return the readings of some rows."""
        return PreferenceReadings(
            self.participant[rows],
            self.group[rows],
            self.case[rows],
            self.item[rows],
            self.answer[rows],
            self.not_assessable[rows],
            self.side[rows],
            self.repeat[rows],
            self.algorithm,
            self.n_excluded,
        )


def preference_readings(
    readings: Table, *, algorithm: str | Collection[str] | None = None, clusters: str | Labels | None = None
) -> PreferenceReadings:
    """Code the readings of a preference task.

    Parameters
    ----------
    readings : Table
        Columns ``participant, case, preferred``; used where present: ``participant_kind, group, item, repeat,
        task, left_source, right_source, flags``.
    algorithm : str or collection of str, optional
        The source or sources that are the algorithm's. Default: every source that is, or starts with (before
        a separator), ``algorithm``, ``ai`` or the code of a participant of kind ``algorithm``; letter case is
        ignored.
    clusters : str or sequence of label, optional
        Column, or labels, of what is resampled and modelled as the case (a patient with several cases).

    Raises
    ------
    ValueError
        If columns are absent, an algorithm appears as a reader, or no source can be told to be the
        algorithm's.
    """
    columns = Columns(readings)
    columns.require(["participant", "case", "preferred"])
    participant = columns.labels("participant")
    kind = columns.optional_labels("participant_kind")
    preferred = columns.labels("preferred")
    by_algorithm = np.array([value == "algorithm" for value in kind], dtype=bool)
    if any(value is not None for value in preferred[by_algorithm]):
        names = sorted({str(value) for value in participant[by_algorithm]})
        raise ValueError(f"Preferences are of readers only; these participants are algorithms: {names}.")
    left, right = columns.optional_labels("left_source"), columns.optional_labels("right_source")
    flagged = np.array(
        [_says_not_assessable(value) for value in columns.optional_labels("flags")], dtype=bool
    )
    unanswerable = flagged | np.array([_says_not_assessable(value) for value in preferred], dtype=bool)
    preferred = preferred.copy()
    preferred[unanswerable] = None
    sources = _sources(left, right, preferred)
    codes_of_algorithms = {str(value) for value in participant[by_algorithm]}
    own = _algorithm_sources(sources, algorithm, codes_of_algorithms)
    case, item = _units(columns, clusters)
    repeat = np.array([1 if value is None else int(value) for value in columns.optional_labels("repeat")])
    _validate(participant[~by_algorithm], case[~by_algorithm])
    left_own, right_own = _is_in(left, own), _is_in(right, own)
    # Sides that were not recorded leave the pair in: only a recorded pair can be seen to be no contrast.
    recorded = _is_in(left, sources) & _is_in(right, sources)
    comparable = ~recorded | (left_own != right_own)
    task = columns.optional_labels("task")
    asked = np.array([value in (None, "preference") for value in task], dtype=bool) & ~by_algorithm
    coded = PreferenceReadings(
        participant,
        columns.optional_labels("group"),
        case,
        item,
        _answers(preferred, own),
        unanswerable,
        np.where(recorded, np.where(left_own, 0.5, -0.5), np.nan),
        repeat,
        tuple(sorted(own)),
        int(np.sum(asked & ~comparable)),
    )
    return coded.keep(asked & comparable)


def _says_not_assessable(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    words = [word.replace("-", "_").lower() for word in _SEPARATORS.split(value)]
    return not NOT_ASSESSABLE.isdisjoint(words) or value.strip().lower() in {
        "not assessable",
        "cannot assess",
    }


def _sources(*columns: Labels) -> set[str]:
    found = {str(value) for column in columns for value in column if value is not None}
    return found - {NO_PREFERENCE}


def _algorithm_sources(
    sources: set[str], algorithm: str | Collection[str] | None, participants: set[str]
) -> frozenset[str]:
    if algorithm is not None:
        named = frozenset([algorithm] if isinstance(algorithm, str) else algorithm)
        if sources and not named & sources:
            raise ValueError(f"No reading shows a source {sorted(named)}; the sources are {sorted(sources)}.")
        return named
    starts = "|".join(
        re.escape(name) for name in sorted({"algorithm", "ai", *participants}, key=len, reverse=True)
    )
    pattern = re.compile(rf"(?:{starts})(?![A-Za-z0-9])", re.IGNORECASE)
    found = frozenset(source for source in sources if pattern.match(source))
    if not found and sources:
        raise ValueError(
            f"None of the sources {sorted(sources)} is named 'algorithm' or after a participant of kind "
            "'algorithm'; say which is the algorithm's (algorithm=...)."
        )
    return found


def _units(columns: Columns, clusters: str | Labels | None) -> tuple[Labels, Labels]:
    """Return the case of each row and its item, items named within their case."""
    own_case = columns.labels("case")
    if clusters is None:
        case = own_case
    elif isinstance(clusters, str):
        case = columns.labels(clusters)
    else:
        case = Columns({"cluster": clusters, "case": own_case}).labels("cluster")
    item = np.empty(columns.length, dtype=object)
    for row, parts in enumerate(zip(case, own_case, columns.optional_labels("item"), strict=True)):
        item[row] = tuple("" if part is None else str(part) for part in parts)
    return case, item


def _answers(preferred: Labels, own: frozenset[str]) -> NDArray[np.float64]:
    value = {None: np.nan, NO_PREFERENCE: NEITHER}
    return np.array(
        [value[p] if p in value else ALGORITHM if str(p) in own else OTHER for p in preferred],
        dtype=np.float64,
    )


def _is_in(labels: Labels, names: Collection[str]) -> NDArray[np.bool_]:
    return np.array([value is not None and str(value) in names for value in labels], dtype=bool)


def _validate(participant: Labels, case: Labels) -> None:
    for name, labels in (("participant", participant), ("case", case)):
        missing = int(sum(value is None for value in labels))
        if missing:
            raise ValueError(f"{missing} reading(s) have no {name}.")


def cell_tables(
    readers: Labels, cases: Labels, values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the summed values and the number of readings of each (reader, case)."""
    reader_names, reader = codes(list(readers))
    case_names, case = codes(list(cases))
    shape = (len(reader_names), len(case_names))
    cell = reader * shape[1] + case
    size = shape[0] * shape[1]
    sums = np.bincount(cell, values, minlength=size).astype(np.float64, copy=False).reshape(shape)
    counts = np.bincount(cell, minlength=size).astype(np.float64).reshape(shape)
    return sums, counts
