"""How well an algorithm's contours match the reference, over all cases and by subgroup."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.methods.medians import (
    DISTANCES,
    LENGTHS,
    is_metric,
    label_of,
    metric_values,
    record_median,
)
from equipoise.analysis.methods.subgroups import Interval, parsed_intervals, subgroup_levels
from equipoise.analysis.results import Figure, ResultBuilder
from equipoise.analysis.selection import apparent_performance
from equipoise.analysis.tables import Array, Table
from equipoise.analysis.wording import count_words, decimal, estimate_words, p_words
from equipoise.stats import MannWhitneyResult, mann_whitney, summary

SLICE_GROUPS = ("(0, 2.5]", "(2.5, 5]", "(5, inf)")
VOLUME_GROUPS = ("[0, 20)", "[20, 150]", "(150, inf)")


@dataclass(frozen=True)
class Options:
    """Parameters of the segmentation-performance analysis.

    ``subgroups`` are columns of the segmentations or of the truth table (covariates), names of ``labels`` (``pet``:
    ``labeller_1+labeller_2``, disagreement counts as 1), or several joined by ``*``. Intervals apply to the columns of
    those names. ``against`` names, per subgroup, the level that the others are tested against instead of all pairs.
    ``failed=zero`` counts failed results as overlap 0 and worst distance. ``published_hd95_below`` also gives the
    median after leaving out larger distances, as some papers do.
    """

    metric: str = "dice"
    subgroups: tuple[str, ...] = ()
    slice_thickness_mm: tuple[str, ...] = SLICE_GROUPS
    volume_reference_ml: tuple[str, ...] = VOLUME_GROUPS
    labels: Mapping[str, str] = field(default_factory=dict)
    against: Mapping[str, str] = field(default_factory=dict)
    failed: Literal["zero", "leave-out"] = "zero"
    published_hd95_below: float | None = None
    n_resamples: int = 2000


def _needs(options: Options) -> Mapping[str, TableNeed]:
    return {
        "segmentations": TableNeed(("case", "second", options.metric)),
        "truth": TableNeed(("case",), optional=True),
    }


def _run(inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    if not is_metric(options.metric):
        raise AnalysisInputError([f"Parameter metric: '{options.metric}' is not a metric of segmentations."])
    given = inputs["segmentations"]
    is_reference = np.isin(given.text("kind"), ("reference", ""))
    table = _with_covariates(given.where(is_reference), inputs)
    if table.n_rows == 0:
        raise AnalysisInputError([f"{given.name}: no row of kind 'reference'."])
    if len(table.levels("case")) < table.n_rows / len(table.levels("second")):
        builder.note(
            "Cases have several items: intervals resample cases; Mann-Whitney tests take items as independent."
        )
    intervals = {
        name: parsed_intervals(getattr(options, name), name)
        for name in ("slice_thickness_mm", "volume_reference_ml")
    }
    forest: list[list[Any]] = []
    for candidate in table.levels("second"):
        own = _with_failures(table.where(table.text("second") == candidate), candidate, inputs, builder)
        _overall(own, candidate, inputs, builder)
        forest += _forest_rows(own, candidate, intervals, inputs, builder)
    apparent = apparent_performance(inputs, set(table.text("case").tolist()))
    if apparent:
        builder.note(apparent)
    _figure(forest, table, options, builder, apparent=apparent)
    _candidate_tests(table, options, builder)


def _with_covariates(table: Table, inputs: Inputs) -> Table:
    """Join the covariates of the truth table by case."""
    truth = inputs.get("truth")
    if truth is None:
        return table
    by_case = {case: row for row, case in reversed(list(enumerate(truth.text("case"))))}
    rows = [by_case.get(case) for case in table.text("case")]
    joined = {
        name: np.array(["" if row is None else truth.text(name)[row] for row in rows], dtype=object)
        for name in truth
        if name not in table and name not in {"item", "truth"}
    }
    return table.with_columns(**joined)


def _with_failures(table: Table, candidate: str, inputs: Inputs, builder: ResultBuilder) -> Table:
    """Give failed results (no overlap value although a reference exists) the worst values, as the plan says."""
    options: Options = inputs.options
    both_empty = table.numbers("volume_reference_ml") == 0
    failed = np.isnan(table.numbers(options.metric)) & ~both_empty
    if options.metric in DISTANCES:
        failed &= np.isnan(table.numbers("dice"))
    if both_empty.any():
        builder.note(
            f"{candidate}: {count_words(int(both_empty.sum()), 'case')} without a reference contour have no value."
        )
    if not failed.any():
        return table
    if options.failed == "leave-out":
        builder.note(f"{candidate}: {count_words(int(failed.sum()), 'failed result')} left out and counted.")
        return table
    available = table.where(~failed)
    rows = [
        [metric, own.n, own.median, own.q1, own.q3]
        for metric in _metrics(table)
        for values in [metric_values(available, metric)[0]]
        for own in [summary(values)]
    ]
    builder.table(f"available-only-{candidate}", ("metric", "n", "median", "q1", "q3"), rows)
    builder.note(
        f"{candidate}: {count_words(int(failed.sum()), 'failed result')} counted as overlap 0 and worst "
        "distance; the table "
        f"'available-only-{candidate}' leaves them out."
    )
    replaced = {}
    for metric in _metrics(table):
        values = table.numbers(metric, infinite=metric in DISTANCES).copy()
        if metric not in LENGTHS:
            values[failed] = np.inf if metric in DISTANCES else 0.0
        replaced[metric] = values
    return table.with_columns(**replaced)


def _metrics(table: Table) -> list[str]:
    return [name for name in table if is_metric(name)]


# ---------------------------------------------------------------- overall


def _overall(table: Table, candidate: str, inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    header = (
        "candidate", "metric", "n", "n_missing", "n_empty", "median", "low", "high", "q1", "q3", "iqr", "mean", "sd",
    )  # fmt: skip
    rows: list[list[Any]] = []
    for metric in _metrics(table):
        values, n_empty = metric_values(table, metric)
        number, own = record_median(
            builder,
            metric,
            values,
            [table.text("case")],
            subject={"candidate": candidate},
            n_empty=n_empty,
            n_resamples=options.n_resamples,
            rng=inputs.rng(f"{candidate} {metric}"),
            units_words="cases",
        )
        rows.append(
            [candidate, metric, own.n, own.n_missing, n_empty, own.median, number.low, number.high, own.q1, own.q3,
             own.iqr, own.mean, own.sd]
        )  # fmt: skip
        if metric == options.metric:
            builder.finding(
                f"{label_of(metric)} of {candidate}: median {estimate_words(number)}, IQR {decimal(own.iqr)}, n "
                f"= {own.n}."
            )
        if metric == "hausdorff_95_mm" and options.published_hd95_below is not None:
            _published_hd95(values, candidate, options.published_hd95_below, builder)
    previous = builder.tables.get("overall")
    old = [list(row.values()) for row in previous.records()] if previous is not None else []
    builder.table("overall", header, old + rows)


def _published_hd95(values: Array, candidate: str, limit: float, builder: ResultBuilder) -> None:
    kept = summary(values[values < limit])
    for name in ("median", "iqr"):
        builder.number(
            f"hausdorff_95_mm.as_published.{name}",
            getattr(kept, name),
            label=f"95th percentile Hausdorff distance below {limit:g} mm, {name}",
            subject={"candidate": candidate},
            unit="mm",
            n=kept.n,
            n_missing=int((~(values < limit)).sum()),
            missing=f"distances of {limit:g} mm and more left out, as published; this flatters",
            method=kept.provenance.method,
            reason=kept.reason or "",
        )


# ---------------------------------------------------------------- subgroups


def _forest_rows(
    table: Table,
    candidate: str,
    intervals: Mapping[str, list[Interval]],
    inputs: Inputs,
    builder: ResultBuilder,
) -> list[list[Any]]:
    options: Options = inputs.options
    values, n_empty = metric_values(table, options.metric)
    rows = [_level_row(table, values, {"candidate": candidate}, "All cases", "", n_empty, inputs, builder)]
    for name in options.subgroups:
        levels, order = subgroup_levels(table, name, intervals=intervals, labels=options.labels)
        unassigned = int((levels == "").sum())
        if unassigned:
            builder.note(f"{name}: {count_words(unassigned, 'case')} in no level of this subgroup.")
        for level in order:
            chosen = levels == level
            if not chosen.any():
                continue
            subject = {"candidate": candidate, "subgroup": name, "level": level}
            empties = int(np.isinf(values[chosen]).sum())
            rows.append(
                _level_row(
                    table.where(chosen), values[chosen], subject, level, name, empties, inputs, builder
                )
            )
        if "*" not in name:
            _tests(
                values, levels, [o for o in order if (levels == o).any()], candidate, name, inputs, builder
            )
    header = (
        "candidate",
        "subgroup",
        "level",
        "n",
        "n_missing",
        "n_empty",
        "median",
        "low",
        "high",
        "q1",
        "q3",
        "iqr",
    )
    previous = builder.tables.get("subgroups")
    old = [list(row.values()) for row in previous.records()] if previous is not None else []
    builder.table("subgroups", header, old + [row[:12] for row in rows])
    return rows


def _level_row(
    table: Table,
    values: Array,
    subject: dict[str, str],
    level: str,
    subgroup: str,
    n_empty: int,
    inputs: Inputs,
    builder: ResultBuilder,
) -> list[Any]:
    options: Options = inputs.options
    scratch = (
        builder if subgroup else ResultBuilder(confidence_level=builder.confidence_level, seed=builder.seed)
    )
    number, own = record_median(
        scratch,
        options.metric,
        values,
        [table.text("case")],
        subject=subject,
        n_empty=n_empty,
        n_resamples=options.n_resamples,
        rng=inputs.rng(" ".join(subject.values()))
        if subgroup
        else inputs.rng(f"{subject['candidate']} {options.metric}"),
        units_words="cases",
    )
    return [
        subject["candidate"], subgroup, level, own.n, own.n_missing, n_empty, own.median, number.low, number.high,
        own.q1, own.q3, own.iqr,
    ]  # fmt: skip


def _tests(
    values: Array,
    levels: Array,
    order: list[str],
    candidate: str,
    name: str,
    inputs: Inputs,
    builder: ResultBuilder,
) -> None:
    against = inputs.options.against.get(name)
    if against is not None and against not in order:
        raise AnalysisInputError(
            [f"Parameter against: '{against}' is not a level of {name}: {', '.join(order)}."]
        )
    pairs = [
        (first, second)
        for i, first in enumerate(order)
        for second in order[i + 1 :]
        if against is None or against in {first, second}
    ]
    results: list[tuple[str, str, MannWhitneyResult]] = [
        (first, second, mann_whitney(values[levels == first], values[levels == second]))
        for first, second in pairs
    ]
    rows = []
    for first, second, result in results:
        adjusted = min(1.0, result.pvalue * len(pairs)) if np.isfinite(result.pvalue) else float("nan")
        number = builder.number(
            f"{inputs.options.metric}.mann_whitney",
            result.statistic,
            label=f"Mann-Whitney U, {name}: {first} against {second}",
            subject={"candidate": candidate, "subgroup": name, "first": first, "second": second},
            statistic=result.statistic,
            pvalue=adjusted,
            n=result.n_first + result.n_second,
            n_missing=result.n_missing,
            missing=result.provenance.missing,
            method=f"{result.provenance.method}; Bonferroni over {len(pairs)} pairs of this subgroup",
            reason=result.reason or "",
        )
        rows.append(
            [candidate, name, first, second, result.n_first, result.n_second, result.statistic,
             result.statistic_second, result.pvalue, len(pairs), number.pvalue]
        )  # fmt: skip
        if number.pvalue is not None and number.pvalue < 1 - builder.confidence_level:
            builder.finding(
                f"{candidate}, {name}: {label_of(inputs.options.metric)} differed between {first} and {second} "
                f"({p_words(number.pvalue)}, Bonferroni over {len(pairs)})."
            )
    header = (
        "candidate", "subgroup", "first", "second", "n_first", "n_second", "u_first", "u_second", "p_raw", "n_tests",
        "p_bonferroni",
    )  # fmt: skip
    previous = builder.tables.get("subgroup-tests")
    old = [list(row.values()) for row in previous.records()] if previous is not None else []
    if old or rows:
        builder.table("subgroup-tests", header, old + rows)


# ---------------------------------------------------------------- candidates against each other


def _candidate_tests(table: Table, options: Options, builder: ResultBuilder) -> None:
    candidates = table.levels("second")
    pairs = [(a, b) for i, a in enumerate(candidates) for b in candidates[i + 1 :]]
    rows = []
    for first, second in pairs:
        values = [
            metric_values(table.where(table.text("second") == name), options.metric)[0]
            for name in (first, second)
        ]
        result = mann_whitney(*values)
        rows.append(
            [first, second, result.n_first, result.n_second, result.statistic, result.statistic_second, result.pvalue,
             len(pairs), min(1.0, result.pvalue * len(pairs))]
        )  # fmt: skip
    if rows:
        header = (
            "first",
            "second",
            "n_first",
            "n_second",
            "u_first",
            "u_second",
            "p_raw",
            "n_tests",
            "p_bonferroni",
        )
        builder.table("candidate-tests", header, rows)
        builder.note("Candidates of the same cases are paired; the Mann-Whitney test between them is not.")


# ---------------------------------------------------------------- figure


def _figure(
    forest: list[list[Any]], table: Table, options: Options, builder: ResultBuilder, *, apparent: str
) -> None:
    several = len(table.levels("second")) > 1
    rows = [
        [f"{row[0]}, {row[2]}" if several else row[2], row[1], row[6], row[7], row[8], f"n = {row[3]}"]
        for row in forest
        if np.isfinite(row[6])
    ]
    if not rows:
        builder.note("No figure: no median is finite.")
        return
    medians = [row[2] for row in rows]
    metric = label_of(options.metric)
    title = f"Median {metric} was {decimal(medians[0])}"
    if len(rows) > 1 and any(row[1] for row in rows):
        inner = [row[2] for row in rows if row[1]]
        title += f" overall and {decimal(min(inner))} to {decimal(max(inner))} in subgroups"
    if apparent:
        title += " (apparent performance)"
    sections = len({row[1] for row in rows if row[1]})
    builder.figure(
        Figure(
            "subgroups",
            "forest",
            title,
            f"Median {metric} with {100 * builder.confidence_level:g} % bootstrap intervals over cases "
            f"({options.n_resamples} resamples), n = {forest[0][3]}. {apparent}".strip(),
            Table.of_rows("forest", ("label", "section", "estimate", "low", "high", "note"), rows),
            width_cm=17.5 if several else 12.0,
            height_cm=2.5 + 0.5 * (len(rows) + sections),
            options={"xlabel": f"Median {metric}", "reference": medians[0]},
        )
    )


METHOD = Method(
    name="segmentation-performance",
    title="Segmentation performance by subgroup",
    statement=(
        "Medians and quartiles of the metrics against the reference contour, with a bootstrap over cases; by "
        "subgroup with "
        "Mann-Whitney tests (tie and continuity correction) and Bonferroni within each subgroup. Empty masks "
        "have overlap "
        "0 and rank worst in distances; they are counted, never dropped."
    ),
    version="1",
    needs=_needs,
    options=Options,
    run=_run,
)
