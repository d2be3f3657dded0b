"""Multi-reader multi-case analysis by Dorfman, Berbaum and Metz: an analysis of variance of pseudovalues."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.stats._binary_truth import Floats
from equipoise.stats._common import ConfidenceInterval, Provenance, validate_confidence_level, warn_degenerate
from equipoise.stats._mrmc import read_for_metric, validate_effects
from equipoise.stats._mrmc_covariance import Cells, estimates_of_cells, leave_one_out
from equipoise.stats._mrmc_inference import (
    Comparison,
    Effects,
    anova_row,
    equality_test,
    pairwise_differences,
    satterthwaite,
    wald,
)
from equipoise.stats._mrmc_metrics import Focus, Metric, figure_of_merit
from equipoise.stats._mrmc_results import AnovaRow, Difference, EqualityTest, ReaderDifference
from equipoise.stats._tidy import Table


@dataclass(frozen=True)
class PseudovalueComponents:
    """Variance components of pseudovalues; negative values are reported as they are."""

    var_reader: float
    var_case: float
    var_condition_reader: float
    var_condition_case: float
    var_reader_case: float
    var_error: float


@dataclass(frozen=True)
class PseudovalueMean:
    """The mean of one condition, from that condition's pseudovalues only. The interval is not cut."""

    condition: Any
    estimate: float
    standard_error: float
    df: float
    confidence_interval: ConfidenceInterval
    reason: str | None = None


@dataclass(frozen=True)
class DBMResult:
    """An analysis of variance of pseudovalues.

    Attributes
    ----------
    reader_estimates : ndarray of float, shape (conditions, readers)
    conditions, reader_labels : tuple of label
    anova : mapping of str to AnovaRow
        ``condition``, ``reader``, ``case`` and their products such as ``condition x case``; ``total``.
    components : PseudovalueComponents
    test_equality : EqualityTest
    differences : tuple of Difference
    condition_means : tuple of PseudovalueMean
    reader_differences : tuple of ReaderDifference
        Only with fixed readers.
    readers, cases : str
    n_cases : int
        Cases with a pseudovalue.
    reason : str or None
    provenance : Provenance
    """

    reader_estimates: Floats
    conditions: tuple[Any, ...]
    reader_labels: tuple[Any, ...]
    anova: Mapping[str, AnovaRow]
    components: PseudovalueComponents
    test_equality: EqualityTest
    differences: tuple[Difference, ...]
    condition_means: tuple[PseudovalueMean, ...]
    reader_differences: tuple[ReaderDifference, ...]
    readers: str
    cases: str
    n_cases: int
    reason: str | None
    provenance: Provenance

    @property
    def method(self) -> str:
        """The estimator, in words."""
        return self.provenance.method


def mrmc_dbm(
    readings: Table,
    *,
    metric: Metric = "auc",
    readers: Effects = "random",
    cases: Effects = "random",
    confidence_level: float = 0.95,
    threshold: float | None = None,
    between: tuple[float, float] = (0.8, 1.0),
    focus: Focus = "specificity",
    normalized: bool = False,
    at: float | None = None,
) -> DBMResult:
    """Compare reading conditions by a three-way analysis of variance of jackknife pseudovalues.

    Parameters
    ----------
    readings : data frame, mapping of columns, or list of rows
        As :func:`mrmc`; every reader must have read every case in every condition, two of each at least.
    metric, threshold, between, focus, normalized, at
        As :func:`mrmc`.
    readers, cases : {"random", "fixed"}, default "random"
    confidence_level : float, default 0.95

    Returns
    -------
    DBMResult

    Raises
    ------
    ValueError
        As :func:`mrmc`, or if the readings are not fully crossed.

    Notes
    -----
    Pseudovalue of condition i, reader j, case k: K A_ij - (K - 1) A_ij(k). With random readers and cases, F,
    degrees of freedom and p-value equal those of :func:`mrmc` with the jackknife covariance. With fixed
    readers the test is F = MS(TC) against (t - 1)(K - 1) degrees of freedom, so the p-value differs slightly
    from the chi-square there. Intervals of means are not cut to the range.

    References
    ----------
    .. [1] Dorfman DD, Berbaum KS, Metz CE. Invest Radiol 1992;27:723.
    .. [2] Hillis SL, Berbaum KS, Metz CE. Acad Radiol 2008;15:647.

    Examples
    --------
    >>> ratings = {  # reader, condition -> ratings of cases 1 to 6, of which 4 to 6 are diseased
    ...     ("a", "aided"): [1, 3, 2, 3, 4, 4], ("a", "unaided"): [1, 3, 2, 2, 4, 3],
    ...     ("b", "aided"): [1, 1, 3, 2, 3, 4], ("b", "unaided"): [2, 1, 3, 3, 2, 4],
    ...     ("c", "aided"): [2, 1, 1, 1, 3, 4], ("c", "unaided"): [2, 1, 4, 3, 2, 3],
    ... }
    >>> rows = [
    ...     {"reader": reader, "condition": condition, "case": case, "truth": int(case > 3), "score": score}
    ...     for (reader, condition), scores in ratings.items()
    ...     for case, score in enumerate(scores, start=1)
    ... ]
    >>> result = mrmc_dbm(rows)
    >>> round(result.differences[0].estimate, 4), round(result.test_equality.statistic, 4)
    (0.1296, 12.25)
    """
    level = validate_confidence_level(confidence_level)
    validate_effects(readers, cases)
    merit = figure_of_merit(
        metric, threshold=threshold, between=between, focus=focus, normalized=normalized, at=at
    )
    array = read_for_metric(
        readings, merit, threshold=threshold, clusters=None, refuse_algorithms=readers == "random"
    )
    t, r = len(array.conditions), len(array.readers)
    if not array.read.all() or t < 2 or r < 2:
        raise ValueError(
            "DBM needs two or more conditions and readers, with every case read in every cell: use mrmc, which "
            "handles other designs."
        )
    cells = Cells(array.scores.reshape(t * r, -1), array.positive, None, merit)
    table = estimates_of_cells(cells).reshape(t, r)
    without = leave_one_out(cells)
    k = without.shape[1]
    pseudovalues = (k * table[:, :, None] - (k - 1.0) * without.reshape(t, r, k)).astype(np.float64)
    anova = _three_way(pseudovalues)
    comparison = _comparison(anova, readers=readers, cases=cases)
    variance = 2.0 * comparison.denominator / (r * k)
    test = equality_test(anova["condition"].mean_square, t - 1, comparison)
    means = tuple(
        _mean(condition, estimates, values, readers=readers, cases=cases, level=level)
        for condition, estimates, values in zip(array.conditions, table, pseudovalues, strict=True)
    )
    if test.reason is not None:
        warn_degenerate("The comparison of pseudovalues is", test.reason)
    return DBMResult(
        table,
        array.conditions,
        array.readers,
        anova,
        _components(anova, t, r, k),
        test,
        pairwise_differences(array.conditions, table.mean(axis=1), variance, comparison.df, level=level),
        means,
        tuple(_reader_differences(array.conditions, array.readers, table, pseudovalues, level=level))
        if readers == "fixed" and cases == "random"
        else (),
        readers,
        cases,
        k,
        test.reason,
        Provenance(
            f"Dorfman-Berbaum-Metz, Hillis degrees of freedom, {readers} readers, {cases} cases; {merit.words}",
            "pseudovalues of the jackknife of cases",
            level,
            array.missing_words,
            df=comparison.df,
        ),
    )


def _three_way(values: Floats) -> dict[str, AnovaRow]:
    """Return the three-way analysis of variance without replication of (conditions, readers, cases)."""
    axes = {"condition": 0, "reader": 1, "case": 2}
    centred = values - values.mean()
    effects: dict[str, NDArray[np.float64]] = {}
    rows = {}
    names = [("condition",), ("reader",), ("case",), ("condition", "reader"), ("condition", "case")]
    names += [("reader", "case"), ("condition", "reader", "case")]
    for factors in names:
        others = tuple(axis for name, axis in axes.items() if name not in factors)
        effect = centred.mean(axis=others, keepdims=True) if others else centred.copy()
        for name, lower in effects.items():
            if set(name.split(" x ")) < set(factors):
                effect = effect - lower
        label = " x ".join(factors)
        effects[label] = effect
        df = math.prod(values.shape[axes[name]] - 1 for name in factors)
        repeats = math.prod(values.shape[axis] for axis in others)
        rows[label] = anova_row(df, repeats * float((effect**2).sum()))
    rows["total"] = anova_row(values.size - 1, float((centred**2).sum()))
    return rows


def _components(anova: Mapping[str, AnovaRow], t: int, r: int, k: int) -> PseudovalueComponents:
    ms = {name: row.mean_square for name, row in anova.items()}
    error = ms["condition x reader x case"]
    return PseudovalueComponents(
        (ms["reader"] - ms["condition x reader"] - ms["reader x case"] + error) / (t * k),
        (ms["case"] - ms["condition x case"] - ms["reader x case"] + error) / (t * r),
        (ms["condition x reader"] - error) / k,
        (ms["condition x case"] - error) / r,
        (ms["reader x case"] - error) / t,
        error,
    )


def _comparison(anova: Mapping[str, AnovaRow], *, readers: Effects, cases: Effects) -> Comparison:
    by_reader, by_case = anova["condition x reader"], anova["condition x case"]
    if readers == "fixed" and cases == "fixed":
        return Comparison(math.nan, math.nan, "F")
    if readers == "fixed":
        return Comparison(by_case.mean_square, float(by_case.df), "F")
    if cases == "fixed":
        return Comparison(by_reader.mean_square, float(by_reader.df), "F")
    error = anova["condition x reader x case"].mean_square
    denominator = by_reader.mean_square + max(by_case.mean_square - error, 0.0)
    return Comparison(denominator, satterthwaite(denominator, by_reader.mean_square, by_reader.df), "F")


def _mean(
    condition: Any, estimates: Floats, values: Floats, *, readers: Effects, cases: Effects, level: float
) -> PseudovalueMean:
    r, k = values.shape
    grand = values.mean()
    by_reader, by_case = values.mean(axis=1) - grand, values.mean(axis=0) - grand
    ms_reader = k * float((by_reader**2).sum()) / (r - 1)
    ms_case = r * float((by_case**2).sum()) / (k - 1)
    residual = values - grand - by_reader[:, None] - by_case[None, :]
    ms_both = float((residual**2).sum()) / ((r - 1) * (k - 1))
    if readers == "fixed" and cases == "fixed":
        total, df = math.nan, math.nan
    elif readers == "fixed":
        total, df = ms_case, float(k - 1)
    elif cases == "fixed":
        total, df = ms_reader, float(r - 1)
    else:
        total = ms_reader + max(ms_case - ms_both, 0.0)
        df = satterthwaite(total, ms_reader, r - 1)
    estimate, standard_error, df, _, _, interval, reason = wald(
        float(estimates.mean()), total / (r * k), df, level=level
    )
    return PseudovalueMean(condition, estimate, standard_error, df, interval, reason)


def _reader_differences(
    conditions: tuple[Any, ...],
    readers: tuple[Any, ...],
    table: Floats,
    values: Floats,
    *,
    level: float,
) -> list[ReaderDifference]:
    """Return every fixed reader's differences, tested on the condition x case mean square of that reader.

    Degrees of freedom are the number of cases less one, whatever the number of conditions, as in RJafroc.
    """
    t, _, k = values.shape
    found = []
    for j, reader in enumerate(readers):
        own = values[:, j]
        residual = own - own.mean(axis=1, keepdims=True) - own.mean(axis=0, keepdims=True) + own.mean()
        variance = 2.0 * float((residual**2).sum()) / ((t - 1) * (k - 1)) / k
        found += [
            ReaderDifference(**vars(difference), reader=reader)
            for difference in pairwise_differences(
                conditions, table[:, j], variance, float(k - 1), level=level
            )
        ]
    return found
