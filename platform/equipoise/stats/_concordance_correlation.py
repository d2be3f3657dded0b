"""Lin's concordance correlation of two methods of measurement."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

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

INTERVALS = ("z", "asymptotic")


@dataclass(frozen=True)
class ConcordanceCorrelation:
    """How close pairs lie to the line of identity.

    Attributes
    ----------
    estimate : float
        Lin's coefficient, in [-1, 1].
    standard_error : float
    confidence_interval : ConfidenceInterval
        Of the chosen kind.
    interval_z, interval_asymptotic : ConfidenceInterval
        By Fisher's z, and symmetric.
    bias_correction : float
        ``C_b = estimate / pearson``: 1 without shift of scale or location.
    pearson : float
    scale_shift : float
        ``sd(b) / sd(a)``.
    location_shift : float
        ``(mean(b) - mean(a)) / sqrt(sd(a) sd(b))``.
    """

    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    interval_z: ConfidenceInterval
    interval_asymptotic: ConfidenceInterval
    bias_correction: float
    pearson: float
    scale_shift: float
    location_shift: float
    n: int
    n_missing: int
    provenance: Provenance
    reason: str | None = None


def concordance_correlation(
    a: ArrayLike, b: ArrayLike, *, interval: str = "z", confidence_level: float = 0.95
) -> ConcordanceCorrelation:
    """Estimate Lin's concordance correlation, ``2 s_ab / (s_a^2 + s_b^2 + (mean a - mean b)^2)``.

    Parameters
    ----------
    a, b : array_like of float, length n
        Paired measurements; pairs with a missing one are left out and counted.
    interval : {"z", "asymptotic"}
    confidence_level : float, default 0.95

    Returns
    -------
    ConcordanceCorrelation

    Notes
    -----
    Moments with divisor n, as ``epiR::epi.ccc``. Undefined without variance in both, the intervals also with
    fewer than three pairs, without correlation, or with perfect concordance: ``nan`` with
    :class:`~equipoise.common.warnings.DegenerateDataWarning`.

    References
    ----------
    .. [1] Lin LI. A concordance correlation coefficient to evaluate reproducibility. Biometrics 1989;45:255,
       with the correction in Biometrics 2000;56:324.

    Examples
    --------
    >>> result = concordance_correlation([1.0, 2.0, 3.0, 4.0], [1.1, 1.9, 3.2, 4.4])
    >>> round(result.estimate, 6), round(result.pearson, 6)
    (0.980736, 0.995408)
    """
    multiplier = normal_quantile(validate_confidence_level(confidence_level))
    if interval not in INTERVALS:
        raise ValueError(f"interval must be one of {INTERVALS}, got {interval!r}.")
    x, y, n_missing = number_pairs(a, b)
    n = len(x)
    provenance = Provenance(
        f"Lin's concordance correlation, interval {interval}",
        "Lin 1989, corrected 2000",
        confidence_level,
        "pairs with a missing measurement are left out and counted",
        df=math.inf,
    )
    nan = math.nan
    variance_x, variance_y = (float(np.var(v)) if n else 0.0 for v in (x, y))
    if variance_x <= 0.0 or variance_y <= 0.0:
        why = "a measurement does not vary" if n else "no complete pair"
        warn_degenerate("Concordance correlation", why)
        none = (NO_INTERVAL, NO_INTERVAL, NO_INTERVAL)
        return ConcordanceCorrelation(nan, nan, *none, nan, nan, nan, nan, n, n_missing, provenance, why)
    covariance = float(np.mean((x - x.mean()) * (y - y.mean())))
    shift = float(x.mean() - y.mean())
    estimate = 2.0 * covariance / (variance_x + variance_y + shift**2)
    pearson = covariance / math.sqrt(variance_x * variance_y)
    scale = math.sqrt(variance_y / variance_x)
    location = -shift / (variance_x * variance_y) ** 0.25
    correction = estimate / pearson if pearson else nan
    error, by_z, symmetric, reason = nan, NO_INTERVAL, NO_INTERVAL, _why_no_interval(n, estimate, pearson)
    if reason is None:
        error = _standard_error(estimate, pearson, location, n)
        symmetric = symmetric_interval(estimate, error, multiplier)
        half = multiplier * error / (1.0 - estimate**2)
        centre = math.atanh(estimate)
        by_z = ConfidenceInterval(math.tanh(centre - half), math.tanh(centre + half))
    else:
        warn_degenerate("Interval of the concordance correlation", reason)
    chosen = by_z if interval == "z" else symmetric
    return ConcordanceCorrelation(
        estimate,
        error,
        chosen,
        by_z,
        symmetric,
        correction,
        pearson,
        scale,
        location,
        n,
        n_missing,
        provenance,
        reason,
    )


def _why_no_interval(n: int, estimate: float, pearson: float) -> str | None:
    if n < 3:
        return "fewer than three pairs"
    if pearson == 0.0:
        return "no correlation"
    return "perfect concordance" if abs(estimate) >= 1.0 - 1e-14 else None


def _standard_error(c: float, r: float, u: float, n: int) -> float:
    variance = (
        (1.0 - r**2) * c**2 * (1.0 - c**2) / r**2
        + 2.0 * c**3 * (1.0 - c) * u**2 / r
        - 0.5 * c**4 * u**4 / r**2
    )
    return math.sqrt(max(variance, 0.0) / (n - 2))
