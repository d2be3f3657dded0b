"""Obuchowski-Rockette inference with Hillis' degrees of freedom, from a table of estimates and their covariance.

Notation of the sources: t conditions, r readers, A the table of estimates, V the error covariance of its
cells.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, fdtrc, ndtri, stdtrit

from equipoise.stats._binary_truth import Floats
from equipoise.stats._common import ConfidenceInterval, symmetric_interval
from equipoise.stats._compare_aucs import student_pvalue
from equipoise.stats._mrmc_results import (
    AnovaRow,
    ConditionMean,
    Difference,
    EqualityTest,
    ReaderDifference,
    VarianceComponents,
    no_test,
)

Effects = Literal["random", "fixed"]

NEGLIGIBLE = 1e-14
"""Share of a quantity's scale below which it is rounding and counts as 0."""


@dataclass(frozen=True)
class ErrorTerms:
    """The means of blocks of V, over the pairs of cells that exist."""

    var_error: float
    cov1: float
    cov2: float
    cov3: float


def error_terms(
    covariance: Floats, condition: NDArray[np.intp], reader: NDArray[np.intp], *, case_design: str
) -> ErrorTerms:
    """Return the mean variance and the three mean covariances; 0 where the design or a single level leaves no pair."""
    same_condition = condition[:, None] == condition[None, :]
    same_reader = reader[:, None] == reader[None, :]

    def mean(member: NDArray[np.bool_]) -> float:
        return float(covariance[member].mean()) if member.any() else 0.0

    in_readers, in_conditions = "readers" in case_design, "conditions" in case_design
    return ErrorTerms(
        float(np.diagonal(covariance).mean()),
        0.0 if in_conditions else mean(~same_condition & same_reader),
        0.0 if in_readers else mean(same_condition & ~same_reader),
        0.0 if in_readers or in_conditions else mean(~same_condition & ~same_reader),
    )


def crossed_anova(table: Floats) -> dict[str, AnovaRow]:
    """Return the two-way analysis of variance without replication of a table (conditions, readers)."""
    t, r = table.shape
    grand = table.mean()
    by_condition, by_reader = table.mean(axis=1), table.mean(axis=0)
    residual = table - by_condition[:, None] - by_reader[None, :] + grand
    return {
        "condition": anova_row(t - 1, r * float(((by_condition - grand) ** 2).sum())),
        "reader": anova_row(r - 1, t * float(((by_reader - grand) ** 2).sum())),
        "condition x reader": anova_row((t - 1) * (r - 1), float((residual**2).sum())),
    }


def nested_anova(groups: Sequence[Floats]) -> dict[str, AnovaRow]:
    """Return the one-way analysis of variance of readers nested in conditions."""
    everything = np.concatenate(groups)
    between = sum(group.size * float((group.mean() - everything.mean()) ** 2) for group in groups)
    within = sum(float(((group - group.mean()) ** 2).sum()) for group in groups)
    return {
        "condition": anova_row(len(groups) - 1, between),
        "reader within condition": anova_row(everything.size - len(groups), within),
    }


def anova_row(df: int, sum_of_squares: float) -> AnovaRow:
    """Return a line of the table; without degrees of freedom the mean square is ``nan``."""
    return AnovaRow(df, sum_of_squares, sum_of_squares / df if df > 0 else math.nan)


def crossed_components(
    anova: dict[str, AnovaRow], errors: ErrorTerms, *, n_conditions: int, n_readers: int
) -> VarianceComponents:
    """Return the variance components of crossed readers; negative values are kept."""
    ms_reader, ms_both = anova["reader"].mean_square, anova["condition x reader"].mean_square
    if n_conditions == 1 or n_readers == 1:
        # One row or column has no interaction to separate from the reader component.
        var_reader = ms_reader - errors.var_error + errors.cov2 if n_readers > 1 else math.nan
        return VarianceComponents(
            var_reader, math.nan, errors.var_error, errors.cov1, errors.cov2, errors.cov3
        )
    return VarianceComponents(
        (ms_reader - ms_both) / n_conditions - errors.cov1 + errors.cov3,
        ms_both - errors.var_error + errors.cov1 + (errors.cov2 - errors.cov3),
        errors.var_error,
        errors.cov1,
        errors.cov2,
        errors.cov3,
    )


@dataclass(frozen=True)
class Comparison:
    """What the pairwise differences and the overall test share: the denominator and its degrees of freedom."""

    denominator: float
    df: float
    distribution: str


def crossed_comparison(
    anova: dict[str, AnovaRow], errors: ErrorTerms, *, n_readers: int, readers: Effects, cases: Effects
) -> Comparison:
    """Return denominator and degrees of freedom of the three inferences [Hillis 2007, Hillis et al. 2008]."""
    ms_both, df_both = anova["condition x reader"].mean_square, anova["condition x reader"].df
    between_readers = max(errors.cov2 - errors.cov3, 0.0)
    if readers == "fixed":
        denominator = errors.var_error - errors.cov1 + (n_readers - 1) * between_readers
        return Comparison(denominator, math.inf, "chi-square")
    if cases == "fixed":
        return Comparison(ms_both, float(df_both), "F")
    denominator = ms_both + n_readers * between_readers
    return Comparison(denominator, satterthwaite(denominator, ms_both, df_both), "F")


def satterthwaite(denominator: float, mean_square: float, df: int) -> float:
    """Return D^2 / (MS^2 / df): the degrees of freedom of a mean square plus a quantity taken as known."""
    if mean_square == 0.0:
        return math.inf if denominator > 0.0 else math.nan
    return denominator**2 / (mean_square**2 / df)


def equality_test(mean_square: float, df: int, comparison: Comparison) -> EqualityTest:
    """Test that all conditions are equal, given the mean square of conditions."""
    denominator = comparison.denominator
    if not denominator > 0.0:
        return no_test(comparison.distribution, _variance_words(denominator))
    if comparison.distribution == "F":
        statistic = mean_square / denominator
        pvalue = (
            float(chdtrc(df, df * statistic))
            if math.isinf(comparison.df)
            else float(fdtrc(df, comparison.df, statistic))
        )
        return EqualityTest(statistic, (float(df), comparison.df), pvalue, denominator, "F")
    statistic = df * mean_square / denominator
    return EqualityTest(statistic, (float(df),), float(chdtrc(df, statistic)), denominator, "chi-square")


def pairwise_differences(
    conditions: Sequence[Any], means: Floats, variances: Floats | float, df: float, *, level: float
) -> tuple[Difference, ...]:
    """Return every difference of two conditions; `variances` of a difference, for all or per pair (t, t)."""
    by_pair = np.broadcast_to(np.asarray(variances), (len(conditions), len(conditions)))
    found = []
    for i, j in combinations(range(len(conditions)), 2):
        test = wald(float(means[i] - means[j]), float(by_pair[i, j]), df, level=level)
        found.append(Difference(conditions[i], conditions[j], *test))
    return tuple(found)


def wald(
    estimate: float, variance: float, df: float, *, level: float
) -> tuple[float, float, float, float, float, ConfidenceInterval, str | None]:
    """Return estimate, standard error, df, statistic, p-value, interval and why they are not available."""
    if not variance > 0.0 or math.isnan(df):
        nan = math.nan
        standard_error = 0.0 if variance == 0.0 else nan
        return (
            estimate,
            standard_error,
            nan,
            nan,
            nan,
            ConfidenceInterval(nan, nan),
            _variance_words(variance),
        )
    standard_error = math.sqrt(variance)
    statistic = estimate / standard_error
    interval = symmetric_interval(estimate, standard_error, multiplier(df, level))
    return estimate, standard_error, df, statistic, student_pvalue(statistic, df), interval, None


def multiplier(df: float, level: float) -> float:
    """Return the two-sided multiplier of Student's t; ``df = inf`` is the normal distribution."""
    probability = 0.5 + level / 2.0
    return float(ndtri(probability) if math.isinf(df) else stdtrit(df, probability))


def condition_mean(
    condition: Any,
    estimates: Floats,
    block: Floats,
    *,
    readers: Effects,
    cases: Effects,
    case_design: str,
    level: float,
    bounds: tuple[float, float],
) -> ConditionMean:
    """Return one condition's mean over readers, from its own estimates and its own block of V."""
    r = estimates.size
    estimate = float(estimates.mean())
    ms_reader = float(estimates.var(ddof=1)) if r > 1 else math.nan
    var_error = float(np.diagonal(block).mean())
    off_diagonal = block[~np.eye(r, dtype=np.bool_)]
    cov2 = 0.0 if r == 1 or "readers" in case_design else float(off_diagonal.mean())
    df = math.inf
    if readers == "fixed":
        variance = (var_error + (r - 1) * max(cov2, 0.0)) / r if cases == "random" else math.nan
    elif cases == "fixed":
        variance, df = ms_reader / r, float(r - 1)
    else:
        total = ms_reader + r * max(cov2, 0.0)
        variance, df = total / r, satterthwaite(total, ms_reader, r - 1)
    _, standard_error, df, _, _, interval, reason = wald(estimate, variance, df, level=level)
    return ConditionMean(
        condition,
        estimate,
        standard_error,
        df,
        interval.cut(*bounds),
        ms_reader,
        var_error,
        cov2,
        r,
        reason,
    )


def reader_differences(
    conditions: Sequence[Any], readers: Sequence[Any], table: Floats, covariance: Floats, *, level: float
) -> Iterator[ReaderDifference]:
    """Yield every fixed reader's differences, their variance averaged over that reader's conditions."""
    t, r = table.shape
    blocks = covariance.reshape(t, r, t, r)
    for j, reader in enumerate(readers):
        block = blocks[:, j, :, j]
        cov1 = float(block[~np.eye(t, dtype=np.bool_)].mean())
        variance = 2.0 * (float(np.diagonal(block).mean()) - cov1)
        for difference in pairwise_differences(conditions, table[:, j], variance, math.inf, level=level):
            yield ReaderDifference(**vars(difference), reader=reader)


def _variance_words(variance: float) -> str:
    if variance == 0.0:
        return "the estimated variance is 0"
    if variance < 0.0:
        return "the estimated variance is negative"
    return "the variance cannot be estimated from these readings"
