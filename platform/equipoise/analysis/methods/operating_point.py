"""Binary decisions against the reference standard: confusion matrices and what follows from them, per participant."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.methods.scored import Series, scored_readings, series_of
from equipoise.analysis.results import Figure, Number, ResultBuilder
from equipoise.analysis.selection import apparent_performance
from equipoise.analysis.tables import Array, Table
from equipoise.analysis.wording import count_words, decimal, estimate_words, listing, percent
from equipoise.stats import Confusion, Proportion, confusion, mcnemar

MEASURES = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "accuracy": "Accuracy",
    "f1": "F1",
}
OF_PREVALENCE = ("ppv", "npv", "accuracy", "f1")
"""Measures that hold for one prevalence only."""


@dataclass(frozen=True)
class Options:
    """Parameters of the operating-point analysis.

    ``threshold`` turns scores into decisions (positive if score >= threshold) where a table has no decisions;
    ``prevalence`` is the one to which predictive values are carried over.
    """

    threshold: float | None = None
    prevalence: float | None = None
    task: str | None = None
    n_resamples: int = 2000
    negative_label: str = "Negative"
    positive_label: str = "Positive"

    def __post_init__(self) -> None:
        if self.prevalence is not None and not 0 < self.prevalence < 1:
            raise ValueError(f"Parameter prevalence: {self.prevalence:g} is not between 0 and 1.")


def _needs(_: Options) -> Mapping[str, TableNeed]:
    return {
        "readings": TableNeed(("participant", "case")),
        "truth": TableNeed(("case", "truth"), optional=True),
    }


def _run(inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    readings = scored_readings(inputs, builder, task=options.task)
    series = list(series_of(readings, _decisions(readings, options, builder)))
    tables = [(own, _confusion(own, inputs)) for own in series if len(own.truth)]
    for own in series:
        if not len(own.truth):
            builder.note(f"{own.label}: no decision with a final reference standard.")
    if not tables:
        raise AnalysisInputError([f"{readings.name}: no decision to analyse."])
    numbers = [_numbers(own, table, inputs, builder) for own, table in tables]
    _main_table(tables, builder)
    _sensitivity_analysis(readings, series, inputs, builder)
    _pairs([own for own, _ in tables], builder)
    _findings(tables, numbers, builder)
    n_readers = len({own.participant for own, _ in tables if not own.is_algorithm})
    if n_readers > 1:
        builder.note("Counts are not pooled over readers: readings of the same cases are not independent.")
    apparent = apparent_performance(inputs, set(readings.text("case").tolist()))
    has_algorithm = any(own.is_algorithm for own, _ in tables)
    if apparent and has_algorithm:
        builder.note(apparent)
    _figures(tables, inputs, builder, apparent=apparent if has_algorithm else "")


def _decisions(readings: Table, options: Options, builder: ResultBuilder) -> Array:
    decisions = readings.numbers("decision")
    if options.threshold is None:
        if np.isnan(decisions).all():
            raise AnalysisInputError(
                f"{readings.name}: column 'decision' is missing or empty; give a threshold for the scores "
                "(threshold)."
            )
        return decisions
    scores = readings.numbers("score")
    filled = np.isnan(decisions) & ~np.isnan(scores)
    if filled.any():
        builder.note(
            f"{count_words(int(filled.sum()), 'decision')} made from the score: positive if score >= "
            f"{options.threshold:g}."
        )
    return np.where(filled, (scores >= options.threshold).astype(float), decisions)


def _confusion(series: Series, inputs: Inputs) -> Confusion:
    wrong = np.where(series.truth == 1, 0.0, 1.0)
    return confusion(
        np.where(series.failed, wrong, series.scores),
        series.truth,
        confidence_level=inputs.confidence_level,
        clusters=series.clusters,
        prevalence=inputs.options.prevalence,
        n_resamples=inputs.options.n_resamples,
        rng=inputs.rng(f"confusion {series.label}"),
    )


# ---------------------------------------------------------------- numbers and tables


def _numbers(series: Series, table: Confusion, inputs: Inputs, builder: ResultBuilder) -> dict[str, Number]:
    found = {}
    clustered = table.n_clusters is not None
    for name, label in MEASURES.items():
        share: Proportion = getattr(table, name)
        at = f", at the sample's prevalence of {percent(table.prevalence)}" if name in OF_PREVALENCE else ""
        shared: dict[str, Any] = {
            "label": label + at,
            "subject": series.subject,
            "n": share.denominator,
            "n_missing": series.n_missing,
            "missing": _missing_words(series),
            "method": "two by two table",
        }
        found[name] = builder.number(
            name,
            share.estimate,
            interval=share.confidence_interval,
            interval_method=table.provenance.variance_estimator
            if clustered
            else "exact binomial (Clopper-Pearson)",
            seed=inputs.seed if clustered else None,
            reason=share.reason or "",
            **shared,
        )
        if not clustered:
            builder.number(
                f"{name}.wilson", share.estimate, interval=share.wilson, interval_method="Wilson, no continuity "
                "correction",
                reason=share.reason or "", **shared,
            )  # fmt: skip
    if table.at_prevalence is not None:
        for name in OF_PREVALENCE:
            adjusted = getattr(table.at_prevalence, name)
            builder.number(
                f"{name}.at_prevalence",
                adjusted.estimate,
                label=f"{MEASURES[name]} at a prevalence of {percent(table.at_prevalence.prevalence)}",
                subject=series.subject,
                interval=adjusted.confidence_interval,
                interval_method="delta method on the logit scale",
                standard_error=adjusted.standard_error,
                n=table.n,
                reason=adjusted.reason or "",
                method="from sensitivity and specificity",
            )
    return found


def _missing_words(series: Series) -> str:
    return series.missing if series.is_algorithm else "indeterminate (no decision) left out and counted"


def _main_table(tables: list[tuple[Series, Confusion]], builder: ResultBuilder) -> None:
    header = [
        "participant",
        "participant_kind",
        "condition",
        "n",
        "n_indeterminate",
        "tp",
        "fp",
        "tn",
        "fn",
        "prevalence",
    ]
    for name in MEASURES:
        header += [
            name,
            f"{name}_exact_low",
            f"{name}_exact_high",
            f"{name}_wilson_low",
            f"{name}_wilson_high",
        ]
    rows = []
    for series, table in tables:
        row: list[Any] = [
            series.participant, series.kind, series.condition, table.n, 0 if series.failed.any() else series.n_missing,
            table.tp, table.fp, table.tn, table.fn, table.prevalence,
        ]  # fmt: skip
        for name in MEASURES:
            share: Proportion = getattr(table, name)
            interval = share.confidence_interval
            row += [share.estimate, interval.low, interval.high, share.wilson.low, share.wilson.high]
        rows.append(row)
    builder.table("accuracy", header, rows)


def _sensitivity_analysis(
    readings: Table, series: list[Series], inputs: Inputs, builder: ResultBuilder
) -> None:
    """Count every indeterminate decision as wrong."""
    if not any(own.n_missing and not own.is_algorithm for own in series):
        return
    rows = []
    filled = _decisions(readings, inputs.options, ResultBuilder(confidence_level=0.95, seed=0))
    wrong = np.where(readings["truth"] == 1, 0.0, 1.0)
    for own in series_of(readings, np.where(np.isnan(filled), wrong, filled)):
        if own.is_algorithm:
            continue
        table = _confusion(own, inputs)
        rows.append(
            [own.participant, own.condition, table.n, table.sensitivity.estimate, table.specificity.estimate]
        )
    builder.table(
        "indeterminate-as-wrong", ("participant", "condition", "n", "sensitivity", "specificity"), rows
    )
    total = sum(own.n_missing for own in series if not own.is_algorithm)
    builder.note(
        f"{count_words(total, 'reading')} without a decision (indeterminate) left out of the main table; the table "
        "'indeterminate-as-wrong' counts them as wrong answers."
    )


def _pairs(series: list[Series], builder: ResultBuilder) -> None:
    """Compare algorithm and reader on the same cases, diseased and non-diseased apart."""
    rows = []
    for algorithm in (own for own in series if own.is_algorithm and own.clusters is None):
        calls = dict(zip(algorithm.cases, algorithm.scores, strict=True))
        for reader in (own for own in series if not own.is_algorithm):
            shared = np.array([case in calls for case in reader.cases])
            for name, truth in (("sensitivity", 1), ("specificity", 0)):
                chosen = shared & (reader.truth == truth)
                if not chosen.any():
                    continue
                mine = np.array([calls[case] for case in reader.cases[chosen]]) == truth
                result = mcnemar(mine, reader.scores[chosen] == truth)
                rows.append(
                    [algorithm.participant, reader.participant, reader.condition, name, int(chosen.sum()),
                     float(mine.mean()), float((reader.scores[chosen] == truth).mean()), result.pvalue]
                )  # fmt: skip
    if rows:
        header = (
            "algorithm", "reader", "condition", "measure", "n", "algorithm_share", "reader_share", "mcnemar_exact_p",
        )  # fmt: skip
        builder.table("algorithm-and-reader", header, rows)


# ---------------------------------------------------------------- words and figures


def _findings(
    tables: list[tuple[Series, Confusion]], numbers: list[dict[str, Number]], builder: ResultBuilder
) -> None:
    for (series, table), found in zip(tables, numbers, strict=True):
        who = f"{series.label} (algorithm)" if series.is_algorithm else series.label
        builder.finding(
            f"{who}: sensitivity {_share_words(found['sensitivity'], table.sensitivity)}, specificity "
            f"{_share_words(found['specificity'], table.specificity)}, F1 {estimate_words(found['f1'])}."
        )


def _share_words(number: Number, share: Proportion) -> str:
    return f"{estimate_words(number, 1, scale=100, unit=' %')}, {share.numerator}/{share.denominator}"


def _figures(
    tables: list[tuple[Series, Confusion]], inputs: Inputs, builder: ResultBuilder, *, apparent: str
) -> None:
    rows: list[list[Any]] = []
    for series, table in tables:
        cells = {(1, 1): table.tp, (1, 0): table.fn, (0, 1): table.fp, (0, 0): table.tn}
        rows += [[series.label, truth, decision, count] for (truth, decision), count in cells.items()]
    n_columns = 4
    wide = len(tables) > 1
    n_rows = math.ceil(len(tables) / (n_columns if wide else 1))
    errors = {series.label: table.fp + table.fn for series, table in tables}
    fewest = min(errors.values())
    best = [label for label, count in errors.items() if count == fewest]
    title = f"{listing(best)} made the fewest errors, {fewest} of {tables[0][1].n}" if wide else (
        f"{tables[0][0].label} made {count_words(fewest, 'error')} in {count_words(tables[0][1].n, 'reading')}"
    )  # fmt: skip
    caption_end = f" {apparent}" if apparent else ""
    builder.figure(
        Figure(
            "confusion",
            "confusion",
            title,
            f"Confusion matrices of first readings (n = {tables[0][1].n} for {tables[0][0].label}); shading: "
            "share of the "
            f"row. Prevalence in the sample {percent(tables[0][1].prevalence)}.{caption_end}",
            Table.of_rows("confusion", ("participant", "truth", "decision", "count"), rows),
            width_cm=17.5 if wide else 8.5,
            height_cm=2 + 4.6 * n_rows,
            options={"labels": (inputs.options.negative_label, inputs.options.positive_label)},
        )
    )
    forest = [
        [name.capitalize(), series.label, series.kind, share.estimate, share.confidence_interval.low,
         share.confidence_interval.high, f"{decimal(share.estimate)}"]
        for name in ("sensitivity", "specificity")
        for series, table in tables
        for share in [getattr(table, name)]
    ]  # fmt: skip
    low, high = (f(table.sensitivity.estimate for _, table in tables) for f in (min, max))
    span = f"from {percent(low)} to {percent(high)}" if wide else f"{percent(low)}"
    builder.figure(
        Figure(
            "sensitivity-specificity",
            "forest",
            f"Sensitivity was {span}" if not wide else f"Sensitivity ranged {span}",
            f"Sensitivity and specificity with {100 * inputs.confidence_level:g} % intervals "
            f"({'bootstrap of cases' if tables[0][1].n_clusters else 'exact binomial'}), first readings.{caption_end}",
            Table.of_rows("forest", ("section", "label", "kind", "estimate", "low", "high", "note"), forest),
            width_cm=8.5,
            height_cm=2.5 + 0.5 * (len(forest) + 2),
            options={"xlabel": "Share", "reference": None},
        )
    )


METHOD = Method(
    name="operating-point",
    title="Accuracy of decisions",
    statement=(
        "Two by two table of first decisions per participant and condition; exact (Clopper-Pearson) intervals "
        "with Wilson's "
        "beside, or a bootstrap of cases where cases have several items; predictive values, accuracy and F1 with the "
        "sample's prevalence and, where given, at a target prevalence. Algorithm and reader: exact McNemar test."
    ),
    version="1",
    needs=_needs,
    options=Options,
    run=_run,
)
