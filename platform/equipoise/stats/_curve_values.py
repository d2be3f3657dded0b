"""What an empirical ROC curve says, computed from counts per tie group for many resamples at once.

The curve is the polygon through the points of all thresholds. Arrays have shape (..., G) for counts and (...,
G + 1) for points; point k is the threshold between the groups k - 1 and k, so points run from "everything is
positive" to "nothing is positive", specificity rising and sensitivity falling.
"""

import numpy as np

from equipoise.stats._binary_truth import Floats
from equipoise.stats._tie_groups import Counts

TOUCH = 1e-12
"""Distance on the axis within which a point of the curve counts as lying at the value asked for."""


def rates_of_counts(positives: Counts, negatives: Counts) -> tuple[Floats, Floats]:
    """Return sensitivity and specificity at every point; ``nan`` where a class is absent."""
    shape = (*positives.shape[:-1], positives.shape[-1] + 1)
    below = [np.zeros(shape), np.zeros(shape)]
    for target, counts in zip(below, (positives, negatives), strict=True):
        np.cumsum(counts, axis=-1, out=target[..., 1:])
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity: Floats = 1.0 - below[0] / below[0][..., -1:]
        specificity: Floats = below[1] / below[1][..., -1:]
    return sensitivity, specificity


def partial_area(positives: Counts, negatives: Counts, *, focus: str, low: float, high: float) -> Floats:
    """Return the area under the curve between two specificities (sensitivities), by trapezoids."""
    x, y = _axes(positives, negatives, focus)
    left, right = np.clip(x[..., :-1], low, high), np.clip(x[..., 1:], low, high)
    width = x[..., 1:] - x[..., :-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(width > 0.0, (y[..., 1:] - y[..., :-1]) / width, 0.0)
    height = y[..., :-1] + slope * ((left + right) / 2.0 - x[..., :-1])
    area: Floats = ((right - left) * height).sum(axis=-1)
    return np.where(np.isnan(x[..., -1] + y[..., -1]), np.nan, area)


def value_at(positives: Counts, negatives: Counts, *, focus: str, at: float) -> Floats:
    """Return the sensitivity at a specificity (or the reverse): linear interpolation, the upper value at a step."""
    x, y = _axes(positives, negatives, focus)
    after = np.minimum((x < at - TOUCH).sum(axis=-1), x.shape[-1] - 1)[..., None]
    x1, y1 = np.take_along_axis(x, after, -1)[..., 0], np.take_along_axis(y, after, -1)[..., 0]
    before = np.maximum(after - 1, 0)
    x0, y0 = np.take_along_axis(x, before, -1)[..., 0], np.take_along_axis(y, before, -1)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        between = y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    value: Floats = np.where(np.abs(x1 - at) <= TOUCH, y1, between)
    return np.where(np.isnan(x[..., -1] + y[..., -1]), np.nan, value)


def _axes(positives: Counts, negatives: Counts, focus: str) -> tuple[Floats, Floats]:
    """Return the axis of the focus, rising, and the other one."""
    sensitivity, specificity = rates_of_counts(positives, negatives)
    if focus == "specificity":
        return specificity, sensitivity
    return sensitivity[..., ::-1], specificity[..., ::-1]
