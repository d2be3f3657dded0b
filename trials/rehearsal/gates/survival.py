"""The repeated rehearsal of prognostic value: the paired difference in C-index of two measurements of the same tumour.

The follow-up comes from outside in the trial itself; here it is simulated with the measurements.
"""

from typing import Any

from equipoise.analysis.results import AnalysisResult, Number
from equipoise.simulation import PrognosisPopulation, simulated_follow_up
from trials.domain.rehearsal_gate import Expected
from trials.domain.rehearsal_repeats import measurement_pair
from trials.rehearsal.gates.percentile import percentile_coverage
from trials.rehearsal.gates.study import INTERVAL_RESAMPLES, Gate, GateInputs, SimulatedTrial, Tables


def _population(inputs: GateInputs) -> PrognosisPopulation:
    return PrognosisPopulation(**inputs.plan.prognosis.model_dump())


def _pair(inputs: GateInputs) -> tuple[str, str]:
    """Return the columns that are compared: those of the first pair."""
    pair = measurement_pair(inputs.analysis_plan.parameters.get("pairs", ""))
    if pair is None:
        raise LookupError("The plan compares no two measurements.")
    return pair


def _tables(trial: SimulatedTrial) -> Tables:
    cases = sorted({one.case for one in trial.inputs.items})
    found = simulated_follow_up(_population(trial.inputs), len(cases), trial.rng)
    first, second = _pair(trial.inputs)
    # The settings are in the analysis' unit of time; the table is in that of the registry.
    divisor = float(trial.inputs.analysis_plan.parameters.get("time_divisor", 1.0))
    return {
        "survival": {
            "case": cases,
            "time": (found.time * divisor).tolist(),
            "event": found.event.tolist(),
            first: found.first.tolist(),
            second: found.second.tolist(),
        }
    }


def _primary_number(inputs: GateInputs, result: AnalysisResult) -> Number:
    first, second = _pair(inputs)
    subject = {"first": first, "second": second}
    return next(
        one for one in result.numbers if one.quantity == "c_index_difference" and one.subject == subject
    )


def _expected(inputs: GateInputs, shared: dict[str, Any]) -> Expected:
    first, second = _pair(inputs)
    last = inputs.analysis_plan.parameters.get("censor_after")
    after = {} if last is None else {"censored_after": float(last)}
    known = percentile_coverage(shared["confidence_level"], [(1.0, shared["cases"])])
    few = (
        f"With {shared['cases']} patients percentile intervals are known to be too narrow (Hesterberg, Am Stat "
        f"2015;69:371): of a mean they cover {100 * known:.1f} %, and are held to that."
    )
    return Expected(
        quantity=f"difference in Harrell's C-index, {first} minus {second}",
        set_to=_population(inputs).concordance_difference(**after),
        known_coverage=known,
        notes=(few,),
        **shared,
    )


GATE = Gate(_tables, _primary_number, _expected, parameters={"n_resamples": INTERVAL_RESAMPLES})
