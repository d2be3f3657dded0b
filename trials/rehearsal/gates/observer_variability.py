"""The repeated rehearsal of a contouring trial: the median Dice over unordered pairs of readers and cases."""

import math
from itertools import combinations
from typing import Any

import numpy as np

from equipoise.analysis.results import AnalysisResult, Number
from equipoise.simulation import OverlapPopulation, simulated_overlaps
from trials.domain.rehearsal_gate import Expected
from trials.rehearsal.gates.percentile import crossed_notes, percentile_coverage
from trials.rehearsal.gates.study import (
    INTERVAL_RESAMPLES,
    Gate,
    GateInputs,
    SimulatedTrial,
    Tables,
    has_fixed_readers,
    study_of,
)


def _population(inputs: GateInputs) -> OverlapPopulation:
    """Return what overlaps are drawn from; one without other readers where the protocol asks about these alone."""
    settings = inputs.plan.contours
    return OverlapPopulation(
        median=settings.dice_between_readers,
        case_sd=settings.case_sd,
        observer_sd=0.0 if has_fixed_readers(inputs) else settings.reader_sd,
        observer_case_sd=settings.reader_case_sd,
        pair_sd=settings.pair_sd,
    )


def _tables(trial: SimulatedTrial) -> Tables:
    inputs = trial.inputs
    study, names = study_of(inputs, trial.rows)
    readers_of: dict[int, list[int]] = {}
    for item, reader in zip(study.items.tolist(), study.readers.tolist(), strict=True):
        readers_of.setdefault(item, []).append(reader)
    pairs = [(i, one, other) for i, own in readers_of.items() for one, other in combinations(sorted(own), 2)]
    items, first, second = np.array(pairs, dtype=np.intp).reshape(-1, 3).T
    dice = simulated_overlaps(_population(inputs), study.case_of_item[items], first, second, trial.rng)
    return {
        "segmentations": {
            "case": [inputs.items[place].case for place in items],
            "item": [inputs.items[place].id for place in items],
            "first": [names[place] for place in first],
            "second": [names[place] for place in second],
            "kind": ["inter"] * len(pairs),
            "dice": dice.tolist(),
        }
    }


def _primary_number(_: GateInputs, result: AnalysisResult) -> Number:
    return next(
        number
        for number in result.numbers
        if number.quantity == "dice.median" and number.subject["family"] == "reader-reader"
    )


def _known_coverage(inputs: GateInputs, shared: dict[str, Any]) -> float:
    """Return how often the interval is known to cover with so few readers and cases.

    An observer's own part enters with both members of a pair, and a median of normal values has pi / 2 times the
    variance of their mean where nothing is averaged before (of the cases' part).
    """
    population = _population(inputs)
    readers, cases = shared["readers"], shared["cases"]
    return percentile_coverage(
        shared["confidence_level"],
        [
            (4 * population.observer_sd**2 / readers, readers),
            (math.pi / 2 * population.case_sd**2 / cases, cases),
        ],
    )


def _expected(inputs: GateInputs, shared: dict[str, Any]) -> Expected:
    known = _known_coverage(inputs, shared)
    return Expected(
        quantity="median Dice over unordered pairs of readers and cases",
        set_to=_population(inputs).median,
        is_conservative=True,
        known_coverage=known,
        is_proportion=True,
        notes=crossed_notes(inputs, shared, known),
        **shared,
    )


GATE = Gate(
    _tables,
    _primary_number,
    _expected,
    parameters={"n_resamples": INTERVAL_RESAMPLES, "published_pairs": ()},
)
