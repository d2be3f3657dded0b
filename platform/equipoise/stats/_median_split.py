"""Splitting a marker at its median, as published analyses do."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.stats._summary import quantile_of_sorted


def dichotomise_at_median(
    values: ArrayLike, *, high: Any = "high", low: Any = "low"
) -> tuple[NDArray[np.object_], float]:
    """Split values at their median: ``high`` if strictly above it, so that ties go low.

    Splitting loses information; the model of the continuous marker is the primary one.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        ``nan`` is missing.
    high, low : label

    Returns
    -------
    groups : ndarray of label, shape (n,)
        ``None`` where the value is missing.
    median : float
        ``nan`` without values.

    References
    ----------
    .. [1] Altman DG, Royston P. The cost of dichotomising continuous variables. BMJ 2006;332:1080.

    Examples
    --------
    >>> groups, median = dichotomise_at_median([1.0, 2.0, 2.0, 5.0])
    >>> list(groups), median
    (['low', 'low', 'low', 'high'], 2.0)
    """
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1:
        raise ValueError(f"values must have shape (n,), got {numbers.shape}.")
    known = np.sort(numbers[~np.isnan(numbers)])
    median = quantile_of_sorted(known, 0.5) if known.size else float("nan")
    groups = np.full(len(numbers), None, dtype=object)
    for row, value in enumerate(numbers):
        if not np.isnan(value):
            groups[row] = high if value > median else low
    return groups, median
