"""What an empirical ROC curve says, computed from counts per tie group for many resamples at once.

The curve is the polygon through the points of all thresholds. Arrays have shape (..., G) for counts and (...,
G + 1) for points; point k is the threshold between the groups k - 1 and k, so points run from "everything is
positive" to "nothing is positive", specificity rising and sensitivity falling.
"""

from typing import Literal

import numpy as np

from equipoise.stats._binary_truth import Floats
from equipoise.stats._tie_groups import Counts

Steps = Literal["drawn", "merged"]
"""What becomes of the points of a step where a value is interpolated next to it: they stay as they are drawn, or
merge into one, that of the highest sensitivity or of the lowest specificity (as MRMCaov reads a curve)."""

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


def partial_area(
    positives: Counts, negatives: Counts, *, focus: str, low: float, high: float, steps: Steps = "drawn"
) -> Floats:
    """Return the area under the curve between two specificities (sensitivities), by trapezoids."""
    x, y = _axes(positives, negatives, focus)
    if steps == "merged":
        x, y = _between_merged_ends(x, y, focus=focus, low=low, high=high)
    left, right = np.clip(x[..., :-1], low, high), np.clip(x[..., 1:], low, high)
    width = x[..., 1:] - x[..., :-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(width > 0.0, (y[..., 1:] - y[..., :-1]) / width, 0.0)
    height = y[..., :-1] + slope * ((left + right) / 2.0 - x[..., :-1])
    area: Floats = ((right - left) * height).sum(axis=-1)
    return np.where(np.isnan(x[..., -1] + y[..., -1]), np.nan, area)


def value_at(
    positives: Counts, negatives: Counts, *, focus: str, at: float, steps: Steps = "drawn"
) -> Floats:
    """Return the sensitivity at a specificity (or the reverse): linear interpolation, the upper value at a step."""
    x, y = _axes(positives, negatives, focus)
    return _interpolated(x, _merged(x, y, focus) if steps == "merged" else y, at)


def _interpolated(x: Floats, y: Floats, at: float) -> Floats:
    """Return y at a value of the rising x; the first of tied points is taken where the value is met."""
    after = np.minimum((x < at - TOUCH).sum(axis=-1), x.shape[-1] - 1)[..., None]
    x1, y1 = np.take_along_axis(x, after, -1)[..., 0], np.take_along_axis(y, after, -1)[..., 0]
    before = np.maximum(after - 1, 0)
    x0, y0 = np.take_along_axis(x, before, -1)[..., 0], np.take_along_axis(y, before, -1)[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        between = y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    value: Floats = np.where(np.abs(x1 - at) <= TOUCH, y1, between)
    return np.where(np.isnan(x[..., -1] + y[..., -1]), np.nan, value)


def _axes(positives: Counts, negatives: Counts, focus: str) -> tuple[Floats, Floats]:
    """Return the axis of the focus, rising, and the other one, falling."""
    sensitivity, specificity = rates_of_counts(positives, negatives)
    if focus == "specificity":
        return specificity, sensitivity
    return sensitivity[..., ::-1], specificity[..., ::-1]


def _merged(x: Floats, y: Floats, focus: str) -> Floats:
    """Return y with the points of each run of equal x moved to the highest sensitivity or the lowest specificity.

    As y falls, that is the first point of a run on the specificity axis and the last on the sensitivity axis.
    """
    step = x[..., 1:] - x[..., :-1] > TOUCH
    place = np.arange(x.shape[-1])
    border = np.ones(x.shape, dtype=np.bool_)
    if focus == "specificity":
        border[..., 1:] = step
        chosen = np.maximum.accumulate(np.where(border, place, 0), axis=-1)
    else:
        border[..., :-1] = step
        chosen = np.minimum.accumulate(np.where(border, place, x.shape[-1])[..., ::-1], axis=-1)[..., ::-1]
    return np.take_along_axis(y, chosen, -1)


def _between_merged_ends(
    x: Floats, y: Floats, *, focus: str, low: float, high: float
) -> tuple[Floats, Floats]:
    """Return the polygon between two values of x: merged ends, and the points strictly between as drawn."""
    merged = _merged(x, y, focus)
    ends = [_interpolated(x, merged, at)[..., None] for at in (low, high)]
    inside = np.where(x <= low + TOUCH, ends[0], np.where(x >= high - TOUCH, ends[1], y))
    edge = np.ones((*x.shape[:-1], 1))
    return (
        np.concatenate([low * edge, np.clip(x, low, high), high * edge], axis=-1),
        np.concatenate([ends[0], inside, ends[1]], axis=-1),
    )
