"""Power of a test of one difference, and the smallest sample that reaches a power: what all planning shares."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import chdtri, ncfdtr, nctdtr, ndtr, ndtri, stdtrit

Sides = Literal[1, 2]

DF_AS_NORMAL = 1e6
"""Degrees of freedom from which Student's t is the normal distribution to six digits."""

_STEPS = 2000


@dataclass(frozen=True)
class Power:
    """The power of a planned test.

    Attributes
    ----------
    power : float
        Probability that the planned analysis rejects its null hypothesis if ``difference`` is true.
    difference : float
        The true difference assumed, on the scale of the analysis.
    standard_error : float
        Of the estimated difference.
    df : float
        Degrees of freedom of the planned test; ``inf`` for the normal distribution.
    noncentrality : float
        True distance from the null hypothesis in standard errors; its square is the noncentrality of F.
    alpha : float
    sides : {1, 2}
        One-sided at ``alpha``, or two-sided (with a margin: one-sided at ``alpha / 2``).
    margin : float or None
        Of non-inferiority; None where the null hypothesis is no difference.
    n_readers, n_cases : int
    readers, cases : {"random", "fixed"}
    method : str
        The planned analysis and where the formula comes from, in words.
    """

    power: float
    difference: float
    standard_error: float
    df: float
    noncentrality: float
    alpha: float
    sides: int
    margin: float | None
    n_readers: int
    n_cases: int
    readers: str
    cases: str
    method: str


def smallest_number(
    power_at: Callable[[int], Power | float], power: float = 0.8, *, lowest: int = 2, highest: int = 5000
) -> int | None:
    """Find the smallest number of cases (or of readers) with which a planned test reaches a power.

    Parameters
    ----------
    power_at : function of int
        The power with that many.
    power : float, default 0.8
        To be reached, in (0, 1).
    lowest, highest : int
        Where to look.

    Returns
    -------
    int or None
        None where not even ``highest`` reaches the power: with few readers no number of cases may do.

    Raises
    ------
    ValueError
        If the power does not lie in (0, 1) or the range is empty.

    Notes
    -----
    Every number is tried from the lowest up, because power need not rise with every single case: Hillis'
    degrees of freedom fall towards readers - 1 as cases are added.

    References
    ----------
    .. [1] Hillis SL, Obuchowski NA, Berbaum KS. Acad Radiol 2011;18:129.

    Examples
    --------
    >>> from equipoise.stats import VarianceComponents, mrmc_power
    >>> van_dyke = VarianceComponents(
    ...     var_reader=0.0015349993, var_interaction=0.0002004025, var_error=0.0008022883,
    ...     cov1=0.0003466137, cov2=0.0003440748, cov3=0.0002390284,
    ... )
    >>> smallest_number(
    ...     lambda n: mrmc_power(van_dyke, 0.0438003, n_readers=6, n_cases=n, pilot_cases=114)
    ... )
    251
    """
    if not 0.0 < power < 1.0:
        raise ValueError(f"power must lie strictly between 0 and 1, got {power!r}.")
    if not lowest <= highest:
        raise ValueError(f"lowest must not exceed highest, got {lowest} and {highest}.")
    for number in range(lowest, highest + 1):
        found = power_at(number)
        if (found.power if isinstance(found, Power) else found) >= power:
            return number
    return None


def power_of_test(
    difference: float,
    standard_error: float,
    df: float,
    *,
    alpha: float,
    sides: int,
    margin: float | None = None,
    higher_is_better: bool = True,
) -> tuple[float, float]:
    """Return the power and the noncentrality of a t test (normal for ``df = inf``) of one difference."""
    toward = difference if higher_is_better else -difference
    distance = toward + margin if margin is not None else toward
    noncentrality = _ratio(distance, standard_error)
    one_sided = margin is not None or sides == 1
    level = alpha / sides if one_sided else alpha
    if math.isinf(df) or df > DF_AS_NORMAL:
        critical = float(ndtri(1.0 - (level if one_sided else level / 2.0)))
        upper = float(ndtr(noncentrality - critical))
        return (upper if one_sided else upper + float(ndtr(-noncentrality - critical))), noncentrality
    if math.isinf(noncentrality):
        return (1.0 if not one_sided or noncentrality > 0.0 else 0.0), noncentrality
    critical = float(stdtrit(df, 1.0 - (level if one_sided else level / 2.0)))
    if one_sided:
        power = 1.0 - float(nctdtr(df, noncentrality, critical))
    else:
        power = 1.0 - float(ncfdtr(1.0, df, noncentrality**2, critical**2))
    if math.isnan(power):
        power = _over_scale(noncentrality, critical, df, one_sided=one_sided)
    return min(max(power, 0.0), 1.0), noncentrality


def power_of_sample(
    difference: float,
    standard_error: float,
    df: float,
    *,
    alpha: float,
    sides: int,
    margin: float | None,
    higher_is_better: bool,
    n_readers: int,
    n_cases: int,
    readers: str,
    cases: str,
    method: str,
) -> Power:
    """Return the power of a test, as :func:`power_of_test` has it, together with the sample it is planned for."""
    power, noncentrality = power_of_test(
        difference,
        standard_error,
        df,
        alpha=alpha,
        sides=sides,
        margin=margin,
        higher_is_better=higher_is_better,
    )
    return Power(
        power,
        difference,
        standard_error,
        df,
        noncentrality,
        alpha,
        sides,
        margin,
        n_readers,
        n_cases,
        readers,
        cases,
        method,
    )


def _over_scale(noncentrality: float, critical: float, df: float, *, one_sided: bool) -> float:
    """Return the power as the mean of normal tails over the estimated scale; scipy's series give up near 38."""
    middles = (np.arange(_STEPS) + 0.5) / _STEPS
    scale = np.sqrt(chdtri(df, middles) / df)
    upper = float(ndtr(noncentrality - critical * scale).mean())
    return upper if one_sided else upper + float(ndtr(-noncentrality - critical * scale).mean())


def validate_test(*, difference: float, alpha: float, sides: int, margin: float | None) -> None:
    """Raise ``ValueError`` for what no test has."""
    if not math.isfinite(difference):
        raise ValueError(f"difference must be finite, got {difference!r}.")
    if not 0.0 < alpha < 0.5:
        raise ValueError(f"alpha must lie strictly between 0 and 0.5, got {alpha!r}.")
    if sides not in (1, 2):
        raise ValueError(f"sides must be 1 or 2, got {sides!r}.")
    if margin is not None and not 0.0 < margin < math.inf:
        raise ValueError(f"margin must be positive and finite, got {margin!r}.")


def validate_sample(*, n_readers: int, n_cases: int, readers: str, cases: str) -> None:
    """Raise ``ValueError`` for a sample from which the planned analysis has no test."""
    for name, count, effects in (("readers", n_readers, readers), ("cases", n_cases, cases)):
        if effects not in ("random", "fixed"):
            raise ValueError(f"{name} must be 'random' or 'fixed', got {effects!r}.")
        least = 2 if effects == "random" else 1
        if count < least:
            raise ValueError(f"n_{name} must be at least {least} with {effects} {name}, got {count}.")
    if readers == cases == "fixed":
        raise ValueError("readers and cases cannot both be fixed: nothing would be left to chance.")


def _ratio(distance: float, standard_error: float) -> float:
    if standard_error > 0.0:
        return distance / standard_error
    return math.copysign(math.inf, distance) if distance else 0.0
