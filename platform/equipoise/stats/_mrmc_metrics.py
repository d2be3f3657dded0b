"""Figures of merit of one reader in one condition, as functions of counts per tie group."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from equipoise.stats._binary_truth import Bools, Floats
from equipoise.stats._curve_values import Steps, partial_area, value_at
from equipoise.stats._tie_groups import Counts, TieGroups, auc_of_counts

Metric = Literal[
    "auc",
    "sensitivity",
    "specificity",
    "partial_auc",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
]
Focus = Literal["specificity", "sensitivity"]
Entering = Literal["both", "positive", "negative"]


@dataclass(frozen=True)
class FigureOfMerit:
    """A metric with its options.

    Attributes
    ----------
    name : str
    words : str
        For reports.
    entering : {"both", "positive", "negative"}
        Which cases enter, and so over which the jackknife runs.
    lowest, highest : float
        The range; intervals of means and cells are cut to it.
    of_counts : callable
        (tie groups' values, positives (..., G), negatives (..., G)) -> values (...).
    """

    name: Metric
    words: str
    entering: Entering
    lowest: float
    highest: float
    of_counts: Callable[[Floats, Counts, Counts], Floats]

    def of_groups(self, groups: TieGroups) -> float:
        """Return the value of one set of cases."""
        return float(self.of_counts(groups.values, groups.positives, groups.negatives))


def figure_of_merit(
    metric: Metric,
    *,
    threshold: float | None,
    between: tuple[float, float],
    focus: Focus,
    normalized: bool,
    at: float | None,
    steps: Steps = "drawn",
) -> FigureOfMerit:
    """Return a metric, or raise ``ValueError`` naming the option that is wrong."""
    if steps not in get_args(Steps):
        raise ValueError(f"steps must be one of {get_args(Steps)}, got {steps!r}.")
    if metric == "auc":
        return FigureOfMerit(
            "auc", "empirical AUC", "both", 0.0, 1.0, lambda _, w1, w0: auc_of_counts(w1, w0)
        )
    if metric in ("sensitivity", "specificity"):
        return _proportion(metric, threshold)
    if metric == "partial_auc":
        return _partial(between, focus, normalized=normalized, steps=steps)
    if metric in ("sensitivity_at_specificity", "specificity_at_sensitivity"):
        return _at(metric, at, steps)
    raise ValueError(f"metric must be one of {get_args(Metric)}, got {metric!r}.")


def _proportion(metric: Metric, threshold: float | None) -> FigureOfMerit:
    cut = 0.5 if threshold is None else float(threshold)
    if math.isnan(cut):
        raise ValueError("threshold must be a number, got nan.")
    rule = "decision 1" if threshold is None else f"score >= {cut:g}"
    if metric == "sensitivity":
        return FigureOfMerit(
            metric,
            f"sensitivity ({rule} is positive)",
            "positive",
            0.0,
            1.0,
            lambda values, w1, _: _share(w1, values >= cut),
        )
    return FigureOfMerit(
        metric,
        f"specificity ({rule} is positive)",
        "negative",
        0.0,
        1.0,
        lambda values, _, w0: _share(w0, values < cut),
    )


def _share(counts: Counts, member: Bools) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        share: Floats = np.asarray(counts @ member.astype(np.float64) / counts.sum(axis=-1))
    return share


def _partial(between: tuple[float, float], focus: Focus, *, normalized: bool, steps: Steps) -> FigureOfMerit:
    low, high = (float(bound) for bound in between)
    if not 0.0 <= low < high <= 1.0:
        raise ValueError(f"between must satisfy 0 <= low < high <= 1, got {between!r}.")
    if focus not in get_args(Focus):
        raise ValueError(f"focus must be one of {get_args(Focus)}, got {focus!r}.")
    width = high - low if normalized else 1.0

    def area(_: Floats, positives: Counts, negatives: Counts) -> Floats:
        return partial_area(positives, negatives, focus=focus, low=low, high=high, steps=steps) / width

    words = f"partial AUC, {focus} {low:g} to {high:g}{', over its width' if normalized else ''}"
    return FigureOfMerit("partial_auc", words, "both", 0.0, 1.0 if normalized else high - low, area)


def _at(metric: Metric, at: float | None, steps: Steps) -> FigureOfMerit:
    focus = "specificity" if metric == "sensitivity_at_specificity" else "sensitivity"
    if at is None or not 0.0 <= at <= 1.0:
        raise ValueError(f"metric {metric!r} needs at, a {focus} between 0 and 1; got {at!r}.")
    return FigureOfMerit(
        metric,
        f"{metric.replace('_', ' ')} {at:g}",
        "both",
        0.0,
        1.0,
        lambda _, w1, w0: value_at(w1, w0, focus=focus, at=at, steps=steps),
    )
