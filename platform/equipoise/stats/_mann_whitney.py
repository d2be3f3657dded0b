"""The Mann-Whitney test of two independent samples, and of all pairs of several."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from equipoise.stats._common import Provenance, warn_degenerate
from equipoise.stats._multiplicity import adjust
from equipoise.stats._ranks import midranks

_PROVENANCE = Provenance(
    "Mann-Whitney, two-sided, normal approximation with tie correction, continuity correction 0.5",
    "permutation variance of U, corrected for ties",
    math.nan,
    "missing values are left out and counted",
    df=math.inf,
)


@dataclass(frozen=True)
class MannWhitneyResult:
    """Outcome of a two-sided Mann-Whitney test.

    Attributes
    ----------
    statistic : float
        U of the first sample: pairs in which it exceeds the second, ties counted one half.
    statistic_second : float
        U of the second sample; the two add up to ``n_first * n_second``.
    z, pvalue : float
    pvalue_adjusted : float
        After correction for the pairs tested together; ``pvalue`` where the test stands alone.
    n_tests : int
        How many tests the correction covers.
    superiority : float
        ``statistic / (n_first * n_second)``, the probability that the first sample's value is the larger (the
        AUC).
    """

    statistic: float
    statistic_second: float
    z: float
    pvalue: float
    n_first: int
    n_second: int
    n_missing: int
    superiority: float
    pvalue_adjusted: float
    n_tests: int = 1
    correction: str = "none"
    first: Any = None
    second: Any = None
    reason: str | None = None
    provenance: Provenance = _PROVENANCE


def mann_whitney(a: ArrayLike, b: ArrayLike, *, continuity: bool = True) -> MannWhitneyResult:
    """Test whether one of two independent samples tends to larger values.

    The samples must be independent. Readings of the same cases are paired: use
    :func:`~equipoise.stats.wilcoxon_signed_rank`, or a model with random effects of reader and case.

    Parameters
    ----------
    a, b : array_like of float
        ``nan`` is missing; infinite values rank last.
    continuity : bool, default True
        Move U by 0.5 towards its mean.

    Returns
    -------
    MannWhitneyResult

    Notes
    -----
    As ``scipy.stats.mannwhitneyu(method="asymptotic")`` and R's ``wilcox.test(exact = FALSE)``. Where a
    sample is empty or all values are equal, ``z`` and ``pvalue`` are ``nan`` with
    :class:`~equipoise.common.warnings.DegenerateDataWarning`.

    References
    ----------
    .. [1] Mann HB, Whitney DR. Ann Math Stat 1947;18:50.
    .. [2] Hollander M, Wolfe DA, Chicken E. Nonparametric Statistical Methods, 3rd ed. Wiley, 2014, section
       4.1.

    Examples
    --------
    >>> result = mann_whitney([1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0])
    >>> result.statistic, result.statistic_second, round(result.pvalue, 6)
    (0.0, 12.0, 0.05183)
    """
    first, second = (np.asarray(values, dtype=np.float64).ravel() for values in (a, b))
    n_missing = int(np.isnan(first).sum() + np.isnan(second).sum())
    first, second = first[~np.isnan(first)], second[~np.isnan(second)]
    n1, n2 = int(first.size), int(second.size)
    if n1 == 0 or n2 == 0:
        reason = f"a sample is empty (n {n1} and {n2})"
        return _undefined(n1, n2, n_missing, math.nan, reason)
    ranks, ties = midranks(np.concatenate([first, second]))
    u1 = float(np.sum(ranks[:n1])) - n1 * (n1 + 1) / 2.0
    variance = _variance(n1, n2, ties)
    if variance <= 0.0:
        return _undefined(n1, n2, n_missing, u1, "all values are equal")
    excess = abs(u1 - n1 * n2 / 2.0) - (0.5 if continuity else 0.0)
    # At the mean of U there is nothing to correct.
    z = float(np.sign(u1 - n1 * n2 / 2.0)) * excess / math.sqrt(variance)
    pvalue = min(1.0, 2.0 * float(ndtr(-excess / math.sqrt(variance))))
    plain = replace(_PROVENANCE, method=_PROVENANCE.method.replace("correction 0.5", "correction none"))
    return MannWhitneyResult(
        u1,
        n1 * n2 - u1,
        z,
        pvalue,
        n1,
        n2,
        n_missing,
        u1 / (n1 * n2),
        pvalue,
        provenance=_PROVENANCE if continuity else plain,
    )


def pairwise_mann_whitney(
    groups: Mapping[Any, ArrayLike], correction: str = "bonferroni", *, continuity: bool = True
) -> tuple[MannWhitneyResult, ...]:
    """Test every pair of several independent samples, corrected for their number.

    Parameters
    ----------
    groups : mapping of name to array_like
        Pairs come in the order of the mapping; ``first`` and ``second`` of a result name its two groups.
    correction : {"bonferroni", "holm", "none"}
        Applied over all pairs of this call. An undefined test counts as a test and stays undefined.

    Returns
    -------
    tuple of MannWhitneyResult

    References
    ----------
    .. [1] Dunn OJ. Multiple comparisons among means. J Am Stat Assoc 1961;56:52 (Bonferroni).
    .. [2] Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65.

    Examples
    --------
    >>> results = pairwise_mann_whitney({"a": [1, 2, 3], "b": [4, 5, 6], "c": [2, 3, 4]})
    >>> [(r.first, r.second, r.n_tests) for r in results]
    [('a', 'b', 3), ('a', 'c', 3), ('b', 'c', 3)]
    """
    tests = [
        replace(mann_whitney(groups[one], groups[other], continuity=continuity), first=one, second=other)
        for one, other in itertools.combinations(groups, 2)
    ]
    adjusted = adjust([test.pvalue for test in tests], correction)
    return tuple(
        replace(test, pvalue_adjusted=value, n_tests=len(tests), correction=correction)
        for test, value in zip(tests, adjusted, strict=True)
    )


def _variance(n1: int, n2: int, ties: NDArray[np.intp]) -> float:
    n = n1 + n2
    tie_term = float(np.sum(ties.astype(np.float64) ** 3 - ties)) / (n * (n - 1)) if n > 1 else 0.0
    return n1 * n2 / 12.0 * ((n + 1) - tie_term)


def _undefined(n1: int, n2: int, n_missing: int, u1: float, reason: str) -> MannWhitneyResult:
    warn_degenerate("Mann-Whitney test", reason, stacklevel=4)
    nan = math.nan
    superiority = u1 / (n1 * n2) if n1 and n2 else nan
    return MannWhitneyResult(u1, n1 * n2 - u1, nan, nan, n1, n2, n_missing, superiority, nan, reason=reason)
