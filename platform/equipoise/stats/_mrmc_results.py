"""What a multi-reader multi-case analysis returns."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equipoise.stats._binary_truth import Floats
from equipoise.stats._common import ConfidenceInterval, Provenance


@dataclass(frozen=True)
class ReaderEstimate:
    """One reader in one condition.

    Attributes
    ----------
    condition, reader : label
    estimate : float
    standard_error : float
        From the case variation alone (the diagonal of the covariance).
    confidence_interval : ConfidenceInterval
        Normal, cut to the metric's range.
    n : int
        Cases read that enter the metric.
    """

    condition: Any
    reader: Any
    estimate: float
    standard_error: float
    confidence_interval: ConfidenceInterval
    n: int


@dataclass(frozen=True)
class AnovaRow:
    """One line of an analysis of variance table."""

    df: int
    sum_of_squares: float
    mean_square: float


@dataclass(frozen=True)
class VarianceComponents:
    """Obuchowski-Rockette components; negative values are reported as they are.

    Attributes
    ----------
    var_reader, var_interaction : float
        Between readers, and reader x condition.
    var_error, cov1, cov2, cov3 : float
        Error variance, and error covariances of the same reader in different conditions, of different readers
        in the same condition, and of different readers in different conditions.
    """

    var_reader: float
    var_interaction: float
    var_error: float
    cov1: float
    cov2: float
    cov3: float


@dataclass(frozen=True)
class EqualityTest:
    """The test that all conditions have the same mean.

    Attributes
    ----------
    statistic : float
        F or chi-square.
    df : tuple of float
        (df1, df2) of F, (df,) of chi-square.
    pvalue : float
    denominator : float
        Of the statistic: the error mean square.
    distribution : {"F", "chi-square"}
    reason : str or None
        Why the test is not available.
    """

    statistic: float
    df: tuple[float, ...]
    pvalue: float
    denominator: float
    distribution: str
    reason: str | None = None


@dataclass(frozen=True)
class Difference:
    """The difference of two conditions, first minus second; ``df`` is ``inf`` for a normal test."""

    first: Any
    second: Any
    estimate: float
    standard_error: float
    df: float
    statistic: float
    pvalue: float
    confidence_interval: ConfidenceInterval
    reason: str | None = None


@dataclass(frozen=True)
class ReaderDifference(Difference):
    """The difference of two conditions for one fixed reader."""

    reader: Any = None


@dataclass(frozen=True)
class ConditionMean:
    """The mean of one condition over readers, from that condition's data only.

    Attributes
    ----------
    condition : label
    estimate, standard_error, df : float
    confidence_interval : ConfidenceInterval
    ms_reader : float
        Variance of the readers' estimates.
    var_error, cov2 : float
        Mean error variance of a cell, mean error covariance of two readers.
    n_readers : int
    reason : str or None
    """

    condition: Any
    estimate: float
    standard_error: float
    df: float
    confidence_interval: ConfidenceInterval
    ms_reader: float
    var_error: float
    cov2: float
    n_readers: int
    reason: str | None = None


@dataclass(frozen=True)
class MRMCResult:
    """A multi-reader multi-case analysis.

    Attributes
    ----------
    reader_estimates : tuple of ReaderEstimate
        Condition by condition.
    covariance : ndarray of float, shape (cells, cells)
        Error covariance of ``reader_estimates``, in their order.
    anova : mapping of str to AnovaRow
        ``condition``, ``reader``, ``condition x reader``; ``reader within condition`` where readers are
        nested.
    components : VarianceComponents
    test_equality : EqualityTest
    differences : tuple of Difference
    condition_means : tuple of ConditionMean
    reader_differences : tuple of ReaderDifference
        Only with fixed readers.
    metric, readers, cases : str
        As analysed: one reader is always fixed.
    case_design, reader_design : str
        What the table shows.
    n_readers, n_cases, n_positive, n_negative : int
    left_out_readers : tuple of label
        Readers without an estimate in every condition, left out of everything but ``reader_estimates``.
    reason : str or None
        What is not available, and why.
    provenance : Provenance
    """

    reader_estimates: tuple[ReaderEstimate, ...]
    covariance: Floats
    anova: Mapping[str, AnovaRow]
    components: VarianceComponents
    test_equality: EqualityTest
    differences: tuple[Difference, ...]
    condition_means: tuple[ConditionMean, ...]
    reader_differences: tuple[ReaderDifference, ...]
    metric: str
    readers: str
    cases: str
    case_design: str
    reader_design: str
    n_readers: int
    n_cases: int
    n_positive: int
    n_negative: int
    left_out_readers: tuple[Any, ...]
    reason: str | None
    provenance: Provenance

    @property
    def method(self) -> str:
        """The estimator, in words."""
        return self.provenance.method

    @property
    def covariance_labels(self) -> tuple[tuple[Any, Any], ...]:
        """(condition, reader) of every row of the covariance."""
        return tuple((row.condition, row.reader) for row in self.reader_estimates)

    def difference(self, first: Any, second: Any) -> Difference:
        """Return the difference of two named conditions, in the order named.

        Raises
        ------
        ValueError
            If the conditions are not among those compared.
        """
        for found in self.differences:
            if (found.first, found.second) == (first, second):
                return found
            if (found.first, found.second) == (second, first):
                interval = ConfidenceInterval(-found.confidence_interval.high, -found.confidence_interval.low)
                return Difference(
                    first,
                    second,
                    -found.estimate,
                    found.standard_error,
                    found.df,
                    -found.statistic,
                    found.pvalue,
                    interval,
                    found.reason,
                )
        names = [mean.condition for mean in self.condition_means]
        raise ValueError(f"no difference of {first!r} and {second!r}: the conditions are {names}.")


def no_test(distribution: str, reason: str) -> EqualityTest:
    """Return the test that is not available."""
    return EqualityTest(math.nan, (), math.nan, math.nan, distribution, reason)
