"""Which decisions change with the aid, and whether for the better: switches of the same reader on the same case."""

from typing import Any

import numpy as np

from equipoise.analysis.method import Inputs
from equipoise.analysis.results import ResultBuilder
from equipoise.analysis.selection import item_keys
from equipoise.analysis.tables import Table
from equipoise.analysis.wording import count_words, estimate_words
from equipoise.stats import bootstrap


def report_switches(readers: Table, inputs: Inputs, builder: ResultBuilder) -> None:
    """Count helpful (wrong to right) and harmful (right to wrong) switches per reader, diseased and not apart."""
    unaided, aided = inputs.options.unaided, inputs.options.aided
    conditions = readers.levels("condition")
    if unaided not in conditions or aided not in conditions:
        return
    decided = readers.where(~np.isnan(readers.numbers("decision")))
    before = {_key(row): row for row in _rows(decided, unaided)}
    pairs = [(before[_key(row)], row) for row in _rows(decided, aided) if _key(row) in before]
    if not pairs:
        builder.note("No case was decided both unaided and aided: no switch table.")
        return
    rows: list[list[Any]] = []
    for reader in dict.fromkeys(pair[1][0] for pair in pairs):
        for truth in (1.0, 0.0):
            own = [(a, b) for a, b in pairs if b[0] == reader and b[4] == truth]
            helpful, harmful, right, wrong = _counts(own)
            rows.append([reader, int(truth), len(own), helpful, harmful, right, wrong])
    header = ("reader", "truth", "n", "n_helpful", "n_harmful", "n_stayed_right", "n_stayed_wrong")
    builder.table("switches", header, rows)
    helpful, harmful, *_ = _counts(pairs)
    gains = np.array([float(_is_right(b)) - float(_is_right(a)) for a, b in pairs])
    result = bootstrap(
        np.mean,
        gains,
        clusters=([b[0] for _, b in pairs], [b[1] for _, b in pairs]),
        n_resamples=inputs.options.n_resamples,
        confidence_level=inputs.confidence_level,
        rng=inputs.rng("switches"),
    )
    number = builder.number(
        "net_helpful_switches",
        result.estimate,
        label="(Helpful minus harmful switches) / readings decided both ways",
        interval=result.confidence_interval,
        interval_method=f"percentile bootstrap over readers and cases, {inputs.options.n_resamples} resamples",
        n=len(pairs),
        seed=inputs.seed,
        missing="cases without both decisions left out",
        method="same reader, same case, unaided and aided",
    )
    design = (
        "in the same reading (sequential)"
        if inputs.options.sequential
        else "in separate readings (crossover)"
    )
    builder.finding(
        f"With the aid, {design}, {count_words(helpful, 'decision')} changed from wrong to right and {harmful} "
        "from right "
        f"to wrong, of {len(pairs)}: net {estimate_words(number, 1, scale=100, unit=' %')}."
    )


Row = tuple[str, str, str, float, float]


def _rows(readings: Table, condition: str) -> list[Row]:
    """Return (reader, case, item, decision, truth) of one condition."""
    own = readings.where(readings.text("condition") == condition)
    return list(
        zip(
            own.text("participant").tolist(),
            own.text("case").tolist(),
            item_keys(own).tolist(),
            own.numbers("decision").tolist(),
            own["truth"].tolist(),
            strict=True,
        )
    )


def _key(row: Row) -> tuple[str, str]:
    return row[0], row[2]


def _is_right(row: Row) -> bool:
    return row[3] == row[4]


def _counts(pairs: list[tuple[Row, Row]]) -> tuple[int, int, int, int]:
    outcomes = [(_is_right(before), _is_right(after)) for before, after in pairs]
    wanted = ((False, True), (True, False), (True, True), (False, False))
    helpful, harmful, right, wrong = (outcomes.count(pair) for pair in wanted)
    return helpful, harmful, right, wrong
