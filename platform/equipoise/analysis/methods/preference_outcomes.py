"""From a table collected elsewhere to answers: marks per candidate become preferences, by rules that are stated.

Tables of this platform name the preferred candidate's source and pass through. A table with one mark per candidate
may hold rows that mark both or neither; what becomes of those is a parameter, and they are counted whatever it says.
"""

from dataclasses import dataclass

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.results import ResultBuilder
from equipoise.analysis.tables import Array, Table
from equipoise.analysis.wording import count_words

RULES = {"exclude": "", "algorithm": "algorithm", "against": "other", "tie": "none"}
"""Rule for a row that marks both or neither -> what it is taken to prefer; nothing: it is left out."""

_RULE_WORDS = {
    "exclude": "left out",
    "algorithm": "counted for the algorithm",
    "against": "counted against the algorithm",
    "tie": "counted as no preference",
}


@dataclass(frozen=True)
class PreferenceRules:
    """The options that decide how rows of an external table are counted."""

    algorithm: str | None = None
    algorithm_mark: str | None = None
    other_mark: str | None = None
    both: str = "exclude"
    neither: str = "exclude"

    def __post_init__(self) -> None:
        if bool(self.algorithm_mark) != bool(self.other_mark):
            raise ValueError(
                "Parameters algorithm_mark and other_mark name two columns: give both or neither."
            )


@dataclass(frozen=True)
class Preferences:
    """Readings with the column ``preferred``, and the rows of an external table that were not exclusive."""

    readings: Table
    algorithm: str | None
    is_unclear: Array


def preferences_of(readings: Table, rules: PreferenceRules, builder: ResultBuilder) -> Preferences:
    """Return the readings with ``preferred`` in every row, stating the rules that were applied."""
    if rules.algorithm_mark is None or rules.other_mark is None:
        if "preferred" not in readings:
            raise AnalysisInputError(
                f"{readings.name}: column 'preferred' is missing. Where each candidate is marked in a column of "
                "its own, name the two with the parameters algorithm_mark and other_mark."
            )
        return Preferences(readings, rules.algorithm, np.zeros(readings.n_rows, dtype=bool))
    algorithm = _marks(readings, rules.algorithm_mark)
    other = _marks(readings, rules.other_mark)
    both = (algorithm == 1) & (other == 1)
    neither = (algorithm == 0) & (other == 0)
    missing = np.isnan(algorithm) | np.isnan(other)
    preferred = np.where(algorithm == 1, "algorithm", "other").astype(object)
    preferred[both] = RULES[rules.both]
    preferred[neither] = RULES[rules.neither]
    preferred[missing] = ""
    _state_rules(readings, rules, both=both, neither=neither, builder=builder)
    return Preferences(readings.with_columns(preferred=preferred), "algorithm", both | neither)


def _marks(readings: Table, name: str) -> Array:
    if name not in readings:
        raise AnalysisInputError([f"{readings.name}: there is no column '{name}' to read marks from."])
    values = readings.numbers(name)
    wrong = ~np.isnan(values) & ~np.isin(values, (0, 1))
    if wrong.any():
        raise AnalysisInputError(
            f"{readings.name} row {row}, column {name}: '{value:g}' is neither 0 nor 1."
            for row, value in zip(readings.row_numbers[wrong], values[wrong], strict=True)
        )
    return values


def _state_rules(
    readings: Table, rules: PreferenceRules, *, both: Array, neither: Array, builder: ResultBuilder
) -> None:
    participants = readings.text("participant")
    n_concerned = len(set(participants[both | neither].tolist()))
    counts = (("both", both, rules.both), ("neither", neither, rules.neither))
    for name, rows, rule in counts:
        builder.number(
            f"rows_marking_{name}",
            float(rows.sum()),
            label=f"Rows that mark {name} of the two contours",
            n=readings.n_rows,
            method=_RULE_WORDS[rule],
        )
    builder.number(
        "participants_with_unclear_rows",
        float(n_concerned),
        label="Participants with rows that mark both contours or neither",
        n=len(set(participants.tolist())),
    )
    if n_concerned:
        builder.note(
            f"{count_words(int(both.sum()), 'row')} marked both contours ({_RULE_WORDS[rules.both]}) and "
            f"{int(neither.sum())} neither ({_RULE_WORDS[rules.neither]}), of {readings.n_rows} rows, in {n_concerned} "
            f"of {count_words(len(set(participants.tolist())), 'participant')}."
        )
