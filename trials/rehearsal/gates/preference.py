"""The repeated rehearsal of a preference trial: the marginal probability that candidate b is preferred."""

from typing import Any

from equipoise.analysis.results import AnalysisResult, Number
from equipoise.simulation import simulated_preferences
from trials.domain.rehearsal_gate import Expected
from trials.rehearsal.gates.study import (
    Gate,
    GateInputs,
    SimulatedTrial,
    Tables,
    reading_columns,
    study_of,
)
from trials.rehearsal.populations import preference_population

_PERCENT = 100.0


def _tables(trial: SimulatedTrial) -> Tables:
    task = trial.inputs.protocol.preference
    candidates = task.candidates if task is not None else None
    if candidates is None:
        raise LookupError("The protocol names no candidates.")
    settings = trial.inputs.plan.preference
    population = preference_population(
        settings.model_copy(update={"mean_logit": 0.0}) if trial.null else settings
    )
    study, names = study_of(trial.inputs, trial.rows)
    chosen = simulated_preferences(population, study, trial.rng)
    a, b = candidates.a.source, candidates.b.source
    columns = reading_columns(trial.inputs, trial.rows, study, names)
    columns |= {
        "preferred": [b if one else a for one in chosen],
        "left_source": [b if left else a for left in study.b_left],
        "right_source": [a if left else b for left in study.b_left],
        "choice_side": [
            "left" if one == left else "right" for one, left in zip(chosen, study.b_left, strict=True)
        ],
    }
    return {"readings": columns}


def _primary_number(_: GateInputs, result: AnalysisResult) -> Number:
    return next(number for number in result.numbers if number.quantity == "preference_probability")


def _expected(inputs: GateInputs, shared: dict[str, Any]) -> Expected:
    return Expected(
        quantity="marginal probability that candidate b is preferred, in percent",
        set_to=_PERCENT * preference_population(inputs.plan.preference).marginal_probability,
        **shared,
    )


GATE = Gate(_tables, _primary_number, _expected, null_value=_PERCENT / 2)
