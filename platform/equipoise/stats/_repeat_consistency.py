"""Do readers answer the same when the same pair comes back, unannounced?"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.stats._bootstrap import crossed_ratio, percentile_interval
from equipoise.stats._common import (
    ConfidenceInterval,
    Provenance,
    Rng,
    resolve_rng,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._preference_readings import cell_tables, preference_readings
from equipoise.stats._tidy import Labels, Table, codes


@dataclass(frozen=True)
class ReaderConsistency:
    """One reader's hidden repeats: how many, and the share answered as the first time."""

    participant: Any
    n: int
    n_same: int
    share: float


@dataclass(frozen=True)
class RepeatConsistency:
    """Agreement of readers with themselves on hidden repeats.

    Attributes
    ----------
    estimate : float
        Share of repeats with the first reading's answer (the same candidate, or again no preference).
    confidence_interval : ConfidenceInterval
        Percentile bootstrap over readers and cases.
    expected : float
        The share that would agree if each reader answered at random with the own frequencies.
    kappa : float
        ``(estimate - expected) / (1 - expected)``.
    n, n_same, n_incomplete : int
        Repeats compared, of these the same, and repeats where one of the two answers is missing.
    """

    estimate: float
    confidence_interval: ConfidenceInterval
    expected: float
    kappa: float
    readers: tuple[ReaderConsistency, ...]
    n: int
    n_same: int
    n_incomplete: int
    provenance: Provenance
    reason: str | None = None


def repeat_consistency(
    readings: Table,
    *,
    algorithm: str | Collection[str] | None = None,
    confidence_level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = None,
) -> RepeatConsistency:
    """Compare each hidden repeat with the same reader's first reading of the item.

    Parameters
    ----------
    readings : Table
        As for :func:`~equipoise.stats.preference_score`, with ``repeat`` (1 the first reading).
    algorithm, confidence_level, n_resamples, rng
        As for :func:`~equipoise.stats.preference_model`.

    Returns
    -------
    RepeatConsistency

    Notes
    -----
    Without repeats everything is ``nan`` with :class:`~equipoise.common.warnings.DegenerateDataWarning`.

    References
    ----------
    .. [1] Cohen J. A coefficient of agreement for nominal scales. Educ Psychol Meas 1960;20:37.

    Examples
    --------
    >>> result = repeat_consistency({
    ...     "participant": ["r1"] * 4,
    ...     "case": ["c1", "c2", "c1", "c2"],
    ...     "repeat": [1, 1, 2, 2],
    ...     "preferred": ["algorithm", "expert", "algorithm", "algorithm"],
    ... })
    >>> result.n, result.estimate
    (2, 0.5)
    """
    validate_confidence_level(confidence_level)
    random, seed = resolve_rng(rng)
    coded = preference_readings(readings, algorithm=algorithm)
    provenance = Provenance(
        "share of hidden repeats answered as the first time; percentile bootstrap over readers and cases",
        "bootstrap over readers and cases",
        confidence_level,
        "repeats with a missing answer are left out and counted",
        seed=seed,
        n_resamples=n_resamples,
    )
    first = {
        key: answer
        for key, answer, repeat in zip(
            _keys(coded.participant, coded.item), coded.answer, coded.repeat, strict=True
        )
        if repeat == 1
    }
    again = coded.keep(coded.repeat > 1)
    before = np.array(
        [first.get(key, math.nan) for key in _keys(again.participant, again.item)], dtype=np.float64
    )
    complete = ~np.isnan(before) & ~np.isnan(again.answer)
    n_incomplete = int(np.sum(~complete))
    pairs, before = again.keep(complete), before[complete]
    if len(before) == 0:
        warn_degenerate("Consistency on repeats", "no repeat with two answers")
        nan = math.nan
        none = ConfidenceInterval(nan, nan)
        return RepeatConsistency(
            nan, none, nan, nan, (), 0, 0, n_incomplete, provenance, "no repeat with two answers"
        )
    same = (pairs.answer == before).astype(np.float64)
    readers, expected = [], 0.0
    names, index = codes(list(pairs.participant))
    for i, name in enumerate(names):
        own = index == i
        n_own = int(own.sum())
        readers.append(ReaderConsistency(name, n_own, int(same[own].sum()), float(same[own].mean())))
        expected += n_own * sum(
            float(np.mean(before[own] == value) * np.mean(pairs.answer[own] == value))
            for value in (0.0, 0.5, 1.0)
        )
    expected /= len(same)
    estimate = float(same.mean())
    sums, counts = cell_tables(pairs.participant, pairs.case, same)
    draws = crossed_ratio(sums, counts, n_resamples=n_resamples, random=random)
    return RepeatConsistency(
        estimate=estimate,
        confidence_interval=percentile_interval(draws, confidence_level),
        expected=expected,
        kappa=(estimate - expected) / (1.0 - expected) if expected < 1.0 else math.nan,
        readers=tuple(readers),
        n=len(same),
        n_same=int(same.sum()),
        n_incomplete=n_incomplete,
        provenance=provenance,
        reason=None if expected < 1.0 else "kappa: only one answer was ever given",
    )


def _keys(participant: Labels, item: Labels) -> list[tuple[Any, Any]]:
    return list(zip(participant, item, strict=True))
