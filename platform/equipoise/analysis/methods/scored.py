"""Scored readings as the accuracy analyses take them: first readings with a reference standard, one series per curve.

A series is one participant under one condition. Readers' unscored readings are left out and counted; an algorithm's
failed results stay in, as wrong, with the available ones beside them.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from equipoise.analysis.method import Inputs
from equipoise.analysis.results import ResultBuilder
from equipoise.analysis.selection import (
    ALGORITHM,
    first_repeats,
    has_several_items,
    kind_of,
    participant_kinds,
    refuse_without_rows,
    with_case,
    with_truth,
)
from equipoise.analysis.tables import Array, Table

DECISIONS_ONLY = "(sensitivity + specificity)/2"
"""What an area under the curve of binary decisions is called."""


@dataclass(frozen=True)
class Series:
    """The scores of one participant under one condition, all finite."""

    participant: str
    condition: str
    kind: str
    scores: Array
    truth: Array
    decisions: Array
    """0, 1 or ``nan``."""
    cases: Array
    clusters: Array | None
    n_missing: int
    missing: str
    failed: Array
    """Which entries stand for a failed result of an algorithm."""

    @property
    def subject(self) -> dict[str, str]:
        """Return how its numbers are addressed."""
        return {"participant": self.participant} | ({"condition": self.condition} if self.condition else {})

    @property
    def label(self) -> str:
        """Return its name for legends."""
        return f"{self.participant}, {self.condition}" if self.condition else self.participant

    @property
    def is_algorithm(self) -> bool:
        """Return whether an algorithm read."""
        return self.kind == ALGORITHM


def scored_readings(inputs: Inputs, builder: ResultBuilder, *, task: str | None) -> Table:
    """Return the first readings with a final reference standard in column ``truth``."""
    readings = with_case(inputs["readings"], builder)
    if task is not None:
        readings = readings.where(np.isin(readings.text("task"), ("", task)))
    readings = first_repeats(readings, builder)
    refuse_without_rows(readings, "first readings" if task is None else f"first readings of task '{task}'")
    final = with_truth(inputs, readings, builder).readings
    refuse_without_rows(final, "readings with a final reference standard")
    if has_several_items(final):
        builder.note(
            "Cases have several items: intervals take the case as the unit that is drawn (clusters)."
        )
    return final


def series_of(readings: Table, values: Array, *, fail_as_wrong: bool = True) -> Iterator[Series]:
    """Yield the series, readers first; ``values`` are the scores (or decisions) of the rows."""
    clustered = has_several_items(readings)
    many_conditions = len(readings.levels("condition")) > 1
    participants = readings.text("participant")
    conditions = readings.text("condition")
    decisions = readings.numbers("decision")
    for participant, kind in kind_of(readings).items():
        own = participants == participant
        for condition in dict.fromkeys(conditions[own].tolist()):
            rows = np.flatnonzero(own & (conditions == condition))
            missing = np.isnan(values[rows])
            fills = kind == ALGORITHM and fail_as_wrong and bool(missing.any()) and not bool(missing.all())
            kept = rows if fills else rows[~missing]
            truth = readings["truth"][kept]
            scores = values[kept].copy()
            failed = np.isnan(scores)
            if fills:
                scores[failed] = _wrong_scores(scores, truth)[failed]
            yield Series(
                participant,
                condition if many_conditions else "",
                kind,
                scores,
                truth,
                decisions[kept],
                readings.text("case")[kept],
                readings.text("case")[kept] if clustered else None,
                int(missing.sum()),
                "failed results counted as wrong" if fills else "unscored readings left out and counted",
                failed,
            )


def _wrong_scores(scores: Array, truth: Array) -> Array:
    """Return a score per row that ranks a diseased case below and a non-diseased one above all available scores."""
    known = scores[~np.isnan(scores)]
    span = float(np.ptp(known)) or 1.0
    wrong: Array = np.where(truth == 1, known.min() - span, known.max() + span)
    return wrong


def has_both_classes(series: Series) -> bool:
    """Return whether an accuracy can be estimated at all."""
    return len(set(series.truth.tolist())) == 2


def one_class_reason(series: Series) -> str:
    """Return why a series without both classes has no accuracy."""
    if len(series.truth) == 0:
        return "no scored reading with a reference standard"
    word = "diseased" if series.truth[0] == 1 else "non-diseased"
    if len(series.truth) == 1:
        return f"the only reading is of a {word} case"
    return f"all {len(series.truth)} readings are of {word} cases"


def values_of(readings: Table, builder: ResultBuilder) -> tuple[Array, bool]:
    """Return scores, or decisions where the table has no scores, and whether they are decisions only."""
    scores = readings.numbers("score")
    if np.isfinite(scores).any():
        return scores, False
    builder.note(f"The table has no scores: areas are of the binary decisions, that is {DECISIONS_ONLY}.")
    return readings.numbers("decision"), True


def is_binary(scores: Array) -> bool:
    """Return whether scores take two values or fewer, as decisions do."""
    return len(set(scores.tolist())) <= 2


def contradictions(readings: Table) -> int:
    """Return how many readings say "no" with a score above one half, or "yes" with one below."""
    scores, decisions = readings.numbers("score"), readings.numbers("decision")
    on_unit_scale = np.nanmin(scores, initial=math.inf) >= 0 and np.nanmax(scores, initial=-math.inf) <= 1
    if not on_unit_scale:
        return 0
    kinds = participant_kinds(readings)
    with_both = ~np.isnan(scores) & ~np.isnan(decisions) & (kinds != ALGORITHM)
    return int(
        (with_both & (((decisions == 0) & (scores > 0.5)) | ((decisions == 1) & (scores < 0.5)))).sum()
    )
