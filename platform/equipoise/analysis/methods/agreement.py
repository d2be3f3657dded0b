"""Agreement between readers and of readers with themselves; pairs with the algorithm always in a table of their own."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.methods.ratings import (
    Coefficient,
    Ratings,
    differences_of,
    group_coefficients,
    pair_coefficients,
    paired_coefficients,
    ratings_of,
    record_coefficient,
    scale_of,
)
from equipoise.analysis.results import Figure, ResultBuilder
from equipoise.analysis.selection import (
    ALGORITHM,
    has_several_items,
    is_first_repeat,
    item_keys,
    kind_of,
    of_readers,
    refuse_without_rows,
    refusing,
    with_case,
)
from equipoise.analysis.tables import Table
from equipoise.analysis.wording import count_words, decimal, estimate_words
from equipoise.stats import limits_of_agreement_mrmc

PAIR_HEADER = ("condition", "first", "second", "coefficient", "estimate", "low", "high", "p", "n", "reason")


@dataclass(frozen=True)
class Options:
    """Parameters of the agreement analysis.

    ``column`` holds the ratings (a decision, a score, a form question). ``scale`` says what they are; without it two
    values are nominal, up to ten numbers ordinal, more a measurement. ``categories`` fixes the order of the scale.
    """

    column: str | None = None
    scale: Literal["nominal", "ordinal", "interval"] | None = None
    categories: tuple[str, ...] = ()
    task: str | None = None


def _needs(options: Options) -> Mapping[str, TableNeed]:
    return {"readings": TableNeed(("participant", "case", *([options.column] if options.column else [])))}


def _run(inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    readings = with_case(inputs["readings"], builder)
    if options.task is not None:
        readings = readings.where(np.isin(readings.text("task"), ("", options.task)))
    refuse_without_rows(readings, "readings of the task")
    column = options.column or _default_column(readings)
    scale = scale_of(readings, column, options.scale)
    if scale == "interval" and not readings.is_numeric(column):
        readings.numbers(column)  # says which rows hold no number
    builder.note(f"Ratings: column '{column}', taken as {scale}.")
    if has_several_items(readings):
        builder.note("Cases have several items: intervals take items as independent and are too narrow.")
    first = readings.where(is_first_repeat(readings))
    conditions = first.levels("condition") or [""]
    for condition in conditions:
        own = first.where(first.text("condition") == condition)
        laid_out = ratings_of(own, column, scale, categories=options.categories)
        shown = condition if len(conditions) > 1 else ""
        _between(laid_out, kind_of(own), shown, builder)
        if scale == "interval":
            _bland_altman(laid_out, kind_of(own), shown, builder)
    _within(readings, column, scale, options, builder)
    if scale == "interval":
        _limits(of_readers(first), column, builder)
    _figure(builder, column)


def _default_column(readings: Table) -> str:
    for name in ("decision", "score"):
        if name in readings and any(value != "" for value in readings.text(name)):
            return name
    raise AnalysisInputError(
        [f"{readings.name}: no decision and no score; name the ratings with parameter column."]
    )


# ---------------------------------------------------------------- between


def _between(laid_out: Ratings, kinds: dict[str, str], condition: str, builder: ResultBuilder) -> None:
    readers = [rater for rater in laid_out.raters if kinds[rater] != ALGORITHM]
    of_condition = {"condition": condition} if condition else {}
    together = laid_out.of(readers)
    rows: list[list[Any]] = []
    for coefficient in group_coefficients(together, confidence_level=builder.confidence_level):
        number = record_coefficient(builder, coefficient, of_condition, n_missing=together.n_missing)
        rows.append([condition, coefficient.name, number.value, number.low, number.high, number.pvalue, number.n,
                     len(readers), together.n_missing, number.reason])  # fmt: skip
        builder.finding(
            f"{coefficient.name} of {count_words(len(readers), 'reader')}{' ' + condition if condition else ''}: "
            f"{estimate_words(number)}, {count_words(coefficient.n, 'item')}."
        )
    if rows:
        header = (
            "condition",
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
        _append(builder, "readers-together", header, rows)
    elif len(readers) < 2:
        builder.note(f"{count_words(len(readers), 'reader')}: agreement between readers is not available.")
    for first, second in itertools.combinations(laid_out.raters, 2):
        n_algorithms = sum(kinds[rater] == ALGORITHM for rater in (first, second))
        name = ("reader-reader", "algorithm-reader", "algorithm-algorithm")[n_algorithms]
        subject = {**of_condition, "first": first, "second": second}
        found = pair_coefficients(laid_out, first, second, confidence_level=builder.confidence_level)
        _append(
            builder,
            name,
            PAIR_HEADER,
            [_pair_row(condition, first, second, c, subject, builder) for c in found],
        )


def _pair_row(
    condition: str,
    first: str,
    second: str,
    coefficient: Coefficient,
    subject: dict[str, str],
    builder: ResultBuilder,
) -> list[Any]:
    number = record_coefficient(builder, coefficient, subject)
    return [condition, first, second, coefficient.name, number.value, number.low, number.high, number.pvalue, number.n,
            number.reason]  # fmt: skip


def _append(builder: ResultBuilder, name: str, header: tuple[str, ...], rows: list[list[Any]]) -> None:
    previous = builder.tables.get(name)
    old = [list(row.values()) for row in previous.records()] if previous is not None else []
    builder.table(name, header, old + rows)


# ---------------------------------------------------------------- within


def _within(readings: Table, column: str, scale: Any, options: Options, builder: ResultBuilder) -> None:
    """Compare each participant's first and second reading of the same item."""
    again = readings.where(readings.numbers("repeat") == 2)
    if again.n_rows == 0:
        builder.note("No item was read twice: agreement within readers is not available.")
        return
    first = readings.where(is_first_repeat(readings))
    whole = ratings_of(first, column, scale, categories=options.categories)
    rows: list[list[Any]] = []
    for participant, kind in kind_of(again).items():
        before, after = _values(first, participant, column, whole), _values(again, participant, column, whole)
        shared = [key for key in before if key in after]
        pairs = [before[key] for key in shared], [after[key] for key in shared]
        if kind == ALGORITHM:
            same = "yes" if pairs[0] == pairs[1] else "no"
            builder.finding(
                f"{participant} (algorithm) is reproducible: {same} ({len(shared)} items; not tested)."
            )
            continue
        for coefficient in paired_coefficients(*pairs, whole, confidence_level=builder.confidence_level):
            number = record_coefficient(
                builder, coefficient, {"participant": participant, "repeat": "1 and 2"}
            )
            rows.append([participant, coefficient.name, number.value, number.low, number.high, number.pvalue, number.n,
                         number.reason])  # fmt: skip
    if rows:
        header = ("participant", "coefficient", "estimate", "low", "high", "p", "n", "reason")
        builder.table("within-readers", header, rows)
        names = list(dict.fromkeys(row[1] for row in rows))
        own = [row for row in rows if row[1] == names[0] and row[2] is not None]
        if own:
            low, high = min(row[2] for row in own), max(row[2] for row in own)
            builder.finding(
                f"Within readers (first and repeated reading) {names[0]} ranged from {decimal(low)} to "
                f"{decimal(high)}, "
                f"{count_words(len(own), 'reader')}."
            )


def _values(readings: Table, participant: str, column: str, whole: Ratings) -> dict[tuple[str, str], Any]:
    own = readings.where(readings.text("participant") == participant)
    numeric = whole.scale == "interval" or any(isinstance(c, float) for c in whole.categories)
    raw = own.numbers(column) if numeric else own.text(column)
    keys = zip(item_keys(own).tolist(), own.text("condition").tolist(), strict=True)
    return {
        key: float(value) if numeric else value
        for key, value in zip(keys, raw, strict=True)
        if value != "" and value == value
    }


# ---------------------------------------------------------------- measurements


def _bland_altman(laid_out: Ratings, kinds: dict[str, str], condition: str, builder: ResultBuilder) -> None:
    rows: list[list[Any]] = []
    for first, second in itertools.combinations(laid_out.raters, 2):
        pair = laid_out.of((first, second)).values
        a, b, result = differences_of(
            pair[:, 0].tolist(), pair[:, 1].tolist(), confidence_level=builder.confidence_level
        )
        subject = ({"condition": condition} if condition else {}) | {"first": first, "second": second}
        for name, value, interval in (
            ("bias", result.bias, result.bias_interval),
            ("lower_limit", result.lower_limit, result.lower_limit_interval),
            ("upper_limit", result.upper_limit, result.upper_limit_interval),
        ):
            builder.number(
                f"bland_altman.{name}", value, label=f"Bland-Altman {name.replace('_', ' ')}, first minus second",
                subject=subject, interval=interval, interval_method="t", n=result.n, n_missing=result.n_missing,
                missing=result.provenance.missing, method=result.provenance.method, reason=result.reason or "",
            )  # fmt: skip
        kind = "algorithm-reader" if ALGORITHM in (kinds[first], kinds[second]) else "reader-reader"
        rows.append([condition, kind, first, second, result.n, result.bias, result.sd, result.lower_limit,
                     result.upper_limit, result.slope, result.slope_pvalue])  # fmt: skip
        if len(laid_out.raters) == 2:
            _bland_altman_figure(a, b, result, (first, second), builder)
    if rows:
        header = ("condition", "pair", "first", "second", "n", "bias", "sd", "lower_limit", "upper_limit", "slope",
                  "slope_p")  # fmt: skip
        _append(builder, "bland-altman", header, rows)


def _bland_altman_figure(a: Any, b: Any, result: Any, names: tuple[str, str], builder: ResultBuilder) -> None:
    known = np.isfinite(a) & np.isfinite(b)
    if result.n < 2 or not np.isfinite(result.lower_limit):
        return
    lines = [
        (label, value, interval.low, interval.high)
        for label, value, interval in (
            ("Bias", result.bias, result.bias_interval),
            ("Lower limit", result.lower_limit, result.lower_limit_interval),
            ("Upper limit", result.upper_limit, result.upper_limit_interval),
        )
    ]
    builder.figure(
        Figure(
            "bland-altman",
            "bland_altman",
            f"{names[0]} minus {names[1]}: bias {decimal(result.bias)}, limits of agreement "
            f"{decimal(result.lower_limit)} "
            f"to {decimal(result.upper_limit)}",
            f"Differences against means, n = {result.n}. Lines: bias and limits of agreement (bias ± 1.96 SD) with "
            f"{100 * builder.confidence_level:g} % intervals.",
            Table.of("pairs", {"mean": (a[known] + b[known]) / 2, "difference": a[known] - b[known]}),
            options={"lines": lines, "xlabel": f"Mean of {names[0]} and {names[1]}", "ylabel": "Difference"},
        )
    )


def _limits(readers: Table, column: str, builder: ResultBuilder) -> None:
    """Give limits of agreement over all readers and cases, where conditions or readers can be compared."""
    if len(readers.levels("participant")) < 2:
        return
    columns = {
        "reader": readers.text("participant"),
        "case": readers.text("case"),
        "condition": np.where(readers.text("condition") == "", "all", readers.text("condition")).astype(
            object
        ),
        "score": readers.numbers(column),
    }
    if has_several_items(readers):
        return
    with refusing(readers):
        found = limits_of_agreement_mrmc(columns, confidence_level=builder.confidence_level)
    rows = [
        [f.kind, str(f.first), str(f.second), f.mean_difference, f.mean_interval.low, f.mean_interval.high,
         f.lower_limit, f.upper_limit, f.n_readers, f.n_cases, f.reason]
        for f in found
    ]  # fmt: skip
    if rows:
        header = ("kind", "first", "second", "mean_difference", "low", "high", "lower_limit", "upper_limit",
                  "n_readers", "n_cases", "reason")  # fmt: skip
        builder.table("limits-of-agreement", header, rows)


# ---------------------------------------------------------------- figure


def _figure(builder: ResultBuilder, column: str) -> None:
    """Draw the first coefficient of every pair, pairs with the algorithm apart."""
    rows: list[list[Any]] = []
    name = ""
    for table in ("reader-reader", "algorithm-reader"):
        records = builder.tables[table].records() if table in builder.tables else []
        if records and not name:
            name = records[0]["coefficient"]
        for record in records:
            if record["coefficient"] == name and record["estimate"] is not None:
                where = f", {record['condition']}" if record["condition"] else ""
                rows.append(
                    [f"{record['first']} and {record['second']}{where}",
                     "Readers" if table == "reader-reader" else "Algorithm and readers",
                     "reader" if table == "reader-reader" else ALGORITHM, record["estimate"], record["low"],
                     record["high"], decimal(record["estimate"])]
                )  # fmt: skip
    if not rows:
        return
    own = [row[3] for row in rows if row[2] == "reader"] or [row[3] for row in rows]
    builder.figure(
        Figure(
            "pairs",
            "forest",
            f"{name} of pairs ranged from {decimal(min(own))} to {decimal(max(own))}",
            f"{name} of every pair, column '{column}', with {100 * builder.confidence_level:g} % intervals; "
            "first readings. "
            "Pairs of readers and pairs with the algorithm apart.",
            Table.of_rows("pairs", ("label", "section", "kind", "estimate", "low", "high", "note"), rows),
            width_cm=12.0,
            height_cm=2.5 + 0.45 * (len(rows) + 2),
            options={"reference": 0.0, "xlabel": name},
        )
    )


METHOD = Method(
    name="agreement",
    title="Agreement",
    statement=(
        "Nominal: Cohen's and Fleiss' kappa, Gwet's AC1, Krippendorff's alpha. Ordinal: quadratically weighted "
        "kappa, AC2, "
        "ordinal alpha, Kendall's W. Measurements: ICC(2,1) and ICC(3,1), concordance correlation, Bland-Altman, "
        "limits of "
        "agreement over readers and cases. First readings; pairs of readers and pairs with the algorithm are "
        "separate tables."
    ),
    version="1",
    needs=_needs,
    options=Options,
    run=_run,
)
