"""Surveys: what readers answered to form questions, and how far they agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.methods.ratings import (
    Ratings,
    Scale,
    group_coefficients,
    ratings_of,
    record_coefficient,
)
from equipoise.analysis.results import Figure, Number, ResultBuilder
from equipoise.analysis.schemas import READINGS
from equipoise.analysis.selection import (
    first_repeats,
    has_several_items,
    item_keys,
    of_algorithms,
    of_readers,
    refuse_without_rows,
    with_case,
)
from equipoise.analysis.tables import Table
from equipoise.analysis.wording import count_words, estimate_words, percent
from equipoise.stats import answer_share, summary

MANY_LEVELS = 12
"""A question with more different answers than this has no distribution worth a bar."""


@dataclass(frozen=True)
class Options:
    """Parameters of the survey analysis.

    ``questions`` are columns of the readings; without them every column beyond the known ones is a question.
    ``levels`` is the scale in order (``1,2,3,4,5``), for all questions; ``levels_of`` for single ones. Intervals of
    shares draw readers and cases ``n_resamples`` times.
    """

    questions: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    levels_of: Mapping[str, str] = field(default_factory=dict)
    task: str | None = None
    n_resamples: int = 1000


def _needs(_: Options) -> Mapping[str, TableNeed]:
    return {"readings": TableNeed(("participant",))}


def _run(inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    readings = with_case(inputs["readings"], builder)
    if options.task is not None:
        readings = readings.where(np.isin(readings.text("task"), ("", options.task)))
    if of_algorithms(readings).n_rows:
        builder.note("Rows of algorithms were left out: a survey is answered by readers.")
    readings = first_repeats(of_readers(readings), builder)
    refuse_without_rows(readings, "first readings by readers")
    questions = _questions(readings, options)
    shares: list[list[Any]] = []
    agreement: list[list[Any]] = []
    for question in questions:
        for condition in readings.levels("condition") or [""]:
            own = readings.where(readings.text("condition") == condition)
            label = f"{question}, {condition}" if len(readings.levels("condition")) > 1 else question
            levels = _levels(question, options)
            scale: Scale = "ordinal" if levels or readings.is_numeric(question) else "nominal"
            answers = ratings_of(own, question, scale, categories=levels)
            if len(answers.categories) > MANY_LEVELS:
                builder.note(
                    f"{question}: {len(answers.categories)} different answers, taken as free text and not counted."
                )
                continue
            shares += _distribution(own, question, label, answers, inputs, builder)
            agreement += _agreement(answers, label, builder)
    if not shares:
        raise AnalysisInputError([f"{readings.name}: no question has an answer."])
    builder.table(
        "distribution", ("label", "category", "count", "share", "low", "high", "n", "n_missing"), shares
    )
    if agreement:
        header = (
            "label",
            "coefficient",
            "estimate",
            "low",
            "high",
            "p",
            "n",
            "n_readers",
            "n_missing",
            "reason",
        )
        builder.table("agreement", header, agreement)
    if has_several_items(readings):
        builder.note("Cases have several items: intervals take items as independent and are too narrow.")
    builder.note(
        "Shares pool readings over readers and cases; their intervals draw both again, and are too narrow with few of "
        "either."
    )
    _figures(builder, readings)


def _questions(readings: Table, options: Options) -> list[str]:
    known = {column.name for column in READINGS.columns} | {"truth", "period"}
    absent = [name for name in options.questions if name not in readings]
    if absent:
        found = ", ".join(name for name in readings if name not in known) or "none"
        raise AnalysisInputError(
            f"{readings.name}: there is no question '{name}'. Questions found: {found}." for name in absent
        )
    questions = list(options.questions) or [name for name in readings if name not in known]
    if not questions:
        raise AnalysisInputError(
            [f"{readings.name}: no column beyond the known ones, so there is no question."]
        )
    return questions


def _levels(question: str, options: Options) -> tuple[str, ...]:
    if question in options.levels_of:
        return tuple(level.strip() for level in options.levels_of[question].split(","))
    return options.levels


def _distribution(
    own: Table, question: str, label: str, answers: Ratings, inputs: Inputs, builder: ResultBuilder
) -> list[list[Any]]:
    case_of = dict(zip(item_keys(own).tolist(), own.text("case").tolist(), strict=True))
    cells = [
        (value, reader, case_of[item])
        for item, row in zip(answers.items, answers.values, strict=True)
        for reader, value in zip(answers.raters, row, strict=True)
        if value is not None
    ]
    given = [value for value, _, _ in cells]
    n_missing = int((own.text(question) == "").sum())
    rows: list[list[Any]] = []
    for category in answers.categories:
        count = given.count(category)
        name = f"{category:g}" if isinstance(category, float) else str(category)
        number = _share(cells, category, name, label, inputs, builder, n_missing=n_missing)
        rows.append([label, name, count, number.value, number.low, number.high, len(given), n_missing])
    if given and all(isinstance(value, float) for value in given):
        described = summary(given)
        for name in ("median", "q1", "q3"):
            builder.number(
                f"answer.{name}", getattr(described, name), label=f"{question}, {name}", subject={"question": label},
                n=described.n, n_missing=n_missing, missing="unanswered left out and counted",
                method=described.provenance.method,
            )  # fmt: skip
    if given:
        most = max(rows, key=lambda row: row[2])
        builder.finding(
            f"{label}: the most frequent answer was {most[1]}: {_share_words(most, inputs.confidence_level)} of "
            f"{count_words(len(given), 'answer')}, {n_missing} missing."
        )
    return rows


def _share(
    cells: Sequence[tuple[Any, str, str]],
    category: Any,
    name: str,
    label: str,
    inputs: Inputs,
    builder: ResultBuilder,
    *,
    n_missing: int,
) -> Number:
    """Record how often one answer was given, with its interval; every answer of a question by the same draws."""
    options: Options = inputs.options
    found = answer_share(
        [value == category for value, _, _ in cells],
        [reader for _, reader, _ in cells],
        [case for _, _, case in cells],
        confidence_level=inputs.confidence_level,
        n_resamples=options.n_resamples,
        rng=inputs.rng(f"share {label}"),
    )
    return builder.number(
        "share", found.estimate, label=f"{label}: share of {name}", subject={"question": label, "category": name},
        interval=found.confidence_interval, n=found.n, n_missing=n_missing, missing=found.provenance.missing,
        method=found.provenance.method, seed=inputs.seed, reason=found.reason or "",
        interval_method=f"percentile bootstrap over readers and cases, {options.n_resamples} resamples",
    )  # fmt: skip


def _share_words(row: Sequence[Any], confidence_level: float) -> str:
    _, _, _, share, low, high, *_ = row
    if low is None or high is None:
        return percent(share, 0)
    return f"{percent(share, 0)} ({100 * confidence_level:g} % CI {percent(low, 0)} to {percent(high, 0)})"


def _agreement(answers: Ratings, label: str, builder: ResultBuilder) -> list[list[Any]]:
    rows: list[list[Any]] = []
    for coefficient in group_coefficients(answers, confidence_level=builder.confidence_level):
        number = record_coefficient(builder, coefficient, {"question": label}, n_missing=answers.n_missing)
        rows.append([label, coefficient.name, number.value, number.low, number.high, number.pvalue, number.n,
                     len(answers.raters), answers.n_missing, number.reason])  # fmt: skip
        if coefficient.name.startswith("Krippendorff"):
            builder.finding(
                f"{label}: agreement between readers, {coefficient.name}, {estimate_words(number)}."
            )
    return rows


def _figures(builder: ResultBuilder, readings: Table) -> None:
    """Draw one figure per scale: questions with the same categories share their colours."""
    records = builder.tables["distribution"].records()
    by_label: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_label.setdefault(record["label"], []).append(record)
    by_scale: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for own in by_label.values():
        by_scale.setdefault(tuple(record["category"] for record in own), []).extend(own)
    n_readers = len(readings.levels("participant"))
    for place, (scale, own) in enumerate(by_scale.items(), 1):
        most = max(own, key=lambda record: record["share"] or 0.0)
        counts = {record["label"]: record["n"] for record in own}
        answers = ", ".join(f"{label} {n}" for label, n in counts.items())
        builder.figure(
            Figure(
                "answers" if place == 1 else f"answers-{place}",
                "stacked_bars",
                f"{percent(most['share'], 0)} of answers to '{most['label']}' were {most['category']}",
                f"Shares of answers per question; {count_words(n_readers, 'reader')}, first readings; "
                f"answers: {answers}.",
                Table.of_rows("distribution", tuple(own[0]), [list(record.values()) for record in own]),
                width_cm=17.5,
                height_cm=3.5 + 0.8 * len(counts),
                options={"ordered": len(scale) > 2},
            )
        )


METHOD = Method(
    name="survey",
    title="Survey",
    statement=(
        "Distribution of answers per question, shares with percentile bootstrap intervals over readers and cases; "
        "agreement between readers: Fleiss' kappa, Gwet's AC1 and nominal alpha "
        "for answers without an order; ordinal alpha, AC2 (quadratic weights) and Kendall's W for ordered ones. First "
        "readings, readers only."
    ),
    version="2",
    needs=_needs,
    options=Options,
    run=_run,
)
