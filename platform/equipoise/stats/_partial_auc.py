"""Parts of the empirical ROC curve: the area over a range, and the value at one specificity or sensitivity."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from equipoise.stats._auc import (
    NO_MISSING,
    bootstrap_counts,
    bootstrap_words,
    percentile_summary,
)
from equipoise.stats._binary_truth import Floats, as_cluster_codes, as_scores_and_truth
from equipoise.stats._common import (
    ConfidenceInterval,
    Provenance,
    Rng,
    resolve_rng,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._curve_values import partial_area, value_at
from equipoise.stats._tie_groups import Counts, TieGroups, tie_groups

Focus = Literal["specificity", "sensitivity"]
BootstrapMethod = Literal["bootstrap-stratified", "bootstrap"]


@dataclass(frozen=True)
class PartialAUCResult:
    """The area under a part of the empirical ROC curve.

    Attributes
    ----------
    estimate : float
        The raw area, between 0 and the width of the range.
    corrected : float
        McClish's: 0.5 on the chance line, 1 for a perfect test; ``nan`` below the chance line.
    normalized : float
        The raw area over the width: the mean sensitivity (specificity) over the range.
    variance, standard_error : float
    confidence_interval : ConfidenceInterval
        Of the raw area.
    focus : {"specificity", "sensitivity"}
    between : tuple of float
    n_positive, n_negative : int
    reason : str or None
        Why something is not available.
    provenance : Provenance
    """

    estimate: float
    corrected: float
    normalized: float
    variance: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    focus: Focus
    between: tuple[float, float]
    n_positive: int
    n_negative: int
    reason: str | None
    provenance: Provenance


@dataclass(frozen=True)
class CurvePoint:
    """The sensitivity at a specificity, or the reverse, on the interpolated empirical curve.

    Attributes
    ----------
    estimate, variance, standard_error, bootstrap_median : float
    confidence_interval : ConfidenceInterval
    focus : {"specificity", "sensitivity"}
        The axis on which the value was given.
    at : float
        That value.
    n_positive, n_negative : int
    reason : str or None
    provenance : Provenance
    """

    estimate: float
    variance: float
    standard_error: float
    bootstrap_median: float
    confidence_interval: ConfidenceInterval
    focus: Focus
    at: float
    n_positive: int
    n_negative: int
    reason: str | None
    provenance: Provenance


def partial_auc(
    scores: ArrayLike,
    truth: ArrayLike,
    *,
    between: tuple[float, float] = (0.8, 1.0),
    focus: Focus = "specificity",
    confidence_level: float = 0.95,
    method: BootstrapMethod = "bootstrap-stratified",
    n_resamples: int = 2000,
    rng: Rng = None,
    clusters: ArrayLike | None = None,
) -> PartialAUCResult:
    """Estimate the area under the empirical ROC curve between two specificities or two sensitivities.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
    truth : array_like of bool or 0/1, shape (n,)
    between : tuple of float, default (0.8, 1.0)
        The range on the axis of the focus, ``0 <= low < high <= 1``.
    focus : {"specificity", "sensitivity"}, default "specificity"
    confidence_level : float, default 0.95
    method : {"bootstrap-stratified", "bootstrap"}
        Percentile interval; positives and negatives resampled separately by default.
    n_resamples, rng
        Of the bootstrap, see :func:`auc`.
    clusters : array_like of label, shape (n,), optional
        The patient of each row; needs ``method="bootstrap"``, which then resamples patients.

    Returns
    -------
    PartialAUCResult

    Raises
    ------
    ValueError
        As :func:`auc`, or if the range is not inside [0, 1].

    Notes
    -----
    Trapezoids on the linearly interpolated curve. McClish's corrected area is 0.5 (1 + (A - min)/(max - min))
    with min the area below the chance line and max the width; it is not available where A < min.

    References
    ----------
    .. [1] McClish DK. Med Decis Making 1989;9:190.
    .. [2] Robin X et al. BMC Bioinformatics 2011;12:77.

    Examples
    --------
    >>> result = partial_auc([1, 2, 3, 4, 5], [0, 0, 1, 0, 1], between=(0.5, 1.0), n_resamples=200)
    >>> round(result.estimate, 4), round(result.normalized, 4), round(result.corrected, 4)
    (0.3333, 0.6667, 0.7778)
    """
    low, high = (float(bound) for bound in between)
    if not 0.0 <= low < high <= 1.0:
        raise ValueError(f"between must satisfy 0 <= low < high <= 1, got {between!r}.")
    _validate_focus(focus)

    def area(positives: Counts, negatives: Counts) -> Floats:
        return partial_area(positives, negatives, focus=focus, low=low, high=high)

    groups, fitted = _bootstrapped(
        area,
        scores,
        truth,
        level=confidence_level,
        method=method,
        n_resamples=n_resamples,
        rng=rng,
        clusters=clusters,
    )
    corrected, below = mcclish_corrected(fitted.estimate, low=low, high=high)
    reasons = [text for text in (fitted.reason, below) if text is not None]
    if reasons:
        warn_degenerate("A part of the partial AUC is", "; ".join(reasons))
    return PartialAUCResult(
        fitted.estimate,
        corrected,
        fitted.estimate / (high - low),
        fitted.variance,
        math.sqrt(fitted.variance),
        fitted.interval,
        focus,
        (low, high),
        int(groups.positives.sum()),
        int(groups.negatives.sum()),
        "; ".join(reasons) or None,
        fitted.provenance("partial AUC of the empirical curve, percentile bootstrap interval"),
    )


def mcclish_corrected(area: float, *, low: float, high: float) -> tuple[float, str | None]:
    """Return McClish's corrected partial AUC over a range of either axis, or ``nan`` and why."""
    smallest = ((1.0 - low) ** 2 - (1.0 - high) ** 2) / 2.0
    if area < smallest - 1e-12:
        return math.nan, "the partial AUC lies below the chance line: no corrected value"
    return 0.5 * (1.0 + (area - smallest) / (high - low - smallest)), None


def sensitivity_at_specificity(
    scores: ArrayLike,
    truth: ArrayLike,
    specificity: float,
    *,
    confidence_level: float = 0.95,
    method: BootstrapMethod = "bootstrap-stratified",
    n_resamples: int = 2000,
    rng: Rng = None,
    clusters: ArrayLike | None = None,
) -> CurvePoint:
    """Estimate the sensitivity at a given specificity on the interpolated empirical curve.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
    truth : array_like of bool or 0/1, shape (n,)
    specificity : float
        In [0, 1].
    confidence_level, method, n_resamples, rng, clusters
        As :func:`partial_auc`.

    Returns
    -------
    CurvePoint

    Raises
    ------
    ValueError
        As :func:`auc`, or if the specificity lies outside [0, 1].

    Notes
    -----
    Linear interpolation; at a vertical step of the curve the upper value.

    References
    ----------
    .. [1] Robin X et al. BMC Bioinformatics 2011;12:77 (``coords`` and ``ci.se``).

    Examples
    --------
    >>> sensitivity_at_specificity([1, 2, 3, 4, 5], [0, 0, 1, 0, 1], 0.5, n_resamples=200).estimate
    1.0
    """
    return _curve_point(
        scores,
        truth,
        specificity,
        "specificity",
        level=confidence_level,
        method=method,
        n_resamples=n_resamples,
        rng=rng,
        clusters=clusters,
    )


def specificity_at_sensitivity(
    scores: ArrayLike,
    truth: ArrayLike,
    sensitivity: float,
    *,
    confidence_level: float = 0.95,
    method: BootstrapMethod = "bootstrap-stratified",
    n_resamples: int = 2000,
    rng: Rng = None,
    clusters: ArrayLike | None = None,
) -> CurvePoint:
    """Estimate the specificity at a given sensitivity on the interpolated empirical curve.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
    truth : array_like of bool or 0/1, shape (n,)
    sensitivity : float
        In [0, 1].
    confidence_level, method, n_resamples, rng, clusters
        As :func:`partial_auc`.

    Returns
    -------
    CurvePoint

    Raises
    ------
    ValueError
        As :func:`auc`, or if the sensitivity lies outside [0, 1].

    Notes
    -----
    Linear interpolation; at a horizontal step of the curve the upper value.

    References
    ----------
    .. [1] Robin X et al. BMC Bioinformatics 2011;12:77 (``coords`` and ``ci.sp``).

    Examples
    --------
    >>> round(specificity_at_sensitivity([1, 2, 3, 4, 5], [0, 0, 1, 0, 1], 0.75, n_resamples=200).estimate, 4)
    0.6667
    """
    return _curve_point(
        scores,
        truth,
        sensitivity,
        "sensitivity",
        level=confidence_level,
        method=method,
        n_resamples=n_resamples,
        rng=rng,
        clusters=clusters,
    )


def _curve_point(
    scores: ArrayLike,
    truth: ArrayLike,
    at: float,
    focus: Focus,
    *,
    level: float,
    method: BootstrapMethod,
    n_resamples: int,
    rng: Rng,
    clusters: ArrayLike | None,
) -> CurvePoint:
    if not 0.0 <= at <= 1.0:
        raise ValueError(f"{focus} must lie between 0 and 1, got {at!r}.")

    def value(positives: Counts, negatives: Counts) -> Floats:
        return value_at(positives, negatives, focus=focus, at=at)

    groups, fitted = _bootstrapped(
        value, scores, truth, level=level, method=method, n_resamples=n_resamples, rng=rng, clusters=clusters
    )
    if fitted.reason is not None:
        warn_degenerate("A useful interval is", fitted.reason, stacklevel=4)
    return CurvePoint(
        fitted.estimate,
        fitted.variance,
        math.sqrt(fitted.variance),
        fitted.median,
        fitted.interval,
        focus,
        float(at),
        int(groups.positives.sum()),
        int(groups.negatives.sum()),
        fitted.reason,
        fitted.provenance(f"value at a {focus} of the empirical curve, percentile bootstrap interval"),
    )


@dataclass(frozen=True)
class _Bootstrapped:
    estimate: float
    variance: float
    median: float
    interval: ConfidenceInterval
    reason: str | None
    words: str
    level: float
    seed: int | None
    n_resamples: int

    def provenance(self, method: str) -> Provenance:
        return Provenance(
            method, self.words, self.level, NO_MISSING, seed=self.seed, n_resamples=self.n_resamples
        )


def _bootstrapped(
    statistic: Callable[[Counts, Counts], Floats],
    scores: ArrayLike,
    truth: ArrayLike,
    *,
    level: float,
    method: BootstrapMethod,
    n_resamples: int,
    rng: Rng,
    clusters: ArrayLike | None,
) -> tuple[TieGroups, _Bootstrapped]:
    validate_confidence_level(level)
    values, positive = as_scores_and_truth(scores, truth)
    if method not in get_args(BootstrapMethod):
        raise ValueError(f"method must be one of {get_args(BootstrapMethod)}, got {method!r}.")
    groups = tie_groups(values, positive)
    coded = None if clusters is None else as_cluster_codes(clusters, n=values.size)
    generator, seed = resolve_rng(rng)
    resamples = bootstrap_counts(
        groups,
        positive,
        coded,
        stratified=method == "bootstrap-stratified",
        n_resamples=n_resamples,
        generator=generator,
    )
    distribution = np.concatenate([statistic(w1, w0) for w1, w0 in resamples])
    variance, interval, reason = percentile_summary(distribution, level=level)
    return groups, _Bootstrapped(
        float(statistic(groups.positives, groups.negatives)),
        variance,
        float(np.nanmedian(distribution)),
        interval,
        reason,
        bootstrap_words(method, clustered=coded is not None),
        level,
        seed,
        n_resamples,
    )


def _validate_focus(focus: str) -> None:
    if focus not in get_args(Focus):
        raise ValueError(f"focus must be one of {get_args(Focus)}, got {focus!r}.")
