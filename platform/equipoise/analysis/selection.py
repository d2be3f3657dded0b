"""Which rows of the readings enter: readers apart from algorithms, first repeats, the reference standard joined on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.method import Inputs
from equipoise.analysis.results import ResultBuilder
from equipoise.analysis.tables import Array, Table
from equipoise.analysis.wording import count_words, listing

READER, ALGORITHM = "reader", "algorithm"


def participant_kinds(readings: Table) -> Array:
    """Return ``reader`` or ``algorithm`` per row; a table that does not say holds readers."""
    return np.where(readings.text("participant_kind", READER) == ALGORITHM, ALGORITHM, READER)


def of_readers(readings: Table) -> Table:
    """Return the rows of readers."""
    return readings.where(participant_kinds(readings) == READER)


def of_algorithms(readings: Table) -> Table:
    """Return the rows of algorithms."""
    return readings.where(participant_kinds(readings) == ALGORITHM)


def kind_of(readings: Table) -> dict[str, str]:
    """Return participant -> kind, readers first, each in order of appearance."""
    kinds = dict(
        zip(readings.text("participant").tolist(), participant_kinds(readings).tolist(), strict=True)
    )
    return dict(sorted(kinds.items(), key=lambda pair: pair[1] == ALGORITHM))


def is_first_repeat(readings: Table) -> Array:
    """Return which rows are first readings; a table without repeats holds first readings only."""
    repeat = readings.numbers("repeat")
    first: Array = np.isnan(repeat) | (repeat == 1)
    return first


def first_repeats(readings: Table, builder: ResultBuilder) -> Table:
    """Return the first readings and note how many repeats stay out: only ``repeat`` 1 enters effect estimates."""
    first = is_first_repeat(readings)
    if not first.all():
        left_out = int((~first).sum())
        builder.note(
            f"{count_words(left_out, 'repeated reading')} did not enter the estimates (repeat above 1)."
        )
    return readings.where(first)


def of_task(readings: Table, task: str) -> Table:
    """Return the rows of one task; a table without tasks holds that task alone."""
    tasks = readings.text("task")
    return readings.where((tasks == task) | (tasks == "")) if "task" in readings else readings


def with_case(readings: Table, builder: ResultBuilder) -> Table:
    """Return the readings with a case and an item each; where a table has only one of them, they are the same."""
    if "case" in readings:
        items = readings.text("item")
        return readings.with_columns(item=np.where(items == "", readings.text("case"), items).astype(object))
    if "item" not in readings:
        raise AnalysisInputError([f"{readings.name}: column 'case' is missing, and so is 'item'."])
    builder.note(f"{readings.name} has no column 'case': every item was taken as a case of its own.")
    return readings.with_columns(case=readings.text("item"))


def item_keys(readings: Table) -> Array:
    """Return one label per item: an item belongs to exactly one case, item codes may repeat between cases."""
    return np.array(
        [f"{case}\t{item}" for case, item in zip(readings.text("case"), readings.text("item"), strict=True)],
        dtype=object,
    )


def has_several_items(readings: Table) -> bool:
    """Return whether any case was read in more than one item, so that cases must be the clusters."""
    return len(set(item_keys(readings).tolist())) > len(set(readings.text("case").tolist()))


@dataclass(frozen=True)
class WithTruth:
    """Readings with the reference standard in column ``truth``, final ones only."""

    readings: Table
    n_indeterminate: int


def with_truth(inputs: Inputs, readings: Table, builder: ResultBuilder) -> WithTruth:
    """Join the reference standard, from the table ``truth`` or a column of that name in the readings.

    Rows whose reference standard is empty (indeterminate or pending) are left out and counted; a case that the
    reference standard does not list at all is refused.
    """
    table = inputs.get("truth")
    if table is None:
        if "truth" not in readings:
            raise AnalysisInputError(
                [
                    f"{readings.name}: give the reference standard, as --truth or as column 'truth' of the readings."
                ]
            )
        values = _flags(readings)
    else:
        values = _looked_up(table, readings)
    final = ~np.isnan(values)
    n_cases = len(set(item_keys(readings.where(~final)).tolist()))
    if n_cases:
        builder.note(
            f"{count_words(n_cases, 'item')} without a final reference standard left out "
            f"({count_words(int((~final).sum()), 'reading')})."
        )
    return WithTruth(readings.with_columns(truth=values).where(final), n_cases)


def _flags(readings: Table) -> Array:
    values = readings.numbers("truth")
    wrong = ~np.isnan(values) & ~np.isin(values, (0, 1))
    if wrong.any():
        raise AnalysisInputError(
            f"{readings.name} row {row}, column truth: '{value:g}' is neither 0 nor 1."
            for row, value in zip(readings.row_numbers[wrong], values[wrong], strict=True)
        )
    return values


def _looked_up(table: Table, readings: Table) -> Array:
    by_item = "item" in table and any(table.text("item") != "")
    if by_item:
        known = dict(zip(item_keys(table).tolist(), table["truth"].tolist(), strict=True))
        wanted = item_keys(readings).tolist()
    else:
        known = dict(zip(table.text("case").tolist(), table["truth"].tolist(), strict=True))
        wanted = readings.text("case").tolist()
    absent = [key.replace("\t", ", item ") for key in dict.fromkeys(wanted) if key not in known]
    if absent:
        raise AnalysisInputError(
            [f"{table.name}: no row for case {listing(absent)}, read in {readings.name}."]
        )
    return np.array([known[key] for key in wanted], dtype=float)


def refuse_without_rows(readings: Table, what: str) -> None:
    """Refuse to go on with an empty selection."""
    if readings.n_rows == 0:
        raise AnalysisInputError([f"{readings.name}: no row is left to analyse ({what})."])


@contextmanager
def refusing(readings: Table) -> Iterator[None]:
    """Turn what a statistic says of unfit data into a refusal that names the table."""
    try:
        yield
    except ValueError as error:
        raise AnalysisInputError([f"{readings.name}: {error}"]) from error


def apparent_performance(inputs: Inputs, cases: set[str]) -> str:
    """Return the sentence that marks an algorithm's result as apparent performance, or nothing.

    The reference standard's table, or the algorithms' own rows, may say per case in ``used_in_training`` whether a
    model saw it: anything but "no" makes the result apparent performance.
    """
    seen: set[str] = set()
    readings = inputs.get("readings")
    for table in (inputs.get("truth"), of_algorithms(readings) if readings is not None else None):
        if table is None or "used_in_training" not in table or "case" not in table:
            continue
        seen |= {
            case
            for case, use in zip(table.text("case"), table.text("used_in_training"), strict=True)
            if case in cases and use.lower() != "no"
        }
    if not seen:
        return ""
    of_all = f"{len(seen)} of {count_words(len(cases), 'case')}"
    return f"Apparent performance: {of_all} were, or may have been, used in training."
