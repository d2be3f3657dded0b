"""The empirical ROC curve and the thresholds that are best on it."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.stats._auc import NO_MISSING
from equipoise.stats._binary_truth import Floats, as_scores_and_truth
from equipoise.stats._common import Provenance
from equipoise.stats._tie_groups import auc_of_counts, tie_groups

Criterion = Literal["youden", "closest-top-left"]

SAME_CRITERION = 1e-12
"""Thresholds whose criterion differs by no more than this tie: rounding must not choose between them."""


@dataclass(frozen=True)
class ROCCurve:
    """An empirical ROC curve: all thresholds, rising from -inf to inf.

    Attributes
    ----------
    thresholds : ndarray of float, shape (G + 1,)
        Midpoints between consecutive distinct scores; a case is positive if its score is >= the threshold.
    sensitivity, specificity : ndarray of float, shape (G + 1,)
    tp, fp, tn, fn : ndarray of int, shape (G + 1,)
    auc : float
    n_positive, n_negative : int
    """

    thresholds: Floats
    sensitivity: Floats
    specificity: Floats
    tp: NDArray[np.intp]
    fp: NDArray[np.intp]
    tn: NDArray[np.intp]
    fn: NDArray[np.intp]
    auc: float
    n_positive: int
    n_negative: int

    @property
    def false_positive_rate(self) -> Floats:
        """1 - specificity, falling."""
        rate: Floats = self.fp / self.n_negative
        return rate

    @property
    def true_positive_rate(self) -> Floats:
        """The sensitivity, under its other name."""
        return self.sensitivity


def roc_curve(scores: ArrayLike, truth: ArrayLike) -> ROCCurve:
    """Return sensitivity and specificity at every threshold.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
        Finite; higher means more suspicious.
    truth : array_like of bool or 0/1, shape (n,)
        The reference standard; both classes must occur.

    Returns
    -------
    ROCCurve

    Raises
    ------
    ValueError
        If scores are not finite, truth is not 0/1 or holds one class only, or lengths differ.

    Notes
    -----
    Thresholds are midpoints with -inf and inf at the ends, as pROC prints them. Neighbouring points where one
    class only changes are kept: the polygon is the same with or without them.

    References
    ----------
    .. [1] Robin X et al. pROC. BMC Bioinformatics 2011;12:77.

    Examples
    --------
    >>> curve = roc_curve([1, 2, 2, 3], [0, 0, 1, 1])
    >>> curve.thresholds.tolist(), curve.sensitivity.tolist(), curve.specificity.tolist()
    ([-inf, 1.5, 2.5, inf], [1.0, 1.0, 0.5, 0.0], [0.0, 0.5, 1.0, 1.0])
    """
    values, positive = as_scores_and_truth(scores, truth)
    groups = tie_groups(values, positive)
    middle = groups.values[:-1] + (groups.values[1:] - groups.values[:-1]) / 2.0
    fn = np.concatenate([[0], np.cumsum(groups.positives)])
    tn = np.concatenate([[0], np.cumsum(groups.negatives)])
    n_positive, n_negative = int(fn[-1]), int(tn[-1])
    tp = n_positive - fn
    return ROCCurve(
        np.concatenate([[-np.inf], middle, [np.inf]]),
        tp / n_positive,
        tn / n_negative,
        tp,
        n_negative - tn,
        tn,
        fn,
        float(auc_of_counts(groups.positives, groups.negatives)),
        n_positive,
        n_negative,
    )


@dataclass(frozen=True)
class BestThreshold:
    """The threshold or thresholds that are best on an empirical curve.

    Attributes
    ----------
    thresholds : tuple of float
        All that tie, rising.
    sensitivities, specificities : tuple of float
        At each of them.
    criterion : {"youden", "closest-top-left"}
    value : float
        Sensitivity + specificity - 1, or the squared distance to the corner.
    exploratory : bool
        Always True: chosen on the cases it is judged on, it flatters; a trial fixes its threshold beforehand.
    provenance : Provenance
    """

    thresholds: tuple[float, ...]
    sensitivities: tuple[float, ...]
    specificities: tuple[float, ...]
    criterion: Criterion
    value: float
    provenance: Provenance
    exploratory: bool = True

    @property
    def threshold(self) -> float:
        """The lowest of the best thresholds (the most sensitive)."""
        return self.thresholds[0]

    @property
    def sensitivity(self) -> float:
        """At :attr:`threshold`."""
        return self.sensitivities[0]

    @property
    def specificity(self) -> float:
        """At :attr:`threshold`."""
        return self.specificities[0]


def youden_threshold(
    scores: ArrayLike, truth: ArrayLike, *, criterion: Criterion = "youden"
) -> BestThreshold:
    """Return every threshold with the largest sensitivity + specificity (or the point closest to the top left corner).

    Parameters
    ----------
    scores : array_like of float, shape (n,)
    truth : array_like of bool or 0/1, shape (n,)
    criterion : {"youden", "closest-top-left"}, default "youden"
        The largest sensitivity + specificity, or the smallest (1 - sensitivity)^2 + (1 - specificity)^2.

    Returns
    -------
    BestThreshold

    Raises
    ------
    ValueError
        As :func:`roc_curve`, or for an unknown criterion.

    Notes
    -----
    All ties are reported, as pROC's ``coords(x = "best")`` does.

    References
    ----------
    .. [1] Youden WJ. Cancer 1950;3:32.
    .. [2] Perkins NJ, Schisterman EF. Am J Epidemiol 2006;163:670.

    Examples
    --------
    >>> best = youden_threshold([1, 2, 3, 4, 5], [0, 0, 1, 0, 1])
    >>> best.thresholds, round(best.value, 4)
    ((2.5,), 0.6667)
    """
    if criterion not in get_args(Criterion):
        raise ValueError(f"criterion must be one of {get_args(Criterion)}, got {criterion!r}.")
    curve = roc_curve(scores, truth)
    if criterion == "youden":
        value = curve.sensitivity + curve.specificity - 1.0
        best = float(value.max())
    else:
        value = (1.0 - curve.sensitivity) ** 2 + (1.0 - curve.specificity) ** 2
        best = float(value.min())
    tied = np.abs(value - best) <= SAME_CRITERION
    return BestThreshold(
        tuple(curve.thresholds[tied].tolist()),
        tuple(curve.sensitivity[tied].tolist()),
        tuple(curve.specificity[tied].tolist()),
        criterion,
        best,
        Provenance(f"best threshold on the empirical curve ({criterion})", "none", math.nan, NO_MISSING),
    )
