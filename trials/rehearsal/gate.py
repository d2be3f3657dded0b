"""One simulated trial of the repeated rehearsal: allocation, answers, primary analysis. Data alone: no row is touched.

Everything here can be sent to another process: what a run needs of the trial is a :class:`GateInputs`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.plan import AnalysisPlan
from equipoise.analysis.results import AnalysisResult, Number
from equipoise.analysis.run import run_analysis
from equipoise.simulation import StudyReadings, simulated_preferences, simulated_scores, stream
from trials.domain.allocation import (
    AllocationItem,
    AllocationRow,
    AllocationRules,
    Phase,
    Side,
    SlotPlan,
)
from trials.domain.allocators import allocate
from trials.domain.protocol.v1 import HypothesisKind, ProtocolV1
from trials.domain.rehearsal import RatingSettings, RehearsalPlan
from trials.domain.rehearsal_gate import FEW_ERRORS, FEW_READERS, HIGH_AUC, Expected, RunOutcome
from trials.rehearsal.populations import preference_population, rating_model

SUPPORTED = ("preference", "mrmc")
"""Primary analyses whose estimate has a value that can be set."""
_PERCENT = 100.0
_TRUTH, _ANSWERS = 21, 22
"""Keys of the streams under a run's seed."""


@dataclass(frozen=True)
class GateInputs:
    """What every run of a repeated rehearsal is made of."""

    protocol: ProtocolV1
    plan: RehearsalPlan
    items: tuple[AllocationItem, ...]
    slots: tuple[SlotPlan, ...]
    """The planned ones: reserves are nobody's until somebody leaves."""
    rules: AllocationRules
    truth: dict[str, int]
    """By case; empty where nothing is diseased or not."""
    analysis: str
    analysis_plan: AnalysisPlan


def gate_run(inputs: GateInputs, *, seed: int, null: bool) -> RunOutcome:
    """Simulate one trial and analyse it; with ``null`` under the null hypothesis of the plan."""
    rows = _rows(inputs, seed)
    tables = (
        _preference_tables(inputs, rows, seed=seed, null=null)
        if inputs.analysis == "preference"
        else _rating_tables(inputs, rows, seed=seed, null=null)
    )
    try:
        result = run_analysis(inputs.analysis, tables, plan=replace(inputs.analysis_plan, seed=seed))
        number = _primary_number(inputs, result)
        rejected = _rejected(inputs, result, number)
    except (AnalysisInputError, ValueError):
        return RunOutcome(seed, null, None, None, None, None)
    return RunOutcome(seed, null, number.value, number.low, number.high, rejected)


def gate_runs(inputs: GateInputs, seeds: Sequence[int]) -> list[RunOutcome]:
    """Return the outcomes of both sets of runs of these seeds."""
    tests = alpha_of(inputs.protocol) is not None
    return [
        gate_run(inputs, seed=seed, null=null)
        for seed in seeds
        for null in ((False, True) if tests else (False,))
    ]


def _rows(inputs: GateInputs, seed: int) -> list[AllocationRow]:
    """Return the rows that enter the primary analysis: first readings, no practice, no blinding check."""
    sealed = int.from_bytes(hashlib.sha256(f"rehearsal gate {seed}".encode()).digest(), "big")
    made = allocate(inputs.items, plans=inputs.slots, rules=inputs.rules, seed=sealed)
    return [row for row in made.rows if row.phase is Phase.READING and row.repeat == 1]


def _study(inputs: GateInputs, rows: Sequence[AllocationRow]) -> tuple[StudyReadings, list[str]]:
    """Return the rows as numbers, and the readers' names."""
    names = sorted({(row.stratum, row.slot) for row in rows})
    reader = {name: place for place, name in enumerate(names)}
    item = {one.id: place for place, one in enumerate(inputs.items)}
    cases = sorted({one.case for one in inputs.items})
    case = {name: place for place, name in enumerate(cases)}
    conditions = {one.key: place for place, one in enumerate(inputs.protocol.conditions)}
    study = StudyReadings(
        readers=_index(reader[row.stratum, row.slot] for row in rows),
        items=_index(item[row.item] for row in rows),
        case_of_item=_index(case[one.case] for one in inputs.items),
        conditions=_index(conditions.get(row.condition, 0) for row in rows),
        b_left=np.array([row.side_b is Side.LEFT for row in rows], dtype=bool),
    )
    return study, [f"R-{place + 1:03d}" for place in range(len(names))]


def _index(values: Any) -> NDArray[np.intp]:
    return np.fromiter(values, dtype=np.intp)


def _columns(
    inputs: GateInputs, rows: Sequence[AllocationRow], study: StudyReadings, names: Sequence[str]
) -> dict[str, list[Any]]:
    case_of = {one.id: one.case for one in inputs.items}
    return {
        "participant": [names[place] for place in study.readers],
        "participant_kind": ["reader"] * len(rows),
        "case": [case_of[row.item] for row in rows],
        "item": [row.item for row in rows],
        "condition": [row.condition for row in rows],
        "repeat": [1] * len(rows),
    }


def _preference_tables(
    inputs: GateInputs, rows: Sequence[AllocationRow], *, seed: int, null: bool
) -> dict[str, dict[str, list[Any]]]:
    candidates = inputs.protocol.preference.candidates if inputs.protocol.preference is not None else None
    if candidates is None:
        raise LookupError("The protocol names no candidates.")
    settings = inputs.plan.preference
    population = preference_population(settings.model_copy(update={"mean_logit": 0.0}) if null else settings)
    study, names = _study(inputs, rows)
    chosen = simulated_preferences(population, study, stream(seed, _ANSWERS, int(null)))
    a, b = candidates.a.source, candidates.b.source
    columns = _columns(inputs, rows, study, names)
    columns |= {
        "preferred": [b if one else a for one in chosen],
        "left_source": [b if left else a for left in study.b_left],
        "right_source": [a if left else b for left in study.b_left],
        "choice_side": [
            "left" if one == left else "right" for one, left in zip(chosen, study.b_left, strict=True)
        ],
    }
    return {"readings": columns}


def _rating_tables(
    inputs: GateInputs, rows: Sequence[AllocationRow], *, seed: int, null: bool
) -> dict[str, dict[str, list[Any]]]:
    cases = sorted({one.case for one in inputs.items})
    truth = np.array([inputs.truth[case] for case in cases], dtype=np.intp)
    conditions, model = rating_model(inputs.protocol, _settings(inputs))
    if null:
        model = type(model).with_aucs(
            _null_aucs(inputs, dict(zip(conditions, model.aucs, strict=True))),
            **{name: getattr(model, name) for name in model.__dataclass_fields__ if name.startswith("var_")},
        )
    study, names = _study(inputs, rows)
    scores = simulated_scores(model, study, truth, stream(seed, _ANSWERS, int(null)))
    columns = _columns(inputs, rows, study, names) | {"score": scores.tolist()}
    return {"readings": columns, "truth": {"case": cases, "truth": truth.tolist()}}


def _settings(inputs: GateInputs) -> RatingSettings:
    """Return the population of ratings; one without other readers where the protocol asks about these alone.

    Readers drawn anew for every seed are random ones. Of fixed readers the area, and the difference, is the same in
    every simulated trial.
    """
    settings, primary = inputs.plan.classification, inputs.protocol.analysis_plan.primary
    if primary is None or primary.readers != "fixed":
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


# --- what is tested, and what is known of the method ------------------------------------------------------------


def alpha_of(protocol: ProtocolV1) -> float | None:
    """Return the nominal type I error of the primary test; None where the plan only estimates."""
    primary = protocol.analysis_plan.primary
    if primary is None or primary.alpha is None or primary.hypothesis is None:
        return None
    if primary.hypothesis.kind is HypothesisKind.ESTIMATION:
        return None
    if primary.analysis == "mrmc" and len(protocol.conditions) < 2:
        return None
    is_non_inferiority = primary.hypothesis.kind is HypothesisKind.NON_INFERIORITY
    return float(primary.alpha) / 2 if is_non_inferiority and primary.sides == 2 else float(primary.alpha)


def _primary_number(inputs: GateInputs, result: AnalysisResult) -> Number:
    wanted = "preference_probability"
    if inputs.analysis == "mrmc":
        wanted = "difference" if len(inputs.protocol.conditions) > 1 else "condition_mean"
    return next(number for number in result.numbers if number.quantity == wanted)


def _rejected(inputs: GateInputs, result: AnalysisResult, number: Number) -> bool | None:
    alpha, primary = alpha_of(inputs.protocol), inputs.protocol.analysis_plan.primary
    if alpha is None or primary is None or primary.hypothesis is None:
        return None
    if primary.hypothesis.kind is HypothesisKind.NON_INFERIORITY:
        found = next((one for one in result.numbers if one.quantity == "non_inferiority"), number)
        return found.pvalue is not None and found.pvalue < alpha
    if number.pvalue is None or number.value is None:
        return None
    if primary.sides == 1:
        middle = _PERCENT / 2 if inputs.analysis == "preference" else 0.0
        higher = primary.hypothesis.direction != "lower"
        return number.pvalue / 2 < alpha and (number.value > middle) == higher
    return number.pvalue < alpha


def gate_expected(inputs: GateInputs) -> Expected:
    """Return what the primary analysis of the plan is held to, by what is known of its method."""
    cases = {one.case for one in inputs.items}
    shared: dict[str, Any] = {
        "analysis": inputs.analysis,
        "confidence_level": inputs.analysis_plan.confidence_level,
        "alpha": alpha_of(inputs.protocol),
        "readers": sum(slot.planned for slot in inputs.slots),
        "cases": len(cases),
    }
    if inputs.analysis == "preference":
        return Expected(
            quantity="marginal probability that candidate b is preferred, in percent",
            set_to=_PERCENT * preference_population(inputs.plan.preference).marginal_probability,
            **shared,
        )
    return _rating_expected(inputs, shared)


def _rating_expected(inputs: GateInputs, shared: dict[str, Any]) -> Expected:
    conditions, model = rating_model(inputs.protocol, _settings(inputs))
    aucs = dict(zip(conditions, model.aucs, strict=True))
    first, second = _contrast(inputs)
    notes = []
    if (
        inputs.protocol.analysis_plan.primary is not None
        and inputs.protocol.analysis_plan.primary.readers == "fixed"
    ):
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
