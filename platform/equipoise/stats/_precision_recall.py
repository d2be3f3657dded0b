"""The precision-recall curve and the area under it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.stats._auc import NO_MISSING, bootstrap_counts, bootstrap_words, percentile_summary
from equipoise.stats._binary_truth import Floats, as_cluster_codes, as_scores_and_truth
from equipoise.stats._common import (
    ConfidenceInterval,
    Provenance,
    Rng,
    resolve_rng,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._partial_auc import BootstrapMethod
from equipoise.stats._tie_groups import Counts, tie_groups


@dataclass(frozen=True)
class PrecisionRecall:
    """A precision-recall curve, thresholds rising.

    Attributes
    ----------
    thresholds, precision, recall : ndarray of float, shape (G,)
        At each distinct score, a case being positive if its score is >= it.
    auprc : float
        Average precision: the sum over falling thresholds of the rise in recall times the precision.
    variance, standard_error : float
    confidence_interval : ConfidenceInterval
    prevalence : float
        Of the sample: the precision of a test that knows nothing.
    n_positive, n_negative : int
    reason : str or None
    provenance : Provenance
    """

    thresholds: Floats
    precision: Floats
    recall: Floats
    auprc: float
    variance: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    prevalence: float
    n_positive: int
    n_negative: int
    reason: str | None
    provenance: Provenance

    @property
    def estimate(self) -> float:
        """The area, under the name every result has."""
        return self.auprc


def precision_recall(
    scores: ArrayLike,
    truth: ArrayLike,
    *,
    confidence_level: float = 0.95,
    method: BootstrapMethod = "bootstrap-stratified",
    n_resamples: int = 2000,
    rng: Rng = None,
    clusters: ArrayLike | None = None,
) -> PrecisionRecall:
    """Return precision and recall at every threshold, and the area under the curve as average precision.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
    truth : array_like of bool or 0/1, shape (n,)
    confidence_level : float, default 0.95
    method : {"bootstrap-stratified", "bootstrap"}
        Percentile interval of the area; stratified resamples keep the sample's prevalence.
    n_resamples, rng
        Of the bootstrap, see :func:`auc`.
    clusters : array_like of label, shape (n,), optional
        The patient of each row; needs ``method="bootstrap"``, which then resamples patients.

    Returns
    -------
    PrecisionRecall

    Raises
    ------
    ValueError
        As :func:`auc`.

    Notes
    -----
    Precision depends on prevalence, so the area is no property of the test alone. The step-wise sum is not
    interpolated: interpolating linearly between points of this curve is too optimistic [1]_.

    References
    ----------
    .. [1] Davis J, Goadrich M. The relationship between precision-recall and ROC curves. ICML 2006.
    .. [2] scikit-learn ``average_precision_score``, whose definition this is.

    Examples
    --------
    >>> curve = precision_recall([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], n_resamples=200)
    >>> round(curve.auprc, 4), curve.recall.tolist()
    (0.8333, [1.0, 1.0, 0.5, 0.5])
    """
    level = validate_confidence_level(confidence_level)
    values, positive = as_scores_and_truth(scores, truth)
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
    distribution = np.concatenate([_average_precision(w1, w0) for w1, w0 in resamples])
    variance, interval, reason = percentile_summary(distribution, level=level)
    if reason is not None:
        warn_degenerate("A useful interval of the average precision is", reason)
    tp, called = _calls_from_above(groups.positives, groups.negatives)
    n_positive = int(groups.positives.sum())
    return PrecisionRecall(
        groups.values,
        tp / called,
        tp / n_positive,
        float(_average_precision(groups.positives, groups.negatives)),
        variance,
        math.sqrt(variance),
        interval,
        n_positive / values.size,
        n_positive,
        values.size - n_positive,
        reason,
        Provenance(
            "average precision, percentile bootstrap interval",
            bootstrap_words(method, clustered=coded is not None),
            level,
            NO_MISSING,
            seed=seed,
            n_resamples=n_resamples,
        ),
    )


def _calls_from_above(positives: Counts, negatives: Counts) -> tuple[Counts, Counts]:
    """Return true positive and all positive calls at each group as threshold."""
    tp = np.cumsum(positives[..., ::-1], axis=-1)[..., ::-1]
    return tp, tp + np.cumsum(negatives[..., ::-1], axis=-1)[..., ::-1]


def _average_precision(positives: Counts, negatives: Counts) -> Floats:
    tp, called = _calls_from_above(positives, negatives)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(called > 0, tp / called, 0.0)
        area: Floats = np.asarray((positives * precision).sum(axis=-1) / positives.sum(axis=-1))
    return area
