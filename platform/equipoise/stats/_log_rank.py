"""The log-rank test and its relatives."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc

from equipoise.stats._common import Provenance, warn_degenerate
from equipoise.stats._survival_data import group_codes, risk_table, survival_times

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LogRank:
    """Test of equal survival.

    Attributes
    ----------
    statistic, df, pvalue : float
        Chi-square on (groups with expected events) - 1.
    groups : tuple of label
    observed, expected : tuple of float
        (Weighted) events per group.
    n : tuple of int
        Persons per group.
    rho : float
    """

    statistic: float
    df: float
    pvalue: float
    groups: tuple[Any, ...]
    observed: tuple[float, ...]
    expected: tuple[float, ...]
    n: tuple[int, ...]
    n_missing: int
    rho: float
    provenance: Provenance
    reason: str | None = None


def log_rank(
    time: ArrayLike,
    event: ArrayLike,
    groups: Sequence[Any],
    *,
    rho: float = 0.0,
    strata: Sequence[Any] | None = None,
) -> LogRank:
    """Test whether groups have the same survival.

    Parameters
    ----------
    time : array_like of float, shape (n,)
    event : array_like of {0, 1}, shape (n,)
    groups : sequence of label, length n
    rho : float, default 0
        Events are weighted by ``S(t-)**rho`` of the stratum's pooled survival: 0 log-rank, 1 Peto & Peto's
        Wilcoxon.
    strata : sequence of label, length n, optional
        Groups are compared within strata only.

    Returns
    -------
    LogRank

    Notes
    -----
    As ``survival::survdiff``. Fewer than two groups with expected events: ``nan`` with
    :class:`~equipoise.common.warnings.DegenerateDataWarning`.

    References
    ----------
    .. [1] Harrington DP, Fleming TR. A class of rank test procedures for censored survival data. Biometrika
       1982;69:553.

    Examples
    --------
    >>> result = log_rank([1, 3, 5, 7, 2, 4, 6, 8], [1, 1, 1, 1, 1, 0, 1, 0], list("aaaabbbb"))
    >>> round(result.statistic, 6), result.df
    (1.044822, 1.0)
    """
    length = len(np.asarray(time))
    names, index, missing = group_codes(groups, length, name="groups")
    stratum = np.zeros(length, dtype=np.intp)
    if strata is not None:
        _, stratum, none = group_codes(strata, length, name="strata")
        missing = missing | none
    data = survival_times(time, event, missing=missing)
    index, stratum = index[data.kept], stratum[data.kept]
    k = len(names)
    observed, expected, covariance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for one in np.unique(stratum):
        own = stratum == one
        parts = _stratum(data.time[own], data.event[own], index[own], k, rho)
        observed, expected, covariance = observed + parts[0], expected + parts[1], covariance + parts[2]
    statistic, df, reason = _statistic(observed - expected, expected, covariance)
    if reason is not None:
        warn_degenerate("Log-rank test", reason)
    kind = "log-rank" if rho == 0.0 else f"Harrington-Fleming rho = {rho:g}"
    provenance = Provenance(
        f"{kind}{', stratified' if strata is not None else ''}",
        "hypergeometric",
        math.nan,
        "rows with a missing value are left out and counted",
        df=df,
    )
    return LogRank(
        statistic,
        df,
        float(chdtrc(df, statistic)) if reason is None else math.nan,
        tuple(names),
        tuple(map(float, observed)),
        tuple(map(float, expected)),
        tuple(int(np.sum(index == i)) for i in range(k)),
        data.n_missing,
        rho,
        provenance,
        reason,
    )


def _stratum(
    time: Floats, event: NDArray[np.bool_], index: NDArray[np.intp], k: int, rho: float
) -> tuple[Floats, Floats, Floats]:
    """Return observed and expected events per group, and the covariance of the observed."""
    times = np.unique(time)
    pooled = risk_table(time, event, times)
    groups = [risk_table(time[index == i], event[index == i], times) for i in range(k)]
    risk = np.stack([table.n_risk for table in groups])
    events = np.stack([table.n_event for table in groups])
    survival = np.cumprod(1.0 - pooled.n_event / pooled.n_risk)
    weight = np.concatenate([[1.0], survival[:-1]]) ** rho
    share = risk / pooled.n_risk
    spread = np.divide(
        pooled.n_event * (pooled.n_risk - pooled.n_event),
        pooled.n_risk - 1.0,
        out=np.zeros(len(times)),
        where=pooled.n_risk > 1.0,
    )
    scale = weight**2 * spread
    covariance = np.diag((share * scale).sum(axis=1)) - (share * scale) @ share.T
    return (events * weight).sum(axis=1), (share * pooled.n_event * weight).sum(axis=1), covariance


def _statistic(difference: Floats, expected: Floats, covariance: Floats) -> tuple[float, float, str | None]:
    used = np.flatnonzero(expected > 0.0)
    if len(used) < 2:
        return math.nan, math.nan, "fewer than two groups with expected events"
    kept = used[:-1]  # the differences sum to 0: one group is redundant
    part = covariance[np.ix_(kept, kept)]
    if np.linalg.matrix_rank(part) < len(kept):
        return math.nan, float(len(kept)), "the groups are never at risk together"
    return float(difference[kept] @ np.linalg.solve(part, difference[kept])), float(len(kept)), None
