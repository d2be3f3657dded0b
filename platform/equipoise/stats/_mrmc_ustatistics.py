"""Multi-reader multi-case analysis by Gallas' one-shot U-statistics: random readers and cases, any design."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

import numpy as np

from equipoise.stats._binary_truth import Bools, Floats
from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    normal_quantile,
    symmetric_interval,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._compare_aucs import normal_pvalue, student_pvalue
from equipoise.stats._mrmc import read_for_metric
from equipoise.stats._mrmc_covariance import success_matrix
from equipoise.stats._mrmc_inference import multiplier
from equipoise.stats._mrmc_metrics import figure_of_merit
from equipoise.stats._mrmc_readings import ReadingArray
from equipoise.stats._tidy import Table

UMetric = Literal["auc", "sensitivity", "specificity"]
Estimator = Literal["unbiased", "v-statistic"]

NORMAL_ABOVE_DF: Final = 50.0
"""Above so many degrees of freedom the normal distribution is used, as iMRMC does."""

RELATIONS: Final = tuple(product((True, False), repeat=3))
"""(same reader, same diseased, same non-diseased) of two readings of a pair; iMRMC's M1 to M8 in another order."""

MOMENTS: Final = (
    (True, True, True),
    (True, True, False),
    (True, False, True),
    (True, False, False),
    (False, True, True),
    (False, True, False),
    (False, False, True),
    (False, False, False),
)
"""Relation of each moment, M1 to M8."""


@dataclass(frozen=True)
class Moments:
    """Second moments of success scores of two conditions (or one with itself).

    Attributes
    ----------
    moments, v_moments : tuple of float
        M1 to M8, unbiased and as V-statistics.
    coefficients : tuple of float
        With which they add up to the covariance of the two reader-averaged estimates.
    components, v_components : mapping of str to float
        Barrett-Clarkson-Kupinski components ``N`` (non-diseased), ``D`` (diseased), ``ND``, ``R`` (readers),
        ``NR``, ``DR``, ``RND``.
    covariance, v_covariance : float
    df, v_df : float
        Of the covariance taken as a variance: of a condition with itself those of its mean.
    """

    moments: tuple[float, ...]
    v_moments: tuple[float, ...]
    coefficients: tuple[float, ...]
    components: Mapping[str, float]
    v_components: Mapping[str, float]
    covariance: float
    v_covariance: float
    effective_df: Mapping[str, float]

    @property
    def df(self) -> float:
        """Degrees of freedom that go with ``covariance``."""
        return satterthwaite_df(self.covariance, self.v_components, self.effective_df)

    @property
    def v_df(self) -> float:
        """Degrees of freedom that go with ``v_covariance``."""
        return satterthwaite_df(self.v_covariance, self.v_components, self.effective_df)


@dataclass(frozen=True)
class UEstimate:
    """A mean over readers (``second`` is None) or a difference of two, first minus second.

    Attributes
    ----------
    first, second : label
    estimate, variance, standard_error : float
    df : float
        Satterthwaite degrees of freedom on Barrett-Clarkson-Kupinski components; the test uses their integer
        part.
    statistic, pvalue : float
        Against 0.5 for one condition, 0 for a difference.
    confidence_interval : ConfidenceInterval
        Not cut.
    pvalue_normal, interval_normal
        The same with the normal distribution.
    n_readers, n_positive, n_negative : int
    reason : str or None
    """

    first: Any
    second: Any
    estimate: float
    variance: float
    standard_error: float
    df: float
    statistic: float
    pvalue: float
    confidence_interval: ConfidenceInterval
    pvalue_normal: float
    interval_normal: ConfidenceInterval
    n_readers: int
    n_positive: int
    n_negative: int
    reason: str | None = None

    @property
    def used_df(self) -> float:
        """Degrees of freedom of test and interval: the integer part, ``inf`` (normal) above 50."""
        if not math.isfinite(self.df):
            return self.df
        return math.inf if self.df > NORMAL_ABOVE_DF else float(math.floor(self.df))


@dataclass(frozen=True)
class UStatisticsResult:
    """A one-shot U-statistics analysis.

    Attributes
    ----------
    condition_means, differences : tuple of UEstimate
    moments : mapping of (condition, condition) to Moments
        Of every condition with itself and of every pair.
    estimator : {"unbiased", "v-statistic"}
    n_cases, n_positive, n_negative : int
    reason : str or None
    provenance : Provenance
    """

    condition_means: tuple[UEstimate, ...]
    differences: tuple[UEstimate, ...]
    moments: Mapping[tuple[Any, Any], Moments]
    estimator: Estimator
    n_cases: int
    n_positive: int
    n_negative: int
    reason: str | None
    provenance: Provenance

    @property
    def method(self) -> str:
        """The estimator, in words."""
        return self.provenance.method


def mrmc_ustatistics(
    readings: Table,
    *,
    metric: UMetric = "auc",
    estimator: Estimator = "unbiased",
    confidence_level: float = 0.95,
    threshold: float | None = None,
) -> UStatisticsResult:
    """Estimate and compare reader-averaged AUCs or proportions over random readers and random cases, in any design.

    Parameters
    ----------
    readings : data frame, mapping of columns, or list of rows
        As :func:`mrmc`. Readers may be nested in conditions, cases in readers or conditions, readings may be
        missing.
    metric : {"auc", "sensitivity", "specificity"}, default "auc"
    estimator : {"unbiased", "v-statistic"}, default "unbiased"
        Of the variance: unbiased second moments, or those of the data taken as the population, which is the
        bootstrap over readers and cases with infinitely many resamples.
    confidence_level : float, default 0.95
    threshold : float, optional
        As :func:`mrmc`.

    Returns
    -------
    UStatisticsResult

    Raises
    ------
    ValueError
        As :func:`mrmc`. Algorithms are always refused: readers are random here.

    Notes
    -----
    The estimate averages over all read pairs of diseased and non-diseased cases of all readers, so with
    missing readings a reader with more pairs weighs more. The variance is a sum of eight second moments times
    coefficients; an unbiased variance can be negative, and then test and interval are ``nan`` with a reason.
    Degrees of freedom divide the squared variance by a_N^2/(n0-1)^3 + a_D^2/(n1-1)^3 + a_R^2/(r-1)^3 with
    V-statistic components a, and are at least the smallest of n0-1, n1-1, r-1; the t distribution takes their
    integer part and gives way to the normal above 50. Intervals are not cut.

    References
    ----------
    .. [1] Gallas BD. Acad Radiol 2006;13:353.
    .. [2] Gallas BD, Bandos A, Samuelson FW, Wagner RF. Commun Stat Theory Methods 2009;38:2586.
    .. [3] Gallas BD, Brown DG. Neural Netw 2008;21:387 (any design).

    Examples
    --------
    >>> ratings = {  # reader, condition -> ratings of cases 1 to 6, of which 4 to 6 are diseased
    ...     ("a", "aided"): [1, 3, 2, 3, 4, 4], ("a", "unaided"): [1, 3, 2, 2, 4, 3],
    ...     ("b", "aided"): [1, 1, 3, 2, 3, 4], ("b", "unaided"): [2, 1, 3, 3, 2, 4],
    ...     ("c", "aided"): [2, 1, 1, 1, 3, 4], ("c", "unaided"): [2, 1, 4, 3, 2, 3],
    ... }
    >>> rows = [
    ...     {"reader": reader, "condition": condition, "case": case, "truth": int(case > 3), "score": score}
    ...     for (reader, condition), scores in ratings.items()
    ...     for case, score in enumerate(scores, start=1)
    ... ]
    >>> result = mrmc_ustatistics(rows, estimator="v-statistic")
    >>> round(result.differences[0].estimate, 4), round(result.differences[0].variance, 5)
    (0.1296, 0.02822)
    """
    level = validate_confidence_level(confidence_level)
    if metric not in get_args(UMetric):
        raise ValueError(f"metric must be one of {get_args(UMetric)}, got {metric!r}.")
    if estimator not in get_args(Estimator):
        raise ValueError(f"estimator must be one of {get_args(Estimator)}, got {estimator!r}.")
    merit = figure_of_merit(
        metric, threshold=threshold, between=(0.8, 1.0), focus="specificity", normalized=False, at=None
    )
    array = read_for_metric(readings, merit, threshold=threshold, clusters=None, refuse_algorithms=True)
    sums = _pair_sums(array, metric, 0.5 if threshold is None else threshold)
    moments = {
        (array.conditions[a], array.conditions[b]): _moments(sums[a, b])
        for a in range(len(array.conditions))
        for b in range(a, len(array.conditions))
    }
    means = tuple(
        _estimate(array, [i], sums, moments, estimator=estimator, level=level)
        for i in range(len(array.conditions))
    )
    differences = tuple(
        _estimate(array, [i, j], sums, moments, estimator=estimator, level=level)
        for i, j in combinations(range(len(array.conditions)), 2)
    )
    reasons = [found.reason for found in (*means, *differences) if found.reason is not None]
    reason = "; ".join(dict.fromkeys(reasons)) or None
    if reason is not None:
        warn_degenerate("A part of the multi-reader analysis is", reason)
    return UStatisticsResult(
        means,
        differences,
        MappingProxyType(moments),
        estimator,
        len(array.units),
        int(array.positive.sum()),
        int((~array.positive).sum()),
        reason,
        Provenance(
            f"Gallas one-shot U-statistics, random readers, random cases; {merit.words}",
            "unbiased moments" if estimator == "unbiased" else "V-statistic moments (ideal bootstrap)",
            level,
            array.missing_words,
        ),
    )


Sums = dict[tuple[bool, ...], float]
"""For every relation that is demanded (True) or left open (False): a sum of products."""


@dataclass(frozen=True)
class _PairSums:
    """Sums of products of the success scores of two conditions, and of their numbers of read pairs."""

    success: Sums
    read: Sums
    n_pairs: tuple[float, float]


def _pair_sums(array: ReadingArray, metric: UMetric, threshold: float) -> dict[tuple[int, int], _PairSums]:
    """Return the sums for every pair of conditions, going through the readers once.

    A success matrix is needed for one reader at a time, and summed over readers, so memory does not grow with
    them.
    """
    t, r, _ = array.scores.shape
    pairs = [(a, b) for a in range(t) for b in range(a, t)]
    kinds = {"success": [_Margins() for _ in range(t)], "read": [_Margins() for _ in range(t)]}
    within: dict[str, dict[tuple[int, int], list[float]]] = {
        kind: {pair: [0.0] * 4 for pair in pairs} for kind in kinds
    }
    for j in range(r):
        for kind, matrices in _matrices(array, j, metric, threshold).items():
            for i, matrix in enumerate(matrices):
                kinds[kind][i].add(matrix)
            for a, b in pairs:
                found = _products(matrices[a], matrices[b])
                within[kind][a, b] = [x + y for x, y in zip(within[kind][a, b], found, strict=True)]
    result = {}
    for a, b in pairs:
        sums: list[Sums] = []
        for kind, margins in kinds.items():
            across = _products(margins[a].matrix, margins[b].matrix)
            relations = [(s, d, n) for s in (True, False) for d, n in product((True, False), repeat=2)]
            products = [*within[kind][a, b], *across]
            sums.append(dict[tuple[bool, ...], float](zip(relations, products, strict=True)))
        totals = tuple(float(margins.matrix.sum()) for margins in (kinds["read"][a], kinds["read"][b]))
        result[a, b] = _PairSums(sums[0], sums[1], (totals[0], totals[1]))
    return result


class _Margins:
    """A running sum of matrices."""

    def __init__(self) -> None:
        self.matrix: Floats = np.zeros((1, 1))

    def add(self, matrix: Floats) -> None:
        self.matrix = self.matrix + matrix


def _matrices(array: ReadingArray, reader: int, metric: UMetric, threshold: float) -> dict[str, list[Floats]]:
    """Return one reader's success scores and which pairs were read, by condition, (diseased, non-diseased) each.

    A proportion is a success score that does not depend on the case of the other class.
    """
    success, read = [], []
    for scores in array.scores[:, reader]:
        of_scores, known = success_matrix(scores, array.positive)
        if metric == "sensitivity":
            of_scores = known * _called(scores[array.positive], threshold)[:, None]
        elif metric == "specificity":
            of_scores = known * (1.0 - _called(scores[~array.positive], threshold))[None, :]
        success.append(of_scores)
        read.append(known)
    return {"success": success, "read": read}


def _called(scores: Floats, threshold: float) -> Floats:
    called: Bools = np.where(np.isnan(scores), False, scores >= threshold)
    return called.astype(np.float64)


def _products(first: Floats, second: Floats) -> list[float]:
    """Return the sums of products with both cases, the diseased, the non-diseased, or neither the same."""
    return [
        float(np.vdot(first, second)),
        float(first.sum(axis=1) @ second.sum(axis=1)),
        float(first.sum(axis=0) @ second.sum(axis=0)),
        float(first.sum()) * float(second.sum()),
    ]


def _exactly(sums: Sums, relation: tuple[bool, ...]) -> float:
    """Return the sum over pairs that share what the relation says and nothing else (inclusion and exclusion)."""
    total = 0.0
    for wider in RELATIONS:
        if all(have or not want for want, have in zip(relation, wider, strict=True)):
            extra = sum(have and not want for want, have in zip(relation, wider, strict=True))
            total += (-1.0) ** extra * sums[wider]
    return total


def _moments(sums: _PairSums) -> Moments:
    n_pairs = sums.n_pairs[0] * sums.n_pairs[1]
    counts = [round(_exactly(sums.read, relation)) for relation in MOMENTS]
    unbiased = [
        _exactly(sums.success, relation) / count if count else 0.0
        for relation, count in zip(MOMENTS, counts, strict=True)
    ]
    v_statistic = [
        sums.success[relation] / sums.read[relation] if sums.read[relation] else 0.0 for relation in MOMENTS
    ]
    coefficients = [count / n_pairs if n_pairs else math.nan for count in counts]
    coefficients[-1] -= 1.0
    return Moments(
        tuple(unbiased),
        tuple(v_statistic),
        tuple(coefficients),
        MappingProxyType(_components(unbiased, counts)),
        MappingProxyType(_components(v_statistic, counts)),
        float(np.dot(coefficients, unbiased)) if counts[-1] else math.nan,
        float(np.dot(coefficients, v_statistic)),
        MappingProxyType(_effective_df(coefficients)),
    )


def _components(m: Sequence[float], counts: Sequence[int]) -> dict[str, float]:
    """Return the Barrett-Clarkson-Kupinski components of M1 to M8 [Gallas et al. 2009, eq. 19].

    A component whose own pairs do not occur in the design (no case read in both conditions) is 0.
    """
    m1, m2, m3, m4, m5, m6, m7, m8 = m
    components = {
        "N": (m7 - m8, counts[6]),
        "D": (m6 - m8, counts[5]),
        "ND": (m5 - m6 - m7 + m8, counts[4]),
        "R": (m4 - m8, counts[3]),
        "NR": (m3 - m4 - m7 + m8, counts[2]),
        "DR": (m2 - m4 - m6 + m8, counts[1]),
        "RND": (m1 - m2 - m3 - m5 + m4 + m6 + m7 - m8, counts[0]),
    }
    return {name: value if count else 0.0 for name, (value, count) in components.items()}


def _effective_df(coefficients: Sequence[float]) -> dict[str, float]:
    """Return one less than the effective numbers of non-diseased cases, diseased cases and readers of a condition.

    The effective number is the whole number next to one over the share of pairs of readings that have the
    case (reader) in common; fully crossed it is the number itself.
    """
    c1, c2, c3, c4, c5, c6, c7, _ = coefficients
    shares = {"N": c1 + c3 + c5 + c7, "D": c1 + c2 + c5 + c6, "R": c1 + c2 + c3 + c4}
    return {
        name: float(round(1.0 / share)) - 1.0 if share > 0.0 else math.inf for name, share in shares.items()
    }


def _estimate(
    array: ReadingArray,
    places: list[int],
    sums: Mapping[tuple[int, int], _PairSums],
    moments: Mapping[tuple[Any, Any], Moments],
    *,
    estimator: Estimator,
    level: float,
) -> UEstimate:
    names = [array.conditions[i] for i in places]
    parts = [(moments[name, name], 1.0) for name in names]
    if len(names) == 2:
        parts.append((moments[names[0], names[1]], -2.0))
    unbiased = estimator == "unbiased"
    variance = sum(w * (m.covariance if unbiased else m.v_covariance) for m, w in parts)
    components = {key: sum(w * m.v_components[key] for m, w in parts) for key in ("N", "D", "R")}
    averages = [_average(sums[i, i]) for i in places]
    estimate = averages[0] - averages[1] if len(places) == 2 else averages[0]
    read: Bools = np.any(array.read[places], axis=0)
    n_readers = int(read.any(axis=1).sum())
    units: Bools = np.any(read, axis=0)
    n_positive, n_negative = int((units & array.positive).sum()), int((units & ~array.positive).sum())
    own = [moments[name, name].effective_df for name in names]
    df = satterthwaite_df(variance, components, {key: min(part[key] for part in own) for key in components})
    null = 0.5 if len(places) == 1 else 0.0
    common = (n_readers, n_positive, n_negative)
    first, second = names[0], (names[1] if len(names) == 2 else None)
    if not variance > 0.0:
        reason = "the estimated variance is 0" if variance == 0.0 else "the estimated variance is negative"
        if math.isnan(variance):
            reason = "no two readers share no case and no class: the unbiased variance does not exist"
        nan = math.nan
        standard_error = 0.0 if variance == 0.0 else nan
        return UEstimate(
            first,
            second,
            estimate,
            variance,
            standard_error,
            nan,
            nan,
            nan,
            NO_INTERVAL,
            nan,
            NO_INTERVAL,
            *common,
            reason,
        )
    standard_error = math.sqrt(variance)
    statistic = (estimate - null) / standard_error
    used_df = math.inf if df > NORMAL_ABOVE_DF else float(math.floor(df))
    return UEstimate(
        first,
        second,
        estimate,
        variance,
        standard_error,
        df,
        statistic,
        student_pvalue(statistic, used_df),
        symmetric_interval(estimate, standard_error, multiplier(used_df, level)),
        normal_pvalue(statistic, "two-sided"),
        symmetric_interval(estimate, standard_error, normal_quantile(level)),
        *common,
    )


def _average(sums: _PairSums) -> float:
    """Return the mean success score over all read pairs of all readers; ``nan`` without one."""
    if not sums.n_pairs[0]:
        return math.nan
    return math.sqrt(sums.success[False, False, False]) / sums.n_pairs[0]


def satterthwaite_df(variance: float, components: Mapping[str, float], smaller: Mapping[str, float]) -> float:
    """Return the degrees of freedom of a variance from its V-statistic components; ``nan`` if it is negative."""
    if not variance >= 0.0 or not min(smaller.values()) > 0.5:
        return math.nan
    denominator = sum(components[key] ** 2 / smaller[key] ** 3 for key in smaller)
    df = variance**2 / denominator if denominator > 0.0 else math.inf
    return max(df, min(smaller.values()))
