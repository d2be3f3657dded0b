"""What is known of percentile bootstrap intervals of few units: how often they cover, and how reports say it."""

import math
from collections.abc import Sequence
from typing import Any

from scipy.stats import norm, t

from trials.rehearsal.gates.study import GateInputs, has_fixed_readers

_CONSERVATIVE = (
    "A bootstrap that draws readers and cases again, each on its own, is known to be conservative (Owen, Ann Appl Stat "
    "2007;1:386: what is left of a pair of them counts up to three times): intervals that are too wide are not held "
    "against it."
)
_FIXED = (
    "The protocol takes its readers as fixed: they are simulated without a spread between readers (reader_sd), while "
    "the interval draws them again: it can only be too wide."
)


def percentile_coverage(confidence_level: float, parts: Sequence[tuple[float, int]]) -> float:
    """Return the coverage that is known of a percentile interval whose estimate has these variances.

    Parameters
    ----------
    confidence_level : float
    parts : sequence of (variance, n)
        What each kind of unit that is drawn again adds to the variance of the estimate, and how many there are.

    Notes
    -----
    Of n units a bootstrap sees ``(n - 1) / n`` of the variance, and a percentile interval takes normal quantiles where
    those of t belong [1]_. The degrees of freedom of a sum of variances are those of Satterthwaite [2]_.

    References
    ----------
    .. [1] Hesterberg TC. What teachers should know about the bootstrap. Am Stat 2015;69:371-386 (narrowness bias,
       percentile intervals).
    .. [2] Satterthwaite FE. An approximate distribution of estimates of variance components. Biometrics Bull
       1946;2:110-114.
    """
    known = [(variance, n) for variance, n in parts if variance > 0]
    if not known or any(n < 2 for _, n in known):
        return 0.0 if known else confidence_level
    total = math.fsum(variance for variance, _ in known)
    seen = math.fsum(variance * (n - 1) / n for variance, n in known)
    freedom = total**2 / math.fsum(variance**2 / (n - 1) for variance, n in known)
    reach = norm.ppf((1 + confidence_level) / 2) * math.sqrt(seen / total)
    return float(2 * t.cdf(reach, freedom) - 1)


def crossed_notes(inputs: GateInputs, shared: dict[str, Any], known: float) -> tuple[str, ...]:
    """Return what a report says of an interval that draws readers and cases, known to cover so often."""
    few = (
        f"With {shared['readers']} readers and {shared['cases']} cases percentile intervals are known to be too narrow "
        f"(Hesterberg, Am Stat 2015;69:371): at the spreads that are set they cover {100 * known:.1f} %, and are held "
        "to that."
    )
    return (few, _CONSERVATIVE, *([_FIXED] if has_fixed_readers(inputs) else []))
