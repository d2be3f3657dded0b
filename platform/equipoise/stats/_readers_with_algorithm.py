"""Readers against a stand-alone algorithm: random readers, a fixed comparator."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.stats._binary_truth import Floats
from equipoise.stats._common import ConfidenceInterval, Provenance, validate_confidence_level, warn_degenerate
from equipoise.stats._mrmc import read_for_metric
from equipoise.stats._mrmc_covariance import Cells, estimates_of_cells, leave_one_out
from equipoise.stats._mrmc_inference import Effects, condition_mean, wald
from equipoise.stats._mrmc_metrics import Focus, Metric, figure_of_merit
from equipoise.stats._tidy import Columns, Table, label, sort_labels


@dataclass(frozen=True)
class ReaderVersusAlgorithm:
    """One reader against the algorithm on that reader's cases, reader minus algorithm; normal test."""

    reader: Any
    reader_estimate: float
    algorithm_estimate: float
    estimate: float
    standard_error: float
    df: float
    statistic: float
    pvalue: float
    confidence_interval: ConfidenceInterval
    n_cases: int
    reason: str | None = None


@dataclass(frozen=True)
class ReadersWithAlgorithm:
    """The mean difference of readers and an algorithm, readers minus algorithm.

    Attributes
    ----------
    estimate, standard_error, df, statistic, pvalue : float
    confidence_interval : ConfidenceInterval
        Not cut.
    readers_mean, algorithm_estimate : float
        The algorithm's estimate is over all cases in the table.
    reader_differences : tuple of ReaderVersusAlgorithm
    covariance : ndarray of float, shape (readers, readers)
        Error covariance of the differences.
    ms_reader, var_error, cov2 : float
        Variance of the differences between readers; mean error variance; mean error covariance.
    readers : {"random", "fixed"}
        As analysed: a single reader is fixed.
    n_readers, n_cases, n_positive, n_negative : int
    reason : str or None
    provenance : Provenance
    """

    estimate: float
    standard_error: float
    df: float
    statistic: float
    pvalue: float
    confidence_interval: ConfidenceInterval
    readers_mean: float
    algorithm_estimate: float
    reader_differences: tuple[ReaderVersusAlgorithm, ...]
    covariance: Floats
    ms_reader: float
    var_error: float
    cov2: float
    readers: str
    n_readers: int
    n_cases: int
    n_positive: int
    n_negative: int
    reason: str | None
    provenance: Provenance

    @property
    def method(self) -> str:
        """The estimator, in words."""
        return self.provenance.method


def compare_readers_with_algorithm(
    readings: Table,
    algorithm_scores: Any,
    truth: Any,
    metric: Metric = "auc",
    *,
    readers: Effects = "random",
    confidence_level: float = 0.95,
    clusters: str | Sequence[Any] | None = None,
    threshold: float | None = None,
    between: tuple[float, float] = (0.8, 1.0),
    focus: Focus = "specificity",
    normalized: bool = False,
    at: float | None = None,
) -> ReadersWithAlgorithm:
    """Compare the readers of one condition with a stand-alone algorithm on the same cases.

    Parameters
    ----------
    readings : data frame, mapping of columns, or list of rows
        ``reader, case, score`` of one condition. Rows of algorithms are refused.
    algorithm_scores : mapping of case to score, series indexed by case, or table with ``case`` and ``score``
        On the readers' scale or any other: only the order counts for the AUC. A failed result needs a score
        by the protocol's rule (by default the lowest rank) before it comes here.
    truth : mapping of case to 0/1, series indexed by case, or table with ``case`` and ``truth``
    metric, threshold, between, focus, normalized, at
        As :func:`mrmc`. A threshold applies to readers and algorithm alike.
    readers : {"random", "fixed"}, default "random"
    confidence_level : float, default 0.95
    clusters : str or sequence of label, optional
        As :func:`mrmc`: whole clusters are then deleted by the jackknife.

    Returns
    -------
    ReadersWithAlgorithm

    Raises
    ------
    ValueError
        As :func:`mrmc`; or if there are several conditions, or a case that was read has no algorithm score or
        truth.

    Notes
    -----
    Each reader's difference is taken on the cases that this reader read. The error covariance of the
    differences comes from the jackknife over cases; mean and interval are those of a single test with random
    readers and cases: SE^2 = (MS(R) + r max(cov2, 0))/r with df = (MS(R) + r max(cov2, 0))^2 / (MS(R)^2/(r -
    1)). The algorithm is fixed: the conclusion is about this algorithm and readers like these.

    References
    ----------
    .. [1] Hillis SL, Obuchowski NA, Schartz KM, Berbaum KS. Stat Med 2005;24:1579 (single test).
    .. [2] Chakraborty DP. RJafroc, ``StSignificanceTestingCadVsRad``, method 1T-RRRC.

    Examples
    --------
    >>> rows = [{"reader": reader, "case": case, "score": score}
    ...         for reader, scores in {"a": [1, 2, 2, 3, 4, 4], "b": [1, 3, 2, 2, 4, 3]}.items()
    ...         for case, score in enumerate(scores)]
    >>> truth = {case: int(case > 2) for case in range(6)}
    >>> algorithm = {0: 0.1, 1: 0.2, 2: 0.85, 3: 0.4, 4: 0.8, 5: 0.9}
    >>> result = compare_readers_with_algorithm(rows, algorithm, truth)
    >>> round(result.estimate, 4), round(result.algorithm_estimate, 4), round(result.pvalue, 4)
    (0.1111, 0.7778, 0.7175)
    """
    level = validate_confidence_level(confidence_level)
    merit = figure_of_merit(
        metric, threshold=threshold, between=between, focus=focus, normalized=normalized, at=at
    )
    table = _with_truth(readings, _by_case(truth, "truth"))
    array = read_for_metric(table, merit, threshold=threshold, clusters=clusters, refuse_algorithms=True)
    algorithm = _algorithm_row(array.units, _by_case(algorithm_scores, "score"))
    read = array.read[0]
    r = len(array.readers)
    scores = np.concatenate([array.scores[0], np.where(read, algorithm[None, :], np.nan), algorithm[None, :]])
    cells = Cells(scores, array.positive, array.clusters, merit)
    estimates = estimates_of_cells(cells)
    without = leave_one_out(Cells(scores[:-1], array.positive, array.clusters, merit))
    k = without.shape[1]
    deviations = without[:r] - without[r:]
    deviations = deviations - deviations.mean(axis=1, keepdims=True)
    covariance: Floats = (k - 1.0) / k * (deviations @ deviations.T)
    differences = estimates[:r] - estimates[r : 2 * r]
    as_analysed: Effects = "fixed" if r == 1 else readers
    mean = condition_mean(
        "readers minus algorithm",
        differences,
        covariance,
        readers=as_analysed,
        cases="random",
        case_design=array.case_design,
        level=level,
        bounds=(-math.inf, math.inf),
    )
    variance = mean.standard_error**2
    estimate, standard_error, df, statistic, pvalue, interval, reason = wald(
        mean.estimate, variance, mean.df, level=level
    )
    if reason is not None:
        warn_degenerate("The comparison with the algorithm is", reason)
    return ReadersWithAlgorithm(
        estimate,
        standard_error,
        df,
        statistic,
        pvalue,
        interval,
        float(estimates[:r].mean()),
        float(estimates[-1]),
        tuple(
            ReaderVersusAlgorithm(
                reader,
                float(estimates[j]),
                float(estimates[r + j]),
                *wald(float(differences[j]), float(covariance[j, j]), math.inf, level=level)[:6],
                int(read[j].sum()),
                wald(float(differences[j]), float(covariance[j, j]), math.inf, level=level)[6],
            )
            for j, reader in enumerate(array.readers)
        ),
        covariance,
        mean.ms_reader,
        mean.var_error,
        mean.cov2,
        as_analysed,
        r,
        len(array.units),
        int(array.positive.sum()),
        int((~array.positive).sum()),
        reason,
        Provenance(
            f"readers minus algorithm, single-test Obuchowski-Rockette, {as_analysed} readers, random cases, "
            f"fixed algorithm; {merit.words}",
            "jackknife of cases" if array.clusters is None else "jackknife of clusters",
            level,
            array.missing_words,
            df=df,
        ),
    )


def _by_case(values: Any, column: str) -> dict[Any, Any]:
    """Return case -> value of a mapping, of a series indexed by case, or of a table with the columns."""
    if isinstance(values, Mapping) and not ("case" in values and column in values):
        return {label(case): value for case, value in values.items()}
    if hasattr(values, "index") and hasattr(values, "items") and not hasattr(values, "columns"):
        return {label(case): value for case, value in values.items()}
    columns = Columns(values)
    columns.require(["case", column])
    return dict(zip(columns.labels("case"), columns.numbers(column), strict=True))


def _with_truth(readings: Table, truth: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the readings with the reference standard, and one condition where the table names none."""
    columns = Columns(readings)
    columns.require(["case"])
    kept = [
        name
        for name in (
            "reader",
            "participant",
            "participant_kind",
            "case",
            "item",
            "repeat",
            "score",
            "decision",
        )
        if name in columns
    ]
    table: dict[str, Any] = {name: list(columns.labels(name)) for name in kept}
    conditions = set(columns.optional_labels("condition")) - {None}
    if len(conditions) > 1:
        raise ValueError(
            f"readings hold {len(conditions)} conditions: compare one at a time with the algorithm."
        )
    absent = sort_labels({case for case in table["case"] if case not in truth})
    if absent:
        raise ValueError(f"truth lacks the cases {absent[:5]}.")
    table["condition"] = ["readers"] * columns.length
    table["truth"] = [truth[case] for case in table["case"]]
    return table


def _algorithm_row(units: tuple[Any, ...], scores: Mapping[Any, Any]) -> Floats:
    absent = [unit for unit in units if unit not in scores]
    if absent:
        raise ValueError(
            f"algorithm_scores lacks the cases {absent[:5]}: give a failed result a score by the protocol's rule."
        )
    row = np.array([scores[unit] for unit in units], dtype=np.float64)
    if not np.isfinite(row).all():
        raise ValueError(f"algorithm_scores must be finite, got {row[~np.isfinite(row)][0]}.")
    return row
