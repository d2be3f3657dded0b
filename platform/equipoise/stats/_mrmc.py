"""Multi-reader multi-case analysis by Obuchowski and Rockette with Hillis' degrees of freedom."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from equipoise.stats._binary_truth import Floats
from equipoise.stats._common import (
    Provenance,
    Rng,
    normal_quantile,
    resolve_rng,
    symmetric_interval,
    validate_confidence_level,
    warn_degenerate,
)
from equipoise.stats._curve_values import Steps
from equipoise.stats._mrmc_covariance import Cells, Covariance, covariance_of_cells, estimates_of_cells
from equipoise.stats._mrmc_inference import (
    Comparison,
    Effects,
    ErrorTerms,
    condition_mean,
    crossed_anova,
    crossed_comparison,
    crossed_components,
    equality_test,
    error_terms,
    nested_anova,
    pairwise_differences,
    reader_differences,
)
from equipoise.stats._mrmc_metrics import FigureOfMerit, Focus, Metric, figure_of_merit
from equipoise.stats._mrmc_readings import ReadingArray, has_column, read_readings
from equipoise.stats._mrmc_results import (
    AnovaRow,
    ConditionMean,
    Difference,
    EqualityTest,
    MRMCResult,
    ReaderDifference,
    ReaderEstimate,
    VarianceComponents,
    no_test,
)
from equipoise.stats._tidy import Table

COVARIANCE_WORDS: Final = {
    "jackknife": "jackknife of cases",
    "delong": "DeLong 1988",
    "unbiased": "unbiased U-statistic (Gallas 2007)",
    "bootstrap": "bootstrap of cases, positives and negatives separately",
}
CLUSTERED_WORDS: Final = {
    "jackknife": "jackknife of clusters",
    "delong": "Obuchowski 1997 (clusters)",
    "bootstrap": "bootstrap of clusters",
}


def mrmc(
    readings: Table,
    *,
    metric: Metric = "auc",
    covariance: Covariance = "jackknife",
    readers: Effects = "random",
    cases: Effects = "random",
    confidence_level: float = 0.95,
    clusters: str | Sequence[Any] | None = None,
    threshold: float | None = None,
    between: tuple[float, float] = (0.8, 1.0),
    focus: Focus = "specificity",
    normalized: bool = False,
    at: float | None = None,
    steps: Steps = "drawn",
    n_resamples: int = 10_000,
    rng: Rng = None,
) -> MRMCResult:
    """Compare reading conditions (modalities, aided and unaided) over readers and cases.

    Parameters
    ----------
    readings : data frame, mapping of columns, or list of rows
        One row per reading: ``reader, case, condition, score, truth``; optional ``item`` (several per case),
        ``repeat`` (only 1 is analysed), ``participant_kind``. A missing reading is a missing row.
    metric : str, default "auc"
        ``auc``, ``sensitivity``, ``specificity``, ``partial_auc``, ``sensitivity_at_specificity`` or
        ``specificity_at_sensitivity``.
    covariance : {"jackknife", "delong", "unbiased", "bootstrap"}, default "jackknife"
        Estimator of the error covariance. Jackknife and bootstrap serve any metric; DeLong the AUC of fully
        crossed cases; unbiased the AUC of any design.
    readers, cases : {"random", "fixed"}, default "random"
        The population the conclusion is about: readers (cases) like these, or exactly these. One reader is
        always fixed.
    confidence_level : float, default 0.95
    clusters : str or sequence of label, optional
        A column of `readings` or one label per row, where several rows belong to one patient: the jackknife
        then deletes, the bootstrap resamples whole clusters, and DeLong becomes Obuchowski 1997.
    threshold : float, optional
        For sensitivity and specificity: positive if the score is >= it. Without it the column ``decision`` is
        used where there is one, and scores must be 0 and 1 otherwise.
    between, focus, normalized
        For ``partial_auc``: range and axis, and whether the area is divided by the width.
    at : float, optional
        For ``sensitivity_at_specificity`` and its reverse.
    steps : {"drawn", "merged"}, default "drawn"
        For the metrics that read the curve at given values: the empirical curve as it is drawn (as pROC), or
        with the points of a step merged into that of the highest sensitivity or lowest specificity before
        interpolating (as MRMCaov).
    n_resamples, rng
        Of the bootstrap covariance.

    Returns
    -------
    MRMCResult

    Raises
    ------
    ValueError
        For duplicate readings, scores that are not finite, one-class or contradictory truth, algorithms among
        random readers, an estimator that does not apply, or an unknown option.

    Notes
    -----
    Cases nested in readers or in conditions set the covariances between them to 0; other partly crossed
    tables average over all pairs of cells. With readers nested in conditions and random cases the comparison
    of conditions is not available here: use :func:`mrmc_ustatistics`. ``max(cov2 - cov3, 0)`` stands in all
    denominators (Iowa OR-DBM MRMC, RJafroc; MRMCaov omits it for fixed readers), and not in the component
    ``var_interaction``. What the data do not define is ``nan`` with a ``DegenerateDataWarning`` and a
    ``reason``.

    References
    ----------
    .. [1] Obuchowski NA, Rockette HE. Commun Stat Simul Comput 1995;24:285.
    .. [2] Hillis SL. Stat Med 2007;26:596.
    .. [3] Hillis SL, Berbaum KS, Metz CE. Acad Radiol 2008;15:647.

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
    >>> result = mrmc(rows, covariance="delong")
    >>> [(mean.condition, round(mean.estimate, 4)) for mean in result.condition_means]
    [('aided', 0.8519), ('unaided', 0.7222)]
    >>> difference = result.differences[0]
    >>> round(difference.estimate, 4), round(difference.pvalue, 4)
    (0.1296, 0.0728)
    """
    level = validate_confidence_level(confidence_level)
    validate_effects(readers, cases)
    merit = figure_of_merit(
        metric, threshold=threshold, between=between, focus=focus, normalized=normalized, at=at, steps=steps
    )
    array = read_for_metric(
        readings, merit, threshold=threshold, clusters=clusters, refuse_algorithms=readers == "random"
    )
    if metric == "auc" and np.unique(array.scores[array.read]).size <= 2:
        merit = replace(merit, words="AUC of a binary score, (sensitivity + specificity)/2")
    generator, seed = resolve_rng(rng)
    table = _fit(array, merit, covariance, n_resamples=n_resamples, rng=generator)
    words = (COVARIANCE_WORDS if array.clusters is None else CLUSTERED_WORDS)[covariance]
    result = _infer(table, readers=readers, cases=cases, level=level, words=words)
    if covariance == "bootstrap":
        provenance = replace(result.provenance, seed=seed, n_resamples=int(n_resamples))
        result = replace(result, provenance=provenance)
    if result.reason is not None:
        warn_degenerate("A part of the multi-reader analysis is", result.reason)
    return result


def read_for_metric(
    readings: Table,
    merit: FigureOfMerit,
    *,
    threshold: float | None,
    clusters: str | Sequence[Any] | None,
    refuse_algorithms: bool,
) -> ReadingArray:
    """Read the table with the column that the metric needs: the decision is never derived from the rating unasked."""
    binary = merit.name in ("sensitivity", "specificity") and threshold is None
    column = "decision" if binary and has_column(readings, "decision") else "score"
    array = read_readings(
        readings, clusters=clusters, score_column=column, refuse_algorithms=refuse_algorithms
    )
    if binary and not np.isin(array.scores[array.read], (0.0, 1.0)).all():
        raise ValueError(f"metric {merit.name!r} needs decisions 0 and 1 in {column!r}, or a threshold.")
    return array


@dataclass(frozen=True)
class _Table:
    """Estimates of all cells that exist, with their covariance."""

    array: ReadingArray
    merit: FigureOfMerit
    condition: NDArray[np.intp]
    reader: NDArray[np.intp]
    estimates: Floats
    covariance: Floats
    n: NDArray[np.intp]


def _fit(
    array: ReadingArray,
    merit: FigureOfMerit,
    covariance: Covariance,
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> _Table:
    read = array.read
    condition, reader = np.nonzero(read.any(axis=2))
    cells = Cells(array.scores[condition, reader], array.positive, array.clusters, merit)
    estimates = estimates_of_cells(cells)
    entering = {
        "both": np.ones(array.positive.size, dtype=np.bool_),
        "positive": array.positive,
        "negative": ~array.positive,
    }[merit.entering]
    n = (read[condition, reader] & entering).sum(axis=1)
    matrix = covariance_of_cells(cells, covariance, n_resamples=n_resamples, rng=rng)
    return _Table(array, merit, condition, reader, estimates, matrix, n)


def _infer(table: _Table, *, readers: Effects, cases: Effects, level: float, words: str) -> MRMCResult:
    array = table.array
    nested = array.reader_design == "nested in conditions"
    used = _used_cells(table, nested=nested)
    reasons = []
    left_out = sorted({array.readers[j] for j in table.reader[~used]}, key=str)
    if left_out:
        reasons.append(f"readers without an estimate in every condition are left out: {left_out}")
    n_readers = len(np.unique(table.reader[used]))
    if n_readers == 1 or (nested and n_readers == len(array.conditions)):
        readers = "fixed"
    inferred = (_nested if nested else _crossed)(table, used, readers=readers, cases=cases, level=level)
    reasons += [mean.reason for mean in inferred.means if mean.reason is not None]
    if len(array.conditions) > 1:
        reasons += [inferred.test.reason] if inferred.test.reason is not None else []
        reasons += [found.reason for found in inferred.differences if found.reason is not None]
    return MRMCResult(
        _reader_estimates(table, level=level),
        table.covariance,
        inferred.anova,
        inferred.components,
        inferred.test,
        inferred.differences,
        inferred.means,
        inferred.reader_differences,
        table.merit.name,
        readers,
        cases,
        array.case_design,
        array.reader_design,
        n_readers,
        len(array.units),
        int(array.positive.sum()),
        int((~array.positive).sum()),
        tuple(left_out),
        "; ".join(dict.fromkeys(reasons)) or None,
        Provenance(
            f"Obuchowski-Rockette, Hillis degrees of freedom, {readers} readers, {cases} cases; {table.merit.words}",
            words,
            level,
            array.missing_words,
        ),
    )


def _used_cells(table: _Table, *, nested: bool) -> NDArray[np.bool_]:
    """Return which cells enter the comparison: those of readers with an estimate in every condition they belong to."""
    defined = ~np.isnan(table.estimates)
    if nested:
        return defined
    needed = len(table.array.conditions)
    complete = np.bincount(table.reader[defined], minlength=len(table.array.readers)) == needed
    used: NDArray[np.bool_] = complete[table.reader]
    if not used.any():
        raise ValueError(
            "no reader has an estimate in every condition: compare the conditions by mrmc_ustatistics, which "
            "uses partly crossed readers."
        )
    return used


@dataclass(frozen=True)
class _Inferred:
    anova: dict[str, AnovaRow]
    components: VarianceComponents
    test: EqualityTest
    differences: tuple[Difference, ...]
    means: tuple[ConditionMean, ...]
    reader_differences: tuple[ReaderDifference, ...]


def _crossed(
    table: _Table, used: NDArray[np.bool_], *, readers: Effects, cases: Effects, level: float
) -> _Inferred:
    conditions = table.array.conditions
    names = [table.array.readers[j] for j in np.unique(table.reader[used])]
    t, r = len(conditions), len(names)
    estimates = table.estimates[used].reshape(t, r)
    matrix = table.covariance[np.ix_(used, used)]
    errors = error_terms(
        matrix, table.condition[used], table.reader[used], case_design=table.array.case_design
    )
    anova = crossed_anova(estimates)
    means = _means(table, used, readers=readers, cases=cases, level=level)
    components = crossed_components(anova, errors, n_conditions=t, n_readers=r)
    if t == 1:
        return _Inferred(anova, components, no_test("F", "one condition: nothing to compare"), (), means, ())
    comparison = crossed_comparison(anova, errors, n_readers=r, readers=readers, cases=cases)
    if readers == "fixed" and cases == "fixed":
        comparison = Comparison(math.nan, math.nan, "F")
    by_reader: tuple[ReaderDifference, ...] = ()
    if readers == "fixed" and cases == "random":
        by_reader = tuple(reader_differences(conditions, names, estimates, matrix, level=level))
    return _Inferred(
        anova,
        components,
        equality_test(anova["condition"].mean_square, t - 1, comparison),
        pairwise_differences(
            conditions,
            estimates.mean(axis=1),
            2.0 * comparison.denominator / r,
            comparison.df,
            level=level,
        ),
        means,
        by_reader,
    )


def _nested(
    table: _Table, used: NDArray[np.bool_], *, readers: Effects, cases: Effects, level: float
) -> _Inferred:
    conditions = table.array.conditions
    members = [used & (table.condition == i) for i in range(len(conditions))]
    if not all(member.any() for member in members):
        raise ValueError("a condition has no reader with an estimate.")
    anova = nested_anova([table.estimates[member] for member in members])
    matrix = table.covariance[np.ix_(used, used)]
    errors: ErrorTerms = error_terms(
        matrix, table.condition[used], table.reader[used], case_design=table.array.case_design
    )
    within = anova["reader within condition"]
    averages = np.stack([member[used] / member.sum() for member in members])
    means = averages @ table.estimates[used]
    sizes = np.array([member.sum() for member in members])
    test = no_test(
        "F",
        "readers are nested in conditions and cases are random: compare the conditions by mrmc_ustatistics",
    )
    variances: Floats = np.full((len(conditions), len(conditions)), np.nan)
    df = math.nan
    if readers == "random" and cases == "fixed":
        comparison = Comparison(within.mean_square, float(within.df), "F")
        test = equality_test(anova["condition"].mean_square, len(conditions) - 1, comparison)
        variances = within.mean_square * (1.0 / sizes[:, None] + 1.0 / sizes[None, :])
        df = float(within.df)
    elif readers == "fixed" and cases == "random":
        of_means = averages @ matrix @ averages.T
        diagonal = np.diagonal(of_means)
        variances = diagonal[:, None] + diagonal[None, :] - 2.0 * of_means
        df = math.inf
        test = no_test("chi-square", "readers are nested in conditions and fixed: see the differences")
    return _Inferred(
        anova,
        VarianceComponents(
            within.mean_square - errors.var_error + errors.cov2,
            math.nan,
            errors.var_error,
            errors.cov1,
            errors.cov2,
            errors.cov3,
        ),
        test,
        pairwise_differences(conditions, means, variances, df, level=level),
        _means(table, used, readers=readers, cases=cases, level=level),
        (),
    )


def _means(
    table: _Table, used: NDArray[np.bool_], *, readers: Effects, cases: Effects, level: float
) -> tuple[ConditionMean, ...]:
    found = []
    for i, condition in enumerate(table.array.conditions):
        member = used & (table.condition == i)
        found.append(
            condition_mean(
                condition,
                table.estimates[member],
                table.covariance[np.ix_(member, member)],
                readers="fixed" if member.sum() == 1 else readers,
                cases=cases,
                case_design=table.array.case_design,
                level=level,
                bounds=(table.merit.lowest, table.merit.highest),
            )
        )
    return tuple(found)


def _reader_estimates(table: _Table, *, level: float) -> tuple[ReaderEstimate, ...]:
    z = normal_quantile(level)
    variances = np.diagonal(table.covariance)
    rows = []
    for cell, (i, j) in enumerate(zip(table.condition.tolist(), table.reader.tolist(), strict=True)):
        estimate, variance = float(table.estimates[cell]), float(variances[cell])
        standard_error = math.sqrt(variance) if variance >= 0.0 else math.nan
        interval = symmetric_interval(estimate, standard_error, z).cut(
            table.merit.lowest, table.merit.highest
        )
        rows.append(
            ReaderEstimate(
                table.array.conditions[i],
                table.array.readers[j],
                estimate,
                standard_error,
                interval,
                int(table.n[cell]),
            )
        )
    return tuple(rows)


def validate_effects(readers: str, cases: str) -> None:
    """Raise ``ValueError`` unless both are ``random`` or ``fixed``."""
    for name, value in (("readers", readers), ("cases", cases)):
        if value not in get_args(Effects):
            raise ValueError(f"{name} must be one of {get_args(Effects)}, got {value!r}.")
