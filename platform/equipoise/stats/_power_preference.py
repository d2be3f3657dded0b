"""Power of a planned preference trial against even preference: the quick approximation by a design effect."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from equipoise.stats._common import STATS_VERSION
from equipoise.stats._power import Power, Sides, power_of_test, validate_sample, validate_test

Floats = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
_SHARES: Floats = _WEIGHTS / _WEIGHTS.sum()
_WIDEST = 40.0
"""Logits between which a mean is looked for."""


@dataclass(frozen=True)
class PreferencePower(Power):
    """The power of a planned preference trial; ``difference`` and ``standard_error`` are in logits.

    Attributes
    ----------
    share : float
        True marginal share preferring the algorithm's candidate.
    mean_logit : float
        Of the mixed model, whose marginal probability is ``share``.
    design_effect : float
        Variance of the share over that of as many independent readings.
    n_readings : int
    """

    share: float = math.nan
    mean_logit: float = math.nan
    design_effect: float = math.nan
    n_readings: int = 0


def preference_power(
    share: float,
    *,
    n_readers: int,
    n_cases: int,
    items_per_case: int = 1,
    reader_sd: float = 0.4,
    case_sd: float = 0.5,
    item_sd: float = 0.0,
    side_logit: float = 0.0,
    alpha: float = 0.05,
    sides: Sides = 2,
) -> PreferencePower:
    """Approximate the power to show that the share preferring the algorithm's candidate is not one half.

    Parameters
    ----------
    share : float
        True share preferring the algorithm's candidate, over readers, cases, items and sides; in (0, 1).
    n_readers, n_cases, items_per_case : int
        Every reader reads every item once.
    reader_sd, case_sd, item_sd : float
        Standard deviations of the random effects of :func:`preference_model`, logits.
    side_logit : float, default 0
        Pull to the left side, logits; sides are balanced.
    alpha : float, default 0.05
    sides : {1, 2}, default 2
        One-sided looks for a share above one half.

    Returns
    -------
    PreferencePower

    Raises
    ------
    ValueError
        If the share is not in (0, 1), a standard deviation is negative, or there are fewer than two readers
        or cases.

    Notes
    -----
    Two readings that share a reader, a case or an item are correlated; their covariances on the scale of
    shares follow from the mixed model by quadrature. The variance of the share is then
    share (1 - share) / n x design effect, carried to logits by the delta method, and the test is the normal
    one of :func:`preference_model`. It is an approximation for choosing a region: the model estimates its
    components, which with few readers can make its test liberal. Simulate the plan that is chosen.

    References
    ----------
    .. [1] Zeger SL, Liang KY, Albert PS. Models for longitudinal data: a generalized estimating equation
       approach. Biometrics 1988;44:1049 (marginal probability of a logistic mixed model).
    .. [2] Kish L. Survey Sampling. Wiley 1965 (design effect).

    Examples
    --------
    >>> planned = preference_power(0.58, n_readers=20, n_cases=60, reader_sd=0.4, case_sd=0.5)
    >>> round(planned.power, 2), round(planned.design_effect, 1)
    (0.8, 3.9)
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"share must lie strictly between 0 and 1, got {share!r}.")
    validate_test(difference=0.0, alpha=alpha, sides=sides, margin=None)
    validate_sample(n_readers=n_readers, n_cases=n_cases, readers="random", cases="random")
    if items_per_case < 1:
        raise ValueError(f"items_per_case must be at least 1, got {items_per_case}.")
    for name, value in (("reader_sd", reader_sd), ("case_sd", case_sd), ("item_sd", item_sd)):
        if not 0.0 <= value < math.inf:
            raise ValueError(f"{name} must not be negative and be finite, got {value!r}.")
    total_sd = math.sqrt(reader_sd**2 + case_sd**2 + item_sd**2)
    mean_logit = _mean_logit(share, total_sd, side_logit)

    def shared(*deviations: float) -> float:
        """Return the covariance of two readings with these effects in common."""
        return _covariance(mean_logit, math.hypot(*deviations), total_sd, side_logit)

    r, c, m = n_readers, n_cases, items_per_case
    alone = share * (1.0 - share)
    together = (
        (m - 1) * shared(reader_sd, case_sd)
        + (c - 1) * m * shared(reader_sd)
        + (r - 1) * shared(case_sd, item_sd)
        + (r - 1) * (m - 1) * shared(case_sd)
    )
    design_effect = 1.0 + together / alone
    n = r * c * m
    standard_error = math.sqrt(design_effect / (n * alone))
    distance = float(logit(share))
    power, noncentrality = power_of_test(distance, standard_error, math.inf, alpha=alpha, sides=sides)
    return PreferencePower(
        power,
        distance,
        standard_error,
        math.inf,
        noncentrality,
        alpha,
        sides,
        None,
        r,
        c,
        "random",
        "random",
        f"marginal share against one half, normal approximation with design effect "
        f"(equipoise.stats {STATS_VERSION})",
        share=share,
        mean_logit=mean_logit,
        design_effect=design_effect,
        n_readings=n,
    )


def _share(eta: Floats, spread: float, side_logit: float) -> Floats:
    """Return the share at each mean, over a normal spread and both sides."""
    around = eta[:, None] + spread * _NODES
    both = 0.5 * (expit(around + side_logit) + expit(around - side_logit))
    return np.asarray(both @ _SHARES)


@lru_cache(maxsize=256)  # a search over sizes asks for the same again and again
def _mean_logit(share: float, spread: float, side_logit: float) -> float:
    low, high = -_WIDEST, _WIDEST
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        below = float(_share(np.array([middle]), spread, side_logit)[0]) < share
        low, high = (middle, high) if below else (low, middle)
    return 0.5 * (low + high)


@lru_cache(maxsize=1024)
def _covariance(mean_logit: float, in_common: float, total_sd: float, side_logit: float) -> float:
    rest = math.sqrt(max(total_sd**2 - in_common**2, 0.0))
    given = _share(mean_logit + in_common * _NODES, rest, side_logit)
    mean = float(given @ _SHARES)
    return max(float((given - mean) ** 2 @ _SHARES), 0.0)
