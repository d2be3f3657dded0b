"""Ratings laid out as items x raters, and every coefficient of agreement that fits their scale."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from equipoise.analysis.results import Number, ResultBuilder
from equipoise.analysis.selection import item_keys
from equipoise.analysis.tables import Array, Table
from equipoise.stats import (
    bland_altman,
    cohen_kappa,
    concordance_correlation,
    fleiss_kappa,
    gwet_ac,
    intraclass_correlation,
    kendall_w,
    krippendorff_alpha,
)

Scale = Literal["nominal", "ordinal", "interval"]

MANY_CATEGORIES = 10
"""A numeric column with more different values than this is taken as a measurement."""


@dataclass(frozen=True)
class Ratings:
    """Ratings of items by raters."""

    raters: tuple[str, ...]
    items: tuple[str, ...]
    values: Array
    """Shape (items, raters), text or number, ``None`` where missing."""
    scale: Scale
    categories: tuple[Any, ...]
    """In order; empty for measurements."""

    @property
    def n_missing(self) -> int:
        """Return how many ratings are missing from the full table."""
        return sum(value is None for row in self.values for value in row)

    def numbers(self) -> Array:
        """Return the ratings as numbers: measurements themselves, categories by their rank."""
        rank = {category: place for place, category in enumerate(self.categories)}
        return np.array(
            [
                [
                    math.nan if v is None else (float(v) if self.scale == "interval" else float(rank[v]))
                    for v in row
                ]
                for row in self.values
            ],
            dtype=float,
        ).reshape(len(self.items), len(self.raters))

    def of(self, raters: Sequence[str]) -> "Ratings":
        """Return the ratings of some raters."""
        places = [self.raters.index(rater) for rater in raters]
        return Ratings(tuple(raters), self.items, self.values[:, places], self.scale, self.categories)


def scale_of(readings: Table, column: str, wanted: str | None) -> Scale:
    """Return the plan's scale, or the one that the values speak for."""
    if wanted is not None:
        return wanted  # type: ignore[return-value]  # the options admit nothing else
    if not readings.is_numeric(column):
        return "nominal"
    n_levels = len(readings.levels(column))
    if n_levels <= 2:
        return "nominal"
    return "interval" if n_levels > MANY_CATEGORIES else "ordinal"


def ratings_of(readings: Table, column: str, scale: Scale, *, categories: Sequence[str] = ()) -> Ratings:
    """Lay the ratings of one condition and repeat out as items x raters."""
    raters = tuple(readings.levels("participant"))
    keys = item_keys(readings)
    items = tuple(dict.fromkeys(keys.tolist()))
    numeric = scale != "nominal" and readings.is_numeric(column)
    raw = readings.numbers(column) if numeric else readings.text(column)
    values = np.full((len(items), len(raters)), None, dtype=object)
    row_of = {item: place for place, item in enumerate(items)}
    column_of = {rater: place for place, rater in enumerate(raters)}
    for key, rater, value in zip(keys, readings.text("participant"), raw, strict=True):
        if value != "" and value == value:
            values[row_of[key], column_of[rater]] = float(value) if numeric else value
    if scale == "interval":
        return Ratings(raters, items, values, scale, ())
    seen = {value for row in values for value in row if value is not None}
    ordered = tuple(_as(category, numeric=numeric) for category in categories)
    return Ratings(raters, items, values, scale, (*ordered, *sorted(seen - set(ordered), key=_order)))


def _as(category: str, *, numeric: bool) -> Any:
    return float(category) if numeric else category


def _order(value: Any) -> tuple[float, str]:
    return (float(value), "") if isinstance(value, float) else (math.inf, str(value))


@dataclass(frozen=True)
class Coefficient:
    """One coefficient of agreement as the tables print it."""

    name: str
    estimate: float
    low: float
    high: float
    pvalue: float
    n: int
    method: str
    missing: str
    reason: str


def _coefficient(name: str, result: Any, *, pvalue: float | None = None) -> Coefficient:
    interval = getattr(result, "confidence_interval", None)
    return Coefficient(
        name,
        result.estimate,
        interval.low if interval is not None else math.nan,
        interval.high if interval is not None else math.nan,
        getattr(result, "pvalue", math.nan) if pvalue is None else pvalue,
        result.n,
        result.provenance.method,
        result.provenance.missing,
        result.reason or "",
    )


def group_coefficients(ratings: Ratings, *, confidence_level: float) -> list[Coefficient]:
    """Return the coefficients over all raters together, those that suit the scale."""
    if len(ratings.raters) < 2 or len(ratings.items) < 2:
        return []
    level: dict[str, Any] = {"confidence_level": confidence_level}
    if ratings.scale == "interval":
        numbers = ratings.numbers()
        iccs = intraclass_correlation(numbers, **level)
        found = [_icc(name, iccs) for name in ("ICC(2,1)", "ICC(3,1)") if name in iccs.icc]
        return [
            *found,
            _coefficient(
                "Krippendorff alpha (interval)", krippendorff_alpha(numbers, level="interval", **level)
            ),
        ]
    table, categories = ratings.values, ratings.categories
    if ratings.scale == "nominal":
        return [
            *_unless_incomplete("Fleiss kappa", lambda: fleiss_kappa(table, categories=categories, **level)),
            _coefficient("Gwet AC1", gwet_ac(table, categories=categories, **level)),
            _coefficient(
                "Krippendorff alpha (nominal)",
                krippendorff_alpha(table, level="nominal", categories=categories, **level),
            ),
        ]
    numbers = ratings.numbers()
    return [
        _coefficient(
            "Gwet AC2 (quadratic weights)",
            gwet_ac(table, weights="quadratic", categories=categories, **level),
        ),
        _coefficient(
            "Krippendorff alpha (ordinal)",
            krippendorff_alpha(table, level="ordinal", categories=categories, **level),
        ),
        *_unless_incomplete("Kendall W (ties corrected)", lambda: kendall_w(numbers)),
    ]


def _icc(name: str, result: Any) -> Coefficient:
    own = result.icc[name]
    return Coefficient(
        name, own.estimate, own.confidence_interval.low, own.confidence_interval.high, own.pvalue, result.n,
        result.provenance.method, result.provenance.missing, result.reason or "",
    )  # fmt: skip


def _unless_incomplete(name: str, compute: Callable[[], Any]) -> list[Coefficient]:
    try:
        return [_coefficient(name, compute())]
    except ValueError as error:
        return [
            Coefficient(
                name, math.nan, math.nan, math.nan, math.nan, 0, name, "complete items only", str(error)
            )
        ]


def pair_coefficients(
    ratings: Ratings, first: str, second: str, *, confidence_level: float
) -> list[Coefficient]:
    """Return the coefficients of two raters."""
    pair = ratings.of((first, second))
    return paired_coefficients(
        pair.values[:, 0].tolist(), pair.values[:, 1].tolist(), ratings, confidence_level=confidence_level
    )


def paired_coefficients(
    first: list[Any], second: list[Any], ratings: Ratings, *, confidence_level: float
) -> list[Coefficient]:
    """Return the coefficients of two lists of ratings on one scale."""
    level: dict[str, Any] = {"confidence_level": confidence_level}
    if ratings.scale == "interval":
        a, b = (np.array([math.nan if v is None else float(v) for v in values]) for values in (first, second))
        found = [_coefficient("Lin concordance correlation", concordance_correlation(a, b, **level))]
        iccs = intraclass_correlation(np.column_stack([a, b]), **level)
        return [*found, *([_icc("ICC(2,1)", iccs)] if "ICC(2,1)" in iccs.icc else [])]
    weights = "unweighted" if ratings.scale == "nominal" else "quadratic"
    name = "Cohen kappa" if weights == "unweighted" else "Cohen kappa (quadratic weights)"
    kappa = cohen_kappa(first, second, weights=weights, categories=ratings.categories, **level)
    return [_coefficient(name, kappa), _percent_agreement(kappa)]


def _percent_agreement(kappa: Any) -> Coefficient:
    return Coefficient(
        "Percent agreement", kappa.percent_agreement, math.nan, math.nan, math.nan, kappa.n, "share of equal ratings",
        kappa.provenance.missing, "description, without an interval",
    )  # fmt: skip


def record_coefficient(
    builder: ResultBuilder, coefficient: Coefficient, subject: Mapping[str, str], *, n_missing: int = 0
) -> Number:
    """Record a coefficient as a number."""
    quantity = coefficient.name.lower().replace(" ", "_")
    return builder.number(
        quantity,
        coefficient.estimate,
        label=coefficient.name,
        subject=subject,
        interval=(coefficient.low, coefficient.high),
        interval_method=coefficient.method,
        pvalue=coefficient.pvalue,
        n=coefficient.n,
        n_missing=n_missing,
        missing=coefficient.missing,
        method=coefficient.method,
        reason=coefficient.reason,
    )


def differences_of(first: list[Any], second: list[Any], *, confidence_level: float) -> Any:
    """Return Bland and Altman's analysis of two lists of measurements."""
    a, b = (np.array([math.nan if v is None else float(v) for v in values]) for values in (first, second))
    return a, b, bland_altman(a, b, confidence_level=confidence_level)
