"""Multi-reader multi-case comparison of reading conditions, readers only; the algorithm is a fixed comparator "
"beside."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.methods.mrmc_switches import report_switches
from equipoise.analysis.methods.scored import contradictions, scored_readings
from equipoise.analysis.results import Figure, Number, ResultBuilder
from equipoise.analysis.selection import (
    apparent_performance,
    has_several_items,
    of_algorithms,
    of_readers,
    refusing,
)
from equipoise.analysis.tables import Array, Table
from equipoise.analysis.wording import (
    count_words,
    decimal,
    estimate_words,
    interval_words,
    p_words,
    sentence_case,
)
from equipoise.stats import (
    ConfidenceInterval,
    Difference,
    MRMCResult,
    UStatisticsResult,
    compare_readers_with_algorithm,
    mrmc,
    mrmc_ustatistics,
    non_inferiority,
)

METRIC_WORDS = {
    "auc": "area under the ROC curve",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "partial_auc": "partial area under the ROC curve",
    "sensitivity_at_specificity": "sensitivity at the fixed specificity",
    "specificity_at_sensitivity": "specificity at the fixed sensitivity",
}
DECISION_METRICS = ("sensitivity", "specificity")
U_METRICS = ("auc", *DECISION_METRICS)
"""What one-shot U-statistics are defined for."""


@dataclass(frozen=True)
class Options:
    """Parameters of the multi-reader analysis.

    ``first`` and ``second`` name the conditions of the primary difference (first minus second); ``margin`` adds the
    test of non-inferiority for it. ``unaided`` and ``aided`` name the conditions of the switch table.
    """

    metric: Literal[
        "auc",
        "sensitivity",
        "specificity",
        "partial_auc",
        "sensitivity_at_specificity",
        "specificity_at_sensitivity",
    ] = "auc"
    covariance: Literal["jackknife", "delong", "unbiased", "bootstrap"] = "jackknife"
    readers: Literal["random", "fixed"] = "random"
    cases: Literal["random", "fixed"] = "random"
    threshold: float | None = None
    low: float = 0.8
    high: float = 1.0
    focus: Literal["specificity", "sensitivity"] = "specificity"
    at: float | None = None
    first: str | None = None
    second: str | None = None
    margin: float | None = None
    alpha: float = 0.025
    task: str | None = None
    unaided: str = "unaided"
    aided: str = "aided"
    sequential: bool = False
    u_statistics: bool = True
    n_resamples: int = 2000


def _needs(_: Options) -> Mapping[str, TableNeed]:
    return {
        "readings": TableNeed(("participant", "case")),
        "truth": TableNeed(("case", "truth"), optional=True),
    }


def _run(inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    everything = scored_readings(inputs, builder, task=options.task)
    contradicting = contradictions(everything)
    if contradicting:
        builder.note(f"{count_words(contradicting, 'reading')} contradict their own score; kept as answered.")
    readers = of_readers(everything)
    if readers.n_rows == 0:
        raise AnalysisInputError(
            [f"{everything.name}: no reading by a reader; algorithms are fixed comparators."]
        )
    values = _values(readers, options)
    read = readers.where(~np.isnan(values))
    missing = readers.n_rows - read.n_rows
    if read.n_rows == 0:
        raise AnalysisInputError([f"{everything.name}: no reading has a {_value_column(options)}."])
    result = _fit(read, inputs)
    means = _means(result, missing, options, builder)
    differences = _differences(result, missing, options, builder)
    _tables(result, builder)
    _findings(result, means, differences, options, builder)
    _non_inferiority(result, options, builder)
    if missing:
        _missing_as_wrong(readers, values, inputs, builder)
    if options.u_statistics and options.metric in U_METRICS and not _is_by_u_statistics(result):
        _u_statistics(read, inputs, builder)
    _by_period(read, inputs, builder)
    report_switches(readers, inputs, builder)
    _algorithms(everything, read, inputs, builder)
    _figures(result, read, means, differences, inputs, builder)


def _is_by_u_statistics(result: MRMCResult) -> bool:
    """Return whether the conditions were compared by U-statistics, because readers are nested in them."""
    nested = result.reader_design == "nested in conditions" and len(result.condition_means) > 1
    return nested and result.readers == result.cases == "random"


def _value_column(options: Options) -> str:
    return "decision" if options.metric in DECISION_METRICS and options.threshold is None else "score"


def _values(readings: Table, options: Options) -> Array:
    column = _value_column(options)
    if column not in readings:
        raise AnalysisInputError(
            [f"{readings.name}: column '{column}' is missing, but the metric {options.metric} needs it."]
        )
    return readings.numbers(column)


def _columns(readings: Table) -> dict[str, Any]:
    """Return the columns as the statistics take them; a table without conditions has one."""
    conditions = readings.text("condition")
    columns: dict[str, Any] = {
        "reader": readings.text("participant"),
        "case": readings.text("case"),
        "condition": np.where(conditions == "", "all", conditions).astype(object),
        "truth": readings["truth"],
        "score": readings.numbers("score"),
    }
    if has_several_items(readings):
        columns["item"] = readings.text("item")
    if "decision" in readings:
        columns["decision"] = readings.numbers("decision")
    return columns


def _metric_options(options: Options) -> dict[str, Any]:
    return {
        "threshold": options.threshold,
        "between": (options.low, options.high),
        "focus": options.focus,
        "at": options.at,
    }


def _fit(readings: Table, inputs: Inputs, *, readers: str | None = None) -> MRMCResult:
    options: Options = inputs.options
    arguments: dict[str, Any] = {
        "metric": options.metric,
        "covariance": options.covariance,
        "readers": readers or options.readers,
        "cases": options.cases,
        "confidence_level": inputs.confidence_level,
        "clusters": "case" if has_several_items(readings) else None,
        "rng": inputs.rng("mrmc bootstrap") if options.covariance == "bootstrap" else None,
        **_metric_options(options),
    }
    with refusing(readings):
        result = mrmc(_columns(readings), **arguments)
    return _by_u_statistics(result, readings, inputs) if _is_by_u_statistics(result) else result


def _by_u_statistics(result: MRMCResult, readings: Table, inputs: Inputs) -> MRMCResult:
    """Return the comparison of parallel groups of readers by U-statistics, the one valid for random readers and cases.

    Obuchowski and Rockette's analysis has no test of conditions that readers are nested in.
    """
    options: Options = inputs.options
    if options.metric not in U_METRICS or has_several_items(readings):
        why = (
            "cases have several items"
            if has_several_items(readings)
            else f"there is none for the {METRIC_WORDS[options.metric]}"
        )
        refusal = (
            f"{readings.name}: every reader read in one condition. Such groups are compared over random readers and "
            f"cases by U-statistics, but {why}. Take the area under the curve, sensitivity or specificity of cases "
            "with one item, or fixed readers."
        )
        raise AnalysisInputError([refusal])
    with refusing(readings):
        found = _u_result(readings, inputs)
    means = {str(mean.first): mean for mean in found.condition_means}
    return replace(
        result,
        differences=tuple(
            Difference(one.first, one.second, one.estimate, one.standard_error, one.used_df, one.statistic,
                       one.pvalue, one.confidence_interval, one.reason)
            for one in found.differences
        ),
        condition_means=tuple(
            replace(
                mean,
                estimate=own.estimate,
                standard_error=own.standard_error,
                df=own.used_df,
                confidence_interval=ConfidenceInterval(
                    max(own.confidence_interval.low, 0.0), min(own.confidence_interval.high, 1.0)
                ),
                reason=own.reason,
            )
            for mean in result.condition_means
            for own in [means[str(mean.condition)]]
        ),
        provenance=replace(
            result.provenance,
            method=f"{found.provenance.method} (readers nested in conditions)",
            variance_estimator=found.provenance.variance_estimator,
        ),
    )  # fmt: skip


def _u_result(readings: Table, inputs: Inputs) -> UStatisticsResult:
    options: Options = inputs.options
    columns = _columns(readings)
    of_decisions = options.metric in DECISION_METRICS and options.threshold is None
    if of_decisions:
        columns["score"] = columns.pop("decision")
    return mrmc_ustatistics(
        columns,
        metric=options.metric,  # type: ignore[arg-type]  # one of the three it takes, by the caller
        confidence_level=inputs.confidence_level,
        threshold=0.5 if of_decisions else options.threshold,
    )


# ---------------------------------------------------------------- numbers


def _means(result: MRMCResult, missing: int, options: Options, builder: ResultBuilder) -> dict[str, Number]:
    found = {}
    for mean in result.condition_means:
        found[str(mean.condition)] = builder.number(
            "condition_mean",
            mean.estimate,
            label=f"Mean {METRIC_WORDS[options.metric]} over readers",
            subject={"condition": str(mean.condition)},
            interval=mean.confidence_interval,
            interval_method=_interval_words(mean.df),
            standard_error=mean.standard_error,
            df=mean.df,
            n=mean.n_readers,
            n_missing=missing,
            missing=result.provenance.missing,
            method=_method_words(result),
            reason=mean.reason or "",
        )
    for cell in result.reader_estimates:
        builder.number(
            options.metric,
            cell.estimate,
            label=sentence_case(METRIC_WORDS[options.metric]),
            subject={"participant": str(cell.reader), "condition": str(cell.condition)},
            interval=cell.confidence_interval,
            interval_method="normal, case variation only",
            standard_error=cell.standard_error,
            n=cell.n,
            method=f"empirical; covariance: {result.provenance.variance_estimator}",
        )
    return found


def _interval_words(df: float) -> str:
    return "normal" if not math.isfinite(df) else "t"


def _method_words(result: MRMCResult) -> str:
    return (
        f"{result.provenance.method}; {result.readers} readers, {result.cases} cases, cases "
        f"{result.case_design}, readers "
        f"{result.reader_design}; covariance: {result.provenance.variance_estimator}"
    )


def _oriented(result: MRMCResult, options: Options) -> list[Difference]:
    """Return the differences, the primary one first and in the direction of the plan."""
    if options.first is None or options.second is None:
        return list(result.differences)
    try:
        primary = result.difference(options.first, options.second)
    except ValueError as error:
        raise AnalysisInputError([f"Parameters first and second: {error}"]) from error
    others = [d for d in result.differences if {d.first, d.second} != {options.first, options.second}]
    return [primary, *others]


def _differences(result: MRMCResult, missing: int, options: Options, builder: ResultBuilder) -> list[Number]:
    test = result.test_equality
    if len(result.condition_means) > 1:
        builder.number(
            "equality",
            test.statistic,
            label=f"Test that all conditions have the same mean {METRIC_WORDS[options.metric]} ({test.distribution})",
            statistic=test.statistic,
            df=tuple(test.df),
            pvalue=test.pvalue,
            n=result.n_readers,
            method=_method_words(result),
            reason=test.reason or "",
        )
    return [
        _difference_number("difference", found, result, missing, builder)
        for found in _oriented(result, options)
    ]


def _difference_number(
    quantity: str, found: Difference, result: MRMCResult, missing: int, builder: ResultBuilder
) -> Number:
    return builder.number(
        quantity,
        found.estimate,
        label=f"Difference of means, {found.first} minus {found.second}",
        subject={"first": str(found.first), "second": str(found.second)},
        interval=found.confidence_interval,
        interval_method=_interval_words(found.df),
        standard_error=found.standard_error,
        statistic=found.statistic,
        df=found.df,
        pvalue=found.pvalue,
        n=result.n_readers,
        n_missing=missing,
        missing=result.provenance.missing,
        method=_method_words(result),
        reason=found.reason or "",
    )


def _tables(result: MRMCResult, builder: ResultBuilder) -> None:
    cells = [
        [str(c.condition), str(c.reader), c.n, c.estimate, c.standard_error, c.confidence_interval.low,
         c.confidence_interval.high]
        for c in result.reader_estimates
    ]  # fmt: skip
    builder.table(
        "reader-estimates", ("condition", "reader", "n", "estimate", "standard_error", "low", "high"), cells
    )
    anova = [[name, row.df, row.sum_of_squares, row.mean_square] for name, row in result.anova.items()]
    builder.table("anova", ("source", "df", "sum_of_squares", "mean_square"), anova)
    components = [
        [name, getattr(result.components, name)] for name in type(result.components).__dataclass_fields__
    ]
    builder.table("components", ("component", "value"), components)
    labels = [f"{condition}, {reader}" for condition, reader in result.covariance_labels]
    builder.table(
        "covariance",
        ("cell", *labels),
        [[label, *row] for label, row in zip(labels, result.covariance.tolist(), strict=True)],
    )


def _non_inferiority(result: MRMCResult, options: Options, builder: ResultBuilder) -> None:
    if options.margin is None:
        return
    differences = _oriented(result, options)
    if not differences or (len(differences) > 1 and options.first is None):
        raise AnalysisInputError(
            ["Parameter margin: name the conditions of the difference, with first and second."]
        )
    primary = differences[0]
    test = non_inferiority(primary, options.margin, alpha=options.alpha)
    number = builder.number(
        "non_inferiority",
        test.estimate,
        label=f"Non-inferiority of {primary.first} to {primary.second}, margin {options.margin:g}",
        subject={"first": str(primary.first), "second": str(primary.second)},
        interval=test.confidence_interval,
        interval_method=f"two-sided {100 * (1 - 2 * options.alpha):g} %",
        standard_error=test.standard_error,
        statistic=test.statistic,
        df=test.df,
        pvalue=test.pvalue,
        n=result.n_readers,
        method=test.method,
        reason=test.reason or "",
    )
    if test.non_inferior is None:
        builder.finding(
            f"Non-inferiority of {primary.first} to {primary.second} cannot be judged: {test.reason}."
        )
        return
    verdict = "not inferior" if test.non_inferior else "not shown to be non-inferior"
    builder.finding(
        f"{primary.first} is {verdict} to {primary.second} at a margin of {options.margin:g} (bound "
        f"{decimal(test.bound, 3)}, "
        f"one-sided {p_words(number.pvalue)})."
    )


# ---------------------------------------------------------------- words


def _findings(
    result: MRMCResult,
    means: dict[str, Number],
    differences: list[Number],
    options: Options,
    builder: ResultBuilder,
) -> None:
    words = METRIC_WORDS[options.metric]
    size = f"{count_words(result.n_readers, 'reader')}, {count_words(result.n_cases, 'case')}"
    for number in differences:
        first, second = number.subject["first"], number.subject["second"]
        builder.finding(
            f"The mean {words} was {decimal(means[first].value, 3)} {first} and "
            f"{decimal(means[second].value, 3)} {second}: "
            f"difference {estimate_words(number, 3)}, {p_words(number.pvalue)} "
            f"({'U-statistics, parallel groups' if _is_by_u_statistics(result) else 'Obuchowski-Rockette'}, "
            f"{result.readers} readers, {result.cases} cases; {size})."
        )
    if not differences:
        for condition, number in means.items():
            where = "" if condition == "all" else f" {condition}"
            builder.finding(f"The mean {words}{where} was {estimate_words(number, 3)} ({size}).")
    if result.left_out_readers:
        names = ", ".join(str(name) for name in result.left_out_readers)
        builder.note(f"Readers without an estimate in every condition left out of the comparison: {names}.")
    if options.readers == "random" and result.readers == "fixed":
        builder.note("One reader only: the conclusion holds for this reader.")


# ---------------------------------------------------------------- beside the main analysis


def _missing_as_wrong(readers: Table, values: Array, inputs: Inputs, builder: ResultBuilder) -> None:
    """Repeat the comparison with readings that could not be assessed as wrong answers."""
    column = _value_column(inputs.options)
    known = values[~np.isnan(values)]
    span = float(np.ptp(known)) or 1.0
    low, high = (0.0, 1.0) if column == "decision" else (known.min() - span, known.max() + span)
    filled = np.where(np.isnan(values), np.where(readers["truth"] == 1, low, high), values)
    result = _fit(readers.with_columns(**{column: filled}), inputs)
    for found in _oriented(result, inputs.options):
        _difference_number("difference.missing_as_wrong", found, result, 0, builder)
    builder.note(
        f"{count_words(int(np.isnan(values).sum()), 'reading')} without a {column} missing from the main analysis; the "
        "numbers 'difference.missing_as_wrong' count them as wrong answers (sensitivity analysis)."
    )


def _u_statistics(read: Table, inputs: Inputs, builder: ResultBuilder) -> None:
    if has_several_items(read):
        builder.note("U-statistics are not given: cases have several items.")
        return
    try:
        result = _u_result(read, inputs)
    except ValueError as error:
        builder.note(f"U-statistics are not given: {error}")
        return
    for found in result.differences:
        builder.number(
            "difference.u_statistics",
            found.estimate,
            label=f"Difference of means, {found.first} minus {found.second}",
            subject={"first": str(found.first), "second": str(found.second)},
            interval=found.confidence_interval,
            interval_method="t with floored df, not cut",
            standard_error=found.standard_error,
            statistic=found.statistic,
            df=found.df,
            pvalue=found.pvalue,
            n=result.n_cases,
            method=result.provenance.method,
            reason=getattr(found, "reason", None) or "",
        )


def _by_period(read: Table, inputs: Inputs, builder: ResultBuilder) -> None:
    """Describe the means by condition and period of a crossover."""
    periods = sorted(read.levels("period"))
    if len(periods) < 2 or len(read.levels("condition")) < 2:
        return
    rows: list[list[Any]] = []
    for period in periods:
        part = read.where(read.text("period") == period)
        rows += [
            [period, str(cell.condition), cell.n_readers, cell.estimate, cell.confidence_interval.low,
             cell.confidence_interval.high]
            for cell in _fit(part, inputs).condition_means
        ]  # fmt: skip
    builder.table("by-period", ("period", "condition", "n_readers", "mean", "low", "high"), rows)
    by_condition: dict[str, list[float]] = {}
    for row in rows:
        by_condition.setdefault(row[1], []).append(row[3])
    effects = {condition: means[-1] - means[0] for condition, means in by_condition.items() if len(means) > 1}
    for condition, effect in effects.items():
        builder.number(
            "period_effect", effect, label=f"Mean of period {periods[-1]} minus period {periods[0]}",
            subject={"condition": condition}, n=read.n_rows, reason="description, without an interval",
        )  # fmt: skip
    if len(effects) == 2:
        one, other = effects.values()
        builder.number(
            "condition_period_interaction", one - other, n=read.n_rows, reason="description, without an interval",
            label="Condition x period interaction: difference of the period effects",
        )  # fmt: skip


def _algorithms(everything: Table, read: Table, inputs: Inputs, builder: ResultBuilder) -> None:
    """Compare the readers of every condition with every algorithm, which is fixed."""
    algorithms = of_algorithms(everything)
    options: Options = inputs.options
    rows: list[list[Any]] = []
    for algorithm in algorithms.levels("participant"):
        own = algorithms.where(algorithms.text("participant") == algorithm)
        scores = _algorithm_scores(own, options)
        for condition in read.levels("condition") or [""]:
            part = read.where(read.text("condition") == condition)
            rows += _readers_minus_algorithm(part, scores, algorithm, condition, inputs, builder)
    if rows:
        header = ("algorithm", "condition", "reader", "n_cases", "reader_estimate", "algorithm_estimate", "difference",
                  "standard_error", "df", "low", "high", "p")  # fmt: skip
        builder.table("readers-minus-algorithm", header, rows)
        apparent = apparent_performance(inputs, set(everything.text("case").tolist()))
        if apparent:
            builder.note(apparent)


def _algorithm_scores(own: Table, options: Options) -> dict[str, float]:
    values = own.numbers(_value_column(options))
    known = values[~np.isnan(values)]
    span = float(np.ptp(known)) if len(known) else 1.0
    worst = np.where(own["truth"] == 1, -math.inf, math.inf)
    if len(known):
        edges = (
            (0.0, 1.0)
            if _value_column(options) == "decision"
            else (known.min() - span - 1, known.max() + span + 1)
        )
        worst = np.where(own["truth"] == 1, *edges)
    filled = np.where(np.isnan(values), worst, values)
    return dict(zip(own.text("case").tolist(), filled.tolist(), strict=True))


def _readers_minus_algorithm(
    part: Table,
    scores: dict[str, float],
    algorithm: str,
    condition: str,
    inputs: Inputs,
    builder: ResultBuilder,
) -> list[list[Any]]:
    options: Options = inputs.options
    if part.n_rows == 0 or has_several_items(part):
        if part.n_rows:
            builder.note(f"{algorithm}: not compared with readers, because cases have several items.")
        return []
    columns = _columns(part)
    if _value_column(options) == "score":
        columns.pop("decision", None)
    shared = np.array([case in scores for case in columns["case"]])
    columns = {name: values[shared] for name, values in columns.items()}
    truth = dict(zip(columns["case"].tolist(), columns.pop("truth").tolist(), strict=True))
    with refusing(part):
        result = compare_readers_with_algorithm(
            columns,
            {case: scores[case] for case in truth},
            truth,
            options.metric,
            readers=options.readers,
            confidence_level=inputs.confidence_level,
            **_metric_options(options),
        )
    subject = {"algorithm": algorithm} | ({"condition": condition} if condition else {})
    number = builder.number(
        "readers_minus_algorithm",
        result.estimate,
        label=f"Mean {METRIC_WORDS[options.metric]} of readers minus that of the algorithm, same cases",
        subject=subject,
        interval=result.confidence_interval,
        interval_method=_interval_words(result.df),
        standard_error=result.standard_error,
        statistic=result.statistic,
        df=result.df,
        pvalue=result.pvalue,
        n=result.n_readers,
        method=result.method,
        reason=result.reason or "",
    )
    where = f" {condition}" if condition else ""
    builder.finding(
        f"Readers{where} minus {algorithm}: difference in mean {METRIC_WORDS[options.metric]} "
        f"{estimate_words(number, 3)}, "
        f"{p_words(number.pvalue)} (algorithm fixed, {result.readers} readers)."
    )
    return [
        [algorithm, condition, str(r.reader), r.n_cases, r.reader_estimate, r.algorithm_estimate, r.estimate,
         r.standard_error, r.df, r.confidence_interval.low, r.confidence_interval.high, r.pvalue]
        for r in result.reader_differences
    ]  # fmt: skip


# ---------------------------------------------------------------- figures


def _figures(
    result: MRMCResult,
    read: Table,
    means: dict[str, Number],
    differences: list[Number],
    inputs: Inputs,
    builder: ResultBuilder,
) -> None:
    options: Options = inputs.options
    words = METRIC_WORDS[options.metric]
    size = f"{count_words(result.n_readers, 'reader')}, {count_words(result.n_cases, 'case')}"
    order = [str(mean.condition) for mean in result.condition_means]
    if options.first in order and options.second in order:
        order = [
            options.second,
            options.first,
            *(c for c in order if c not in {options.first, options.second}),
        ]
    if len(order) > 1 and differences and differences[0].value is not None:
        primary = differences[0]
        title = (
            f"Mean {words} {decimal(means[primary.subject['first']].value, 3)} {primary.subject['first']}, "
            f"{decimal(means[primary.subject['second']].value, 3)} {primary.subject['second']}"
        )
        cells = {(str(c.reader), str(c.condition)): c.estimate for c in result.reader_estimates}
        readers = list(dict.fromkeys(str(c.reader) for c in result.reader_estimates))
        rows: list[list[Any]] = [
            [reader, condition, cells[reader, condition]]
            for condition in order
            for reader in readers
            if (reader, condition) in cells
        ]
        rows += [["Mean", condition, means[condition].value] for condition in order]
        builder.figure(
            Figure(
                "reader-by-condition",
                "paired_lines",
                title,
                f"{sentence_case(words)} per reader and condition, thick line: mean. {size}; difference "
                f"{decimal(primary.value, 3)} {interval_words(primary, 3)}, {p_words(primary.pvalue)}; "
                f"{_method_words(result)}.",
                Table.of_rows("cells", ("series", "place", "value"), rows),
                width_cm=12.0,
                height_cm=8.0,
                options={"mean": "Mean", "ylabel": sentence_case(words)},
            )
        )
        _reader_forest(read, differences[0], inputs, builder, size)


def _reader_forest(read: Table, primary: Number, inputs: Inputs, builder: ResultBuilder, size: str) -> None:
    """Draw each reader's difference, for that reader alone, above the mean difference."""
    if inputs.options.cases == "fixed":
        return
    fixed = _fit(read, inputs, readers="fixed")
    first, second = primary.subject["first"], primary.subject["second"]
    rows: list[list[Any]] = []
    for found in fixed.reader_differences:
        sign = {(first, second): 1.0, (second, first): -1.0}.get((str(found.first), str(found.second)))
        if sign is None or not math.isfinite(found.estimate):
            continue
        ends = sorted((sign * found.confidence_interval.low, sign * found.confidence_interval.high))
        rows.append([str(found.reader), "reader", sign * found.estimate, *ends])
        builder.number(
            "reader_difference",
            sign * found.estimate,
            label=f"{first} minus {second}, this reader",
            subject={"participant": str(found.reader), "first": first, "second": second},
            interval=(ends[0], ends[1]),
            interval_method="normal, fixed reader",
            standard_error=found.standard_error,
            statistic=sign * found.statistic,
            pvalue=found.pvalue,
            n=fixed.n_cases,
            method=_method_words(fixed),
            reason=found.reason or "",
        )
    if not rows:
        return
    rows.append(["Mean", "algorithm", primary.value, primary.low, primary.high])
    better = sum(row[2] > 0 for row in rows[:-1])
    builder.figure(
        Figure(
            "reader-differences",
            "forest",
            f"{better} of {count_words(len(rows) - 1, 'reader')} did better {first} than {second}",
            f"Difference {first} minus {second} per reader (each reader alone, normal interval) and mean over readers "
            f"(black; {primary.method}). {size}.",
            Table.of_rows("forest", ("label", "kind", "estimate", "low", "high"), rows),
            width_cm=8.5,
            height_cm=2.5 + 0.5 * len(rows),
            options={
                "reference": 0.0,
                "xlabel": f"{sentence_case(METRIC_WORDS[inputs.options.metric])}, difference",
            },
        )
    )


METHOD = Method(
    name="mrmc",
    title="Multi-reader multi-case analysis",
    statement=(
        "Obuchowski-Rockette analysis with Hillis's degrees of freedom, random readers and random cases unless "
        "the plan "
        "says otherwise, first readings, readers only; one-shot U-statistics beside, and in its "
        "place where every reader read in one condition (parallel groups). Algorithms are fixed comparators "
        "(single-test Obuchowski-Rockette on the readers' differences). Readings that could not be assessed are "
        "missing, "
        "and wrong answers in the sensitivity analysis."
    ),
    version="1",
    needs=_needs,
    options=Options,
    run=_run,
)
