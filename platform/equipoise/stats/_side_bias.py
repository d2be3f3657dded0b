"""Do readers favour a side of the screen, whatever is shown there?"""

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
)
from equipoise.stats._preference import binomial_half_pvalue, signed_rank_of_shares
from equipoise.stats._preference_readings import NEITHER, cell_tables, preference_readings
from equipoise.stats._tidy import Table, codes
from equipoise.stats._wilcoxon import WilcoxonResult


@dataclass(frozen=True)
class ReaderSide:
    """One reader's choices by side. ``binomial_pvalue`` is description of this reader only."""

    participant: Any
    n_left: int
    n_right: int
    left_share: float
    binomial_pvalue: float


@dataclass(frozen=True)
class SideBias:
    """Share of choices that fell on the left, over readers.

    Attributes
    ----------
    estimate : float
        Left choices over all choices of a side.
    confidence_interval : ConfidenceInterval
        Percentile bootstrap over readers and cases.
    wilcoxon : WilcoxonResult
        Of the readers' left share minus one half.
    n_left, n_right, n_none : int
    algorithm_left_share : float
        How often the algorithm's candidate was on the left: the balance of the allocation as read.
    """

    estimate: float
    confidence_interval: ConfidenceInterval
    wilcoxon: WilcoxonResult
    readers: tuple[ReaderSide, ...]
    n_left: int
    n_right: int
    n_none: int
    algorithm_left_share: float
    provenance: Provenance
    reason: str | None = None


def side_bias(
    readings: Table,
    *,
    algorithm: str | Collection[str] | None = None,
    confidence_level: float = 0.95,
    n_resamples: int = 2000,
    rng: Rng = None,
) -> SideBias:
    """Estimate how often readers choose the left candidate; without side bias it is one half.

    Parameters
    ----------
    readings : Table
        As for :func:`~equipoise.stats.preference_score`, with ``left_source`` and ``right_source``. Readings
        without recorded sides, without an answer, or repeated are left out.
    algorithm, confidence_level, n_resamples, rng
        As for :func:`~equipoise.stats.preference_model`.

    Returns
    -------
    SideBias

    Notes
    -----
    Sides are drawn at random, so that a side bias does not move the preference score, but it widens its
    interval. A choice of no preference has no side and is counted only.

    References
    ----------
    .. [1] Owen AB. The pigeonhole bootstrap. Ann Appl Stat 2007;1:386.

    Examples
    --------
    >>> result = side_bias({
    ...     "participant": ["r1", "r1", "r2", "r2"],
    ...     "case": ["c1", "c2", "c1", "c2"],
    ...     "preferred": ["algorithm", "expert", "algorithm", "algorithm"],
    ...     "left_source": ["algorithm", "expert", "expert", "algorithm"],
    ...     "right_source": ["expert", "algorithm", "algorithm", "expert"],
    ... })
    >>> result.n_left, result.n_right, result.estimate
    (3, 1, 0.75)
    """
    validate_confidence_level(confidence_level)
    random, seed = resolve_rng(rng)
    coded = preference_readings(readings, algorithm=algorithm)
    usable = coded.keep((coded.repeat == 1) & ~np.isnan(coded.answer) & ~np.isnan(coded.side))
    chosen = usable.keep(usable.answer != NEITHER)
    left = ((chosen.answer == 1.0) == (chosen.side > 0)).astype(np.float64)
    provenance = Provenance(
        "share of left choices; percentile bootstrap over readers and cases",
        "bootstrap over readers and cases",
        confidence_level,
        "readings without an answer or without recorded sides are left out",
        seed=seed,
        n_resamples=n_resamples,
    )
    names, index = codes(list(chosen.participant))
    readers = []
    for i, name in enumerate(names):
        own = left[index == i]
        n_left = int(own.sum())
        readers.append(
            ReaderSide(
                name, n_left, len(own) - n_left, n_left / len(own), binomial_half_pvalue(n_left, len(own))
            )
        )
    sums, counts = cell_tables(chosen.participant, chosen.case, left)
    draws = crossed_ratio(sums, counts, n_resamples=n_resamples, random=random) if len(left) else np.empty(0)
    return SideBias(
        estimate=float(np.mean(left)) if len(left) else math.nan,
        confidence_interval=percentile_interval(draws, confidence_level),
        wilcoxon=signed_rank_of_shares(
            [2 * reader.n_left for reader in readers], [reader.n_left + reader.n_right for reader in readers]
        ),
        readers=tuple(readers),
        n_left=int(left.sum()),
        n_right=len(left) - int(left.sum()),
        n_none=int(np.sum(usable.answer == NEITHER)),
        algorithm_left_share=float(np.mean(usable.side > 0)) if len(usable.side) else math.nan,
        provenance=provenance,
        reason=None if len(left) else "no choice with recorded sides",
    )
