"""Krippendorff's alpha: agreement of any number of raters, any level of measurement, missing ratings
allowed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.stats._chance_corrected import AgreementCoefficient, agreement_coefficient
from equipoise.stats._ratings import Ratings, coded_ratings

LEVELS = ("nominal", "ordinal", "interval", "ratio")


def krippendorff_alpha(
    ratings: Any,
    *,
    level: str = "nominal",
    categories: Sequence[Any] | None = None,
    confidence_level: float = 0.95,
) -> AgreementCoefficient:
    """Estimate Krippendorff's alpha, ``1 - observed / expected disagreement``.

    Parameters
    ----------
    ratings : array_like, shape (subjects, raters)
        Labels (``nominal``, ``ordinal``) or numbers; missing allowed. Subjects with fewer than two ratings
        are ignored.
    level : {"nominal", "ordinal", "interval", "ratio"}
        The disagreement of two values: equal or not; Krippendorff's ordinal metric; ``(a - b)**2``;
        ``((a - b) / (a + b))**2``.
    categories : sequence of label, optional
        The order of an ordinal scale. Default: the values seen, sorted.
    confidence_level : float, default 0.95

    Returns
    -------
    AgreementCoefficient
        ``n`` counts the subjects with a rating, ``df`` the subjects with two or more, minus 1.

    Raises
    ------
    ValueError
        If values of an interval or ratio scale are not numbers, or of a ratio scale are negative.

    Notes
    -----
    Alpha equals the coincidence-matrix definition. Its standard error is Gwet's linearisation over subjects
    (t interval), not Krippendorff's bootstrap; the ordinal and ratio metrics are taken as fixed in it.

    References
    ----------
    .. [1] Krippendorff K. Content Analysis, 3rd ed. Sage, 2013, chapter 12.
    .. [2] Gwet KL. Handbook of Inter-Rater Reliability, 4th ed. Advanced Analytics, 2014.

    Examples
    --------
    >>> result = krippendorff_alpha([[1, 1], [2, 2], [3, 3], [3, 4], [1, 2], [None, 3]], level="interval")
    >>> round(result.estimate, 6)
    0.8125
    """
    if level not in LEVELS:
        raise ValueError(f"level must be one of {LEVELS}, got {level!r}.")
    coded = coded_ratings(ratings, categories)
    distance = _distance(coded, level)
    largest = float(distance.max()) if distance.size else 0.0
    # Alpha does not change with the unit of disagreement: scaled to [0, 1], agreement weights are 1 - distance.
    weights = 1.0 - distance / largest if largest > 0.0 else np.ones_like(distance)
    return agreement_coefficient(
        "krippendorff_alpha",
        ratings,
        weights=weights,
        categories=coded.categories,
        confidence_level=confidence_level,
        method=f"Krippendorff's alpha, {level}",
    )


def _distance(coded: Ratings, level: str) -> NDArray[np.float64]:
    """Return the squared metric between the categories, shape (q, q)."""
    q = len(coded.categories)
    if level == "nominal":
        return np.asarray(1.0 - np.eye(q))
    if level == "ordinal":
        counts = coded.counts
        pairable = counts[counts.sum(axis=1) >= 2].sum(axis=0)
        middle = np.cumsum(pairable) - pairable / 2.0
        # Sum of the margins from one category to the other, the two end ones by half.
        return np.asarray((middle[:, None] - middle[None, :]) ** 2)
    try:
        values = np.array(coded.categories, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"level={level!r} needs numbers, got {list(coded.categories)}.") from error
    difference = values[:, None] - values[None, :]
    if level == "interval":
        return np.asarray(difference**2)
    if np.any(values < 0):
        raise ValueError("level='ratio' needs values of at least 0.")
    total = values[:, None] + values[None, :]
    return np.divide(difference, total, out=np.zeros((q, q)), where=total > 0) ** 2
