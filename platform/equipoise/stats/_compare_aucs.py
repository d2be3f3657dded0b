"""The difference of two empirical AUCs: on the same cases, or on different cases."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtr, stdtrit

from equipoise.stats._auc import (
    NO_MISSING,
    AUCMethod,
    auc,
    bootstrap_counts,
    bootstrap_words,
    percentile_summary,
    variance_reason,
)
from equipoise.stats._binary_truth import (
    Bools,
    Floats,
    as_cluster_codes,
    as_scores,
    as_scores_and_truth,
    require_same_length,
)
from equipoise.stats._common import (
    ConfidenceInterval,
    Provenance,
    Rng,
    normal_quantile,
    resolve_rng,
    symmetric_interval,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._delong import delong_covariance, obuchowski_covariance, placements_of_cells
from equipoise.stats._tie_groups import auc_of_counts, tie_groups

Alternative = Literal["two-sided", "less", "greater"]


@dataclass(frozen=True)
class AUCComparison:
    """The difference of two AUCs, first minus second.

    Attributes
    ----------
    estimate, standard_error : float
    statistic, df, pvalue : float
        ``df`` is ``inf`` for a normal test.
    confidence_interval : ConfidenceInterval
        Two-sided, of the difference; not cut.
    auc_a, auc_b, variance_a, variance_b, covariance : float
    reason : str or None
        Why the test is not available.
    provenance : Provenance
    """

    estimate: float
    standard_error: float
    statistic: float
    df: float
    pvalue: float
    confidence_interval: ConfidenceInterval
    auc_a: float
    auc_b: float
    variance_a: float
    variance_b: float
    covariance: float
    alternative: Alternative
    reason: str | None
    provenance: Provenance

    @property
    def method(self) -> str:
        """The estimator, in words."""
        return self.provenance.method


def compare_aucs(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    truth: ArrayLike,
    *,
    confidence_level: float = 0.95,
    alternative: Alternative = "two-sided",
    method: AUCMethod = "delong",
    n_resamples: int = 2000,
    rng: Rng = None,
    clusters: ArrayLike | None = None,
) -> AUCComparison:
    """Estimate and test the difference of two AUCs measured on the same cases.

    Parameters
    ----------
    scores_a, scores_b : array_like of float, shape (n,)
        Two scores of each case.
    truth : array_like of bool or 0/1, shape (n,)
    confidence_level : float, default 0.95
    alternative : {"two-sided", "less", "greater"}
        ``"greater"``: the first AUC is larger.
    method : {"delong", "bootstrap", "bootstrap-stratified"}, default "delong"
        DeLong's covariance and a normal test; or resampled cases, z = difference / standard deviation of the
        resampled differences, and their percentiles as interval.
    n_resamples, rng
        Of the bootstrap methods, see :func:`auc`.
    clusters : array_like of label, shape (n,), optional
        The patient of each row: Obuchowski's covariance, or a bootstrap of patients.

    Returns
    -------
    AUCComparison

    Raises
    ------
    ValueError
        As :func:`auc`.

    Notes
    -----
    Identical scores, or two that both separate perfectly, leave a difference without variance: statistic and
    p-value are ``nan`` with a ``DegenerateDataWarning`` and a ``reason``.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837.
    .. [2] Obuchowski NA. Biometrics 1997;53:567 (clusters).
    .. [3] Robin X et al. BMC Bioinformatics 2011;12:77 (bootstrap test).

    Examples
    --------
    >>> result = compare_aucs([1, 2, 3, 4, 5, 6], [2, 1, 3, 6, 4, 5], [0, 0, 1, 0, 1, 1])
    >>> round(result.estimate, 4), round(result.statistic, 4), round(result.pvalue, 4)
    (0.2222, 0.8944, 0.3711)
    """
    level = validate_confidence_level(confidence_level)
    first, positive = as_scores_and_truth(scores_a, truth)
    second = as_scores(scores_b, name="scores_b")
    require_same_length(second, positive, names=("scores_b", "truth"))
    _validate_alternative(alternative)
    if method not in get_args(AUCMethod):
        raise ValueError(f"method must be one of {get_args(AUCMethod)}, got {method!r}.")
    coded = None if clusters is None else as_cluster_codes(clusters, n=positive.size)
    areas, v10, v01 = placements_of_cells(np.stack([first, second]), positive)
    estimate = float(areas[0] - areas[1])
    multiplier = normal_quantile(level)
    if method == "delong":
        covariance = (
            delong_covariance(v10, v01)
            if coded is None
            else obuchowski_covariance(v10, v01, positive, *coded)
        )
        variance = float(covariance[0, 0] + covariance[1, 1] - 2.0 * covariance[0, 1])
        # Identical placements: rounding must not stand in for a variance.
        variance = 0.0 if abs(variance) <= 1e-14 * float(np.trace(covariance)) else variance
        standard_error = math.sqrt(variance) if variance >= 0.0 else math.nan
        interval = symmetric_interval(estimate, standard_error, multiplier)
        words, seed, n_used = ("DeLong 1988" if coded is None else "Obuchowski 1997 (clusters)"), None, None
    else:
        generator, seed = resolve_rng(rng)
        paired = _paired_bootstrap(
            np.stack([first, second]), positive, coded, method=method, n_resamples=n_resamples, rng=generator
        )
        covariance = np.cov(paired)
        variance, interval, _ = percentile_summary(paired[0] - paired[1], level=level)
        standard_error = math.sqrt(variance)
        words, n_used = bootstrap_words(method, clustered=coded is not None), n_resamples
    reason = (
        None
        if variance > 0.0
        else (
            "the difference has no variance"
            if variance == 0.0
            else variance_reason(variance, int(positive.sum()), int((~positive).sum()))
        )
    )
    if reason is not None:
        warn_degenerate("The test of two AUCs is", reason)
    statistic = estimate / standard_error if variance > 0.0 else math.nan
    return AUCComparison(
        estimate,
        standard_error,
        statistic,
        math.inf,
        normal_pvalue(statistic, alternative),
        interval,
        float(areas[0]),
        float(areas[1]),
        float(covariance[0, 0]),
        float(covariance[1, 1]),
        float(covariance[0, 1]),
        alternative,
        reason,
        Provenance(
            "difference of paired empirical AUCs, normal test",
            words,
            level,
            NO_MISSING,
            df=math.inf,
            seed=seed,
            n_resamples=n_used,
        ),
    )


def _paired_bootstrap(
    scores: Floats,
    positive: Bools,
    coded: tuple[NDArray[np.intp], int] | None,
    *,
    method: AUCMethod,
    n_resamples: int,
    rng: np.random.Generator,
) -> Floats:
    """Return the AUCs (2, defined resamples) of the same resamples of cases."""
    state = rng.bit_generator.state
    rows = []
    for row in scores:
        rng.bit_generator.state = state
        groups = tie_groups(row, positive)
        resamples = bootstrap_counts(
            groups,
            positive,
            coded,
            stratified=method == "bootstrap-stratified",
            n_resamples=n_resamples,
            generator=rng,
        )
        rows.append(np.concatenate([auc_of_counts(w1, w0) for w1, w0 in resamples]))
    paired = np.stack(rows)
    defined: Floats = paired[:, ~np.isnan(paired).any(axis=0)]
    return defined


def compare_independent_aucs(
    scores_a: ArrayLike,
    truth_a: ArrayLike,
    scores_b: ArrayLike,
    truth_b: ArrayLike,
    *,
    confidence_level: float = 0.95,
    alternative: Alternative = "two-sided",
) -> AUCComparison:
    """Estimate and test the difference of two AUCs measured on different cases (two centres, two sexes).

    Parameters
    ----------
    scores_a, scores_b : array_like of float, shapes (n_a,) and (n_b,)
    truth_a, truth_b : array_like of bool or 0/1, shapes (n_a,) and (n_b,)
    confidence_level : float, default 0.95
    alternative : {"two-sided", "less", "greater"}

    Returns
    -------
    AUCComparison
        ``statistic`` refers to Student's t with ``df`` degrees of freedom; ``covariance`` is 0.

    Raises
    ------
    ValueError
        As :func:`auc`.

    Notes
    -----
    D = (A1 - A2) / sqrt(s1 + s2) with DeLong variances s and Satterthwaite degrees of freedom
    (s1 + s2)^2 / (s1^2/(N1 - 1) + s2^2/(N2 - 1)), N = all cases of a curve; what pROC's
    ``roc.test(paired=FALSE)`` computes.

    References
    ----------
    .. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837.
    .. [2] Robin X et al. BMC Bioinformatics 2011;12:77.

    Examples
    --------
    >>> result = compare_independent_aucs([1, 2, 3, 4], [0, 1, 0, 1], [1, 2, 3, 4, 5], [0, 1, 1, 0, 1])
    >>> round(result.estimate, 4), round(result.df, 3), round(result.pvalue, 4)
    (0.0833, 6.942, 0.8758)
    """
    level = validate_confidence_level(confidence_level)
    _validate_alternative(alternative)
    first = auc(scores_a, truth_a, confidence_level=level)
    second = auc(scores_b, truth_b, confidence_level=level)
    estimate = first.estimate - second.estimate
    variance = first.variance + second.variance
    n_a, n_b = (result.n_positive + result.n_negative for result in (first, second))
    reason = None
    if variance > 0.0:
        standard_error = math.sqrt(variance)
        df = variance**2 / (first.variance**2 / (n_a - 1.0) + second.variance**2 / (n_b - 1.0))
        statistic = estimate / standard_error
        interval = symmetric_interval(estimate, standard_error, float(stdtrit(df, 0.5 + level / 2.0)))
    else:
        reason = first.reason or second.reason
        warn_degenerate("The test of two AUCs is", str(reason))
        standard_error = math.sqrt(variance) if variance == 0.0 else math.nan
        df = statistic = math.nan
        interval = symmetric_interval(estimate, standard_error, 0.0)
    return AUCComparison(
        estimate,
        standard_error,
        statistic,
        df,
        student_pvalue(statistic, df, alternative),
        interval,
        first.estimate,
        second.estimate,
        first.variance,
        second.variance,
        0.0,
        alternative,
        reason,
        Provenance(
            "difference of independent empirical AUCs, t test", "DeLong 1988", level, NO_MISSING, df=df
        ),
    )


def normal_pvalue(statistic: float, alternative: Alternative) -> float:
    """Return the p-value of a standard normal statistic."""
    if alternative == "two-sided":
        return 2.0 * float(ndtr(-abs(statistic)))
    return float(ndtr(statistic if alternative == "less" else -statistic))


def student_pvalue(statistic: float, df: float, alternative: Alternative = "two-sided") -> float:
    """Return the p-value of a statistic under Student's t; ``df = inf`` is the normal distribution."""
    if math.isinf(df):
        return normal_pvalue(statistic, alternative)
    if alternative == "two-sided":
        return 2.0 * float(stdtr(df, -abs(statistic)))
    return float(stdtr(df, statistic if alternative == "less" else -statistic))


def _validate_alternative(alternative: str) -> None:
    if alternative not in get_args(Alternative):
        raise ValueError(f"alternative must be one of {get_args(Alternative)}, got {alternative!r}.")
