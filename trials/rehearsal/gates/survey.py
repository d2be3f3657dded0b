"""The repeated rehearsal of a survey: how often the first answer of the first question that is counted is given."""

from collections.abc import Mapping
from typing import Any

from equipoise.analysis.results import AnalysisResult, Number
from equipoise.simulation import AnswerPopulation, simulated_answers
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.rehearsal_gate import Expected
from trials.domain.rehearsal_repeats import counted_answers
from trials.rehearsal.gates.percentile import crossed_notes, percentile_coverage
from trials.rehearsal.gates.study import (
    INTERVAL_RESAMPLES,
    Gate,
    GateInputs,
    SimulatedTrial,
    Tables,
    has_fixed_readers,
    reading_columns,
    study_of,
)


def _population(inputs: GateInputs) -> AnswerPopulation:
    settings = inputs.plan.survey
    return AnswerPopulation(
        settings.share, settings.case_sd, 0.0 if has_fixed_readers(inputs) else settings.reader_sd
    )


def _question(inputs: GateInputs) -> tuple[str, tuple[str, ...]]:
    """Return the question and its answers; the first of them is the one whose share is set."""
    found = counted_answers(inputs.protocol)
    if found is None:
        raise LookupError("The form asks nothing whose answers are counted.")
    return found


def _tables(trial: SimulatedTrial) -> Tables:
    inputs = trial.inputs
    study, names = study_of(inputs, trial.rows)
    question, (first, *others) = _question(inputs)
    given = simulated_answers(_population(inputs), study, trial.rng)
    # What is answered in its place is nothing that is held to a value.
    answers = [first if one else others[place % len(others)] for place, one in enumerate(given.tolist())]
    return {"readings": reading_columns(inputs, trial.rows, study, names) | {question: answers}}


def _primary_number(inputs: GateInputs, result: AnalysisResult) -> Number:
    question, (first, *_) = _question(inputs)
    subject = {"question": question, "category": first}
    for one in result.numbers:
        if one.quantity == "share" and one.subject == subject:
            return one
    raise ValueError(f"Nobody answered '{first}' to '{question}', so its share has no interval.")


def _expected(inputs: GateInputs, shared: dict[str, Any]) -> Expected:
    question, (first, *_) = _question(inputs)
    population = _population(inputs)
    readers, cases = shared["readers"], shared["cases"]
    known = percentile_coverage(
        shared["confidence_level"],
        [
            (population.variance_between(population.reader_sd) / readers, readers),
            (population.variance_between(population.case_sd) / cases, cases),
        ],
    )
    return Expected(
        quantity=f"share of '{first}' among the answers to '{question}'",
        set_to=population.share,
        is_conservative=True,
        known_coverage=known,
        notes=crossed_notes(inputs, shared, known),
        **shared,
    )


def _one_question(protocol: ProtocolV1) -> Mapping[str, Any]:
    """Leave out the questions that stand beside it."""
    found = counted_answers(protocol)
    return {"questions": found[0]} if found is not None else {}


GATE = Gate(
    _tables,
    _primary_number,
    _expected,
    parameters={"n_resamples": INTERVAL_RESAMPLES},
    parameters_of=_one_question,
)
