"""Location and spread of one sample, and of a sample by stratum."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.stats._common import Provenance, warn_degenerate
from equipoise.stats._tidy import codes, label

_PROVENANCE = Provenance(
    "mean, standard deviation, median; quartiles by linear interpolation (type 7)",
    "none",
    math.nan,
    "missing values are left out and counted",
)


@dataclass(frozen=True)
class Summary:
    """Location and spread of one sample.

    Attributes
    ----------
    n, n_missing : int
        Values that entered, and values that were ``nan``.
    mean, sd : float
        Arithmetic mean and standard deviation with divisor ``n - ddof``.
    median, q1, q3, iqr : float
        Quantiles by linear interpolation (type 7); ``iqr = q3 - q1``.
    minimum, maximum : float
    ddof : int
    reason : str or None
        Why a number is not available.
    """

    n: int
    n_missing: int
    mean: float
    sd: float
    median: float
    q1: float
    q3: float
    iqr: float
    minimum: float
    maximum: float
    ddof: int = 1
    reason: str | None = None
    provenance: Provenance = _PROVENANCE

    @property
    def quartiles(self) -> tuple[float, float]:
        """The first and the third quartile."""
        return self.q1, self.q3


def summary(values: ArrayLike, *, ddof: int = 1) -> Summary:
    """Describe a sample by mean and standard deviation and by median and quartiles.

    Parameters
    ----------
    values : array_like of float
        Any shape; ``nan`` is missing. Infinite values count (a distance to an empty mask ranks worst) and
        make the mean and every quantile they touch infinite or, between an infinite and a finite value,
        infinite.
    ddof : int, default 1
        The divisor of the standard deviation is ``n - ddof``.

    Returns
    -------
    Summary

    Notes
    -----
    Without values everything is ``nan``; with ``n <= ddof`` the standard deviation is. Both raise
    :class:`~equipoise.common.warnings.DegenerateDataWarning` and say why in ``reason``.

    References
    ----------
    .. [1] Hyndman RJ, Fan Y. Sample quantiles in statistical packages. Am Stat 1996;50:361 (definition 7).

    Examples
    --------
    >>> result = summary([1.0, 2.0, 3.0, 4.0, 10.0])
    >>> result.n, result.mean, result.median, result.iqr
    (5, 4.0, 3.0, 2.0)
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    present = np.sort(flat[~np.isnan(flat)])
    n = int(present.size)
    n_missing = int(flat.size) - n
    nan = math.nan
    if n == 0:
        warn_degenerate("Summary", "no values")
        return Summary(0, n_missing, nan, nan, nan, nan, nan, nan, nan, nan, ddof, "no values")
    reason = None
    sd = nan
    mean = float(np.mean(present))
    if n <= ddof:
        reason = f"standard deviation needs more than {ddof} value(s), got {n}"
        warn_degenerate("Summary", reason)
    elif not math.isfinite(mean):
        reason = "the values are not all finite"
    else:
        sd = float(np.std(present, ddof=ddof))
    q1, median, q3 = (quantile_of_sorted(present, p) for p in (0.25, 0.5, 0.75))
    iqr = q3 - q1 if math.isfinite(q1) and math.isfinite(q3) else (math.inf if math.isfinite(q1) else nan)
    return Summary(
        n, n_missing, mean, sd, median, q1, q3, iqr, float(present[0]), float(present[-1]), ddof, reason
    )


def summary_by(values: ArrayLike, strata: Sequence[Any], *, ddof: int = 1) -> Mapping[Any, Summary]:
    """Describe a sample stratum by stratum, strata in order.

    Parameters
    ----------
    values : array_like of float, shape (n,)
    strata : sequence of label, length n
        Rows without a stratum (``None``, ``nan``, empty text) come under the key ``None``, last.

    References
    ----------
    .. [1] Hyndman RJ, Fan Y. Sample quantiles in statistical packages. Am Stat 1996;50:361 (definition 7).

    Examples
    --------
    >>> {stratum: result.median for stratum, result in summary_by([1, 2, 6, 8], list("aabb")).items()}
    {'a': 1.5, 'b': 7.0}
    """
    numbers = np.asarray(values, dtype=np.float64)
    labels = [label(value) for value in strata]
    if numbers.shape != (len(labels),):
        raise ValueError(f"values must have shape ({len(labels)},) like strata, got {numbers.shape}.")
    known = [value for value in labels if value is not None]
    result = {
        stratum: summary(numbers[np.array([value == stratum for value in labels])], ddof=ddof)
        for stratum in codes(known)[0]
    }
    if len(known) < len(labels):
        result[None] = summary(numbers[np.array([value is None for value in labels])], ddof=ddof)
    return result


def quantile_of_sorted(values: NDArray[np.float64], probability: float) -> float:
    """Return the type 7 quantile of sorted values, which may end in infinities."""
    place = (values.size - 1) * probability
    below = math.floor(place)
    fraction = place - below
    low = float(values[below])
    if fraction == 0.0 or low == float(values[below + 1]):
        return low
    high = float(values[below + 1])
    difference = high - low
    # As numpy does it: from the nearer end, so that the result is monotone in the fraction.
    return (
        high - difference * (1.0 - fraction)
        if fraction >= 0.5 and math.isfinite(high)
        else low + difference * fraction
    )
