"""What stands beside a preference: sides chosen, consistency on hidden repeats, the blinding check, reading times."""

from collections.abc import Collection
from typing import Any

import numpy as np

from equipoise.analysis.method import Inputs
from equipoise.analysis.methods.preference_outcomes import Preferences
from equipoise.analysis.results import ResultBuilder
from equipoise.analysis.selection import is_first_repeat, item_keys, refusing
from equipoise.analysis.tables import Array, Table
from equipoise.analysis.wording import count_words, estimate_words, p_words, seconds_words
from equipoise.stats import pair_blinding, repeat_consistency, side_bias, summary

_SIDES = {"left": "left", "a": "left", "right": "right", "b": "right"}
"""How a side may be stored: A is the one shown on the left."""

_UNSURE = "don't know"


def _options(preferences: Preferences, inputs: Inputs, purpose: str) -> dict[str, Any]:
    return {
        "algorithm": preferences.algorithm,
        "confidence_level": inputs.confidence_level,
        "n_resamples": inputs.options.n_resamples,
        "rng": inputs.rng(purpose),
    }


def _interval_method(inputs: Inputs) -> str:
    return f"percentile bootstrap over readers and cases, {inputs.options.n_resamples} resamples"


# ---------------------------------------------------------------- sides


def report_sides(preferences: Preferences, inputs: Inputs, builder: ResultBuilder) -> None:
    """Count left and right choices, and say how the algorithm's contour was placed."""
    readings = preferences.readings
    if not ((readings.text("left_source") != "") & (readings.text("right_source") != "")).any():
        builder.note("Which contour was shown on which side is not recorded.")
        return
    with refusing(readings):
        bias = side_bias(readings, **_options(preferences, inputs, "side-bias"))
    header = ("participant", "n_left", "n_right", "left_share", "exact_p")
    rows = [[str(r.participant), r.n_left, r.n_right, r.left_share, r.binomial_pvalue] for r in bias.readers]
    builder.table("sides", header, rows)
    number = builder.number(
        "left_choice_share",
        bias.estimate,
        label="Share of choices that fell on the left side",
        interval=bias.confidence_interval,
        interval_method=_interval_method(inputs),
        pvalue=bias.wilcoxon.pvalue,
        n=bias.n_left + bias.n_right,
        missing=f"{bias.provenance.missing}; {bias.n_none} answers of no preference have no side",
        seed=builder.seed,
        method="share of the readings with a chosen side; p: Wilcoxon signed-rank test of the readers' shares",
        reason=bias.reason or "",
    )
    builder.number(
        "algorithm_left_share",
        bias.algorithm_left_share,
        label="Share of readings in which the algorithm's contour was shown on the left",
        n=bias.n_left + bias.n_right + bias.n_none,
    )
    builder.finding(
        f"The left side was chosen {count_words(bias.n_left, 'time')} and the right side {bias.n_right} times: "
        f"{estimate_words(number, 1, scale=100, unit=' %')} left, {p_words(number.pvalue)}."
    )


# ---------------------------------------------------------------- hidden repeats


def report_consistency(preferences: Preferences, inputs: Inputs, builder: ResultBuilder) -> None:
    """Report how often the same reader gave the same answer to the same pair again."""
    readings = preferences.readings
    if is_first_repeat(readings).all():
        builder.note("No pair was shown twice: consistency is not available.")
        return
    with refusing(readings):
        result = repeat_consistency(readings, **_options(preferences, inputs, "consistency"))
    rows = [[str(r.participant), r.n, r.n_same, r.share] for r in result.readers]
    builder.table("consistency", ("participant", "n_repeats", "n_same", "share_same"), rows)
    shared: dict[str, Any] = {
        "n": result.n,
        "n_missing": result.n_incomplete,
        "missing": result.provenance.missing,
    }
    number = builder.number(
        "consistency",
        result.estimate,
        label="Share of hidden repeats answered as the first time",
        interval=result.confidence_interval,
        interval_method=_interval_method(inputs),
        seed=builder.seed,
        method=result.provenance.method,
        reason=result.reason or "",
        **shared,
    )
    builder.number(
        "consistency.kappa",
        result.kappa,
        label="Agreement of first and repeated answers beyond chance",
        method=f"chance from each reader's own frequencies ({result.expected:.3g} expected)",
        reason=result.reason or "",
        **shared,
    )
    builder.finding(
        f"On {count_words(result.n, 'hidden repeat')} readers gave the same answer in "
        f"{estimate_words(number, 1, scale=100, unit=' %')}."
    )


# ---------------------------------------------------------------- blinding


def report_blinding(
    readers: Table, preferences: Table, algorithm: Collection[str], inputs: Inputs, builder: ResultBuilder
) -> None:
    """Report whether readers could tell which contour was the algorithm's."""
    check = readers.where(readers.text("task") == inputs.options.blinding_task)
    if check.n_rows == 0:
        builder.note("No blinding check was read.")
        return
    own_left = np.isin(check.text("left_source"), list(algorithm))
    usable = own_left != np.isin(check.text("right_source"), list(algorithm))
    if not usable.all():
        left_out = int((~usable).sum())
        builder.note(
            f"{count_words(left_out, 'guess', 'guesses')} without exactly one contour of the algorithm left out."
        )
    check, own_left = check.where(usable), own_left[usable]
    if check.n_rows == 0:
        return
    result = pair_blinding(
        _guessed_sides(check),
        np.where(own_left, "left", "right").tolist(),
        readers=check.text("participant").tolist(),
        cases=check.text("case").tolist(),
        prefers_algorithm=_first_preferences(check, preferences, algorithm),
        confidence_level=inputs.confidence_level,
        n_resamples=inputs.options.n_resamples,
        rng=inputs.rng("blinding"),
    )
    number = builder.number(
        "blinding",
        result.estimate,
        label="Blinding check: (correct - wrong) / all, don't-know in the denominator",
        interval=result.confidence_interval,
        interval_method=_interval_method(inputs),
        n=result.n,
        n_missing=result.n_missing,
        missing=result.provenance.missing,
        seed=builder.seed,
        method=f"{result.provenance.method}; 0: as by chance, 1: always right",
        reason=result.reason or "",
    )
    counts = {"correct": result.n_correct, "wrong": result.n_wrong, "unsure": result.n_unsure}
    rows = [
        [word, n, result.preference_n[word], result.preference_percent[word]] for word, n in counts.items()
    ]
    builder.table("blinding", ("guess", "n", "n_with_preference", "preference_score_percent"), rows)
    builder.finding(
        f"Asked which contour was the algorithm's, readers were right {count_words(result.n_correct, 'time')}, wrong "
        f"{count_words(result.n_wrong, 'time')} and did not know {count_words(result.n_unsure, 'time')}: "
        f"(correct − wrong)/all = {estimate_words(number)}."
    )


def _guessed_sides(check: Table) -> list[str]:
    """Return the side taken for the algorithm's, empty where unanswered; it may be stored as a side or as a source."""
    guesses = []
    rows = zip(
        *(check.text(n) for n in ("choice_side", "preferred", "left_source", "right_source")), strict=True
    )
    for side, source, left, right in rows:
        if side.lower() in _SIDES:
            guesses.append(_SIDES[side.lower()])
        else:
            given = side or source
            guesses.append({left: "left", right: "right"}.get(source, _UNSURE) if given else "")
    return guesses


def _first_preferences(check: Table, preferences: Table, algorithm: Collection[str]) -> list[float]:
    first = preferences.where(is_first_repeat(preferences) & (preferences.text("preferred") != ""))
    value = np.where(
        np.isin(first.text("preferred"), list(algorithm)),
        1.0,
        np.where(first.text("preferred") == "none", 0.5, 0.0),
    )
    known = dict(zip(_reader_items(first), value.tolist(), strict=True))
    return [known.get(key, np.nan) for key in _reader_items(check)]


def _reader_items(readings: Table) -> list[tuple[str, str]]:
    return list(zip(readings.text("participant").tolist(), item_keys(readings).tolist(), strict=True))


# ---------------------------------------------------------------- times


def report_times(readings: Table, primary: str, builder: ResultBuilder) -> None:
    """Describe how long a reading took, per participant and over all first readings."""
    first = readings.where(is_first_repeat(readings))
    seconds: Array = first.numbers(primary)
    if not np.isfinite(seconds).any():
        builder.note(f"Reading times are not available: no value in column '{primary}'.")
        return
    rows: list[list[Any]] = []
    for (participant,), indices in first.groups("participant").items():
        if not np.isfinite(seconds[indices]).any():
            rows.append([participant, 0, len(indices), None, None, None, None])
            continue
        own = summary(seconds[indices])
        rows.append([participant, own.n, own.n_missing, own.median, own.q1, own.q3, own.mean])
    builder.table("times", ("participant", "n", "n_missing", "median_s", "q1_s", "q3_s", "mean_s"), rows)
    overall = summary(seconds)
    for name in ("median", "q1", "q3"):
        builder.number(
            f"reading_time.{name}",
            getattr(overall, name),
            label=f"Reading time ({primary}), {name} over readings",
            unit="s",
            n=overall.n,
            n_missing=overall.n_missing,
            missing="readings without a time left out and counted",
            method=overall.provenance.method,
        )
    builder.finding(
        f"A reading took a median of {seconds_words(overall.median)} (quartiles {seconds_words(overall.q1)} and "
        f"{seconds_words(overall.q3)}; {primary}; {count_words(overall.n, 'reading')}, {overall.n_missing} without "
        "a time)."
    )
