"""Bland & Altman's limits of agreement of two methods of measurement."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    normal_quantile,
    symmetric_interval,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._ratings import number_pairs


@dataclass(frozen=True)
class BlandAltman:
    """Bias and limits of agreement.

    Attributes
    ----------
    bias : float
        Mean of ``a - b``.
    sd : float
        Standard deviation of the differences, divisor n - 1.
    bias_interval : ConfidenceInterval
    bias_pvalue : float
        Paired t test of no bias.
    lower_limit, upper_limit : float
        ``bias -+ multiplier * sd``.
    limit_standard_error : float
    lower_limit_interval, upper_limit_interval : ConfidenceInterval
    slope, intercept, slope_pvalue : float
        Regression of the difference on the mean of the pair: a slope says that the difference changes with
        size.
    """

    bias: float
    sd: float
    bias_interval: ConfidenceInterval
    bias_pvalue: float
    lower_limit: float
    upper_limit: float
    limit_standard_error: float
    lower_limit_interval: ConfidenceInterval
    upper_limit_interval: ConfidenceInterval
    slope: float
    intercept: float
    slope_pvalue: float
    n: int
    n_missing: int
    provenance: Provenance
    reason: str | None = None


def bland_altman(
    a: ArrayLike, b: ArrayLike, *, multiplier: float = 1.96, confidence_level: float = 0.95
) -> BlandAltman:
    """Estimate between which limits the difference of two methods lies for most subjects.

    Parameters
    ----------
    a, b : array_like of float, length n
        Paired measurements, one pair per independent subject; pairs with a missing one are left out and
        counted. For several readers on several cases see :func:`~equipoise.stats.limits_of_agreement_mrmc`.
    multiplier : float, default 1.96
        Standard deviations between the bias and a limit.
    confidence_level : float, default 0.95
        Of the intervals of bias and limits (t with n - 1).

    Returns
    -------
    BlandAltman

    Notes
    -----
    The standard error of a limit is ``sd sqrt(1/n + z^2 / (2 (n - 1)))``, z the normal quantile, as blandr
    has it. Undefined with fewer than two pairs, the slope also with fewer than three or where the means do
    not vary: ``nan`` with :class:`~equipoise.common.warnings.DegenerateDataWarning`.

    References
    ----------
    .. [1] Bland JM, Altman DG. Statistical methods for assessing agreement between two methods of clinical
       measurement. Lancet 1986;327:307.
    .. [2] Carkeet A. Exact parametric confidence intervals for Bland-Altman limits of agreement. Optom Vis
       Sci 2015;92:e71.

    Examples
    --------
    >>> result = bland_altman([10.0, 12.0, 15.0, 11.0], [9.0, 12.5, 14.0, 11.5])
    >>> result.bias, round(result.sd, 6)
    (0.25, 0.866025)
    """
    z = normal_quantile(validate_confidence_level(confidence_level))
    x, y, n_missing = number_pairs(a, b)
    n = len(x)
    provenance = Provenance(
        f"Bland & Altman, bias -+ {multiplier:g} sd",
        "t with n - 1; limits by sqrt(1/n + z^2 / (2 (n - 1)))",
        confidence_level,
        "pairs with a missing measurement are left out and counted",
        df=n - 1.0,
    )
    difference, mean = x - y, (x + y) / 2.0
    nan = math.nan
    if n < 2:
        why = "fewer than two pairs"
        warn_degenerate("Limits of agreement", why)
        bias = float(difference[0]) if n else nan
        none = (NO_INTERVAL, NO_INTERVAL)
        return BlandAltman(
            bias, nan, NO_INTERVAL, nan, nan, nan, nan, *none, nan, nan, nan, n, n_missing, provenance, why
        )
    bias, sd = float(difference.mean()), float(difference.std(ddof=1))
    t = float(stdtrit(n - 1.0, 0.5 + confidence_level / 2.0))
    error = sd / math.sqrt(n)
    limit_error = sd * math.sqrt(1.0 / n + z**2 / (2.0 * (n - 1)))
    lower, upper = bias - multiplier * sd, bias + multiplier * sd
    pvalue = 2.0 * float(stdtr(n - 1.0, -abs(bias / error))) if error > 0.0 else nan
    slope, intercept, slope_pvalue, reason = _trend(mean, difference)
    if error == 0.0:
        reason = "the differences do not vary"
    if reason is not None:
        warn_degenerate("Bland & Altman", reason)
    return BlandAltman(
        bias,
        sd,
        symmetric_interval(bias, error, t),
        pvalue,
        lower,
        upper,
        limit_error,
        symmetric_interval(lower, limit_error, t),
        symmetric_interval(upper, limit_error, t),
        slope,
        intercept,
        slope_pvalue,
        n,
        n_missing,
        provenance,
        reason,
    )


def _trend(
    mean: NDArray[np.float64], difference: NDArray[np.float64]
) -> tuple[float, float, float, str | None]:
    """Return slope, intercept and the slope's p-value."""
    n = len(mean)
    centred = mean - mean.mean()
    spread = float(centred @ centred)
    nan = math.nan
    if n < 3 or spread == 0.0:
        return nan, nan, nan, "slope: fewer than three pairs" if n < 3 else "slope: the means do not vary"
    slope = float(centred @ difference) / spread
    intercept = float(difference.mean()) - slope * float(mean.mean())
    residual = difference - intercept - slope * mean
    error = math.sqrt(float(residual @ residual) / (n - 2) / spread)
    if error == 0.0:
        return slope, intercept, nan, None
    return slope, intercept, 2.0 * float(stdtr(n - 2.0, -abs(slope / error))), None
