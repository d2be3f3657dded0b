"""Harrell's concordance index, and the comparison of two markers on the same patients."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.stats._bootstrap import multiplicities, percentile_interval
from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    Rng,
    normal_quantile,
    resolve_rng,
    symmetric_interval,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._survival_data import SurvivalTimes, group_codes, survival_times

Floats = NDArray[np.float64]

_BLOCK = 512
"""Patients compared with all others at a time: memory stays proportional to the number of patients."""


@dataclass(frozen=True)
class ConcordanceIndex:
    """Share of comparable pairs in which the higher score has the earlier event.

    Attributes
    ----------
    estimate : float
        0.5 by chance, 1 perfect; ties in the score count one half.
    standard_error : float
        Infinitesimal jackknife.
    confidence_interval : ConfidenceInterval
        Normal, cut to [0, 1].
    concordant, discordant, tied_score, tied_time, tied_both : int
        Pairs. Pairs tied in time are those where both had the event then; they are not comparable.
    """

    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    concordant: int
    discordant: int
    tied_score: int
    tied_time: int
    tied_both: int
    n: int
    n_events: int
    n_missing: int
    provenance: Provenance
    reason: str | None = None


@dataclass(frozen=True)
class ConcordanceComparison:
    """Two markers compared on the same patients, ``first - second``.

    Attributes
    ----------
    estimate, standard_error : float
        Difference of the concordance indices; its bootstrap standard error.
    confidence_interval : ConfidenceInterval
        Percentile, patients (or clusters) resampled.
    first, second : float
        The two indices.
    log_hazard_difference : float
        Difference of the log hazard ratios per doubling of the marker; ``nan`` where a marker is not
        positive.
    log_hazard_interval : ConfidenceInterval
    log_hazard_first, log_hazard_second : float
    """

    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    first: float
    second: float
    log_hazard_difference: float
    log_hazard_interval: ConfidenceInterval
    log_hazard_first: float
    log_hazard_second: float
    n: int
    n_events: int
    n_missing: int
    provenance: Provenance
    reason: str | None = None


def concordance_index(
    time: ArrayLike, event: ArrayLike, score: ArrayLike, *, confidence_level: float = 0.95
) -> ConcordanceIndex:
    """Estimate how well a score orders patients by the time of their event.

    Parameters
    ----------
    time : array_like of float, shape (n,)
    event : array_like of {0, 1}, shape (n,)
    score : array_like of float, shape (n,)
        Higher means an earlier event expected. Missing values leave the patient out.
    confidence_level : float, default 0.95

    Returns
    -------
    ConcordanceIndex

    Notes
    -----
    As ``survival::concordance``. A patient censored at the time of another's event is taken to have it later.
    Without a comparable pair: ``nan`` with :class:`~equipoise.common.warnings.DegenerateDataWarning`.

    References
    ----------
    .. [1] Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Stat Med 1996;15:361.
    .. [2] Therneau T, Atkinson E. The concordance statistic. Vignette of the R package survival.

    Examples
    --------
    >>> result = concordance_index([1, 2, 3, 4], [1, 1, 0, 1], [9, 5, 7, 1])
    >>> result.concordant, result.discordant, result.estimate
    (4, 1, 0.8)
    """
    multiplier = normal_quantile(validate_confidence_level(confidence_level))
    values = np.asarray(score, dtype=np.float64)
    data = survival_times(time, event, missing=np.isnan(values))
    values = values[data.kept]
    provenance = Provenance(
        "Harrell's C, ties in the score one half",
        "infinitesimal jackknife",
        confidence_level,
        "patients with a missing value are left out and counted",
        df=math.inf,
    )
    tally = _tally(data, values)
    shape = (*tally.counts, len(values), int(data.event.sum()), data.n_missing, provenance)
    n_pairs = float(tally.pairs.sum()) / 2.0
    if n_pairs == 0.0:
        warn_degenerate("Concordance index", "no comparable pair")
        return ConcordanceIndex(math.nan, math.nan, NO_INTERVAL, *shape, "no comparable pair")
    estimate = float(tally.agreeing.sum()) / 2.0 / n_pairs
    error = math.sqrt(float(np.sum((tally.agreeing - estimate * tally.pairs) ** 2))) / n_pairs
    interval = symmetric_interval(estimate, error, multiplier).cut(0.0, 1.0)
    return ConcordanceIndex(estimate, error, interval, *shape)


def compare_concordance(
    time: ArrayLike,
    event: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    clusters: Sequence[Any] | None = None,
    n_resamples: int = 2000,
    confidence_level: float = 0.95,
    rng: Rng = None,
) -> ConcordanceComparison:
    """Compare two prognostic markers measured on the same patients.

    Two p-values of two markers say nothing about their difference; this does.

    Parameters
    ----------
    time : array_like of float, shape (n,)
    event : array_like of {0, 1}, shape (n,)
    first, second : array_like of float, shape (n,)
        Higher means an earlier event expected. A patient with either missing is left out and counted.
    clusters : sequence of label, length n, optional
        What is resampled instead of rows (patients with several rows).
    n_resamples : int, default 2000
    confidence_level : float, default 0.95
    rng : Generator or int, optional

    Returns
    -------
    ConcordanceComparison

    Notes
    -----
    Paired percentile bootstrap: both markers are recomputed on the same resample. The log hazard ratio per
    doubling is that of a Cox model (Efron) on the binary logarithm; it needs positive markers. Pairs of
    copies of one patient are not counted.

    References
    ----------
    .. [1] Harrell FE. Regression Modeling Strategies, 2nd ed. Springer, 2015, section 5.3.

    Examples
    --------
    >>> times, events = [2, 4, 5, 7, 8, 11, 12, 15], [1, 1, 0, 1, 1, 0, 1, 0]
    >>> good, poor = [9, 8, 6, 5, 6, 3, 2, 1], [3, 9, 1, 8, 2, 6, 5, 4]
    >>> result = compare_concordance(times, events, good, poor, n_resamples=200)
    >>> round(result.first, 6), round(result.second, 6)
    (0.952381, 0.619048)
    """
    validate_confidence_level(confidence_level)
    random, seed = resolve_rng(rng)
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    missing = np.isnan(a) | np.isnan(b)
    units = np.arange(len(a))
    if clusters is not None:
        _, units, none = group_codes(clusters, len(a), name="clusters")
        missing = missing | none
    data = survival_times(time, event, missing=missing)
    a, b = a[data.kept], b[data.kept]
    units = np.unique(units[data.kept], return_inverse=True)[1]
    provenance = Provenance(
        "paired difference of Harrell's C and of the log hazard ratio per doubling; percentile bootstrap",
        "bootstrap over patients" if clusters is None else "bootstrap over clusters",
        confidence_level,
        "patients with a missing value are left out and counted",
        seed=seed,
        n_resamples=n_resamples,
    )
    shape = (len(a), int(data.event.sum()), data.n_missing, provenance)
    comparable, agree_a = pair_tables(data, a)
    agree_b = pair_tables(data, b)[1]
    nan = math.nan
    if comparable.sum() == 0.0:
        warn_degenerate("Difference of concordance indices", "no comparable pair")
        none_ = (nan, NO_INTERVAL, nan, nan)
        return ConcordanceComparison(nan, nan, NO_INTERVAL, nan, nan, *none_, *shape, "no comparable pair")
    weights = multiplicities(int(units.max()) + 1, n_resamples, random)[:, units]
    pairs = np.einsum("bi,bi->b", weights @ comparable, weights)
    c_a, c_b = (np.einsum("bi,bi->b", weights @ table, weights) for table in (agree_a, agree_b))
    draws = np.divide(c_a - c_b, pairs, out=np.full(n_resamples, np.nan), where=pairs > 0)
    c_first, c_second = float(agree_a.sum() / comparable.sum()), float(agree_b.sum() / comparable.sum())
    hazard = _hazards(data, a, b, weights, confidence_level)
    return ConcordanceComparison(
        c_first - c_second,
        float(np.nanstd(draws, ddof=1)),
        percentile_interval(draws, confidence_level),
        c_first,
        c_second,
        *hazard,
        *shape,
    )


@dataclass(frozen=True)
class _Tally:
    """Each patient's comparable pairs and agreeing ones (both members counted), and the pairs by kind."""

    pairs: Floats
    agreeing: Floats
    counts: tuple[int, int, int, int, int]


def _tally(data: SurvivalTimes, score: Floats) -> _Tally:
    n = len(score)
    pairs, agreeing, kinds = np.zeros(n), np.zeros(n), np.zeros(5, dtype=np.int64)
    for start in range(0, n, _BLOCK):
        rows = slice(start, start + _BLOCK)
        able, higher, same, both = _relations(data, score, rows)
        agreement = (able & higher) + 0.5 * (able & same)
        pairs[rows] += able.sum(axis=1)
        agreeing[rows] += agreement.sum(axis=1)
        pairs += able.sum(axis=0)
        agreeing += agreement.sum(axis=0)
        kinds += [
            np.sum(able & higher),
            np.sum(able & ~higher & ~same),
            np.sum(able & same),
            np.sum(both & ~same),
            np.sum(both & same),
        ]
    concordant, discordant, tied_score, tied_time, tied_both = map(int, kinds)
    return _Tally(pairs, agreeing, (concordant, discordant, tied_score, tied_time, tied_both))


def pair_tables(data: SurvivalTimes, score: Floats) -> tuple[Floats, Floats]:
    """Return which pairs (earlier event i, later j) are comparable, and 1, 1/2 or 0 where the score
    agrees."""
    able, higher, same, _ = _relations(data, score, slice(None))
    return able.astype(np.float64), (able & higher) + 0.5 * (able & same)


def _relations(
    data: SurvivalTimes, score: Floats, rows: slice
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for the pairs of some rows with all: comparable, score higher, score equal, both events at
    once."""
    time, event, own = data.time[rows, None], data.event[rows, None], score[rows, None]
    at_once = time == data.time
    able = event & ((time < data.time) | (at_once & ~data.event))
    number = np.arange(len(score))
    both = at_once & event & data.event & (number[rows, None] < number)
    return able, own > score, own == score, both


def _hazards(
    data: SurvivalTimes, a: Floats, b: Floats, weights: Floats, confidence_level: float
) -> tuple[float, ConfidenceInterval, float, float]:
    """Return the difference of log hazard ratios per doubling, its interval, and the two."""
    from equipoise.stats._cox import log_hazard  # the two modules need each other: Cox reports a concordance

    if np.any(a <= 0.0) or np.any(b <= 0.0):
        return math.nan, NO_INTERVAL, math.nan, math.nan
    logs = np.log2(a), np.log2(b)
    first, second = (log_hazard(data.time, data.event, values) for values in logs)
    draws = np.empty(len(weights))
    for i, counts in enumerate(weights.astype(np.intp)):
        time, event = np.repeat(data.time, counts), np.repeat(data.event, counts)
        one, other = (log_hazard(time, event, np.repeat(values, counts)) for values in logs)
        draws[i] = one - other
    return first - second, percentile_interval(draws, confidence_level), first, second
