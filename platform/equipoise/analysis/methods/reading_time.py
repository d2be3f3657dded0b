"""How long readings take: per participant, between conditions by a mixed model of log time, the algorithm apart."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.methods.published_tests import parsed_pairs, published_tests, report_published
from equipoise.analysis.restriction import other_flags
from equipoise.analysis.results import Figure, ResultBuilder
from equipoise.analysis.selection import (
    ALGORITHM,
    first_repeats,
    item_keys,
    kind_of,
    of_algorithms,
    of_readers,
    refuse_without_rows,
    refusing,
    with_case,
)
from equipoise.analysis.tables import Array, Table
from equipoise.analysis.wording import count_words, decimal, estimate_words, p_words, seconds_words
from equipoise.stats import ReadingTimeModel, reading_time_model, summary

DERIVED_TIMES = ("decision_s", "wall_s", "visible_s", "active_s", "active_30_s", "active_120_s", "comment_s")
"""Every derived time, shown beside the primary one."""

INCREMENTAL = "incremental"
"""The flag of the second answer of a sequential pair: its time counts from the first and is never held against it."""


@dataclass(frozen=True)
class Options:
    """Parameters of the reading-time analysis.

    ``time`` is the primary time of the plan. ``missing=listwise`` describes only cases that every participant has a
    time for; ``ddof`` is that of the standard deviation. ``published_pairs`` (``Dr4:DL``) adds the unpaired tests of a
    published figure.
    """

    time: str = "active_s"
    condition: str = "condition"
    period: str = "period"
    missing: Literal["available", "listwise"] = "available"
    ddof: int = 1
    task: str | None = None
    published_pairs: tuple[str, ...] = ()


def _needs(options: Options) -> Mapping[str, TableNeed]:
    return {"readings": TableNeed(("participant", "case", options.time))}


def _run(inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    readings = with_case(inputs["readings"], builder)
    if options.task is not None:
        readings = readings.where(np.isin(readings.text("task"), ("", options.task)))
    readings = _without_second_answers(readings, builder)
    readings = first_repeats(readings, builder)
    readings = readings.with_columns(**{options.time: readings.numbers(options.time)})
    refuse_without_rows(readings, "first readings")
    if not np.isfinite(readings[options.time]).any():
        raise AnalysisInputError([f"{readings.name}: column '{options.time}' holds no time."])
    described = _listwise(readings, options, builder)
    _descriptions(described, options, builder)
    _other_times(readings, builder)
    caption = _published(readings, options, builder)
    if of_readers(readings).n_rows:
        _models(readings, inputs, builder)
    _figure(readings, options, builder, caption)


def _without_second_answers(readings: Table, builder: ResultBuilder) -> Table:
    """Leave out the second answers of sequential pairs: their time counts from the first, not from the image."""
    second = np.array([INCREMENTAL in flags.split() for flags in readings.text("flags")], dtype=bool)
    if second.any():
        builder.note(
            f"{count_words(int(second.sum()), 'second answer')} of sequential pairs left out: the time is incremental."
        )
    return readings.where(~second)


def _listwise(readings: Table, options: Options, builder: ResultBuilder) -> Table:
    """Leave out the items for which any reader's time is missing, if the plan says so."""
    if options.missing == "available":
        return readings
    items = item_keys(readings)
    is_reader_gap = np.isnan(readings[options.time]) & np.isin(
        readings.text("participant"), of_readers(readings).levels("participant")
    )
    incomplete = set(items[is_reader_gap].tolist())
    if incomplete:
        builder.note(
            f"Listwise: {count_words(len(incomplete), 'item')} without every reader's time left out of the description "
            "of readers."
        )
    is_algorithm = np.isin(readings.text("participant"), of_algorithms(readings).levels("participant"))
    kept = is_algorithm | ~np.isin(items, list(incomplete))
    return readings.where(kept)


# ---------------------------------------------------------------- description


def _descriptions(readings: Table, options: Options, builder: ResultBuilder) -> None:
    seconds = readings[options.time]
    many_conditions = len(readings.levels(options.condition)) > 1
    rows: list[list[Any]] = []
    for participant, kind in kind_of(readings).items():
        own = readings.text("participant") == participant
        for condition in dict.fromkeys(readings.text(options.condition)[own].tolist()):
            chosen = seconds[own & (readings.text(options.condition) == condition)]
            subject = {"participant": participant} | ({"condition": condition} if many_conditions else {})
            rows.append([participant, kind, condition, *_described(chosen, subject, options, builder)])
    for kind in ("reader", ALGORITHM):
        of_kind = (of_readers if kind == "reader" else of_algorithms)(readings)
        if of_kind.n_rows:
            numbers = _described(of_kind[options.time], {"participant_kind": kind}, options, builder)
            rows.append([f"All {kind}s", kind, "", *numbers])
            if np.isfinite(of_kind[options.time]).any():
                n, n_missing, mean, sd, median, q1, q3 = numbers
                builder.finding(
                    f"A reading by {'readers' if kind == 'reader' else 'the algorithm'} took a mean of "
                    f"{decimal(mean, 2)} s (SD {decimal(sd, 2)}, median {decimal(median, 1)} s, quartiles "
                    f"{decimal(q1, 1)} and {decimal(q3, 1)} s, n = {n}, {n_missing} missing)."
                )
    header = (
        "participant", "participant_kind", "condition", "n", "n_missing", "mean_s", "sd_s", "median_s", "q1_s", "q3_s",
    )  # fmt: skip
    builder.table("times", header, rows)
    if of_algorithms(readings).n_rows:
        builder.note(
            "An algorithm's time is wall time from input read to result stored, model loaded; it stands beside reading "
            "time and enters no model with it."
        )


def _described(
    seconds: Array, subject: dict[str, str], options: Options, builder: ResultBuilder
) -> list[Any]:
    if not np.isfinite(seconds).any():
        builder.number(
            "time.mean", math.nan, label="Time, mean", subject=subject, unit="s", n=0, n_missing=len(seconds),
            reason="no time was recorded",
        )  # fmt: skip
        return [0, len(seconds), *[math.nan] * 5]
    own = summary(seconds, ddof=options.ddof)
    for name in ("mean", "sd", "median", "q1", "q3", "iqr"):
        builder.number(
            f"time.{name}",
            getattr(own, name),
            label=f"Time ({options.time}), {name}",
            subject=subject,
            unit="s",
            n=own.n,
            n_missing=own.n_missing,
            missing="cases without every reader's time left out"
            if options.missing == "listwise"
            else "left out, counted",
            method=f"standard deviation with n - {options.ddof}; {own.provenance.method}",
            reason=own.reason or "",
        )
    return [own.n, own.n_missing, own.mean, own.sd, own.median, own.q1, own.q3]


def _other_times(readings: Table, builder: ResultBuilder) -> None:
    rows = []
    for name in DERIVED_TIMES:
        seconds = of_readers(readings).numbers(name)
        if np.isfinite(seconds).any():
            own = summary(seconds)
            rows.append([name, own.n, own.n_missing, own.median, own.q1, own.q3])
    if rows:
        builder.table("derived-times", ("time", "n", "n_missing", "median_s", "q1_s", "q3_s"), rows)


def _published(
    readings: Table, options: Options, builder: ResultBuilder
) -> tuple[str, list[tuple[str, str, str]]]:
    names = readings.levels("participant")
    pairs = parsed_pairs(options.published_pairs, names, "published_pairs")
    values = {
        participant: dict(zip(item_keys(own).tolist(), own[options.time].tolist(), strict=True))
        for participant in names
        for own in [readings.where(readings.text("participant") == participant)]
    }
    tests = published_tests(pairs, values)
    return report_published(tests, "time", builder), [test.bracket for test in tests]


# ---------------------------------------------------------------- model


def _models(readings: Table, inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    model = _model(readings, inputs)
    for sentence in model.notes:
        builder.note(f"Model of log time: {sentence}.")
    rows: list[list[Any]] = [
        ["random effect", name, value] for name, value in model.standard_deviations.items()
    ]
    rows += [["geometric mean", str(name), value] for name, value in model.geometric_means.items()]
    builder.table("model", ("kind", "term", "value"), rows)
    if model.n_not_positive:
        builder.note(
            f"{count_words(model.n_not_positive, 'reading')} with a time of 0 left out of the model of log time."
        )
    _ratios(model, "time_ratio", builder)
    flagged = np.array([bool(other_flags(flags)) for flags in readings.text("flags").tolist()], dtype=bool)
    if flagged.any() and not flagged.all():
        unflagged = _model(readings.where(~flagged), inputs)
        _ratios(unflagged, "time_ratio.without_flagged", builder)
        builder.note(
            f"Sensitivity analysis without {count_words(int(flagged.sum()), 'resumed or flagged reading')}: "
            "numbers 'time_ratio.without_flagged'."
        )
    if len(readings.levels(options.condition)) < 2:
        builder.note("One condition only: nothing to compare between conditions.")


def _model(readings: Table, inputs: Inputs) -> ReadingTimeModel:
    options: Options = inputs.options
    if not readings.levels(options.condition):
        readings = readings.with_columns(**{options.condition: np.full(readings.n_rows, "all", dtype=object)})
    with refusing(readings):
        return reading_time_model(
            readings,
            time=options.time,
            condition=options.condition,
            period=options.period,
            confidence_level=inputs.confidence_level,
        )


def _ratios(model: ReadingTimeModel, quantity: str, builder: ResultBuilder) -> None:
    terms = [(ratio, "conditions") for ratio in model.ratios]
    terms += [(ratio, "periods") for ratio in model.periods]
    if model.position is not None:
        terms.append((model.position, "one position later"))
    for ratio, kind in terms:
        number = builder.number(
            quantity,
            ratio.ratio,
            label=f"Ratio of geometric mean times, {kind}",
            subject={"first": str(ratio.first), "second": str(ratio.second)},
            interval=ratio.confidence_interval,
            interval_method=f"t on log time; {model.provenance.variance_estimator}",
            standard_error=ratio.standard_error,
            statistic=ratio.statistic,
            df=ratio.df,
            pvalue=ratio.pvalue,
            n=model.n,
            n_missing=model.n_missing,
            missing=model.provenance.missing,
            method=model.provenance.method,
            reason=model.reason or "",
        )
        if kind == "conditions" and quantity == "time_ratio":
            builder.finding(
                f"Readings {ratio.first} took {estimate_words(number)} times as long as {ratio.second}, "
                f"{p_words(number.pvalue)} (mixed model of log time, {count_words(model.n_readers, 'reader')}, "
                f"{count_words(model.n_cases, 'case')})."
            )
    if quantity == "time_ratio" and math.isfinite(model.interaction_pvalue):
        builder.number(
            "condition_period_interaction",
            None,
            label="Condition x period interaction",
            pvalue=model.interaction_pvalue,
            n=model.n,
            method="Wald chi-square",
            reason="a test without an estimate of its own",
        )


# ---------------------------------------------------------------- figure


def _figure(
    readings: Table,
    options: Options,
    builder: ResultBuilder,
    published: tuple[str, list[tuple[str, str, str]]],
) -> None:
    positive = readings.where(np.isfinite(readings[options.time]) & (readings[options.time] > 0))
    kinds = kind_of(positive)
    order = {participant: place for place, participant in enumerate(kinds)}
    rows = positive.where(np.argsort([order[p] for p in positive.text("participant")], kind="stable"))
    many = len(rows.levels(options.condition)) > 1
    labels = [
        f"{p}, {c}" if many and c else p
        for p, c in zip(rows.text("participant"), rows.text(options.condition), strict=True)
    ]
    readers, algorithms = of_readers(rows), of_algorithms(rows)
    title = "Reading times"
    if readers.n_rows:
        title = (
            f"Readers took a median of {seconds_words(float(np.median(readers[options.time])))} per reading"
        )
    if algorithms.n_rows:
        own = seconds_words(float(np.median(algorithms[options.time])))
        title += f", the algorithm {own}" if readers.n_rows else f": the algorithm took a median of {own}"
    sentence, brackets = published
    n_groups = len(set(labels))
    builder.figure(
        Figure(
            "reading-time",
            "box_swarm",
            title,
            f"Time per reading ({options.time}, log axis) by {count_words(len(kinds), 'participant')}, n = "
            f"{rows.n_rows} first "
            f"readings with a time. Boxes: quartiles; whiskers: 1.5 IQR; points: readings. {sentence}".strip(),
            Table.of(
                "times",
                {
                    "group": labels,
                    "kind": [kinds[p] for p in rows.text("participant")],
                    "case": rows.text("case"),
                    "value": rows[options.time],
                },
            ),
            width_cm=17.5 if n_groups > 4 else 8.5,
            height_cm=9,
            options={"log": True, "ylabel": "Time per reading (s)", "brackets": brackets if not many else []},
        )
    )


METHOD = Method(
    name="reading-time",
    title="Reading time",
    statement=(
        "Linear mixed model of log time: fixed condition, position and period, crossed random effects of reader, "
        "case and "
        "item in case (REML, Satterthwaite), given as ratios of geometric means. Readers only; algorithm time stands "
        "beside. Flagged readings stay in, with a sensitivity analysis without them."
    ),
    version="1",
    needs=_needs,
    options=Options,
    run=_run,
)
