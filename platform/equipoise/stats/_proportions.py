"""One binomial proportion with every interval that reports of diagnostic accuracy use."""

import math
from dataclasses import dataclass

from scipy.special import betaincinv

from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    normal_quantile,
    validate_confidence_level,
)


@dataclass(frozen=True)
class Proportion:
    """A proportion with its intervals.

    Attributes
    ----------
    estimate : float
        ``numerator / denominator``; ``nan`` without a denominator.
    numerator, denominator : int
    confidence_interval : ConfidenceInterval
        The default one: exact, or from the bootstrap of clusters where rows are clustered.
    clopper_pearson, wilson, agresti_coull, wald : ConfidenceInterval
        Not available where rows are clustered. Agresti-Coull and Wald are not cut to [0, 1].
    standard_error : float
        Wald's, or the standard deviation over resampled clusters.
    reason : str or None
        Why something is not available.
    """

    estimate: float
    numerator: int
    denominator: int
    confidence_interval: ConfidenceInterval
    clopper_pearson: ConfidenceInterval
    wilson: ConfidenceInterval
    agresti_coull: ConfidenceInterval
    wald: ConfidenceInterval
    standard_error: float
    reason: str | None = None

    @property
    def exact(self) -> ConfidenceInterval:
        """The Clopper-Pearson interval."""
        return self.clopper_pearson


def proportion(numerator: int, denominator: int, *, confidence_level: float = 0.95) -> Proportion:
    """Estimate a binomial proportion.

    Parameters
    ----------
    numerator, denominator : int
        ``0 <= numerator <= denominator``.
    confidence_level : float, default 0.95

    Returns
    -------
    Proportion
        The default interval is exact (Clopper-Pearson).

    Raises
    ------
    ValueError
        If the counts are not possible.

    Notes
    -----
    Wilson's interval has no continuity correction. Without a denominator everything is ``nan`` and ``reason``
    says so; the caller warns, as it knows what the proportion means.

    References
    ----------
    .. [1] Clopper CJ, Pearson ES. Biometrika 1934;26:404.
    .. [2] Wilson EB. J Am Stat Assoc 1927;22:209.
    .. [3] Agresti A, Coull BA. Am Stat 1998;52:119.

    Examples
    --------
    >>> result = proportion(26, 41)
    >>> round(result.estimate, 4), round(result.exact.low, 4), round(result.wilson.low, 4)
    (0.6341, 0.4694, 0.4812)
    """
    level = validate_confidence_level(confidence_level)
    if not 0 <= numerator <= denominator:
        raise ValueError(
            f"numerator must lie between 0 and the denominator, got {numerator} of {denominator}."
        )
    if denominator == 0:
        nothing = NO_INTERVAL
        return Proportion(
            math.nan, 0, 0, nothing, nothing, nothing, nothing, nothing, math.nan, "the denominator is 0"
        )
    x, n, z = float(numerator), float(denominator), normal_quantile(level)
    estimate = x / n
    standard_error = math.sqrt(estimate * (1.0 - estimate) / n)
    exact = _clopper_pearson(x, n, 1.0 - level)
    return Proportion(
        estimate,
        int(numerator),
        int(denominator),
        exact,
        exact,
        _wilson(estimate, n, z),
        _agresti_coull(x, n, z),
        ConfidenceInterval(estimate - z * standard_error, estimate + z * standard_error),
        standard_error,
    )


def _clopper_pearson(x: float, n: float, alpha: float) -> ConfidenceInterval:
    low = 0.0 if x == 0.0 else float(betaincinv(x, n - x + 1.0, alpha / 2.0))
    high = 1.0 if x == n else float(betaincinv(x + 1.0, n - x, 1.0 - alpha / 2.0))
    return ConfidenceInterval(low, high)


def _wilson(estimate: float, n: float, z: float) -> ConfidenceInterval:
    centre = estimate + z * z / (2.0 * n)
    half = z * math.sqrt(estimate * (1.0 - estimate) / n + z * z / (4.0 * n * n))
    scale = 1.0 + z * z / n
    # At 0 and n the bound is 0 or 1 exactly; rounding would leave 1e-17.
    low = 0.0 if estimate == 0.0 else (centre - half) / scale
    high = 1.0 if estimate == 1.0 else (centre + half) / scale
    return ConfidenceInterval(low, high)


def _agresti_coull(x: float, n: float, z: float) -> ConfidenceInterval:
    trials = n + z * z
    centre = (x + z * z / 2.0) / trials
    half = z * math.sqrt(centre * (1.0 - centre) / trials)
    return ConfidenceInterval(centre - half, centre + half)
