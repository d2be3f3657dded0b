"""Medians of segmentation metrics: empty masks ranked worst, intervals that resample cases (and readers)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.analysis.results import Number, ResultBuilder
from equipoise.analysis.tables import Array, Table
from equipoise.stats import Summary, summary

DISTANCES = ("hausdorff_mm", "hausdorff_95_mm", "mean_surface_distance_mm")
"""Metrics that are not defined for an empty mask and then rank worst."""
LENGTHS = ("added_path_length_mm",)
SHARES = ("dice", "jaccard", "surface_dice")

LABELS = {
    "dice": "Dice coefficient",
    "jaccard": "Jaccard index",
    "surface_dice": "Surface Dice",
    "hausdorff_mm": "Hausdorff distance (mm)",
    "hausdorff_95_mm": "95th percentile Hausdorff distance (mm)",
    "mean_surface_distance_mm": "Mean surface distance (mm)",
    "added_path_length_mm": "Added path length (mm)",
}

EMPTY = "more than half of the values are of empty masks"


def is_metric(name: str) -> bool:
    """Return whether a column is a metric (surface Dice may name its tolerance: ``surface_dice_1.18``)."""
    return name in LABELS or name.startswith("surface_dice_")


def label_of(metric: str) -> str:
    """Return a metric's name in words."""
    if metric.startswith("surface_dice_"):
        return f"Surface Dice at {metric.removeprefix('surface_dice_')} mm"
    return LABELS[metric]


def metric_values(table: Table, metric: str) -> tuple[Array, int]:
    """Return a metric with empty masks ranked worst (``inf``), and how many those are; ``nan`` is missing.

    A distance is that of an empty mask where the overlap is 0 and the distance missing or infinite.
    """
    values = table.numbers(metric, infinite=metric in DISTANCES).copy()
    if metric not in DISTANCES:
        return values, 0
    empty = np.isinf(values) | (np.isnan(values) & (table.numbers("dice") == 0))
    values[empty] = np.inf
    return values, int(empty.sum())


def unit_of(metric: str) -> str:
    """Return the unit of a metric."""
    return "mm" if metric.endswith("_mm") else ""


def bootstrap_median(
    values: Array,
    units: Sequence[Array],
    *,
    n_resamples: int,
    confidence_level: float,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Return the percentile interval of a median when whole units are drawn again.

    Parameters
    ----------
    values : ndarray, shape (n,)
    units : sequence of ndarray of label, each of shape (n,)
        Every factor is drawn independently and a row's weight is the product over the factors. The two observers of a
        pair are one factor given twice (:class:`PairUnits`).

    Notes
    -----
    The bounds are order statistics of the draws, so that infinite values (empty masks) need no interpolation.
    """
    draws = [
        float(np.median(np.repeat(values, weights)))
        for weights in _weights(units, len(values), n_resamples, rng)
        if weights.sum() > 0
    ]
    if len(values) < 2 or len(draws) < 2:
        return math.nan, math.nan
    tail = (1 - confidence_level) / 2
    return (
        float(np.quantile(draws, tail, method="lower")),
        float(np.quantile(draws, 1 - tail, method="higher")),
    )


@dataclass(frozen=True)
class PairUnits:
    """Two columns of observers, drawn as one set of observers."""

    first: Array
    second: Array


def _weights(units: Sequence[Any], n: int, n_resamples: int, rng: np.random.Generator) -> Any:
    coded = [_coded(unit) for unit in units]
    for _ in range(n_resamples):
        weights = np.ones(n, dtype=np.intp)
        for size, columns in coded:
            times = np.bincount(rng.integers(0, size, size), minlength=size)
            for column in columns:
                weights *= times[column]
        yield weights


def _coded(unit: Any) -> tuple[int, list[Array]]:
    columns = [unit.first, unit.second] if isinstance(unit, PairUnits) else [unit]
    names, index = np.unique(np.concatenate(columns).astype(str), return_inverse=True)
    parts = np.split(index, len(columns))
    return len(names), list(parts)


def record_median(
    builder: ResultBuilder,
    metric: str,
    values: Array,
    units: Sequence[Any],
    *,
    subject: dict[str, str],
    n_empty: int,
    n_resamples: int,
    rng: np.random.Generator,
    units_words: str,
    suffix: str = "",
    distribution: bool = True,
) -> tuple[Number, Summary]:
    """Record median (with interval) and quartiles of a metric, and return the median and the summary."""
    described = summary(values)
    known = np.isfinite(values) | np.isinf(values)
    interval = bootstrap_median(
        values[known],
        [_masked(unit, known) for unit in units],
        n_resamples=n_resamples,
        confidence_level=builder.confidence_level,
        rng=rng,
    )
    shared: dict[str, Any] = {
        "subject": subject,
        "unit": unit_of(metric),
        "n": described.n,
        "n_missing": described.n_missing,
        "missing": f"missing values left out and counted; {n_empty} of empty masks ranked worst"
        if metric in DISTANCES
        else "missing values left out and counted",
        "method": described.provenance.method,
    }
    reason = (
        EMPTY
        if math.isinf(described.median)
        else ("" if math.isfinite(described.median) else described.reason or "")
    )
    number = builder.number(
        f"{metric}{suffix}.median",
        described.median,
        label=f"{label_of(metric)}, median",
        interval=interval,
        interval_method=f"percentile bootstrap over {units_words}, {n_resamples} resamples",
        seed=builder.seed,
        reason=reason or _interval_reason(interval),
        **shared,
    )
    if distribution:
        for name in ("q1", "q3", "iqr"):
            value = getattr(described, name)
            builder.number(
                f"{metric}{suffix}.{name}",
                value,
                label=f"{label_of(metric)}, {name}",
                reason=""
                if math.isfinite(value)
                else described.reason or "a quartile is that of an empty mask",
                **shared,
            )
    return number, described


def _interval_reason(interval: tuple[float, float]) -> str:
    if any(math.isnan(bound) for bound in interval):
        return "fewer than two values"
    return "a bound is that of an empty mask" if any(math.isinf(bound) for bound in interval) else ""


def _masked(unit: Any, rows: Array) -> Any:
    return PairUnits(unit.first[rows], unit.second[rows]) if isinstance(unit, PairUnits) else unit[rows]
