"""Prognostic value of measurements: continuous Cox models first, Kaplan-Meier after a median split as papers "
"show it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.results import Figure, ResultBuilder
from equipoise.analysis.selection import refusing
from equipoise.analysis.tables import Array, Table
from equipoise.analysis.wording import count_words, decimal, estimate_words, p_words
from equipoise.stats import (
    KaplanMeier,
    LogRank,
    compare_concordance,
    concordance_index,
    cox,
    dichotomise_at_median,
    kaplan_meier,
    log_rank,
)

N_RISK_TIMES = 6
"""Places at which the figure prints numbers at risk."""


@dataclass(frozen=True)
class Options:
    """Parameters of the survival analysis.

    ``measurements`` are columns; without them every numeric column beyond time and event. ``group`` is a column of
    ready-made groups. ``pairs`` (``volume_automatic:volume_manual``) compares measurements by the paired difference in
    C-index. ``time_divisor`` changes the unit of time (30 for months from days); times beyond ``censor_after`` (in the
    new unit) are censored there.
    """

    measurements: tuple[str, ...] = ()
    group: str | None = None
    pairs: tuple[str, ...] = ()
    interval: Literal["log-log", "log", "plain"] = "log-log"
    ties: Literal["efron", "breslow"] = "efron"
    time_divisor: float = 1.0
    time_unit: str = ""
    censor_after: float | None = None
    n_resamples: int = 1000

    def __post_init__(self) -> None:
        if not self.time_divisor > 0:
            raise ValueError(f"Parameter time_divisor: {self.time_divisor:g} is not above 0.")


@dataclass(frozen=True)
class Times:
    """Follow-up after the plan's rules."""

    time: Array
    event: Array


def _needs(_: Options) -> Mapping[str, TableNeed]:
    return {"survival": TableNeed(("case", "time", "event"))}


def _run(inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    table = inputs["survival"]
    times = _times(table, options, builder)
    measurements = _measurements(table, options)
    if not measurements and options.group is None:
        raise AnalysisInputError(
            [f"{table.name}: no numeric column beyond time and event, and no group is named."]
        )
    cox_rows: list[list[Any]] = []
    split_rows: list[list[Any]] = []
    for name in measurements:
        cox_rows += _cox_rows(table, times, name, options, builder)
    header = ("measurement", "scale", "n", "n_events", "n_missing", "hazard_ratio", "low", "high", "p", "c_index",
              "c_index_low", "c_index_high", "ties", "reason")  # fmt: skip
    if cox_rows:
        builder.table("cox", header, cox_rows)
    for name in measurements:
        values = table.numbers(name)
        with refusing(table):
            groups, cut = dichotomise_at_median(values)
        split_rows.append(_split(table, times, name, groups, cut, inputs, builder))
    if options.group is not None:
        if options.group not in table:
            raise AnalysisInputError([f"{table.name}: there is no column '{options.group}' for groups."])
        split_rows.append(
            _split(table, times, options.group, table.text(options.group), None, inputs, builder)
        )
    builder.table(
        "log-rank",
        ("groups", "cut", "n", "n_events", "chi_square", "df", "p", "reason"),
        split_rows,
    )
    _pairs(table, times, measurements, inputs, builder)
    if measurements:
        builder.note(
            "The median split (strictly above the median is high) is shown as in papers; the continuous model is "
            "primary."
        )


def _times(table: Table, options: Options, builder: ResultBuilder) -> Times:
    time, event = table["time"] / options.time_divisor, table["event"].copy()
    if options.censor_after is not None:
        late = time > options.censor_after
        lost = int((event[late] == 1).sum())
        time = np.where(late, options.censor_after, time)
        event[late] = 0
        builder.note(
            f"{count_words(int(late.sum()), 'time')} beyond {options.censor_after:g} censored there ({lost} "
            "events lost)."
        )
    missing = int((np.isnan(time) | np.isnan(event)).sum())
    if missing:
        builder.note(f"{count_words(missing, 'case')} without time or event left out and counted.")
    if not np.isfinite(time).any():
        raise AnalysisInputError([f"{table.name}: no case has a time."])
    return Times(time, event)


def _measurements(table: Table, options: Options) -> list[str]:
    absent = [name for name in options.measurements if name not in table]
    if absent:
        raise AnalysisInputError(f"{table.name}: there is no column '{name}'." for name in absent)
    if options.measurements:
        return list(options.measurements)
    known = {"case", "time", "event", options.group}
    return [name for name in table if name not in known and table.is_numeric(name) and table.levels(name)]


# ---------------------------------------------------------------- Cox


def _cox_rows(
    table: Table, times: Times, name: str, options: Options, builder: ResultBuilder
) -> list[list[Any]]:
    values = table.numbers(name)
    scales = [("per unit", values)]
    if np.nanmin(values, initial=math.inf) > 0:
        scales.append(("per doubling", np.log2(values)))
    rows = []
    for scale, covariate in scales:
        with refusing(table):
            model = cox(
                times.time,
                times.event,
                covariate,
                options.ties,
                names=[name],
                confidence_level=builder.confidence_level,
            )
        term = model.terms[0]
        c_index = concordance_index(
            times.time, times.event, values, confidence_level=builder.confidence_level
        )
        number = builder.number(
            "hazard_ratio",
            term.hazard_ratio,
            label=f"Hazard ratio of {name}, {scale}, univariate Cox",
            subject={"measurement": name, "scale": scale},
            interval=term.confidence_interval,
            interval_method="Wald",
            standard_error=term.standard_error,
            statistic=term.statistic,
            pvalue=term.pvalue,
            n=model.n,
            n_missing=model.n_missing,
            missing=model.provenance.missing,
            method=f"{model.provenance.method}; ties: {model.ties}",
            reason=model.reason or "",
        )
        rows.append(
            [name, scale, model.n, model.n_events, model.n_missing, number.value, number.low, number.high,
             number.pvalue, c_index.estimate, c_index.confidence_interval.low, c_index.confidence_interval.high,
             model.ties, number.reason]
        )  # fmt: skip
        if scale == "per unit":
            concordance = builder.number(
                "c_index",
                c_index.estimate,
                label=f"Harrell's C-index of {name}, higher values taken as higher risk",
                subject={"measurement": name},
                interval=c_index.confidence_interval,
                interval_method=c_index.provenance.variance_estimator,
                standard_error=c_index.standard_error,
                n=c_index.n,
                n_missing=c_index.n_missing,
                missing=c_index.provenance.missing,
                method=c_index.provenance.method,
                reason=c_index.reason or "",
            )
            builder.finding(
                f"{name}: hazard ratio per unit {estimate_words(number, 4)}, {p_words(number.pvalue)}; C-index "
                f"{estimate_words(concordance, 3)} ({count_words(model.n, 'case')}, "
                f"{count_words(model.n_events, 'event')})."
            )
    return rows


# ---------------------------------------------------------------- groups


def _split(
    table: Table,
    times: Times,
    name: str,
    groups: Array,
    cut: float | None,
    inputs: Inputs,
    builder: ResultBuilder,
) -> list[Any]:
    options: Options = inputs.options
    labels = [str(g) if g not in {None, ""} else None for g in groups]
    with refusing(table):
        test = log_rank(times.time, times.event, labels)
        curves = kaplan_meier(
            times.time, times.event, labels, options.interval, confidence_level=inputs.confidence_level
        )
    number = builder.number(
        "log_rank",
        test.statistic,
        label=f"Log-rank chi-square, groups by {name}"
        + ("" if cut is None else f", split at the median {cut:g}"),
        subject={"groups": name},
        statistic=test.statistic,
        df=test.df,
        pvalue=test.pvalue,
        n=sum(test.n),
        n_missing=test.n_missing,
        missing=test.provenance.missing,
        method=test.provenance.method,
        reason=test.reason or "",
    )
    _medians(curves, name, options, builder)
    split = "" if cut is None else f" (split at the median {decimal(cut)})"
    builder.finding(
        f"Survival by {name}{split}: log-rank chi-square {decimal(number.value, 2)}, {p_words(number.pvalue)}."
    )
    _figure(curves, test, name, cut, inputs, builder)
    return [name, cut, sum(test.n), curves.n_events, number.value, test.df, number.pvalue, number.reason]


def _medians(curves: KaplanMeier, name: str, options: Options, builder: ResultBuilder) -> None:
    for curve in curves.curves:
        median = curve.median
        builder.number(
            "median_survival",
            median.time,
            label="Median survival (Kaplan-Meier)",
            subject={"groups": name, "group": str(curve.group)},
            unit=options.time_unit,
            interval=median.confidence_interval,
            interval_method=f"inverted {options.interval} interval",
            n=curve.n,
            method=curves.provenance.method,
            reason=_median_reason(median),
        )


def _median_reason(median: Any) -> str:
    if not math.isfinite(median.time):
        return "not reached"
    bounds = (median.confidence_interval.low, median.confidence_interval.high)
    return "a bound is not reached" if not all(math.isfinite(bound) for bound in bounds) else ""


def _figure(
    curves: KaplanMeier, test: LogRank, name: str, cut: float | None, inputs: Inputs, builder: ResultBuilder
) -> None:
    options: Options = inputs.options
    end = max(float(curve.time.max()) for curve in curves.curves)
    ticks = _ticks(end)
    rows: list[list[Any]] = []
    for curve in curves.curves:
        group = str(curve.group)
        rows.append([group, "curve", 0.0, 1.0, 1.0, 1.0, curve.n])
        for i in range(len(curve.time)):
            survival = float(curve.survival[i])
            rows.append(
                [group, "curve", curve.time[i], survival, curve.low[i], curve.high[i], int(curve.n_risk[i])]
            )
            if curve.n_censored[i]:
                rows.append(
                    [group, "censored", curve.time[i], survival, None, None, int(curve.n_censored[i])]
                )
        rows += [[group, "at_risk", t, None, None, None, _at_risk(curve, t)] for t in ticks]
    unit = f" ({options.time_unit})" if options.time_unit else ""
    title = f"Survival by {name}: log-rank {p_words(test.pvalue)}"
    tested = f"Log-rank test not available: {test.reason}."
    if math.isfinite(test.statistic):
        degrees = count_words(int(test.df), "degree")
        tested = f"Log-rank chi-square {decimal(test.statistic)}, {degrees} of freedom."
    split = "" if cut is None else f" High: {name} above the median {decimal(cut)}."
    builder.figure(
        Figure(
            f"kaplan-meier-{_slug(name)}",
            "kaplan_meier",
            title,
            f"Kaplan-Meier estimates with pointwise {100 * inputs.confidence_level:g} % intervals "
            f"({options.interval}), n = {curves.n}, {curves.n_events} events; ticks: censored.{split} {tested}",
            Table.of_rows("km", ("group", "part", "time", "survival", "low", "high", "n_at_risk"), rows),
            width_cm=8.5 if len(curves.curves) <= 3 else 12.0,
            height_cm=9.0,
            options={"xlabel": f"Time{unit}", "ylabel": "Survival"},
        )
    )


def _at_risk(curve: Any, time: float) -> int:
    """Return how many are still followed just before a time."""
    left = curve.n_event + curve.n_censored
    return int(curve.n - left[curve.time < time].sum())


def _ticks(end: float) -> list[float]:
    step = 10.0 ** math.floor(math.log10(end / N_RISK_TIMES)) if end > 0 else 1.0
    for factor in (1, 2, 2.5, 5, 10):
        if end / (step * factor) <= N_RISK_TIMES:
            step *= factor
            break
    return [step * i for i in range(int(end / step) + 1)]


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")


# ---------------------------------------------------------------- comparisons


def _pairs(
    table: Table, times: Times, measurements: list[str], inputs: Inputs, builder: ResultBuilder
) -> None:
    options: Options = inputs.options
    rows = []
    for text in options.pairs:
        first, colon, second = text.partition(":")
        if not colon or first not in table or second not in table:
            raise AnalysisInputError(
                [f"Parameter pairs: '{text}' does not name two columns A:B of: {', '.join(measurements)}."]
            )
        with refusing(table):
            found = compare_concordance(
                times.time,
                times.event,
                table.numbers(first),
                table.numbers(second),
                n_resamples=options.n_resamples,
                confidence_level=inputs.confidence_level,
                rng=inputs.rng(f"concordance {text}"),
            )
        shared: dict[str, Any] = {
            "subject": {"first": first, "second": second},
            "n": found.n,
            "n_missing": found.n_missing,
            "missing": found.provenance.missing,
            "method": found.provenance.method,
            "seed": inputs.seed,
            "reason": found.reason or "",
            "interval_method": f"percentile bootstrap over patients, {options.n_resamples} resamples",
        }
        number = builder.number(
            "c_index_difference", found.estimate, label="C-index, first minus second, same patients",
            interval=found.confidence_interval, standard_error=found.standard_error, **shared,
        )  # fmt: skip
        builder.number(
            "log_hazard_difference", found.log_hazard_difference,
            label="Log hazard ratio per doubling, first minus second", interval=found.log_hazard_interval, **shared,
        )  # fmt: skip
        rows.append([first, second, found.n, found.first, found.second, number.value, number.low, number.high,
                     found.log_hazard_difference, found.log_hazard_interval.low,
                     found.log_hazard_interval.high])  # fmt: skip
        builder.finding(
            f"C-index of {first} minus {second}: {estimate_words(number, 3)} ({decimal(found.first, 3)} and "
            f"{decimal(found.second, 3)}, paired, bootstrap over patients)."
        )
    if rows:
        header = ("first", "second", "n", "c_index_first", "c_index_second", "difference", "low", "high",
                  "log_hazard_difference", "log_hazard_low", "log_hazard_high")  # fmt: skip
        builder.table("concordance-differences", header, rows)


METHOD = Method(
    name="survival",
    title="Prognostic value",
    statement=(
        "Primary: univariate Cox model of the continuous measurement (hazard ratio per unit and per doubling, "
        "C-index). As in "
        "papers: split at the median (strictly above is high), Kaplan-Meier with pointwise intervals, log-rank. "
        "Measurements "
        "are compared by the paired difference in C-index and in log hazard ratio per doubling, bootstrap over "
        "patients."
    ),
    version="1",
    needs=_needs,
    options=Options,
    run=_run,
)
