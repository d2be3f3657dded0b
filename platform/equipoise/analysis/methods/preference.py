"""Preference trials: which of two contours readers prefer, how consistently, how fast, and whether they knew.

Order of evidence: the marginal probability of the mixed model with crossed readers and cases comes first, Wilcoxon's
test on reader scores second; the exact binomial test per reader is description only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from equipoise.analysis.method import Inputs, Method, TableNeed
from equipoise.analysis.methods.preference_checks import (
    report_blinding,
    report_consistency,
    report_sides,
    report_times,
)
from equipoise.analysis.methods.preference_outcomes import PreferenceRules, Preferences, preferences_of
from equipoise.analysis.results import Figure, ResultBuilder
from equipoise.analysis.selection import of_algorithms, of_readers, refuse_without_rows, refusing, with_case
from equipoise.analysis.tables import Table
from equipoise.analysis.wording import count_words, decimal, estimate_words, p_words
from equipoise.stats import PreferenceModel, PreferenceScore, Summary, preference_model, preference_score

Rule = Literal["exclude", "algorithm", "against", "tie"]

HALF_PERCENT = 50.0
FULL_PERCENT = 100.0


@dataclass(frozen=True)
class Options(PreferenceRules):
    """Parameters of the preference analysis.

    ``algorithm`` names the source that is the algorithm's, where its name does not begin with "algorithm".
    ``algorithm_mark`` and ``other_mark`` name two 0/1 columns of a table collected elsewhere; ``both`` and
    ``neither`` say what becomes of rows that mark both or neither. ``model=false`` leaves out the mixed model.
    """

    both: Rule = "exclude"
    neither: Rule = "exclude"
    blinding_task: str = "blinding-check"
    primary_time: str = "active_s"
    n_resamples: int = 2000
    model: bool = True
    bin_width: float = 5.0


def _needs(options: Options) -> Mapping[str, TableNeed]:
    return {
        "readings": TableNeed(("participant",) if options.algorithm_mark else ("participant", "preferred"))
    }


def _run(inputs: Inputs, builder: ResultBuilder) -> None:
    options: Options = inputs.options
    everything = with_case(inputs["readings"], builder)
    if of_algorithms(everything).n_rows:
        builder.note("Rows of algorithms were left out: a preference is a reader's.")
    readers = of_readers(everything)
    asked = np.isin(readers.text("task"), ("", "preference"))
    rated = readers.where(asked)
    refuse_without_rows(rated, "task 'preference', by readers")
    preferences = preferences_of(rated, options, builder)
    with refusing(rated):
        score = preference_score(preferences.readings, algorithm=preferences.algorithm)
    _model_findings(preferences, inputs, builder)
    scores = _scores_table(preferences, score, builder)
    _group_findings(score, builder)
    _note_what_is_left_out(preferences, score, builder)
    _figures(scores, score, options, builder)
    report_sides(preferences, inputs, builder)
    report_consistency(preferences, inputs, builder)
    report_blinding(readers, preferences.readings, score.algorithm, inputs, builder)
    report_times(preferences.readings, options.primary_time, builder)


# ---------------------------------------------------------------- the primary model


def _model_findings(preferences: Preferences, inputs: Inputs, builder: ResultBuilder) -> None:
    if not inputs.options.model:
        builder.note("The mixed model was left out on request.")
        return
    with refusing(preferences.readings):
        model = preference_model(
            preferences.readings,
            algorithm=preferences.algorithm,
            confidence_level=inputs.confidence_level,
            n_resamples=inputs.options.n_resamples,
            rng=inputs.rng("preference-bootstrap"),
        )
    shared: dict[str, Any] = {
        "unit": "%",
        "n": model.n,
        "n_missing": model.n_missing,
        "missing": model.provenance.missing,
        "reason": model.reason or "",
    }
    number = builder.number(
        "preference_probability",
        FULL_PERCENT * model.estimate,
        label="Marginal probability that the algorithm's contour is preferred, by new readers of new cases",
        interval=_percent_interval(model.confidence_interval),
        interval_method="Wald on the logit scale, variance components included",
        standard_error=model.standard_error,
        statistic=model.statistic,
        pvalue=model.pvalue,
        method=f"{model.provenance.method}; variance: {model.provenance.variance_estimator}",
        **shared,
    )
    shared.pop("reason")
    bootstrap = builder.number(
        "preference_probability.bootstrap",
        FULL_PERCENT * model.bootstrap_estimate,
        label="Share of pairs in which the algorithm's contour was preferred, no preference counted half",
        interval=_percent_interval(model.bootstrap_interval),
        interval_method=f"percentile bootstrap over readers and cases, {inputs.options.n_resamples} resamples",
        seed=builder.seed,
        method="share of the answered pairs",
        **shared,
    )
    _model_table(model, builder)
    for sentence in model.notes:
        builder.note(f"Mixed model: {sentence}.")
    size = f"{count_words(model.n_readers, 'reader')}, {count_words(model.n_cases, 'case')}"
    if number.value is None:
        builder.finding(
            f"The mixed model does not give a probability of preferring the algorithm's contour ({model.reason}); the "
            f"share of pairs was {estimate_words(bootstrap, 1, unit=' %')}, bootstrap over {size}."
        )
        return
    builder.finding(
        f"A new reader of a new case would prefer the algorithm's contour with a probability of "
        f"{estimate_words(number, 1, unit=' %')}, {p_words(number.pvalue)} against 50 % (mixed model, {size}); "
        f"bootstrap over readers and cases: {estimate_words(bootstrap, 1, unit=' %')}."
    )
    _side_finding(model, builder)


def _percent_interval(interval: Any) -> tuple[float, float]:
    return FULL_PERCENT * interval.low, FULL_PERCENT * interval.high


def _model_table(model: PreferenceModel, builder: ResultBuilder) -> None:
    rows = [["fixed effect", name, value] for name, value in model.coefficients.items()]
    rows += [
        ["standard deviation of random effect", name, value]
        for name, value in model.standard_deviations.items()
    ]
    builder.table("model", ("kind", "term", "logits"), rows)


def _side_finding(model: PreferenceModel, builder: ResultBuilder) -> None:
    if model.side is None:
        return
    number = builder.number(
        "side_odds_ratio",
        model.side.odds_ratio,
        label="Odds ratio of preferring a contour on the left instead of the right",
        interval=model.side.confidence_interval,
        interval_method="Wald on the logit scale",
        statistic=model.side.statistic,
        pvalue=model.side.pvalue,
        n=model.n,
        method="side term of the mixed model",
    )
    builder.finding(
        f"The odds of preferring a contour shown on the left instead of the right were multiplied by "
        f"{estimate_words(number)}, {p_words(number.pvalue)}."
    )


# ---------------------------------------------------------------- scores and their summaries


def _scores_table(preferences: Preferences, score: PreferenceScore, builder: ResultBuilder) -> Table:
    participants = preferences.readings.text("participant")
    header = (
        "participant", "group", "n", "n_algorithm", "n_other", "n_none", "n_missing", "n_not_assessable",
        "n_unclear_rows", "score_percent", "tested_percent", "exact_p",
    )  # fmt: skip
    rows = [
        [
            str(reader.participant), reader.group or "", reader.n, reader.n_algorithm, reader.n_other, reader.n_none,
            reader.n_missing, reader.n_not_assessable,
            int((preferences.is_unclear & (participants == str(reader.participant))).sum()),
            reader.score_percent, FULL_PERCENT * reader.tested_share, reader.binomial_pvalue,
        ]
        for reader in score.readers
    ]  # fmt: skip
    for reader in score.readers:
        builder.number(
            "preference_score",
            reader.score_percent,
            label="Preference score: share of the answered pairs in which the algorithm's contour was preferred",
            subject={"participant": str(reader.participant)},
            unit="%",
            n=reader.n,
            n_missing=reader.n_missing + reader.n_not_assessable,
            missing=score.provenance.missing,
            pvalue=reader.binomial_pvalue,
            method=f"{score.provenance.method}; p: exact binomial against 50 %, description of this reader only",
            reason="" if reader.n else "no answered pair",
        )
    return builder.table("scores", header, rows)


def _group_findings(score: PreferenceScore, builder: ResultBuilder) -> None:
    rows = [_summary_row("All", score.overall, builder)]
    largest_first = sorted(score.groups.items(), key=lambda pair: (-pair[1].n, str(pair[0])))
    rows += [_summary_row(str(group), described, builder) for group, described in largest_first]
    header = (
        "group",
        "n",
        "mean_percent",
        "sd_percent",
        "median_percent",
        "q1_percent",
        "q3_percent",
        "iqr_percent",
    )
    builder.table("groups", header, rows)
    test = score.wilcoxon
    builder.number(
        "preference_score.wilcoxon",
        test.statistic,
        label="Wilcoxon signed-rank statistic of the participants' scores against 50 %",
        statistic=test.statistic,
        pvalue=test.pvalue,
        n=test.n,
        n_missing=test.n_missing,
        missing=f"{test.n_zero} scores of exactly 50 % left out (Wilcoxon's zero method)",
        method=f"{test.provenance.method}; no preference counted half",
        reason=test.reason or "",
    )
    builder.finding(
        f"{_median_words(score)}; Wilcoxon signed-rank test of the scores against 50 %, secondary: "
        f"{p_words(test.pvalue)}."
    )
    if len(score.groups) > 1:
        parts = [
            f"{g} {decimal(d.median, 1)} % (IQR {decimal(d.iqr, 1)}, n = {d.n})" for g, d in largest_first
        ]
        builder.finding(f"Median preference scores by group: {', '.join(parts)}.")


def _median_words(score: PreferenceScore) -> str:
    overall = score.overall
    return (
        f"The median preference score of {count_words(overall.n, 'participant')} was {decimal(overall.median, 1)} % "
        f"(quartiles {decimal(overall.q1, 1)} % and {decimal(overall.q3, 1)} %, IQR {decimal(overall.iqr, 1)})"
    )


def _summary_row(group: str, described: Summary, builder: ResultBuilder) -> list[Any]:
    for name in ("mean", "sd", "median", "q1", "q3", "iqr"):
        builder.number(
            f"preference_score.{name}",
            getattr(described, name),
            label=f"Preference score, {name} over participants",
            subject={} if group == "All" else {"group": group},
            unit="%",
            n=described.n,
            n_missing=described.n_missing,
            missing="participants without an answered pair left out",
            method=described.provenance.method,
            reason=described.reason or "",
        )
    return [
        group, described.n, described.mean, described.sd, described.median, described.q1, described.q3, described.iqr
    ]  # fmt: skip


def _note_what_is_left_out(preferences: Preferences, score: PreferenceScore, builder: ResultBuilder) -> None:
    unclear_left_out = int((preferences.is_unclear & (preferences.readings.text("preferred") == "")).sum())
    missing = score.n_missing - unclear_left_out
    for count, words in (
        (missing, "without an answer left out and counted: neither for nor against"),
        (score.n_not_assessable, "not assessable, left out and counted: neither for nor against"),
        (score.n_excluded, "of pairs without exactly one contour of the algorithm left out"),
        (score.n_repeats, "repeated (repeat above 1): outside the effect estimates"),
    ):
        if count:
            builder.note(f"{count_words(count, 'reading')} {words}.")
    if score.n_none:
        builder.note(
            f"No preference was answered {count_words(score.n_none, 'time')}: in the denominator of the score, and "
            "half for the algorithm in tests against 50 %."
        )


# ---------------------------------------------------------------- figures


def _figures(scores: Table, score: PreferenceScore, options: Options, builder: ResultBuilder) -> None:
    known = scores.where(np.isfinite(scores["score_percent"]))
    if known.n_rows == 0:
        builder.note("No figure: no participant has an answered pair.")
        return
    definition = (
        "Preference score: share of the answered pairs in which the algorithm's contour was preferred, per participant "
        f"(n = {known.n_rows}, {score.n} readings). Dashed line: 50 %, no preference either way."
    )
    title = _median_words(score).split(" (quartiles")[0] + f" (IQR {decimal(score.overall.iqr, 1)})."
    n_bins = math.ceil(FULL_PERCENT / options.bin_width)
    builder.figure(
        Figure(
            "preference-histogram",
            "histogram",
            title,
            f"{definition} Bins of {options.bin_width:g} percentage points.",
            Table.of("scores", {"participant": known.text("participant"), "value": known["score_percent"]}),
            options={
                "bins": [min(FULL_PERCENT, i * options.bin_width) for i in range(n_bins + 1)],
                "reference": HALF_PERCENT,
                "reference_label": "50 %",
                "xlabel": "Preference score (%)",
                "ylabel": "Participants",
            },
        )
    )
    if len(score.groups) > 1:
        _violin(known, score, definition, builder)


def _violin(known: Table, score: PreferenceScore, definition: str, builder: ResultBuilder) -> None:
    by_median = sorted(score.groups.items(), key=lambda pair: -pair[1].median)
    order = [str(group) for group, _ in by_median]
    place = {group: i for i, group in enumerate(order)}
    in_order = np.argsort([place.get(group, len(order)) for group in known.text("group")], kind="stable")
    sorted_rows = known.where(in_order)
    (highest, high), (lowest, low) = by_median[0], by_median[-1]
    builder.figure(
        Figure(
            "preference-by-group",
            "violin",
            f"Median preference scores ranged from {decimal(low.median, 1)} % ({lowest}) to "
            f"{decimal(high.median, 1)} % ({highest}).",
            f"{definition} Points: participants; thick lines: medians; densities for groups of five or more.",
            Table.of(
                "scores",
                {
                    "participant": sorted_rows.text("participant"),
                    "group": sorted_rows.text("group"),
                    "value": sorted_rows["score_percent"],
                },
            ),
            width_cm=17.5,
            height_cm=8.5,
            options={"reference": HALF_PERCENT, "ylabel": "Preference score (%)"},
        )
    )


METHOD = Method(
    name="preference",
    title="Preference between two contours",
    statement=(
        "Primary: logistic mixed model with crossed random effects of reader, case and item in case and a side "
        "term, as a marginal probability, with a bootstrap over readers and cases beside it. Secondary: Wilcoxon "
        "signed-rank "
        "test of the participants' preference scores against 50 %. Description: exact binomial test per reader. First "
        "readings only; pairs without an answer are neither for nor against."
    ),
    version="1",
    needs=_needs,
    options=Options,
    run=_run,
)
