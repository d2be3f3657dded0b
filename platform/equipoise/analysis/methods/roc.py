"""ROC analysis: a curve per participant and condition, area with interval, operating points, the algorithm beside."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.methods.roc_band import sensitivity_band
from equipoise.analysis.methods.scored import (
    DECISIONS_ONLY,
    Series,
    contradictions,
    has_both_classes,
    is_binary,
    one_class_reason,
    scored_readings,
    series_of,
    values_of,
)
from equipoise.analysis.results import Figure, Number, ResultBuilder
from equipoise.analysis.selection import apparent_performance
from equipoise.analysis.tables import Table
from equipoise.analysis.wording import count_words, decimal, estimate_words, listing, p_words
from equipoise.stats import auc, compare_aucs, operating_point, roc_curve, youden_threshold

MANY_CURVES = 8
"""From here on the figure takes the page's full width."""


@dataclass(frozen=True)
class Options:
    """Parameters of the ROC analysis.

    ``interval`` is the one that findings quote; the other one stands beside it in the table. ``threshold`` is the
    algorithm's operating threshold as fixed beforehand. ``band`` draws a pointwise bootstrap band for algorithms, for
    everyone or for nobody.
    """

    interval: Literal["delong", "bootstrap"] = "delong"
    n_resamples: int = 2000
    threshold: float | None = None
    task: str | None = None
    band: Literal["algorithm", "all", "none"] = "algorithm"
    n_band_resamples: int = 500


def _needs(_: Options) -> Mapping[str, TableNeed]:
    return {
        "readings": TableNeed(("participant", "case")),
        "truth": TableNeed(("case", "truth"), optional=True),
    }


def _run(inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    readings = scored_readings(inputs, builder, task=options.task)
    contradicting = contradictions(readings)
    if contradicting:
        builder.note(f"{count_words(contradicting, 'reading')} contradict their own score; kept as answered.")
    values, _ = values_of(readings, builder)
    curves = list(series_of(readings, values))
    numbers = [_area(series, inputs, builder) for series in curves]
    _areas_table(curves, numbers, builder)
    _available_only(curves, inputs, builder)
    _operating_points(curves, inputs, builder)
    _comparisons(curves, inputs, builder)
    _findings(curves, numbers, builder)
    apparent = apparent_performance(inputs, set(readings.text("case").tolist()))
    if apparent and any(series.is_algorithm for series in curves):
        builder.note(apparent)
    _figure(curves, numbers, inputs, builder, apparent=apparent)


# ---------------------------------------------------------------- areas


def _area(series: Series, inputs: Inputs, builder: ResultBuilder, *, quantity: str = "auc") -> Number:
    """Record the area with the plan's interval, and the other interval as a number of its own."""
    options: Options = inputs.options
    label = DECISIONS_ONLY if is_binary(series.scores) else "Area under the ROC curve"
    if not has_both_classes(series):
        return builder.number(
            quantity, math.nan, label=label, subject=series.subject, reason=one_class_reason(series),
            n=len(series.truth), n_missing=series.n_missing, missing=series.missing,
        )  # fmt: skip
    bootstrap = "bootstrap-stratified" if series.clusters is None else "bootstrap"
    chosen = {"delong": "delong", "bootstrap": bootstrap}[options.interval]
    first: Number | None = None
    for method in (chosen, bootstrap if chosen == "delong" else "delong"):
        is_delong = method == "delong"
        result = auc(
            series.scores,
            series.truth,
            confidence_level=inputs.confidence_level,
            method=method,  # type: ignore[arg-type]  # built from the two names above
            n_resamples=options.n_resamples,
            rng=None if is_delong else inputs.rng(f"auc {series.label}"),
            clusters=series.clusters,
        )
        number = builder.number(
            quantity if first is None else f"{quantity}.{'delong' if is_delong else 'bootstrap'}",
            result.estimate,
            label=label,
            subject=series.subject,
            interval=result.confidence_interval,
            interval_method=f"{result.method}; {result.provenance.variance_estimator}",
            standard_error=result.standard_error,
            method="empirical, ties count one half; higher score = more suspicious",
            n=len(series.truth),
            n_missing=series.n_missing,
            missing=series.missing,
            seed=None if is_delong else inputs.seed,
            reason=result.reason or "",
        )
        if result.reason:
            builder.note(f"{series.label}: {result.reason}.")
        first = first or number
    assert first is not None
    return first


def _areas_table(curves: list[Series], numbers: list[Number], builder: ResultBuilder) -> None:
    other = {
        (n.subject.get("participant"), n.subject.get("condition")): n
        for n in builder.numbers
        if n.quantity in {"auc.delong", "auc.bootstrap"}
    }
    rows: list[list[Any]] = []
    for series, number in zip(curves, numbers, strict=True):
        beside = other.get((number.subject.get("participant"), number.subject.get("condition")), number)
        rows.append(
            [
                series.participant, series.kind, series.condition, len(series.truth), int((series.truth == 1).sum()),
                int((series.truth == 0).sum()), series.n_missing, number.value, number.standard_error, number.low,
                number.high, number.interval_method, beside.low, beside.high, beside.interval_method, number.reason,
            ]
        )  # fmt: skip
    header = (
        "participant", "participant_kind", "condition", "n", "n_positive", "n_negative", "n_missing", "auc",
        "standard_error", "low", "high", "interval", "other_low", "other_high", "other_interval", "reason",
    )  # fmt: skip
    builder.table("auc", header, rows)


def _available_only(curves: list[Series], inputs: Inputs, builder: ResultBuilder) -> None:
    for series in curves:
        if not series.failed.any():
            continue
        kept = ~series.failed
        available = replace(
            series,
            scores=series.scores[kept],
            truth=series.truth[kept],
            clusters=None if series.clusters is None else series.clusters[kept],
            failed=series.failed[kept],
            missing="failed results left out",
        )
        number = _area(available, inputs, builder, quantity="auc.available_only")
        builder.note(
            f"{series.label}: {count_words(int(series.failed.sum()), 'failed result')} counted as wrong; with "
            "the available "
            f"results only the area is {estimate_words(number)}."
        )


# ---------------------------------------------------------------- operating points


def _operating_points(curves: list[Series], inputs: Inputs, builder: ResultBuilder) -> None:
    rows: list[list[Any]] = []
    for series in curves:
        if not has_both_classes(series):
            continue
        decided = ~np.isnan(series.decisions)
        if decided.any() and len(set(series.truth[decided].tolist())) == 2:
            own = replace(series, truth=series.truth[decided], clusters=_kept(series, decided))
            rows.append(_point_row(own, series.decisions[decided], 0.5, "own decision", inputs, builder))
        if series.is_algorithm and inputs.options.threshold is not None:
            point = _point_row(
                series, series.scores, inputs.options.threshold, "threshold fixed beforehand", inputs, builder
            )
            rows.append(point)
        if not is_binary(series.scores):
            best = youden_threshold(series.scores, series.truth).threshold
            rows.append(_point_row(series, series.scores, best, "Youden, exploratory", inputs, None))
    if rows:
        header = (
            "participant", "participant_kind", "condition", "rule", "threshold", "tp", "fp", "tn", "fn", "sensitivity",
            "sensitivity_low", "sensitivity_high", "specificity", "specificity_low", "specificity_high",
        )  # fmt: skip
        builder.table("operating-points", header, rows)


def _kept(series: Series, rows: Any) -> Any:
    return None if series.clusters is None else series.clusters[rows]


def _point_row(
    series: Series, scores: Any, threshold: float, rule: str, inputs: Inputs, builder: ResultBuilder | None
) -> list[Any]:
    point = operating_point(
        scores,
        series.truth,
        threshold=threshold,
        confidence_level=inputs.confidence_level,
        clusters=series.clusters,
        n_resamples=inputs.options.n_resamples,
        rng=inputs.rng(f"operating point {series.label} {rule}"),
    )
    table = point.confusion
    for name, share in (("sensitivity", table.sensitivity), ("specificity", table.specificity)):
        if builder is not None:
            builder.number(
                name, share.estimate, label=f"{name.capitalize()} at: {rule}", subject={**series.subject, "rule": rule},
                interval=share.confidence_interval, interval_method=table.provenance.variance_estimator,
                n=share.denominator, n_missing=series.n_missing, missing=series.missing, method=rule,
                reason=share.reason or "", seed=None if series.clusters is None else inputs.seed,
            )  # fmt: skip
    return [
        series.participant, series.kind, series.condition, rule, threshold, table.tp, table.fp, table.tn, table.fn,
        table.sensitivity.estimate, *_ends(table.sensitivity), table.specificity.estimate, *_ends(table.specificity),
    ]  # fmt: skip


def _ends(share: Any) -> tuple[float, float]:
    return share.confidence_interval.low, share.confidence_interval.high


# ---------------------------------------------------------------- algorithm against readers


def _comparisons(curves: list[Series], inputs: Inputs, builder: ResultBuilder) -> None:
    rows = []
    for algorithm in (series for series in curves if series.is_algorithm):
        for reader in (series for series in curves if not series.is_algorithm):
            row = _comparison(algorithm, reader, inputs, builder)
            if row is not None:
                rows.append(row)
    if rows:
        header = (
            "algorithm",
            "reader",
            "condition",
            "n",
            "difference",
            "standard_error",
            "low",
            "high",
            "p",
            "reason",
        )
        builder.table("algorithm-minus-reader", header, rows)
        builder.note(
            "Differences between the algorithm and one reader hold for that reader only; the analysis 'mrmc' compares "
            "the algorithm with readers in general."
        )


def _comparison(
    algorithm: Series, reader: Series, inputs: Inputs, builder: ResultBuilder
) -> list[Any] | None:
    by_case = {case: i for i, case in enumerate(algorithm.cases)}
    if algorithm.clusters is not None or len(by_case) < len(algorithm.cases):
        return None
    shared = [(by_case[case], j) for j, case in enumerate(reader.cases) if case in by_case]
    if not shared or len({reader.truth[j] for _, j in shared}) < 2:
        return None
    mine, theirs = (np.array(indices) for indices in zip(*shared, strict=True))
    result = compare_aucs(
        algorithm.scores[mine],
        reader.scores[theirs],
        reader.truth[theirs],
        confidence_level=inputs.confidence_level,
    )
    builder.number(
        "auc_difference",
        result.estimate,
        label="Area of the algorithm minus area of the reader, same cases",
        subject={"algorithm": algorithm.participant, **reader.subject},
        interval=result.confidence_interval,
        interval_method=result.method,
        standard_error=result.standard_error,
        statistic=result.statistic,
        pvalue=result.pvalue,
        n=len(shared),
        missing="cases scored by both",
        method=result.method,
        reason=result.reason or "",
    )
    return [
        algorithm.participant, reader.participant, reader.condition, len(shared), result.estimate,
        result.standard_error, result.confidence_interval.low, result.confidence_interval.high, result.pvalue,
        result.reason,
    ]  # fmt: skip


# ---------------------------------------------------------------- words and figure


def _findings(curves: list[Series], numbers: list[Number], builder: ResultBuilder) -> None:
    pairs = list(zip(curves, numbers, strict=True))
    for series, number in pairs:
        if series.is_algorithm:
            name = f"The {DECISIONS_ONLY}" if is_binary(series.scores) else "The area under the ROC curve"
            builder.finding(
                f"{name} of {series.label} (algorithm) was {estimate_words(number)}, n = {number.n}."
            )
    readers = [
        (series, number) for series, number in pairs if not series.is_algorithm and number.value is not None
    ]
    if len(readers) == 1:
        series, number = readers[0]
        builder.finding(
            f"The area under the ROC curve of {series.label} was {estimate_words(number)}, n = {number.n}."
        )
    elif readers:
        low = min(readers, key=lambda pair: pair[1].value or 0.0)
        high = max(readers, key=lambda pair: pair[1].value or 0.0)
        builder.finding(
            f"Areas under the ROC curve of {count_words(len(readers), 'reader curve')} ranged from "
            f"{estimate_words(low[1])} ({low[0].label}) to {estimate_words(high[1])} ({high[0].label})."
        )
    undefined = [series.label for series, number in pairs if number.value is None]
    if undefined:
        builder.finding(
            f"Not available for {listing(undefined)}: "
            f"{pairs[[s.label for s, _ in pairs].index(undefined[0])][1].reason}."
        )
    for n in builder.numbers:
        if n.quantity == "auc_difference" and n.pvalue is not None:
            where = f"{n.subject['participant']}{', ' + n.subject['condition'] if 'condition' in n.subject else ''}"
            builder.finding(
                f"{n.subject['algorithm']} minus {where}: difference in area {estimate_words(n)}, {p_words(n.pvalue)}."
            )


def _figure(
    curves: list[Series], numbers: list[Number], inputs: Inputs, builder: ResultBuilder, *, apparent: str
) -> None:
    drawn = [(s, n) for s, n in zip(curves, numbers, strict=True) if n.value is not None]
    if not drawn:
        builder.note("No figure: no curve is defined.")
        return
    rows: list[list[Any]] = []
    for series, _ in drawn:
        curve = roc_curve(series.scores, series.truth)
        fprs, tprs = 1 - curve.specificity[::-1], curve.sensitivity[::-1]
        rows += [
            [series.label, series.kind, "curve", f, t, None, None] for f, t in zip(fprs, tprs, strict=True)
        ]
        if inputs.options.band == "all" or (inputs.options.band == "algorithm" and series.is_algorithm):
            band = sensitivity_band(
                series, n_resamples=inputs.options.n_band_resamples, confidence_level=inputs.confidence_level,
                rng=inputs.rng(f"band {series.label}"),
            )  # fmt: skip
            rows += [[series.label, series.kind, "band", f, None, low, high] for f, low, high in band]
    rows += _figure_points(drawn, builder)
    labels = {
        s.label: f"{s.label}: {decimal(n.value)} ({decimal(n.low)}–{decimal(n.high)})" for s, n in drawn
    }
    best = max(drawn, key=lambda pair: (pair[0].is_algorithm, pair[1].value or 0.0))
    kinds = "the algorithm" if best[0].is_algorithm else "the best reader"
    title = (
        f"Area under the ROC curve {decimal(best[1].value)} for {kinds}, {count_words(len(drawn), 'curve')}"
    )
    if best[0].is_algorithm and apparent:
        title += " (apparent performance)"
    level = f"{100 * inputs.confidence_level:g} %"
    band_words = ""
    if any(row[2] == "band" for row in rows):
        resamples = f"{inputs.options.n_band_resamples} resamples"
        band_words = f" Band: pointwise {level} bootstrap interval of the sensitivity, {resamples}."
    wide = len(drawn) >= MANY_CURVES
    builder.figure(
        Figure(
            "roc",
            "roc",
            title,
            f"Empirical ROC curves, n = {drawn[0][1].n} readings per curve; areas with {level} intervals "
            f"({drawn[0][1].interval_method}). Points: own decisions or the threshold fixed "
            f"beforehand.{band_words} {apparent}".strip(),
            Table.of_rows("roc", ("participant", "kind", "part", "fpr", "tpr", "low", "high"), rows),
            width_cm=17.5 if wide else 8.5,
            height_cm=9.5 if wide else 8.5 + 0.4 * len(drawn),
            options={"labels": labels},
        )
    )


def _figure_points(drawn: list[tuple[Series, Number]], builder: ResultBuilder) -> list[list[Any]]:
    points = builder.tables.get("operating-points")
    if points is None:
        return []
    label_of = {(s.participant, s.condition): s.label for s, _ in drawn}
    return [
        [
            label_of[key],
            row["participant_kind"],
            "point",
            1 - row["specificity"],
            row["sensitivity"],
            None,
            None,
        ]
        for row in points.records()
        if not str(row["rule"]).startswith("Youden")
        and (key := (row["participant"], row["condition"] or "")) in label_of
    ]


METHOD = Method(
    name="roc",
    title="ROC analysis",
    statement=(
        "Empirical ROC curve per participant and condition, first readings; area with DeLong's variance "
        "(Obuchowski's where "
        "cases have several items) and a stratified bootstrap beside it; areas of binary decisions are labelled "
        "(sensitivity + specificity)/2. Failed results of an algorithm count as wrong. Algorithm and reader are "
        "compared "
        "on the same cases (paired DeLong), for that reader only."
    ),
    version="1",
    needs=_needs,
    options=Options,
    run=_run,
)
