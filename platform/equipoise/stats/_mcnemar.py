"""Two binary decisions about the same rows: the paired difference of proportions."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, chdtrc

from equipoise.stats._auc import NO_MISSING, percentile_summary, validate_n_resamples
from equipoise.stats._binary_truth import Bools, as_binary, as_cluster_codes, require_same_length
from equipoise.stats._common import (
    ConfidenceInterval,
    Provenance,
    Rng,
    normal_quantile,
    resolve_rng,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._compare_aucs import normal_pvalue

Measure = Literal["positive calls", "sensitivity", "specificity", "accuracy"]
McNemarMethod = Literal["exact", "chi-square", "chi-square-corrected"]


@dataclass(frozen=True)
class McNemarResult:
    """The paired difference of two proportions, first minus second.

    Attributes
    ----------
    estimate, standard_error : float
    confidence_interval : ConfidenceInterval
        Bonett and Price's adjusted Wald interval; with clusters, bootstrap percentiles.
    statistic, pvalue : float
        Of the method asked for. The exact test's statistic is ``only_first``.
    df : float
        ``inf``: the standard error belongs to a normal interval. Those of the test stand in ``provenance``.
    proportion_a, proportion_b : float
    only_first, only_second : int
        Discordant rows: 1 by the first decision only, by the second only.
    n : int
        Rows that enter.
    pvalue_exact, chi2, pvalue_chi2, chi2_corrected, pvalue_chi2_corrected : float
        All three tests; ``nan`` with clusters.
    reason : str or None
    provenance : Provenance
    """

    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    statistic: float
    df: float
    pvalue: float
    proportion_a: float
    proportion_b: float
    only_first: int
    only_second: int
    n: int
    n_clusters: int | None
    pvalue_exact: float
    chi2: float
    pvalue_chi2: float
    chi2_corrected: float
    pvalue_chi2_corrected: float
    measure: Measure
    reason: str | None
    provenance: Provenance

    @property
    def method(self) -> str:
        """The estimator, in words."""
        return self.provenance.method


def mcnemar(
    decisions_a: ArrayLike,
    decisions_b: ArrayLike,
    truth: ArrayLike | None = None,
    *,
    measure: Measure | None = None,
    method: McNemarMethod = "exact",
    confidence_level: float = 0.95,
    clusters: ArrayLike | None = None,
    n_resamples: int = 2000,
    rng: Rng = None,
) -> McNemarResult:
    """Estimate and test the difference of two proportions measured on the same rows.

    Parameters
    ----------
    decisions_a, decisions_b : array_like of bool or 0/1, shape (n,)
    truth : array_like of bool or 0/1, shape (n,), optional
        The reference standard; needed for every measure but ``"positive calls"``.
    measure : {"positive calls", "sensitivity", "specificity", "accuracy"}, optional
        What is compared: the share of positive calls (default without truth), of positive calls among
        diseased rows, of negative calls among non-diseased rows, or of correct calls (default with truth).
    method : {"exact", "chi-square", "chi-square-corrected"}, default "exact"
    confidence_level : float, default 0.95
    clusters : array_like of label, shape (n,), optional
        The patient of each row. The difference is then tested by z = difference / standard deviation over a
        bootstrap of patients, as McNemar's tests assume independent rows.
    n_resamples, rng
        Of the bootstrap of clusters.

    Returns
    -------
    McNemarResult

    Raises
    ------
    ValueError
        If values are not 0/1, lengths differ, truth is missing, or the measure has no rows to be taken from.

    Notes
    -----
    The corrected statistic is (\\|b - c\\| - 1)^2 / (b + c), 0 where b = c (as R's ``mcnemar.test``). Without
    discordant rows the exact p-value is 1 and the chi-square statistics are ``nan``.

    References
    ----------
    .. [1] McNemar Q. Psychometrika 1947;12:153.
    .. [2] Bonett DG, Price RM. J Educ Behav Stat 2012;37:479 (interval).
    .. [3] Fagerland MW, Lydersen S, Laake P. Stat Med 2014;33:2850 (choice of interval).

    Examples
    --------
    >>> result = mcnemar([1, 1, 1, 1, 0, 0], [0, 0, 0, 1, 0, 1])
    >>> result.only_first, result.only_second, round(result.estimate, 4), result.pvalue
    (3, 1, 0.3333, 0.625)
    """
    level = validate_confidence_level(confidence_level)
    if method not in get_args(McNemarMethod):
        raise ValueError(f"method must be one of {get_args(McNemarMethod)}, got {method!r}.")
    first, second, used, kind = _successes(decisions_a, decisions_b, truth, measure)
    n = int(first.size)
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    estimate = (only_first - only_second) / n
    if clusters is not None:
        codes, _ = as_cluster_codes(clusters, n=used.size)
        return _clustered(first, second, codes[used], kind, level=level, n_resamples=n_resamples, rng=rng)
    tests = _tests(only_first, only_second)
    statistic, df, pvalue = {
        "exact": (float(only_first), math.inf, tests[0]),
        "chi-square": (tests[1], 1.0, tests[2]),
        "chi-square-corrected": (tests[3], 1.0, tests[4]),
    }[method]
    reason = None
    if only_first + only_second == 0:
        reason = "no discordant rows"
        if method != "exact":
            warn_degenerate("McNemar's chi-square is", reason)
    return McNemarResult(
        estimate,
        math.sqrt(max(only_first + only_second - n * estimate**2, 0.0)) / n,
        _bonett_price(only_first, only_second, n, normal_quantile(level)),
        statistic,
        math.inf,
        pvalue,
        float(first.mean()),
        float(second.mean()),
        only_first,
        only_second,
        n,
        None,
        *tests,
        kind,
        reason,
        Provenance(
            f"McNemar's test ({method}) of {kind}",
            "multinomial; interval by Bonett and Price 2012",
            level,
            NO_MISSING,
            df=df,
        ),
    )


def _successes(
    decisions_a: ArrayLike, decisions_b: ArrayLike, truth: ArrayLike | None, measure: Measure | None
) -> tuple[Bools, Bools, Bools, Measure]:
    """Return per row that enters whether each decision succeeds, which rows enter, and the measure."""
    first, second = as_binary(decisions_a, name="decisions_a"), as_binary(decisions_b, name="decisions_b")
    require_same_length(first, second, names=("decisions_a", "decisions_b"))
    kind: Measure = measure or ("positive calls" if truth is None else "accuracy")
    if kind not in get_args(Measure):
        raise ValueError(f"measure must be one of {get_args(Measure)}, got {measure!r}.")
    everything = np.ones(first.size, dtype=np.bool_)
    if kind == "positive calls":
        return first, second, everything, kind
    if truth is None:
        raise ValueError(f"measure {kind!r} needs truth.")
    positive = as_binary(truth, name="truth")
    require_same_length(first, positive, names=("decisions_a", "truth"))
    if kind == "accuracy":
        return first == positive, second == positive, everything, kind
    used = positive if kind == "sensitivity" else ~positive
    if not used.any():
        raise ValueError(f"truth holds one class only: {kind} has no rows to be taken from.")
    return first[used] == positive[used], second[used] == positive[used], used, kind


def _tests(only_first: int, only_second: int) -> tuple[float, float, float, float, float]:
    """Return exact p, chi-square and its p, corrected chi-square and its p."""
    discordant = only_first + only_second
    if discordant == 0:
        return 1.0, math.nan, math.nan, math.nan, math.nan
    exact = min(1.0, 2.0 * float(bdtr(min(only_first, only_second), discordant, 0.5)))
    difference = abs(only_first - only_second)
    chi2 = difference**2 / discordant
    corrected = max(difference - 1, 0) ** 2 / discordant
    return exact, chi2, float(chdtrc(1.0, chi2)), corrected, float(chdtrc(1.0, corrected))


def _bonett_price(only_first: int, only_second: int, n: int, z: float) -> ConfidenceInterval:
    p12, p21 = (only_first + 1.0) / (n + 2.0), (only_second + 1.0) / (n + 2.0)
    half = z * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / (n + 2.0))
    return ConfidenceInterval(p12 - p21 - half, p12 - p21 + half).cut(-1.0, 1.0)


def _clustered(
    first: Bools,
    second: Bools,
    codes: NDArray[np.intp],
    kind: Measure,
    *,
    level: float,
    n_resamples: int,
    rng: Rng,
) -> McNemarResult:
    validate_n_resamples(n_resamples)
    generator, seed = resolve_rng(rng)
    _, codes = np.unique(codes, return_inverse=True)
    n_clusters = int(codes.max()) + 1
    rows = np.bincount(codes, minlength=n_clusters)
    excess = np.bincount(codes, weights=first.astype(float) - second, minlength=n_clusters)
    drawn = generator.integers(0, n_clusters, (n_resamples, n_clusters))
    distribution = excess[drawn].sum(axis=1) / rows[drawn].sum(axis=1)
    variance, interval, reason = percentile_summary(distribution, level=level)
    if reason is not None:
        warn_degenerate("The test of two proportions is", reason, stacklevel=4)
    estimate = float(excess.sum() / rows.sum())
    standard_error = math.sqrt(variance)
    statistic = estimate / standard_error if standard_error > 0.0 else math.nan
    nan = math.nan
    return McNemarResult(
        estimate,
        standard_error,
        interval,
        statistic,
        math.inf,
        normal_pvalue(statistic, "two-sided"),
        float(first.mean()),
        float(second.mean()),
        int(np.sum(first & ~second)),
        int(np.sum(second & ~first)),
        int(first.size),
        n_clusters,
        nan,
        nan,
        nan,
        nan,
        nan,
        kind,
        reason,
        Provenance(
            f"paired difference of {kind}, normal test",
            "bootstrap of clusters, percentile interval",
            level,
            NO_MISSING,
            df=math.inf,
            seed=seed,
            n_resamples=n_resamples,
        ),
    )
