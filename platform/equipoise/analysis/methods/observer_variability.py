"""Agreement of contours between observers and of observers with themselves, the algorithm apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.methods.medians import (
    SHARES,
    PairUnits,
    is_metric,
    label_of,
    metric_values,
    record_median,
)
from equipoise.analysis.methods.published_tests import parsed_pairs, published_tests, report_published
from equipoise.analysis.results import Figure, Number, ResultBuilder
from equipoise.analysis.selection import item_keys
from equipoise.analysis.tables import Array, Table
from equipoise.analysis.wording import count_words, decimal, estimate_words
from equipoise.stats import summary

FAMILIES = {
    "intra-reader": "intra-reader",
    "intra-algorithm": "intra-algorithm",
    "reader-reader": "between readers",
    "algorithm-reader": "between the algorithm and readers",
    "algorithm-algorithm": "between algorithms",
}


@dataclass(frozen=True)
class Options:
    """Parameters of the observer-variability analysis.

    ``algorithms`` names the observers that are algorithms. ``metric`` is the one that findings and figures show.
    ``published_pairs`` (``Dr4:DL``) adds the unpaired tests of a published figure, on the repeated contours.
    """

    metric: str = "dice"
    algorithms: tuple[str, ...] = ("algorithm",)
    n_resamples: int = 1000
    published_pairs: tuple[str, ...] = ()


def _needs(options: Options) -> Mapping[str, TableNeed]:
    return {"segmentations": TableNeed(("case", "first", "second", "kind", options.metric))}


def _run(inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    if not is_metric(options.metric):
        raise AnalysisInputError([f"Parameter metric: '{options.metric}' is not a metric of segmentations."])
    table = _unordered_once(_with_item(inputs["segmentations"]), builder)
    family = _families(table, options)
    if not any(name in FAMILIES for name in family):
        raise AnalysisInputError([f"{table.name}: no row of kind 'inter' or 'intra'."])
    numbers = {}
    rows: list[list[Any]] = []
    for name in FAMILIES:
        chosen = table.where(family == name)
        if chosen.n_rows == 0:
            continue
        for metric in (column for column in table if is_metric(column)):
            number, row = _family_row(chosen, name, metric, inputs, builder)
            rows.append(row)
            if metric == options.metric:
                numbers[name] = number
    header = (
        "family", "metric", "n", "n_missing", "n_empty", "n_cases", "n_observers", "median", "low", "high", "q1", "q3",
        "iqr", "mean", "sd",
    )  # fmt: skip
    builder.table("summary", header, rows)
    _pairs_table(table, family, builder)
    _findings(numbers, table, family, options, builder)
    for name in numbers:
        if name.startswith("intra"):
            continue
        _matrix(
            table.where(np.isin(family, [n for n in numbers if not n.startswith("intra")])),
            options,
            builder,
            numbers,
        )
        break
    _intra_figure(table.where(np.char.startswith(family.astype(str), "intra")), options, numbers, builder)


def _with_item(table: Table) -> Table:
    items = table.text("item")
    return table.with_columns(item=np.where(items == "", table.text("case"), items).astype(object))


def _unordered_once(table: Table, builder: ResultBuilder) -> Table:
    """Return every unordered pair once per item; the same pair with other values is refused."""
    seen: dict[tuple[str, ...], int] = {}
    kept, problems = [], []
    metrics = [name for name in table if is_metric(name)]
    keys = zip(item_keys(table), table.text("first"), table.text("second"), table.text("kind"), strict=True)
    for row, (item, first, second, kind) in enumerate(keys):
        key = (item, *sorted((first, second)), kind)
        if key not in seen:
            seen[key] = row
            kept.append(row)
        elif any(not _same(table[name][row], table[name][seen[key]]) for name in metrics):
            problems.append(
                f"{table.name} row {table.row_numbers[row]}: the pair {first} and {second} has other values than "
                "in row "
                f"{table.row_numbers[seen[key]]}."
            )
    if problems:
        raise AnalysisInputError(problems)
    if len(kept) < table.n_rows:
        builder.note(
            f"{count_words(table.n_rows - len(kept), 'row')} repeated a pair in the other order; each pair once."
        )
    return table.where(np.array(kept))


def _same(a: Any, b: Any) -> bool:
    return bool(a == b or (a != a and b != b))


def _families(table: Table, options: Options) -> Array:
    is_first = np.isin(table.text("first"), options.algorithms)
    is_second = np.isin(table.text("second"), options.algorithms)
    names = []
    for kind, first, second, one, other in zip(
        table.text("kind"), is_first, is_second, table.text("first"), table.text("second"), strict=True
    ):
        if kind == "intra":
            names.append("intra-algorithm" if first else "intra-reader")
        elif kind == "inter" and one != other:
            names.append(
                "algorithm-algorithm"
                if first and second
                else "algorithm-reader"
                if first or second
                else "reader-reader"
            )
        else:
            names.append("")
    return np.array(names, dtype=object)


def _family_row(
    table: Table, family: str, metric: str, inputs: Inputs, builder: ResultBuilder
) -> tuple[Number, list[Any]]:
    values, n_empty = metric_values(table, metric)
    is_intra = family.startswith("intra")
    units: list[Any] = [table.text("case")]
    if family in {"intra-reader", "reader-reader"}:
        units.append(
            table.text("first") if is_intra else PairUnits(table.text("first"), table.text("second"))
        )
    elif family == "algorithm-reader":
        readers = np.where(
            np.isin(table.text("first"), inputs.options.algorithms), table.text("second"), table.text("first")
        )
        units.append(readers)
    number, described = record_median(
        builder,
        metric,
        values,
        units,
        subject={"family": family},
        n_empty=n_empty,
        n_resamples=inputs.options.n_resamples,
        rng=inputs.rng(f"{family} {metric}"),
        units_words="cases and readers" if len(units) > 1 else "cases",
    )
    observers = set(table.text("first").tolist()) | set(table.text("second").tolist())
    return number, [
        family, metric, described.n, described.n_missing, n_empty, len(table.levels("case")), len(observers),
        described.median, number.low, number.high, described.q1, described.q3, described.iqr, described.mean,
        described.sd,
    ]  # fmt: skip


def _pairs_table(table: Table, family: Array, builder: ResultBuilder) -> None:
    rows = []
    for name in FAMILIES:
        chosen = table.where(family == name)
        for (first, second), indices in _unordered_groups(chosen).items():
            for metric in (column for column in table if is_metric(column)):
                values, n_empty = metric_values(chosen, metric)
                own = summary(values[indices])
                rows.append(
                    [name, first, second, metric, own.n, own.n_missing, own.median, own.q1, own.q3, n_empty]
                )
    header = (
        "family",
        "first",
        "second",
        "metric",
        "n",
        "n_missing",
        "median",
        "q1",
        "q3",
        "n_empty_in_family",
    )
    builder.table("pairs", header, rows)


def _unordered_groups(table: Table) -> dict[tuple[str, str], Array]:
    groups: dict[tuple[str, str], list[int]] = {}
    for row, (first, second) in enumerate(zip(table.text("first"), table.text("second"), strict=True)):
        one, other = sorted((first, second))
        groups.setdefault((one, other), []).append(row)
    return {key: np.array(rows) for key, rows in groups.items()}


def _findings(
    numbers: dict[str, Number], table: Table, family: Array, options: Options, builder: ResultBuilder
) -> None:
    metric = label_of(options.metric)
    for name, number in numbers.items():
        rows = table.where(family == name)
        values, n_empty = metric_values(rows, options.metric)
        own = summary(values)
        empties = f", {count_words(n_empty, 'empty mask')} ranked worst" if n_empty else ""
        builder.finding(
            f"{metric} {FAMILIES[name]}: median {estimate_words(number)}, IQR {decimal(own.iqr)}, {number.n} pairs of "
            f"{count_words(len(rows.levels('case')), 'case')}{empties}."
        )
    if "intra-algorithm" in numbers:
        values, _ = metric_values(table.where(family == "intra-algorithm"), options.metric)
        if options.metric in {"dice", "jaccard"} and np.all(values[np.isfinite(values)] == 1):
            builder.finding(
                "The algorithm is reproducible: yes (identical contours on repetition; not tested)."
            )
        else:
            builder.finding("The algorithm is reproducible: no (contours differ on repetition; not tested).")


# ---------------------------------------------------------------- figures


def _matrix(table: Table, options: Options, builder: ResultBuilder, numbers: dict[str, Number]) -> None:
    values, _ = metric_values(table, options.metric)
    rows: list[list[Any]] = []
    for (first, second), indices in _unordered_groups(table).items():
        median = summary(values[indices]).median
        rows += [[first, second, median], [second, first, median]]
    names = sorted({row[0] for row in rows}, key=lambda name: (name in options.algorithms, name))
    finite = [row[2] for row in rows if np.isfinite(row[2])]
    upper = 1.0 if options.metric in {"dice", "jaccard", "surface_dice"} else max(finite, default=1.0)
    between = numbers.get("reader-reader") or next(iter(numbers.values()))
    title = f"Between observers the median {label_of(options.metric)} was {decimal(between.value)}"
    if "reader-reader" in numbers and "algorithm-reader" in numbers:
        title = (
            f"Median {label_of(options.metric)} {decimal(numbers['reader-reader'].value)} between readers, "
            f"{decimal(numbers['algorithm-reader'].value)} between algorithm and readers"
        )
    builder.figure(
        Figure(
            "inter-observer",
            "matrix",
            title,
            f"Median {label_of(options.metric)} of every pair of observers over "
            f"{count_words(len(table.levels('case')), 'case')}; "
            f"each unordered pair once per case (n = {table.n_rows}).",
            Table.of_rows("pairs", ("row", "column", "value"), rows),
            width_cm=8.5 if len(names) <= 6 else 12.0,
            height_cm=8.0 if len(names) <= 6 else 10.5,
            options={"names": names, "limits": (0.0, upper), "label": f"Median {label_of(options.metric)}"},
        )
    )


def _intra_figure(table: Table, options: Options, numbers: dict[str, Number], builder: ResultBuilder) -> None:
    if table.n_rows == 0:
        if options.published_pairs:
            raise AnalysisInputError(["Parameter published_pairs needs rows of kind 'intra'."])
        return
    values, _ = metric_values(table, options.metric)
    observers = sorted(table.levels("first"), key=lambda name: (name in options.algorithms, name))
    by_observer = {
        name: dict(zip(item_keys(table)[own].tolist(), values[own].tolist(), strict=True))
        for name in observers
        for own in [table.text("first") == name]
    }
    tests = published_tests(parsed_pairs(options.published_pairs, observers, "published_pairs"), by_observer)
    sentence = report_published(tests, "intra", builder)
    order = np.argsort([observers.index(name) for name in table.text("first")], kind="stable")
    shown = [order_row for order_row in order if np.isfinite(values[order_row])]
    number = numbers.get("intra-reader") or next(iter(numbers.values()))
    builder.figure(
        Figure(
            "intra-observer",
            "box_swarm",
            f"Repeated by the same reader, contours agreed with a median {label_of(options.metric)} of "
            f"{decimal(number.value)}",
            f"{label_of(options.metric)} of first and repeated contour, n = {len(shown)} pairs of "
            f"{count_words(len(table.levels('case')), 'case')}. Boxes: quartiles; whiskers: 1.5 IQR. "
            f"{sentence}".strip(),
            Table.of(
                "intra",
                {
                    "group": table.text("first")[shown],
                    "kind": [
                        "algorithm" if n in options.algorithms else "reader"
                        for n in table.text("first")[shown]
                    ],
                    "case": table.text("case")[shown],
                    "value": values[shown],
                },
            ),
            width_cm=17.5 if len(observers) > 4 else 8.5,
            height_cm=8.5,
            options={
                "ylabel": label_of(options.metric),
                "brackets": [test.bracket for test in tests],
                "largest": 1.0 if options.metric in SHARES else None,
            },
        )
    )


METHOD = Method(
    name="observer-variability",
    title="Observer variability of contours",
    statement=(
        "Volumetric metrics between observers (each unordered pair once per case) and between an observer's first and "
        "repeated contour; pairs of readers and pairs with the algorithm always apart; medians with a bootstrap over "
        "cases and readers; empty masks rank worst in distances."
    ),
    version="1",
    needs=_needs,
    options=Options,
    run=_run,
)
