"""Which part of the tables a plan takes: an analysis set, readings of a group or condition, cases of a stratum."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.plan import PER_PROTOCOL, AnalysisPlan
from equipoise.analysis.results import ResultBuilder
from equipoise.analysis.selection import ALGORITHM, participant_kinds
from equipoise.analysis.tables import Array, Table
from equipoise.analysis.wording import count_words

NOT_PER_PROTOCOL = "not_per_protocol"
"""The flag of a reading outside the per-protocol set: the word alone, or with a colon and the deviation."""
_ANSWERED = ("", "submitted", "not-assessable")
"""States of readings that were given; a table that does not say holds those alone."""
_ROW_WORDS = {"readings": "reading", "segmentations": "pair"}
"""The tables that participants give, and what one row is."""
_RESULTS = "results of algorithms"
"""What the rows of algorithms are called: they are counted apart from readings."""


def restricted(tables: Mapping[str, Table], plan: AnalysisPlan, builder: ResultBuilder) -> dict[str, Table]:
    """Return the tables with the rows that enter, and say in the result what stays out."""
    kept = dict(tables)
    for column, value in plan.where.items():
        kept = _where(kept, column, value)
    if plan.where:
        part = " and ".join(f"{column} is {value}" for column, value in sorted(plan.where.items()))
        for name in _ROW_WORDS:
            if name in kept and not kept[name].n_rows:
                raise AnalysisInputError([f"{name}: no row is left where {part}."])
        builder.note(f"Computed from a part of the readings alone: where {part}.")
    if plan.analysis_set == PER_PROTOCOL:
        for name in _ROW_WORDS:
            if name in kept:
                kept[name] = _per_protocol(kept[name], _ROW_WORDS[name], builder)
    return kept


def deviations_of(flags: str) -> list[str]:
    """Return the deviations that take a reading out of the per-protocol set, from its flags."""
    words = [flag.partition(":") for flag in flags.split()]
    return [deviation or "not named" for word, _, deviation in words if word == NOT_PER_PROTOCOL]


def other_flags(flags: str) -> list[str]:
    """Return the flags that say nothing of the per-protocol set."""
    return [flag for flag in flags.split() if flag.partition(":")[0] != NOT_PER_PROTOCOL]


def _per_protocol(table: Table, row: str, builder: ResultBuilder) -> Table:
    if "flags" not in table:
        raise AnalysisInputError(
            [f"{table.name}: there is no column 'flags', which tells who is outside the per-protocol set."]
        )
    deviations = [deviations_of(flags) for flags in table.text("flags").tolist()]
    outside = np.array([bool(one) for one in deviations], dtype=bool)
    reasons = np.array([" and ".join(sorted(set(one))).replace("_", " ") for one in deviations], dtype=object)
    given, is_algorithm = np.isin(table.text("state"), _ANSWERED), participant_kinds(table) == ALGORITHM
    counted = {f"{row}s": given & ~is_algorithm}
    if (given & is_algorithm).any():
        counted[_RESULTS] = given & is_algorithm
    counts = {what: Counter(reasons[rows & outside].tolist()) for what, rows in counted.items()}
    words = {f"{row}s": count_words(int(counted[f"{row}s"].sum()), row)}
    if _RESULTS in counted:
        words[_RESULTS] = f"{int(counted[_RESULTS].sum())} {_RESULTS}"
    left_out = [
        f"{counts[what].total()} of {told} left out by protocol deviations{_in_words(counts[what])}"
        for what, told in words.items()
    ]
    builder.note(
        f"Per-protocol set: {', '.join(left_out)}, decided before unblinding; all tasks and repeats are counted."
    )
    builder.table(
        "per_protocol_set",
        ("what", *counted),
        [
            ("all submitted", *(int(rows.sum()) for rows in counted.values())),
            *(
                (f"left out: {reason}", *(counts[what][reason] for what in counted))
                for reason in sorted(set().union(*counts.values()))
            ),
            ("per-protocol set", *(int((rows & ~outside).sum()) for rows in counted.values())),
        ],
    )
    needed = next((rows for rows in counted.values() if rows.any()), given)
    if needed.any() and outside[needed].all():
        raise AnalysisInputError([f"{table.name}: every {row} is outside the per-protocol set."])
    return table.where(~outside)


def _in_words(counts: Counter[str]) -> str:
    return (
        f" ({', '.join(f'{reason} {count}' for reason, count in sorted(counts.items()))})" if counts else ""
    )


def _where(tables: Mapping[str, Table], column: str, value: str) -> dict[str, Table]:
    """Keep the rows with a value: of the readings, or where these lack the column of the cases that have it."""
    kept = dict(tables)
    readings, truth = tables.get("readings"), tables.get("truth")
    if readings is not None and column in readings:
        kept["readings"] = readings.where(_has(readings, column, value))
    elif truth is not None and column in truth:
        kept["truth"] = truth.where(truth.text(column) == value)
        cases = kept["truth"].text("case")
        for name, table in tables.items():
            if name != "truth" and "case" in table:
                kept[name] = table.where(np.isin(table.text("case"), cases))
    else:
        raise AnalysisInputError([f"No table of this analysis has the column '{column}'."])
    return kept


def _has(readings: Table, column: str, value: str) -> Array:
    """Return which rows have the value; an algorithm that has no group or condition of its own stays."""
    cells = readings.text(column)
    fixed = (participant_kinds(readings) == ALGORITHM) & (cells == "")
    matches: Array = (cells == value) | fixed
    return matches
