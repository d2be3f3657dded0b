"""Accuracy of binary decisions against the reference standard."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.stats._auc import NO_MISSING, percentile_summary, validate_n_resamples
from equipoise.stats._binary_truth import Floats, as_binary, as_cluster_codes, require_same_length
from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    Rng,
    normal_quantile,
    resolve_rng,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._proportions import Proportion, proportion

MEASURES = ("sensitivity", "specificity", "ppv", "npv", "accuracy", "f1")
"""The measures of a confusion table, in order of report."""


@dataclass(frozen=True)
class AdjustedMeasure:
    """A measure at another prevalence than the sample's, with a delta-method interval on the logit scale."""

    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    reason: str | None = None


@dataclass(frozen=True)
class AtPrevalence:
    """What depends on prevalence, at the prevalence asked for."""

    prevalence: float
    ppv: AdjustedMeasure
    npv: AdjustedMeasure
    accuracy: AdjustedMeasure
    f1: AdjustedMeasure


@dataclass(frozen=True)
class Confusion:
    """A two by two table with its measures.

    Attributes
    ----------
    tp, fp, tn, fn : int
    sensitivity, specificity, ppv, npv, accuracy : Proportion
    f1 : Proportion
        2 TP / (2 TP + FP + FN). Its counts are those of TP / (TP + FP + FN), of which F1 is a rising
        function; the intervals are carried over by that function.
    prevalence : float
        Of the sample: ``ppv``, ``npv``, ``accuracy`` and ``f1`` hold for it only.
    at_prevalence : AtPrevalence or None
        The same at the target prevalence, if one was given.
    n_clusters : int or None
    reason : str or None
        Which measures are not available, and why.
    provenance : Provenance
    """

    tp: int
    fp: int
    tn: int
    fn: int
    sensitivity: Proportion
    specificity: Proportion
    ppv: Proportion
    npv: Proportion
    accuracy: Proportion
    f1: Proportion
    prevalence: float
    at_prevalence: AtPrevalence | None
    n_clusters: int | None
    reason: str | None
    provenance: Provenance

    @property
    def n(self) -> int:
        """Rows in the table."""
        return self.tp + self.fp + self.tn + self.fn

    @property
    def method(self) -> str:
        """The estimator, in words."""
        return self.provenance.method


def confusion(
    decisions: ArrayLike,
    truth: ArrayLike,
    *,
    confidence_level: float = 0.95,
    clusters: ArrayLike | None = None,
    prevalence: float | None = None,
    n_resamples: int = 2000,
    rng: Rng = None,
) -> Confusion:
    """Estimate sensitivity, specificity, PPV, NPV, accuracy and F1 of decisions against the truth.

    Parameters
    ----------
    decisions : array_like of bool or 0/1, shape (n,)
        1 is a positive call. Indeterminate answers are left out or recoded beforehand, as the plan says.
    truth : array_like of bool or 0/1, shape (n,)
    confidence_level : float, default 0.95
    clusters : array_like of label, shape (n,), optional
        The patient of each row. Binomial intervals assume independent rows, so with clusters the intervals
        are percentiles of a bootstrap of patients. Calls pooled over readers are never independent.
    prevalence : float, optional
        Target prevalence in (0, 1), at which ``at_prevalence`` gives PPV, NPV, accuracy and F1.
    n_resamples, rng
        Of the bootstrap of clusters.

    Returns
    -------
    Confusion

    Raises
    ------
    ValueError
        If decisions or truth are not 0/1, lengths differ, or the prevalence lies outside (0, 1).

    Notes
    -----
    A measure without a denominator (no positive case; no positive call) is ``nan`` with a
    ``DegenerateDataWarning``.

    References
    ----------
    .. [1] Clopper CJ, Pearson ES. Biometrika 1934;26:404 (default interval).
    .. [2] Mercaldo ND, Lau KF, Zhou XH. Stat Med 2007;26:2170 (predictive values at a given prevalence, logit
       scale).

    Examples
    --------
    >>> result = confusion([1, 1, 0, 0, 1], [1, 1, 1, 0, 0])
    >>> result.tp, result.fp, result.tn, result.fn
    (2, 1, 1, 1)
    >>> round(result.sensitivity.estimate, 4), round(result.sensitivity.exact.low, 4)
    (0.6667, 0.0943)
    """
    level = validate_confidence_level(confidence_level)
    called, positive = as_binary(decisions, name="decisions"), as_binary(truth, name="truth")
    require_same_length(called, positive, names=("decisions", "truth"))
    if prevalence is not None and not 0.0 < prevalence < 1.0:
        raise ValueError(f"prevalence must lie strictly between 0 and 1, got {prevalence!r}.")
    cell = np.where(positive, np.where(called, 0, 3), np.where(called, 1, 2))
    tp, fp, tn, fn = (int(count) for count in np.bincount(cell, minlength=4))
    measures = _measures(tp, fp, tn, fn, level=level)
    words, n_clusters, seed = "exact binomial (Clopper-Pearson) and Wilson", None, None
    if clusters is not None:
        codes, n_clusters = as_cluster_codes(clusters, n=called.size)
        validate_n_resamples(n_resamples)
        generator, seed = resolve_rng(rng)
        words = "bootstrap of clusters, percentile interval"
        measures = _clustered(
            measures, cell, codes, n_clusters, level=level, n_resamples=n_resamples, rng=generator
        )
    absent = [name for name in MEASURES if math.isnan(measures[name].estimate)]
    reason = f"without a denominator: {', '.join(absent)}" if absent else None
    if reason is not None:
        warn_degenerate("A measure of the confusion table is", reason)
    return Confusion(
        tp,
        fp,
        tn,
        fn,
        **measures,
        prevalence=(tp + fn) / called.size,
        at_prevalence=None
        if prevalence is None
        else _at_prevalence(measures["sensitivity"], measures["specificity"], prevalence, level=level),
        n_clusters=n_clusters,
        reason=reason,
        provenance=Provenance(
            "two by two table",
            words,
            level,
            NO_MISSING,
            seed=seed,
            n_resamples=None if clusters is None else n_resamples,
        ),
    )


def _measures(tp: int, fp: int, tn: int, fn: int, *, level: float) -> dict[str, Proportion]:
    counts = {
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "ppv": (tp, tp + fp),
        "npv": (tn, tn + fn),
        "accuracy": (tp + tn, tp + fp + tn + fn),
    }
    found = {name: proportion(x, n, confidence_level=level) for name, (x, n) in counts.items()}
    found["f1"] = _f1_of_jaccard(proportion(tp, tp + fp + fn, confidence_level=level))
    return found


def _f1_of_jaccard(jaccard: Proportion) -> Proportion:
    """Return F1 = 2 J / (1 + J) from the share J = TP / (TP + FP + FN), its intervals carried over."""

    def carried(interval: ConfidenceInterval) -> ConfidenceInterval:
        return ConfidenceInterval(
            2.0 * interval.low / (1.0 + interval.low), 2.0 * interval.high / (1.0 + interval.high)
        )

    j = jaccard.estimate
    return dataclasses.replace(
        jaccard,
        estimate=2.0 * j / (1.0 + j),
        confidence_interval=carried(jaccard.confidence_interval),
        clopper_pearson=carried(jaccard.clopper_pearson),
        wilson=carried(jaccard.wilson),
        agresti_coull=carried(jaccard.agresti_coull),
        wald=carried(jaccard.wald),
        standard_error=jaccard.standard_error * 2.0 / (1.0 + j) ** 2,
    )


def _clustered(
    measures: dict[str, Proportion],
    cell: NDArray[np.intp],
    codes: NDArray[np.intp],
    n_clusters: int,
    *,
    level: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Proportion]:
    table = np.bincount(codes * 4 + cell, minlength=4 * n_clusters).reshape(n_clusters, 4)
    drawn = rng.integers(0, n_clusters, (n_resamples, n_clusters))
    times = np.apply_along_axis(np.bincount, 1, drawn, minlength=n_clusters)
    resampled = _measures_of_counts((times @ table).astype(np.float64))
    clustered = {}
    for name, independent in measures.items():
        variance, interval, reason = percentile_summary(resampled[name], level=level)
        clustered[name] = dataclasses.replace(
            independent,
            confidence_interval=interval,
            clopper_pearson=NO_INTERVAL,
            wilson=NO_INTERVAL,
            agresti_coull=NO_INTERVAL,
            wald=NO_INTERVAL,
            standard_error=math.sqrt(variance),
            reason=independent.reason or reason or "binomial intervals assume independent rows",
        )
    return clustered


def _measures_of_counts(counts: Floats) -> dict[str, Floats]:
    """Return every measure of each row (tp, fp, tn, fn); ``nan`` without a denominator."""
    tp, fp, tn, fn = counts.T
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "sensitivity": tp / (tp + fn),
            "specificity": tn / (tn + fp),
            "ppv": tp / (tp + fp),
            "npv": tn / (tn + fn),
            "accuracy": (tp + tn) / (tp + fp + tn + fn),
            "f1": 2.0 * tp / (2.0 * tp + fp + fn),
        }


def _at_prevalence(
    sensitivity: Proportion, specificity: Proportion, prevalence: float, *, level: float
) -> AtPrevalence:
    se, sp, p = sensitivity.estimate, specificity.estimate, prevalence
    variances = (sensitivity.standard_error**2, specificity.standard_error**2)
    positive_calls = se * p + (1.0 - sp) * (1.0 - p)
    negative_calls = sp * (1.0 - p) + (1.0 - se) * p

    def adjusted(estimate: float, by_se: float, by_sp: float) -> AdjustedMeasure:
        standard_error = math.sqrt(by_se**2 * variances[0] + by_sp**2 * variances[1])
        return _logit_interval(estimate, standard_error, level=level)

    if math.isnan(se) or math.isnan(sp):
        absent = AdjustedMeasure(
            math.nan, math.nan, NO_INTERVAL, "sensitivity or specificity is not available"
        )
        return AtPrevalence(p, absent, absent, absent, absent)
    no_calls = AdjustedMeasure(math.nan, math.nan, NO_INTERVAL, "the denominator is 0")
    ppv = (
        no_calls
        if positive_calls == 0.0
        else adjusted(
            se * p / positive_calls,
            p * (1.0 - sp) * (1.0 - p) / positive_calls**2,
            se * p * (1.0 - p) / positive_calls**2,
        )
    )
    npv = (
        no_calls
        if negative_calls == 0.0
        else adjusted(
            sp * (1.0 - p) / negative_calls,
            sp * (1.0 - p) * p / negative_calls**2,
            (1.0 - p) * (1.0 - se) * p / negative_calls**2,
        )
    )
    both = positive_calls + p
    f1 = adjusted(
        2.0 * se * p / both, 2.0 * p * (both - se * p) / both**2, 2.0 * se * p * (1.0 - p) / both**2
    )
    return AtPrevalence(p, ppv, npv, adjusted(se * p + sp * (1.0 - p), p, 1.0 - p), f1)


def _logit_interval(estimate: float, standard_error: float, *, level: float) -> AdjustedMeasure:
    if not 0.0 < estimate < 1.0:
        reason = "the estimate is 0 or 1: no delta-method interval"
        return AdjustedMeasure(estimate, standard_error, NO_INTERVAL, reason)
    centre = math.log(estimate / (1.0 - estimate))
    half = normal_quantile(level) * standard_error / (estimate * (1.0 - estimate))
    low, high = (1.0 / (1.0 + math.exp(-(centre + sign * half))) for sign in (-1.0, 1.0))
    return AdjustedMeasure(estimate, standard_error, ConfidenceInterval(low, high))
