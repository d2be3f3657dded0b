"""The Wilcoxon signed-rank test of paired differences."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from equipoise.stats._common import Provenance, warn_degenerate
from equipoise.stats._ranks import midranks

EXACT_UP_TO = 50
"""The largest sample without ties or zeros for which ``method="auto"`` takes the exact distribution."""

METHODS = ("auto", "exact", "normal")


@dataclass(frozen=True)
class WilcoxonResult:
    """Outcome of a two-sided Wilcoxon signed-rank test.

    Attributes
    ----------
    statistic : float
        The smaller of the two rank sums.
    rank_sum_positive, rank_sum_negative : float
    z : float
        ``nan`` where the exact distribution was used.
    n, n_zero, n_missing : int
        Differences given (missing ones apart), of these exactly 0 (left out), and missing.
    median : float
        Median of the differences, zeros included.
    """

    statistic: float
    rank_sum_positive: float
    rank_sum_negative: float
    z: float
    pvalue: float
    n: int
    n_zero: int
    n_missing: int
    median: float
    provenance: Provenance
    reason: str | None = None


def wilcoxon_signed_rank(
    differences: ArrayLike, other: ArrayLike | None = None, *, method: str = "auto", continuity: bool = False
) -> WilcoxonResult:
    """Test whether paired differences are symmetric about 0.

    Parameters
    ----------
    differences : array_like of float, shape (n,)
        One difference per independent unit (a reader); or, with ``other``, the first of two paired samples.
    other : array_like of float, shape (n,), optional
        The second sample; the test is of ``differences - other``.
    method : {"auto", "exact", "normal"}
        ``"auto"`` is exact for up to 50 differences without ties and zeros, else the normal approximation
        with tie correction.
    continuity : bool, default False
        Continuity correction of the normal approximation.

    Returns
    -------
    WilcoxonResult

    Notes
    -----
    Differences are compared as the floating-point numbers they are. Where equal sizes matter, give numbers
    that carry them exactly (``2 * count - n`` instead of ``100 * count / n - 50``).

    References
    ----------
    .. [1] Wilcoxon F. Individual comparisons by ranking methods. Biometrics Bulletin 1945;1:80.
    .. [2] Pratt JW, Gibbons JD. Concepts of Nonparametric Theory. Springer, 1981, chapter 3.

    Examples
    --------
    >>> result = wilcoxon_signed_rank([1.0, 2.0, 3.0, 4.0, -0.5])
    >>> result.statistic, result.pvalue, result.provenance.method
    (1.0, 0.125, 'Wilcoxon signed-rank, two-sided, exact')
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")
    values = np.asarray(differences, dtype=np.float64)
    if other is not None:
        second = np.asarray(other, dtype=np.float64)
        if second.shape != values.shape:
            raise ValueError(f"Paired samples must have one shape, got {values.shape} and {second.shape}.")
        values = values - second
    values = values.ravel()
    present = values[~np.isnan(values)]
    n_missing = int(values.size - present.size)
    nonzero = present[present != 0.0]
    n_zero = int(present.size - nonzero.size)
    median = float(np.median(present)) if present.size else math.nan
    counts = (int(present.size), n_zero, n_missing, median)
    if nonzero.size == 0:
        reason = "no difference other than 0"
        warn_degenerate("Wilcoxon test", reason)
        nan = math.nan
        return WilcoxonResult(
            nan, nan, nan, nan, nan, *counts, provenance=_provenance("not available"), reason=reason
        )
    ranks, ties = midranks(np.abs(nonzero))
    plus = float(np.sum(ranks[nonzero > 0]))
    minus = float(np.sum(ranks[nonzero < 0]))
    smaller = min(plus, minus)
    tied = bool(np.any(ties > 1))
    if method == "exact" and tied:
        raise ValueError("method='exact' needs differences without ties.")
    if method == "exact" or (method == "auto" and not tied and not n_zero and nonzero.size <= EXACT_UP_TO):
        pvalue = _exact_pvalue(int(nonzero.size), smaller)
        return WilcoxonResult(
            smaller, plus, minus, math.nan, pvalue, *counts, provenance=_provenance("exact")
        )
    z, pvalue = _normal(plus, nonzero.size, ties, continuity=continuity)
    kind = "normal approximation with tie correction" + (", continuity correction 0.5" if continuity else "")
    return WilcoxonResult(smaller, plus, minus, z, pvalue, *counts, provenance=_provenance(kind))


def _provenance(kind: str) -> Provenance:
    return Provenance(
        f"Wilcoxon signed-rank, two-sided, {kind}",
        "permutation variance of the rank sum",
        math.nan,
        "missing differences are left out and counted; zeros are left out (Wilcoxon)",
    )


def _normal(plus: float, n: int, ties: NDArray[np.intp], *, continuity: bool) -> tuple[float, float]:
    sizes = ties.astype(np.float64)
    variance = (n * (n + 1.0) * (2.0 * n + 1.0) - 0.5 * float(np.sum(sizes**3 - sizes))) / 24.0
    distance = plus - n * (n + 1.0) / 4.0
    if continuity:
        distance = math.copysign(max(abs(distance) - 0.5, 0.0), distance)
    z = distance / math.sqrt(variance)
    return z, 2.0 * float(ndtr(-abs(z)))


def _exact_pvalue(n: int, smaller: float) -> float:
    """Return twice the share of the ``2**n`` sign patterns whose rank sum is at most ``smaller``."""
    ways = np.zeros(n * (n + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, n + 1):
        ways[rank:] = ways[rank:] + ways[:-rank]
    return min(1.0, 2.0 * float(np.sum(ways[: int(smaller) + 1])) / 2.0**n)
