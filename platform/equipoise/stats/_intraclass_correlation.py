"""The six intraclass correlations of Shrout & Fleiss."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, fdtrc

from equipoise.stats._common import (
    NO_INTERVAL,
    ConfidenceInterval,
    Provenance,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._ratings import number_table


@dataclass(frozen=True)
class IntraclassCorrelation:
    """One intraclass correlation.

    Attributes
    ----------
    name : str
        Of Shrout & Fleiss (``"ICC(2,1)"``) or of McGraw & Wong (``"ICC(A,1)"``).
    estimate : float
    confidence_interval : ConfidenceInterval
    f, df1, df2, pvalue : float
        F test of no variance between subjects.
    """

    name: str
    estimate: float
    confidence_interval: ConfidenceInterval
    f: float
    df1: float
    df2: float
    pvalue: float


@dataclass(frozen=True)
class IntraclassCorrelations:
    """The six coefficients, and the analysis of variance behind them.

    Attributes
    ----------
    icc : mapping of str to IntraclassCorrelation
        ``ICC(1,1) ICC(2,1) ICC(3,1) ICC(1,k) ICC(2,k) ICC(3,k)``; limits of ICC(2,k) are the Spearman-Brown
        of those of ICC(2,1), as in psych and SPSS.
    mcgraw_wong : mapping of str to IntraclassCorrelation
        ``ICC(1) ICC(A,1) ICC(C,1) ICC(k) ICC(A,k) ICC(C,k)``: the same estimates as ``irr::icc`` reports
        them, with Satterthwaite's degrees of freedom in the p-values of agreement; its limits of ICC(A,k)
        differ.
    ms_between, ms_within, ms_raters, ms_error : float
        Mean squares.
    """

    icc: Mapping[str, IntraclassCorrelation]
    mcgraw_wong: Mapping[str, IntraclassCorrelation]
    ms_between: float
    ms_within: float
    ms_raters: float
    ms_error: float
    n: int
    n_raters: int
    n_missing: int
    provenance: Provenance
    reason: str | None = None

    def __getitem__(self, name: str) -> IntraclassCorrelation:
        return self.icc[name] if name in self.icc else self.mcgraw_wong[name]


def intraclass_correlation(ratings: ArrayLike, *, confidence_level: float = 0.95) -> IntraclassCorrelations:
    """Estimate how much of the variance of measurements lies between subjects.

    ICC(1,.): each subject has other raters. ICC(2,.): raters are a sample, their bias counts (absolute
    agreement). ICC(3,.): these raters only, their bias does not count (consistency). (.,k): of the mean of k
    raters.

    Parameters
    ----------
    ratings : array_like of float, shape (subjects, raters)
        Subjects with a missing rating are left out and counted.
    confidence_level : float, default 0.95

    Returns
    -------
    IntraclassCorrelations

    Notes
    -----
    Undefined (fewer than two complete subjects; no variance within or between subjects): ``nan``, without intervals,
    with :class:`~equipoise.common.warnings.DegenerateDataWarning`. Negative estimates are reported as they are.

    References
    ----------
    .. [1] Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability. Psychol Bull
       1979;86:420.
    .. [2] McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients. Psychol
       Methods 1996;1:30, tables 4 and 7.

    Examples
    --------
    >>> result = intraclass_correlation([[1, 2], [3, 3], [4, 6], [6, 7], [8, 8]])
    >>> round(result["ICC(2,1)"].estimate, 6), round(result["ICC(3,k)"].estimate, 6)
    (0.917241, 0.974359)
    """
    validate_confidence_level(confidence_level)
    table, n_missing = number_table(ratings)
    n, k = table.shape
    provenance = Provenance(
        "intraclass correlations of Shrout & Fleiss, analysis of variance",
        "F distribution; Satterthwaite for ICC(2,1); Spearman-Brown for ICC(2,k)",
        confidence_level,
        "subjects with a missing rating are left out and counted",
    )
    if n < 2:
        return _undefined(n, k, n_missing, provenance, "fewer than two complete subjects")
    squares = _mean_squares(table)
    if squares.between == 0.0 or squares.within == 0.0 or squares.error == 0.0:
        reason = "no variance within subjects" if squares.between > 0.0 else "no variance between subjects"
        reason = "all ratings are equal" if squares.between == squares.within == 0.0 else reason
        return _undefined(n, k, n_missing, provenance, reason, squares)
    alpha = 1.0 - confidence_level
    return IntraclassCorrelations(
        _shrout_fleiss(squares, alpha),
        _mcgraw_wong(squares, alpha),
        squares.between,
        squares.within,
        squares.raters,
        squares.error,
        n,
        k,
        n_missing,
        provenance,
    )


@dataclass(frozen=True)
class _Squares:
    n: int
    k: int
    between: float
    within: float
    raters: float
    error: float

    @property
    def single(self) -> tuple[float, float, float]:
        """ICC(1,1), ICC(2,1) and ICC(3,1)."""
        b, w, j, e, k = self.between, self.within, self.raters, self.error, self.k
        return (
            _share(b - w, b + (k - 1) * w),
            _share(b - e, b + (k - 1) * e + k * (j - e) / self.n),
            _share(b - e, b + (k - 1) * e),
        )

    @property
    def average(self) -> tuple[float, float, float]:
        """ICC(1,k), ICC(2,k) and ICC(3,k)."""
        b, w, j, e = self.between, self.within, self.raters, self.error
        return _share(b - w, b), _share(b - e, b + (j - e) / self.n), _share(b - e, b)


def _share(part: float, whole: float) -> float:
    """Return the ratio; ``nan`` where variances add up to nothing."""
    return part / whole if whole != 0.0 else math.nan


def _mean_squares(table: NDArray[np.float64]) -> _Squares:
    n, k = table.shape
    grand = table.mean()
    subjects, raters = table.mean(axis=1), table.mean(axis=0)
    between = k * float(np.sum((subjects - grand) ** 2)) / (n - 1)
    within = float(np.sum((table - subjects[:, None]) ** 2)) / (n * (k - 1))
    of_raters = n * float(np.sum((raters - grand) ** 2)) / (k - 1)
    residual = table - subjects[:, None] - raters[None, :] + grand
    error = float(np.sum(residual**2)) / ((n - 1) * (k - 1))
    tiny = 1e-24 * float(np.max(np.abs(table))) ** 2
    between, within, error = (0.0 if value <= tiny else value for value in (between, within, error))
    return _Squares(n, k, between, within, of_raters, error)


def _f_quantile(probability: float, df1: float, df2: float) -> float:
    x = float(betaincinv(df1 / 2.0, df2 / 2.0, probability))
    return df2 * x / (df1 * (1.0 - x)) if x < 1.0 else math.inf


def _shrout_fleiss(s: _Squares, alpha: float) -> dict[str, IntraclassCorrelation]:
    n, k = s.n, s.k
    one_way, two_way = (n - 1.0, n * (k - 1.0)), (n - 1.0, (n - 1.0) * (k - 1.0))
    f1, f3 = s.between / s.within, s.between / s.error
    low1, high1 = _f_limits(f1, one_way, alpha)
    low3, high3 = _f_limits(f3, two_way, alpha)
    low2, high2 = _agreement_limits(s, alpha)
    limits = {
        "ICC(1,1)": (_single(low1, k), _single(high1, k)),
        "ICC(2,1)": (low2, high2),
        "ICC(3,1)": (_single(low3, k), _single(high3, k)),
        "ICC(1,k)": (1.0 - 1.0 / low1, 1.0 - 1.0 / high1),
        "ICC(2,k)": (_spearman_brown(low2, k), _spearman_brown(high2, k)),
        "ICC(3,k)": (1.0 - 1.0 / low3, 1.0 - 1.0 / high3),
    }
    estimates = dict(zip(limits, (*s.single, *s.average), strict=True))
    result = {}
    for name, (low, high) in limits.items():
        f, (df1, df2) = (f1, one_way) if name.startswith("ICC(1") else (f3, two_way)
        result[name] = IntraclassCorrelation(
            name, estimates[name], ConfidenceInterval(low, high), f, df1, df2, float(fdtrc(df1, df2, f))
        )
    return result


def _f_limits(f: float, df: tuple[float, float], alpha: float) -> tuple[float, float]:
    return f / _f_quantile(1.0 - alpha / 2.0, *df), f * _f_quantile(1.0 - alpha / 2.0, df[1], df[0])


def _single(f: float, k: int) -> float:
    return (f - 1.0) / (f + k - 1.0)


def _spearman_brown(icc: float, k: int) -> float:
    return _share(icc * k, 1.0 + icc * (k - 1))


def _satterthwaite(a: float, b: float, s: _Squares) -> float:
    """Return the degrees of freedom of ``a MSJ + b MSE``."""
    n, k = s.n, s.k
    total = a * s.raters + b * s.error
    return _share(total**2, (a * s.raters) ** 2 / (k - 1) + (b * s.error) ** 2 / ((n - 1) * (k - 1)))


def _agreement_df(s: _Squares) -> float:
    n, k, icc = s.n, s.k, s.single[1]
    return _satterthwaite(k * icc / (n * (1.0 - icc)), 1.0 + k * icc * (n - 1) / (n * (1.0 - icc)), s)


def _agreement_limits(s: _Squares, alpha: float) -> tuple[float, float]:
    n, k, df = s.n, s.k, _agreement_df(s)
    upper = _f_quantile(1.0 - alpha / 2.0, n - 1.0, df)
    lower = _f_quantile(1.0 - alpha / 2.0, df, n - 1.0)
    rest = k * s.raters + (k * n - k - n) * s.error
    low = _share(n * (s.between - upper * s.error), upper * rest + n * s.between)
    high = _share(n * (lower * s.between - s.error), rest + n * lower * s.between)
    return low, high


def _mcgraw_wong(s: _Squares, alpha: float) -> dict[str, IntraclassCorrelation]:
    shrout = _shrout_fleiss(s, alpha)
    names = {"ICC(1)": "ICC(1,1)", "ICC(C,1)": "ICC(3,1)", "ICC(k)": "ICC(1,k)", "ICC(C,k)": "ICC(3,k)"}
    result = {}
    for name, same in names.items():
        icc = shrout[same]
        result[name] = IntraclassCorrelation(
            name, icc.estimate, icc.confidence_interval, icc.f, icc.df1, icc.df2, icc.pvalue
        )
    n, f, df1 = s.n, s.between / s.error, s.n - 1.0
    single_df = _agreement_df(s)
    single = ConfidenceInterval(*_agreement_limits(s, alpha))
    result["ICC(A,1)"] = IntraclassCorrelation(
        "ICC(A,1)", s.single[1], single, f, df1, single_df, float(fdtrc(df1, single_df, f))
    )
    mean_icc = s.average[1]
    # irr keeps the factor k of the single rating here (McGraw & Wong's table 7 has none, and gives psych's limits).
    a = s.k * mean_icc / (n * (1.0 - mean_icc))
    df = _satterthwaite(a, 1.0 + a * (n - 1), s)
    upper, lower = _f_quantile(1.0 - alpha / 2.0, df1, df), _f_quantile(1.0 - alpha / 2.0, df, df1)
    low = _share(n * (s.between - upper * s.error), upper * (s.raters - s.error) + n * s.between)
    high = _share(n * (lower * s.between - s.error), s.raters - s.error + n * lower * s.between)
    result["ICC(A,k)"] = IntraclassCorrelation(
        "ICC(A,k)", mean_icc, ConfidenceInterval(low, high), f, df1, df, float(fdtrc(df1, df, f))
    )
    return result


def _undefined(
    n: int, k: int, n_missing: int, provenance: Provenance, reason: str, squares: _Squares | None = None
) -> IntraclassCorrelations:
    warn_degenerate("Intraclass correlations", reason, stacklevel=4)
    nan = math.nan
    estimates = [nan] * 6
    if squares is not None and squares.between == 0.0 < squares.within:
        estimates = [*squares.single, nan, nan, nan]  # of the mean of raters there is none: it does not vary
    elif squares is not None and squares.between > 0.0:
        # Without variance within subjects every coefficient is 1; without residual variance only those of consistency.
        perfect = squares.within == 0.0
        one, agree = (1.0, 1.0) if perfect else (squares.single[0], squares.single[1])
        one_k, agree_k = (1.0, 1.0) if perfect else (squares.average[0], squares.average[1])
        estimates = [one, agree, 1.0, one_k, agree_k, 1.0]

    def table(names: str) -> dict[str, IntraclassCorrelation]:
        return {
            name: IntraclassCorrelation(name, value, NO_INTERVAL, nan, nan, nan, nan)
            for name, value in zip(names.split(), estimates, strict=True)
        }

    means = (squares.between, squares.within, squares.raters, squares.error) if squares else (nan,) * 4
    return IntraclassCorrelations(
        table("ICC(1,1) ICC(2,1) ICC(3,1) ICC(1,k) ICC(2,k) ICC(3,k)"),
        table("ICC(1) ICC(A,1) ICC(C,1) ICC(k) ICC(A,k) ICC(C,k)"),
        means[0],
        means[1],
        means[2],
        means[3],
        n,
        k,
        n_missing,
        provenance,
        reason,
    )
