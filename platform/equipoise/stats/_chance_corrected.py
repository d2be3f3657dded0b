"""Chance-corrected agreement of any number of raters in Gwet's common form: one variance for all
coefficients."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._ratings import Ratings, coded_ratings, weight_matrix

Floats = NDArray[np.float64]

COEFFICIENTS = (
    "gwet_ac",
    "krippendorff_alpha",
    "fleiss_kappa",
    "brennan_prediger",
    "conger_kappa",
    "percent_agreement",
)


@dataclass(frozen=True)
class AgreementCoefficient:
    """One coefficient of agreement.

    Attributes
    ----------
    estimate, standard_error : float
    confidence_interval : ConfidenceInterval
        t with ``df``, the upper limit cut at 1.
    df : float
        Subjects minus 1.
    pvalue : float
        Of a coefficient of 0.
    observed, expected : float
        (Weighted) agreement observed and by chance.
    n, n_raters, n_single : int
        Subjects with a rating, raters, and subjects with one rating only.
    """

    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    df: float
    pvalue: float
    observed: float
    expected: float
    n: int
    n_raters: int
    n_single: int
    categories: tuple[Any, ...]
    provenance: Provenance
    reason: str | None = None


def gwet_ac(
    ratings: Any,
    *,
    weights: str | ArrayLike = "unweighted",
    categories: Sequence[Any] | None = None,
    confidence_level: float = 0.95,
) -> AgreementCoefficient:
    """Estimate Gwet's AC1 (unweighted) or AC2 (weighted), which keeps its meaning when one category prevails.

    Parameters
    ----------
    ratings : array_like, shape (subjects, raters)
        Any labels; missing allowed.
    weights : {"unweighted", "linear", "quadratic", "ordinal"} or array_like, shape (q, q)
    categories : sequence of label, optional
        The scale in order. Default: the values seen, sorted.
    confidence_level : float, default 0.95

    Returns
    -------
    AgreementCoefficient

    Notes
    -----
    Agreement is averaged over subjects with two ratings or more; the shares of the categories over subjects
    with one or more. Standard error by linearisation over subjects, raters fixed. As ``irrCAC::gwet.ac1.raw``
    without its rounding. Undefined with fewer than two subjects or a single category: ``nan`` with
    :class:`~equipoise.common.warnings.DegenerateDataWarning`.

    References
    ----------
    .. [1] Gwet KL. Computing inter-rater reliability and its variance in the presence of high agreement. Br J
       Math Stat Psychol 2008;61:29.

    Examples
    --------
    >>> result = gwet_ac([[1, 1], [1, 1], [1, 2], [2, 2], [1, 1]])
    >>> round(result.estimate, 6), result.observed
    (0.655172, 0.8)
    """
    return agreement_coefficient(
        "gwet_ac", ratings, weights=weights, categories=categories, confidence_level=confidence_level
    )


def conger_kappa(
    ratings: Any,
    *,
    weights: str | ArrayLike = "unweighted",
    categories: Sequence[Any] | None = None,
    confidence_level: float = 0.95,
) -> AgreementCoefficient:
    """Estimate Conger's kappa: Cohen's kappa for more than two raters, each with the own category shares.

    Parameters, result and edge cases as for :func:`~equipoise.stats.gwet_ac`.

    References
    ----------
    .. [1] Conger AJ. Integration and generalization of kappas for multiple raters. Psychol Bull 1980;88:322.

    Examples
    --------
    >>> round(conger_kappa([[1, 1, 1], [1, 2, 1], [2, 2, 2], [2, 2, 1]]).estimate, 6)
    0.384615
    """
    return agreement_coefficient(
        "conger_kappa", ratings, weights=weights, categories=categories, confidence_level=confidence_level
    )


def brennan_prediger(
    ratings: Any,
    *,
    weights: str | ArrayLike = "unweighted",
    categories: Sequence[Any] | None = None,
    confidence_level: float = 0.95,
) -> AgreementCoefficient:
    """Estimate the Brennan-Prediger coefficient: chance agreement as if all categories were equally likely.

    Parameters, result and edge cases as for :func:`~equipoise.stats.gwet_ac`.

    References
    ----------
    .. [1] Brennan RL, Prediger DJ. Coefficient kappa: some uses, misuses, and alternatives. Educ Psychol Meas
       1981;41:687.

    Examples
    --------
    >>> round(brennan_prediger([[1, 1, 1], [1, 2, 1], [2, 2, 2], [2, 2, 1]]).estimate, 6)
    0.333333
    """
    return agreement_coefficient(
        "brennan_prediger", ratings, weights=weights, categories=categories, confidence_level=confidence_level
    )


def percent_agreement(
    ratings: Any,
    *,
    weights: str | ArrayLike = "unweighted",
    categories: Sequence[Any] | None = None,
    confidence_level: float = 0.95,
) -> AgreementCoefficient:
    """Estimate the (weighted) agreement of a random pair of raters, without correction for chance; in [0, 1].

    Parameters, result and edge cases as for :func:`~equipoise.stats.gwet_ac`.

    References
    ----------
    .. [1] Gwet KL. Handbook of Inter-Rater Reliability, 4th ed. Advanced Analytics, 2014, section 2.

    Examples
    --------
    >>> percent_agreement([[1, 1], [1, 2], [2, 2], [2, 2]]).estimate
    0.75
    """
    return agreement_coefficient(
        "percent_agreement",
        ratings,
        weights=weights,
        categories=categories,
        confidence_level=confidence_level,
    )


def agreement_coefficient(
    coefficient: str,
    ratings: Any,
    *,
    weights: str | ArrayLike = "unweighted",
    categories: Sequence[Any] | None = None,
    confidence_level: float = 0.95,
    method: str | None = None,
) -> AgreementCoefficient:
    """Estimate one coefficient of :data:`COEFFICIENTS`."""
    validate_confidence_level(confidence_level)
    coded = coded_ratings(ratings, categories)
    rated = Ratings(coded.coded[coded.counts.sum(axis=1) >= 1], coded.categories)
    counts = rated.counts
    per_subject = counts.sum(axis=1)
    kind = weights if isinstance(weights, str) else "own weights"
    provenance = Provenance(
        method or f"{coefficient.replace('_', ' ')}, {kind}",
        "linearisation over subjects (Gwet 2008)",
        confidence_level,
        "missing ratings allowed; subjects with one rating enter the category shares only",
        df=len(counts) - 1.0,
    )
    matrix = weight_matrix(weights, coded.categories)
    n_single = int(np.sum(per_subject == 1))
    shape = (len(counts), coded.coded.shape[1], n_single, coded.categories, provenance)
    if np.sum(per_subject >= 2) == 0:
        return _undefined(shape, "no subject with two ratings")
    observed, expected, influence = _PARTS[coefficient](rated, counts, matrix)
    if expected >= 1.0 - 1e-15:
        return _undefined(shape, "only one category was used", observed, expected)
    estimate = (observed - expected) / (1.0 - expected)
    n = len(influence)
    df = n - 1.0
    if n < 2:
        return _undefined(shape, "fewer than two subjects", observed, expected, estimate)
    error = math.sqrt(float(np.sum((influence - estimate) ** 2)) / (n * (n - 1.0)))
    pvalue = 2.0 * float(stdtr(df, -abs(estimate / error))) if error > 0.0 else math.nan
    half = float(stdtrit(df, 0.5 + confidence_level / 2.0)) * error
    interval = ConfidenceInterval(estimate - half, min(1.0, estimate + half))
    reason = None if error > 0.0 else "all subjects contribute alike: the standard error is 0"
    return AgreementCoefficient(estimate, error, interval, df, pvalue, observed, expected, *shape, reason)


def _undefined(
    shape: tuple[int, int, int, tuple[Any, ...], Provenance],
    reason: str,
    observed: float = math.nan,
    expected: float = math.nan,
    estimate: float = math.nan,
) -> AgreementCoefficient:
    warn_degenerate("Agreement coefficient", reason, stacklevel=5)
    nan = math.nan
    return AgreementCoefficient(estimate, nan, NO_INTERVAL, nan, nan, observed, expected, *shape, reason)


def _observed(counts: Floats, weights: Floats) -> tuple[float, Floats, Floats]:
    """Return the mean pairwise agreement, each subject's, and which subjects have two ratings or more."""
    per_subject = counts.sum(axis=1)
    several = per_subject >= 2
    agreeing = np.sum(counts * (counts @ weights.T - 1.0), axis=1)
    own = np.zeros(len(counts))
    own[several] = agreeing[several] / (per_subject[several] * (per_subject[several] - 1.0))
    return float(own[several].mean()), own, several.astype(np.float64)


def _centred(
    counts: Floats, weights: Floats, expected: float, own_expected: Floats
) -> tuple[float, float, Floats]:
    """Return observed, expected and each subject's linearised contribution."""
    observed, own, several = _observed(counts, weights)
    if expected >= 1.0 - 1e-15:
        return observed, expected, own
    estimate = (observed - expected) / (1.0 - expected)
    share = len(counts) / several.sum()
    plain = share * (own - expected * several) / (1.0 - expected)
    influence = plain - 2.0 * (1.0 - estimate) * (own_expected - expected) / (1.0 - expected)
    return observed, expected, influence


def _gwet(_: Ratings, counts: Floats, weights: Floats) -> tuple[float, float, Floats]:
    q = counts.shape[1]
    if q < 2:
        return _centred(counts, weights, 1.0, np.ones(len(counts)))
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares.mean(axis=0)
    scale = float(weights.sum()) / (q * (q - 1.0))
    return _centred(
        counts, weights, scale * float(np.sum(mean * (1.0 - mean))), scale * (shares @ (1.0 - mean))
    )


def _fleiss(_: Ratings, counts: Floats, weights: Floats) -> tuple[float, float, Floats]:
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares.mean(axis=0)
    expected = float(mean @ weights @ mean)
    return _centred(counts, weights, expected, shares @ ((weights + weights.T) @ mean) / 2.0)


def _brennan(_: Ratings, counts: Floats, weights: Floats) -> tuple[float, float, Floats]:
    expected = float(weights.sum()) / counts.shape[1] ** 2
    return _centred(counts, weights, expected, np.full(len(counts), expected))


def _percent(_: Ratings, counts: Floats, weights: Floats) -> tuple[float, float, Floats]:
    return _centred(counts, weights, 0.0, np.zeros(len(counts)))


def _conger(rated: Ratings, counts: Floats, weights: Floats) -> tuple[float, float, Floats]:
    raters = np.flatnonzero(np.any(rated.coded >= 0, axis=0))
    coded = rated.coded[:, raters]
    n, r, q = len(counts), len(raters), counts.shape[1]
    given = (coded >= 0).astype(np.float64)
    per_rater = given.sum(axis=0)
    chosen = np.stack([(coded == k).astype(np.float64) for k in range(q)])
    shares = chosen.sum(axis=1) / per_rater
    mean = shares.mean(axis=1)
    spread = (shares @ shares.T - r * np.outer(mean, mean)) / (r - 1.0)
    expected = float(np.sum(weights * (np.outer(mean, mean) - spread / r)))
    # Influence of each subject on each rater's shares, missing ratings included (Gwet 2014, section 2.5).
    moved = (chosen - (given - per_rater / n) * shares[:, None, :]) * (n / per_rater)
    weighted = np.einsum("kl,lig->kig", weights, moved)
    others = r * mean[:, None] - shares
    own_expected = np.einsum("kig,kg->i", weighted, others) / (r * (r - 1.0))
    return _centred(counts, weights, expected, own_expected)


def _krippendorff(_: Ratings, counts: Floats, weights: Floats) -> tuple[float, float, Floats]:
    pairable = counts[counts.sum(axis=1) >= 2]
    per_subject = pairable.sum(axis=1)
    typical = float(per_subject.mean())
    small = 1.0 / float(per_subject.sum())
    agreeing = np.sum(pairable * (pairable @ weights.T - 1.0), axis=1) / (typical * (per_subject - 1.0))
    mean_agreement = float(agreeing.mean())
    observed = (1.0 - small) * mean_agreement + small
    mean = pairable.mean(axis=0) / typical
    expected = float(mean @ weights @ mean)
    if expected >= 1.0 - 1e-15:
        return observed, expected, agreeing
    # The linearisation is of the coefficient without the small-sample term, moved to the one with it (irrCAC).
    plain = (mean_agreement - expected) / (1.0 - expected)
    excess = (per_subject - typical) / typical
    own = agreeing - observed * excess
    own_expected = pairable @ ((weights + weights.T) @ mean) / 2.0 / typical - expected * excess
    influence = (own - expected - 2.0 * (1.0 - plain) * (own_expected - expected)) / (1.0 - expected)
    return observed, expected, influence + (observed - mean_agreement) / (1.0 - expected)


_PARTS = {
    "gwet_ac": _gwet,
    "krippendorff_alpha": _krippendorff,
    "fleiss_kappa": _fleiss,
    "brennan_prediger": _brennan,
    "conger_kappa": _conger,
    "percent_agreement": _percent,
}
