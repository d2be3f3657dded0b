"""Accuracy at one threshold of a score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from equipoise.stats._binary_truth import as_scores_and_truth
from equipoise.stats._common import Provenance, Rng
from equipoise.stats._confusion import Confusion, confusion
from equipoise.stats._curve_values import TOUCH
from equipoise.stats._proportions import Proportion
from equipoise.stats._roc_curve import roc_curve


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold with the accuracy of "positive if the score is >= the threshold".

    Attributes
    ----------
    threshold : float
    confusion : Confusion
        The table with every measure.
    exploratory : bool
        True where the threshold was found on the same cases, which flatters it.
    """

    threshold: float
    confusion: Confusion
    exploratory: bool

    @property
    def sensitivity(self) -> Proportion:
        """With its intervals."""
        return self.confusion.sensitivity

    @property
    def specificity(self) -> Proportion:
        """With its intervals."""
        return self.confusion.specificity

    @property
    def provenance(self) -> Provenance:
        """How the intervals came about."""
        return self.confusion.provenance


def operating_point(
    scores: ArrayLike,
    truth: ArrayLike,
    *,
    threshold: float | None = None,
    specificity: float | None = None,
    sensitivity: float | None = None,
    confidence_level: float = 0.95,
    clusters: ArrayLike | None = None,
    prevalence: float | None = None,
    n_resamples: int = 2000,
    rng: Rng = None,
) -> OperatingPoint:
    """Estimate accuracy at a threshold, or at the threshold that reaches a given specificity or sensitivity.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
    truth : array_like of bool or 0/1, shape (n,)
    threshold, specificity, sensitivity : float, optional
        Exactly one. A threshold is applied as it is. A specificity takes the lowest threshold that reaches it
        (the most sensitive), a sensitivity the highest threshold that reaches it; both mark the result
        exploratory.
    confidence_level, clusters, prevalence, n_resamples, rng
        As :func:`confusion`.

    Returns
    -------
    OperatingPoint

    Raises
    ------
    ValueError
        As :func:`confusion`, or unless exactly one of the three is given.

    Notes
    -----
    The intervals treat the threshold as fixed beforehand.

    References
    ----------
    .. [1] Clopper CJ, Pearson ES. Biometrika 1934;26:404.

    Examples
    --------
    >>> point = operating_point([1, 2, 3, 4, 5], [0, 0, 1, 0, 1], threshold=3)
    >>> point.sensitivity.estimate, round(point.specificity.estimate, 4), point.exploratory
    (1.0, 0.6667, False)
    >>> operating_point([1, 2, 3, 4, 5], [0, 0, 1, 0, 1], specificity=0.9).threshold
    4.5
    """
    given = [value for value in (threshold, specificity, sensitivity) if value is not None]
    if len(given) != 1:
        raise ValueError(f"give exactly one of threshold, specificity and sensitivity, got {len(given)}.")
    values, positive = as_scores_and_truth(scores, truth)
    if threshold is None:
        curve = roc_curve(values, positive)
        if not 0.0 <= given[0] <= 1.0:
            raise ValueError(f"specificity and sensitivity lie between 0 and 1, got {given[0]!r}.")
        if specificity is not None:
            place = int(np.argmax(curve.specificity >= specificity - TOUCH))
        else:
            place = int(np.flatnonzero(curve.sensitivity >= given[0] - TOUCH)[-1])
        cut = float(curve.thresholds[place])
    else:
        cut = float(threshold)
        if np.isnan(cut):
            raise ValueError("threshold must be a number, got nan.")
    table = confusion(
        values >= cut,
        positive,
        confidence_level=confidence_level,
        clusters=clusters,
        prevalence=prevalence,
        n_resamples=n_resamples,
        rng=rng,
    )
    return OperatingPoint(cut, table, exploratory=threshold is None)
