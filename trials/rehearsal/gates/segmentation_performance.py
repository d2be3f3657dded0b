"""The repeated rehearsal of a test of an algorithm's contours: their median Dice against the reference over cases."""

from typing import Any

import numpy as np

from equipoise.analysis.results import AnalysisResult, Number
from equipoise.simulation import OverlapPopulation, simulated_overlaps
from trials.domain.rehearsal_gate import Expected
from trials.rehearsal.gates.study import INTERVAL_RESAMPLES, Gate, GateInputs, SimulatedTrial, Tables


def _source(inputs: GateInputs) -> str:
    """Return the algorithm whose contours are simulated: the first."""
    return inputs.protocol.algorithms[0].source


def _population(inputs: GateInputs) -> OverlapPopulation:
    settings = inputs.plan.contours
    return OverlapPopulation(
        median=settings.dice_algorithm, case_sd=settings.algorithm_case_sd, pair_sd=settings.pair_sd
    )


def _tables(trial: SimulatedTrial) -> Tables:
    items = trial.inputs.items
    place = {case: at for at, case in enumerate(sorted({one.case for one in items}))}
    cases = np.array([place[one.case] for one in items], dtype=np.intp)
    one = np.zeros(len(items), dtype=np.intp)
    dice = simulated_overlaps(_population(trial.inputs), cases, one, one + 1, trial.rng)
    return {
        "segmentations": {
            "case": [item.case for item in items],
            "item": [item.id for item in items],
            "first": ["reference"] * len(items),
            "second": [_source(trial.inputs)] * len(items),
            "kind": ["reference"] * len(items),
            "dice": dice.tolist(),
        }
    }


def _primary_number(_: GateInputs, result: AnalysisResult) -> Number:
    return next(number for number in result.numbers if number.quantity == "dice.median")


def _expected(inputs: GateInputs, shared: dict[str, Any]) -> Expected:
    return Expected(
        quantity=f"median Dice of {_source(inputs)} against the reference over cases",
        set_to=_population(inputs).median,
        is_proportion=True,
        **shared,
    )


GATE = Gate(
    _tables,
    _primary_number,
    _expected,
    # The subgroups stand beside the primary estimate.
    parameters={"n_resamples": INTERVAL_RESAMPLES, "subgroups": (), "against": {}, "labels": {}},
)
