"""Cohen's kappa of two raters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    normal_quantile,
    symmetric_interval,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._ratings import MISSING, coded_ratings

Floats = NDArray[np.float64]

WEIGHTS = ("unweighted", "linear", "quadratic")

_ROUNDING = 1e-14
"""Below it a variance of shares is one of 0 with the errors of floating-point sums."""


@dataclass(frozen=True)
class CohenKappa:
    """Chance-corrected agreement of two raters.

    Attributes
    ----------
    estimate : float
        Kappa: 1 full agreement, 0 as by chance.
    standard_error : float
        Non-null, of Fleiss, Cohen & Everitt.
    confidence_interval : ConfidenceInterval
        Normal, not cut.
    statistic, pvalue : float
        Test of kappa 0, with the null standard error.
    observed, expected : float
        (Weighted) agreement observed and by chance.
    percent_agreement : float
        Share of identical ratings, whatever the weights; in [0, 1].
    table : ndarray of int, shape (q, q)
        Counts, first rater's category by second rater's.
    """

    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    statistic: float
    pvalue: float
    observed: float
    expected: float
    percent_agreement: float
    table: NDArray[np.intp]
    categories: tuple[Any, ...]
    n: int
    n_missing: int
    provenance: Provenance
    reason: str | None = None


def cohen_kappa(
    first: Sequence[Any],
    second: Sequence[Any],
    *,
    weights: str = "unweighted",
    categories: Sequence[Any] | None = None,
    confidence_level: float = 0.95,
) -> CohenKappa:
    """Estimate the agreement of two raters beyond chance, on nominal or (weighted) ordinal categories.

    Parameters
    ----------
    first, second : sequence of label, length n
        Ratings of the same subjects; ``None`` or ``nan`` is missing.
    weights : {"unweighted", "linear", "quadratic"}
        ``1 - |i - j| / (q - 1)`` or ``1 - (i - j)**2 / (q - 1)**2`` with the places i, j on the scale.
    categories : sequence of label, optional
        The scale in order, where the study fixes it. Default: the values seen, sorted.
    confidence_level : float, default 0.95

    Returns
    -------
    CohenKappa

    Notes
    -----
    Where one rater used one category only, or agreement cannot vary between
    the categories that each used (such as when none is common to both), kappa is 0 and its standard error, interval
    and p-value are ``nan``; where both used the same single category kappa is ``nan`` too. All raise
    :class:`~equipoise.common.warnings.DegenerateDataWarning`. As ``vcd::Kappa`` (standard error) and
    ``irr::kappa2`` (test).

    References
    ----------
    .. [1] Cohen J. Psychol Bull 1968;70:213.
    .. [2] Fleiss JL, Cohen J, Everitt BS. Large sample standard errors of kappa and weighted kappa. Psychol
       Bull 1969;72:323.

    Examples
    --------
    >>> result = cohen_kappa([1, 1, 2, 2, 2, 1], [1, 2, 2, 2, 1, 1])
    >>> round(result.estimate, 6), round(result.percent_agreement, 6)
    (0.333333, 0.666667)
    """
    multiplier = normal_quantile(validate_confidence_level(confidence_level))
    if weights not in WEIGHTS:
        raise ValueError(f"weights must be one of {WEIGHTS}, got {weights!r}.")
    if len(first) != len(second):
        raise ValueError(
            f"Both raters must rate the same subjects, got {len(first)} and {len(second)} ratings."
        )
    pairs = np.empty((len(first), 2), dtype=object)
    pairs[:, 0], pairs[:, 1] = list(first), list(second)
    complete = coded_ratings(pairs)
    keep = np.all(complete.coded != MISSING, axis=1)
    ratings = coded_ratings(pairs[keep], categories)
    n, q = int(keep.sum()), len(ratings.categories)
    table = np.bincount(ratings.coded[:, 0] * q + ratings.coded[:, 1], minlength=q * q).reshape(q, q)
    provenance = Provenance(
        f"Cohen's kappa, {weights}",
        "Fleiss, Cohen & Everitt 1969: non-null for the interval, null for the test",
        confidence_level,
        "subjects without both ratings are left out and counted",
        df=math.inf,
    )
    counts = (ratings.categories, n, len(first) - n, provenance)
    nan = math.nan
    if n == 0:
        warn_degenerate("Cohen's kappa", "no subject rated by both")
        return CohenKappa(
            nan, nan, NO_INTERVAL, nan, nan, nan, nan, nan, table, *counts, "no subject rated by both"
        )
    shares = table / n
    agreement = kappa_weights(weights, q)
    observed, expected = _agreement(shares, agreement)
    same = float(np.trace(shares))
    single = min(np.count_nonzero(table.sum(axis=0)), np.count_nonzero(table.sum(axis=1))) == 1
    if single or expected >= 1.0:
        reason = "a rater used one category only"
        warn_degenerate("Standard error of Cohen's kappa", reason)
        estimate = 0.0 if expected < 1.0 else nan
        return CohenKappa(
            estimate, nan, NO_INTERVAL, nan, nan, observed, expected, same, table, *counts, reason
        )
    estimate = (observed - expected) / (1.0 - expected)
    error, null_error = _standard_errors(shares, agreement, observed, expected, n)
    if null_error == 0.0:
        reason = "agreement cannot vary between the categories that each rater used"
        warn_degenerate("Standard error of Cohen's kappa", reason)
        return CohenKappa(
            estimate, nan, NO_INTERVAL, nan, nan, observed, expected, same, table, *counts, reason
        )
    z = estimate / null_error
    interval = symmetric_interval(estimate, error, multiplier)
    pvalue = 2.0 * float(ndtr(-abs(z)))
    return CohenKappa(estimate, error, interval, z, pvalue, observed, expected, same, table, *counts)


def kappa_weights(weights: str, q: int) -> Floats:
    """Return the agreement weights of Cohen's kappa, by place on the scale."""
    if weights == "unweighted" or q < 2:
        return np.eye(q)
    distance = np.abs(np.arange(q)[:, None] - np.arange(q)[None, :]) / (q - 1.0)
    return np.asarray(1.0 - distance if weights == "linear" else 1.0 - distance**2)


def _agreement(shares: Floats, weights: Floats) -> tuple[float, float]:
    expected = np.outer(shares.sum(axis=1), shares.sum(axis=0))
    return float(np.sum(weights * shares)), float(np.sum(weights * expected))


def _standard_errors(
    shares: Floats, weights: Floats, observed: float, expected: float, n: int
) -> tuple[float, float]:
    """Return the non-null and the null standard error (Fleiss, Cohen & Everitt, equations 14 and 12)."""
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    margins = (weights @ columns)[:, None] + (weights.T @ rows)[None, :]
    terms = weights * (1.0 - expected) - margins * (1.0 - observed)
    variance = np.sum(shares * terms**2) - (observed * expected - 2.0 * expected + observed) ** 2
    null_variance = np.sum(np.outer(rows, columns) * (weights - margins) ** 2) - expected**2
    if null_variance < _ROUNDING:
        null_variance = 0.0
    error = math.sqrt(max(float(variance), 0.0) / n) / (1.0 - expected) ** 2
    return error, math.sqrt(max(float(null_variance), 0.0) / n) / (1.0 - expected)
