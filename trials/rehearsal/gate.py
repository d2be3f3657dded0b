"""One simulated trial of the repeated rehearsal: allocation, answers, primary analysis. Data alone: no row is touched.

Everything here can be sent to another process: what a run needs of the trial is a :class:`GateInputs`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from equipoise.analysis.errors import AnalysisInputError
from equipoise.analysis.results import AnalysisResult, Number
from equipoise.analysis.run import run_analysis
from trials.domain.protocol.v1 import HypothesisKind, ProtocolV1
from trials.domain.rehearsal_gate import Expected, RunOutcome
from trials.rehearsal.gates import GATES
from trials.rehearsal.gates.study import GateInputs, SimulatedTrial, reading_rows


def gate_run(inputs: GateInputs, *, seed: int, null: bool) -> RunOutcome:
    """Simulate one trial and analyse it; with ``null`` under the null hypothesis of the plan."""
    gate = GATES[inputs.analysis]
    tables = gate.tables(SimulatedTrial(inputs, reading_rows(inputs, seed), seed, null))
    try:
        result = run_analysis(inputs.analysis, tables, plan=replace(inputs.analysis_plan, seed=seed))
        number = gate.primary_number(inputs, result)
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
        middle = GATES[inputs.analysis].null_value
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
    return GATES[inputs.analysis].expected(inputs, shared)
