"""Fleiss' kappa of many raters on nominal categories."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import ndtr

from equipoise.stats._chance_corrected import AgreementCoefficient, agreement_coefficient
from equipoise.stats._cohen_kappa import cohen_kappa
from equipoise.stats._common import ConfidenceInterval, Provenance, warn_degenerate
from equipoise.stats._ratings import Ratings, coded_ratings


@dataclass(frozen=True)
class CategoryKappa:
    """Agreement on one category against all others; ``nan`` for a category never used."""

    category: Any
    kappa: float
    statistic: float
    pvalue: float


@dataclass(frozen=True)
class FleissKappa:
    """Chance-corrected agreement of many raters.

    Attributes
    ----------
    estimate : float
    standard_error : float
        Gwet's linearisation over subjects, for the interval.
    confidence_interval : ConfidenceInterval
        t with subjects minus 1, upper limit cut at 1.
    pvalue : float
        Of kappa 0 by the linearised standard error.
    statistic, null_pvalue : float
        z and p by the null variance of Fleiss, Nee & Landis; ``nan`` where subjects differ in the number of
        ratings.
    categories : tuple of CategoryKappa
        Same restriction.
    conger, light : float
        Conger's kappa and the mean of the pairwise Cohen's kappas (Light).
    """

    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    pvalue: float
    statistic: float
    null_pvalue: float
    categories: tuple[CategoryKappa, ...]
    conger: float
    light: float
    observed: float
    expected: float
    n: int
    n_raters: int
    provenance: Provenance
    reason: str | None = None


def fleiss_kappa(
    ratings: Any, *, categories: Sequence[Any] | None = None, confidence_level: float = 0.95
) -> FleissKappa:
    """Estimate the agreement of many raters beyond chance, when raters are exchangeable.

    Parameters
    ----------
    ratings : array_like, shape (subjects, raters)
        Any labels; missing allowed.
    categories : sequence of label, optional
        Default: the values seen, sorted.
    confidence_level : float, default 0.95

    Returns
    -------
    FleissKappa

    Notes
    -----
    As ``irr::kappam.fleiss`` (z) and ``irrCAC::fleiss.kappa.raw`` (standard error). Undefined with one
    category or fewer than two subjects: ``nan`` with
    :class:`~equipoise.common.warnings.DegenerateDataWarning`.

    References
    ----------
    .. [1] Fleiss JL. Measuring nominal scale agreement among many raters. Psychol Bull 1971;76:378.
    .. [2] Fleiss JL, Nee JCM, Landis JR. Large sample variance of kappa in the case of different sets of
       raters. Psychol Bull 1979;86:974.

    Examples
    --------
    >>> result = fleiss_kappa([[1, 1, 1], [1, 2, 1], [2, 2, 2], [2, 2, 1]])
    >>> round(result.estimate, 6), round(result.statistic, 6)
    (0.333333, 1.154701)
    """
    coefficient = agreement_coefficient(
        "fleiss_kappa",
        ratings,
        categories=categories,
        confidence_level=confidence_level,
        method="Fleiss' kappa, unweighted",
    )
    coded = coded_ratings(ratings, categories)
    statistic, per_category = _null_tests(coded)
    conger, light = _companions(coded, coefficient)
    return FleissKappa(
        coefficient.estimate,
        coefficient.standard_error,
        coefficient.confidence_interval,
        coefficient.pvalue,
        statistic,
        2.0 * float(ndtr(-abs(statistic))),
        per_category,
        conger,
        light,
        coefficient.observed,
        coefficient.expected,
        coefficient.n,
        coefficient.n_raters,
        coefficient.provenance,
        coefficient.reason,
    )


def _null_tests(coded: Ratings) -> tuple[float, tuple[CategoryKappa, ...]]:
    """Return z of kappa and each category's kappa; ``nan`` unless all subjects have equally many ratings."""
    counts = coded.counts
    counts = counts[counts.sum(axis=1) > 0]
    sizes = set(counts.sum(axis=1))
    m = sizes.pop() if sizes else 0.0
    if sizes or m < 2:
        none = tuple(CategoryKappa(name, math.nan, math.nan, math.nan) for name in coded.categories)
        return math.nan, none
    n = len(counts)
    p = counts.sum(axis=0) / (n * m)
    pq = p * (1.0 - p)
    scale = math.sqrt(2.0 / (n * m * (m - 1.0)))
    total = float(pq.sum())
    if total == 0.0:
        return math.nan, tuple(CategoryKappa(name, math.nan, math.nan, math.nan) for name in coded.categories)
    per_category = []
    for k, name in enumerate(coded.categories):
        kappa = math.nan
        if pq[k] > 0.0:
            kappa = 1.0 - float(np.sum(counts[:, k] * (m - counts[:, k]))) / (n * m * (m - 1.0) * pq[k])
        per_category.append(CategoryKappa(name, kappa, kappa / scale, 2.0 * float(ndtr(-abs(kappa / scale)))))
    overall = float(
        np.sum(
            pq * [category.kappa if category.kappa == category.kappa else 0.0 for category in per_category]
        )
    )
    kappa = overall / total
    error = scale * math.sqrt(max(total**2 - float(np.sum(pq * (1.0 - 2.0 * p))), 0.0)) / total
    return kappa / error if error > 0.0 else math.nan, tuple(per_category)


def _companions(coded: Ratings, coefficient: AgreementCoefficient) -> tuple[float, float]:
    if coefficient.reason is not None and coefficient.estimate != coefficient.estimate:
        return math.nan, math.nan
    labels: Mapping[int, Any] = dict(enumerate(coded.categories))
    table = [[labels.get(int(code)) for code in row] for row in coded.coded]
    conger = agreement_coefficient("conger_kappa", table, categories=coded.categories).estimate
    columns = list(zip(*table, strict=True))
    pairs = [
        cohen_kappa(columns[i], columns[j], categories=coded.categories).estimate
        for i, j in combinations(range(len(columns)), 2)
    ]
    if any(kappa != kappa for kappa in pairs):
        warn_degenerate("Light's kappa", "a pair of raters has no kappa", stacklevel=4)
        return conger, math.nan
    return conger, float(np.mean(pairs))
