"""Kendall's coefficient of concordance of rankings."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from equipoise.stats._common import Provenance, warn_degenerate
from equipoise.stats._ranks import midranks
from equipoise.stats._ratings import number_table


@dataclass(frozen=True)
class KendallW:
    """Concordance of several rankings: 1 the same order, 0 none.

    Attributes
    ----------
    estimate : float
        With tie correction.
    uncorrected : float
    statistic, df, pvalue : float
        Chi-square test of no concordance.
    """

    estimate: float
    uncorrected: float
    statistic: float
    df: float
    pvalue: float
    n: int
    n_raters: int
    n_missing: int
    provenance: Provenance
    reason: str | None = None


def kendall_w(ratings: ArrayLike) -> KendallW:
    """Estimate whether raters put the subjects in the same order.

    Parameters
    ----------
    ratings : array_like of float, shape (subjects, raters)
        Ranked within each rater; ties share their mean rank. Subjects with a missing rating are left out.

    Returns
    -------
    KendallW

    Notes
    -----
    As ``irr::kendall``. Undefined with fewer than two subjects or where every rater gives all subjects the
    same value: ``nan`` with :class:`~equipoise.common.warnings.DegenerateDataWarning`. The chi-square
    approximation is rough below 8 subjects.

    References
    ----------
    .. [1] Kendall MG, Babington Smith B. The problem of m rankings. Ann Math Stat 1939;10:275.

    Examples
    --------
    >>> result = kendall_w([[1, 1, 2], [2, 3, 1], [3, 2, 3], [4, 4, 4]])
    >>> round(result.estimate, 6), result.df
    (0.777778, 3.0)
    """
    table, n_missing = number_table(ratings)
    n, m = table.shape
    provenance = Provenance(
        "Kendall's W with tie correction, chi-square test",
        "chi-square approximation",
        math.nan,
        "subjects with a missing rating are left out and counted",
        df=n - 1.0,
    )
    ranked = [midranks(column) for column in table.T]
    sums = np.sum([ranks for ranks, _ in ranked], axis=0) if n else np.zeros(0)
    ties = float(sum(np.sum(sizes.astype(np.float64) ** 3 - sizes) for _, sizes in ranked))
    scale = m**2 * (n**3 - n)
    if n < 2 or scale - m * ties <= 0.0:
        reason = "fewer than two complete subjects" if n < 2 else "no rater tells the subjects apart"
        warn_degenerate("Kendall's W", reason)
        nan = math.nan
        return KendallW(nan, nan, nan, n - 1.0, nan, n, m, n_missing, provenance, reason)
    spread = 12.0 * float(np.sum((sums - m * (n + 1) / 2.0) ** 2))
    estimate = spread / (scale - m * ties)
    statistic = m * (n - 1.0) * estimate
    return KendallW(
        estimate,
        spread / scale,
        statistic,
        n - 1.0,
        float(chdtrc(n - 1.0, statistic)),
        n,
        m,
        n_missing,
        provenance,
    )
