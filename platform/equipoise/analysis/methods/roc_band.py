"""A pointwise bootstrap band of the sensitivity along one ROC curve."""

import numpy as np

from equipoise.analysis.methods.scored import Series
from equipoise.analysis.tables import Array

GRID = np.linspace(0.0, 1.0, 101)
"""False-positive rates at which the band is given."""


def sensitivity_band(
    series: Series, *, n_resamples: int, confidence_level: float, rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    """Return (false-positive rate, low, high) on a grid.

    Cases and controls are resampled separately, or whole clusters where cases have several items. Bands are
    pointwise: nothing is claimed of the curve as a whole.
    """
    draws = np.array([_curve_on_grid(*_resample(series, rng)) for _ in range(n_resamples)])
    tail = (1.0 - confidence_level) / 2
    low, high = np.nanquantile(draws, [tail, 1.0 - tail], axis=0)
    return list(zip(GRID.tolist(), low.tolist(), high.tolist(), strict=True))


def _resample(series: Series, rng: np.random.Generator) -> tuple[Array, Array]:
    if series.clusters is None:
        positive, negative = np.flatnonzero(series.truth == 1), np.flatnonzero(series.truth == 0)
        rows = np.concatenate([rng.choice(positive, len(positive)), rng.choice(negative, len(negative))])
        return series.scores[rows], series.truth[rows]
    names, index = np.unique(series.clusters.astype(str), return_inverse=True)
    drawn = rng.integers(0, len(names), len(names))
    rows = np.concatenate([np.flatnonzero(index == unit) for unit in drawn])
    return series.scores[rows], series.truth[rows]


def _curve_on_grid(scores: Array, truth: Array) -> Array:
    """Return the sensitivity at each false-positive rate of the grid, the upper value at vertical steps."""
    positives, negatives = scores[truth == 1], scores[truth == 0]
    if len(positives) == 0 or len(negatives) == 0:
        return np.full(len(GRID), np.nan)
    thresholds = np.concatenate([[np.inf], np.unique(scores)[::-1]])
    tpr = 1.0 - np.searchsorted(np.sort(positives), thresholds, side="left") / len(positives)
    fpr = 1.0 - np.searchsorted(np.sort(negatives), thresholds, side="left") / len(negatives)
    last = np.append(np.diff(fpr) > 0, True)  # of a vertical step keep the upper end
    curve: Array = np.interp(GRID, fpr[last], tpr[last])
    return curve
