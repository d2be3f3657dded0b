"""The repeated rehearsal of a trial of rated scans: areas under the ROC curve, or their difference."""

from typing import Any

import numpy as np

from equipoise.analysis.results import AnalysisResult, Number
from equipoise.simulation import simulated_scores
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.rehearsal import RatingSettings
from trials.domain.rehearsal_gate import FEW_ERRORS, FEW_READERS, HIGH_AUC, Expected
from trials.rehearsal.gates.study import (
    RESAMPLES,
    Gate,
    GateInputs,
    SimulatedTrial,
    Tables,
    has_fixed_readers,
    reading_columns,
    study_of,
)
from trials.rehearsal.populations import rating_model


def _tables(trial: SimulatedTrial) -> Tables:
    inputs = trial.inputs
    cases = sorted({one.case for one in inputs.items})
    truth = np.array([inputs.truth[case] for case in cases], dtype=np.intp)
    conditions, model = rating_model(inputs.protocol, _settings(inputs))
    if trial.null:
        model = type(model).with_aucs(
            _null_aucs(inputs, dict(zip(conditions, model.aucs, strict=True))),
            **{name: getattr(model, name) for name in model.__dataclass_fields__ if name.startswith("var_")},
        )
    study, names = study_of(inputs, trial.rows)
    scores = simulated_scores(model, study, truth, trial.rng)
    columns = reading_columns(inputs, trial.rows, study, names) | {"score": scores.tolist()}
    return {"readings": columns, "truth": {"case": cases, "truth": truth.tolist()}}


def _primary_number(inputs: GateInputs, result: AnalysisResult) -> Number:
    wanted = "difference" if len(inputs.protocol.conditions) > 1 else "condition_mean"
    return next(number for number in result.numbers if number.quantity == wanted)


def _settings(inputs: GateInputs) -> RatingSettings:
    """Return the population of ratings; one without other readers where the protocol asks about these alone.

    Readers drawn anew for every seed are random ones. Of fixed readers the area, and the difference, is the same in
    every simulated trial.
    """
    settings = inputs.plan.classification
    if not has_fixed_readers(inputs):
        return settings
    return settings.model_copy(update={"var_reader": 0.0, "var_reader_condition": 0.0})


def _null_aucs(inputs: GateInputs, aucs: dict[str, float]) -> list[float]:
    """Return the areas under the null hypothesis: those of the second condition, or that less the margin."""
    first, second = _contrast(inputs)
    if first is None or second is None:
        return list(aucs.values())
    less = _margin(inputs.protocol)
    return [aucs[second] - less if key == first else aucs[second] for key in aucs]


def _contrast(inputs: GateInputs) -> tuple[str | None, str | None]:
    parameters = inputs.analysis_plan.parameters
    return parameters.get("first"), parameters.get("second")


def _margin(protocol: ProtocolV1) -> float:
    primary = protocol.analysis_plan.primary
    hypothesis = primary.hypothesis if primary is not None else None
    return 0.0 if hypothesis is None or hypothesis.margin is None else float(hypothesis.margin)


def _expected(inputs: GateInputs, shared: dict[str, Any]) -> Expected:
    conditions, model = rating_model(inputs.protocol, _settings(inputs))
    aucs = dict(zip(conditions, model.aucs, strict=True))
    first, second = _contrast(inputs)
    notes = []
    if has_fixed_readers(inputs):
        notes.append(
            "The protocol takes its readers as fixed: they are simulated without variances between readers "
            "(var_reader, var_reader_condition), and nothing is said of other readers."
        )
    if first is not None and second is not None:
        few, high = shared["readers"] <= FEW_READERS, max(aucs[first], aucs[second]) > HIGH_AUC
        if few:
            notes.append(
                f"With up to {FEW_READERS} readers the Obuchowski-Rockette comparison is known to be conservative: "
                "intervals that are too wide and tests that reject too rarely are not held against it."
            )
        if high:
            notes.append(
                f"With areas above {HIGH_AUC:g} comparisons of areas are known to be conservative: intervals that are "
                "too wide and tests that reject too rarely are not held against them."
            )
        return Expected(
            quantity=f"difference in area under the ROC curve, {first} minus {second}",
            set_to=aucs[first] - aucs[second],
            is_conservative=few or high,
            notes=tuple(notes),
            **shared,
        )
    area = next(iter(aucs.values()))
    diseased = sum(inputs.truth[case] for case in inputs.truth)
    smaller = min(diseased, len(inputs.truth) - diseased)
    is_liberal = smaller * (1 - area) < FEW_ERRORS
    if is_liberal:
        notes.append(
            "With few cases in error the interval of a single area is known to be too narrow; that is not held "
            "against it."
        )
    return Expected(
        quantity="mean area under the ROC curve over readers",
        set_to=area,
        is_liberal=is_liberal,
        notes=tuple(notes),
        **shared,
    )


GATE = Gate(_tables, _primary_number, _expected, parameters={"n_resamples": RESAMPLES, "u_statistics": False})
