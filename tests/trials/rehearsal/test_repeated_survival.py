"""Repeated rehearsals of a trial of prognostic value: the paired difference in C-index is held to its exact value."""

from dataclasses import replace

import pytest

import equipoise.analysis.methods.survival as survival
from equipoise.common.errors import ValidationFailedError
from equipoise.simulation import PrognosisPopulation
from equipoise.stats import ConfidenceInterval
from tests.trials.rehearsal.test_repeated import repeated
from tests.trials.rehearsal.test_single_run import draft_of
from trials.domain.rehearsal import RehearsalPlan, plan_of_document
from trials.domain.rehearsal_repeats import measurement_pair
from trials.rehearsal.gate import gate_expected, gate_runs
from trials.rehearsal.gate_inputs import gate_inputs

pytestmark = [pytest.mark.django_db, pytest.mark.db]

FAR_APART = plan_of_document(
    {"prognosis": {"first_error": 0.1, "second_error": 2.0, "log_hazard_per_doubling": 0.6}}
)


def prognosis(**changes):
    return draft_of("prognostic-value", **{"items.count": 60, **changes})


def test_difference_in_c_index_passes():
    found = repeated(prognosis(), FAR_APART, repeats=30)
    assert found.passed, found.problems
    assert found.expected.quantity.endswith("volume_ml.algorithm minus volume_ml.readers")
    assert found.expected.set_to > 0.05
    assert (found.computed, found.type_one, found.expected.cases) == (30, None, 60)
    assert 0.93 < found.expected.known_coverage < 0.95


def test_measurements_in_the_wrong_order_are_caught(monkeypatch):
    right = survival.compare_concordance
    monkeypatch.setattr(
        survival,
        "compare_concordance",
        lambda time, event, first, second, **asked: right(time, event, second, first, **asked),
    )
    found = repeated(prognosis(), FAR_APART, repeats=20)
    assert {check.name for check in found.checks if not check.holds} == {"bias", "coverage"}


def test_interval_of_half_the_width_is_caught(monkeypatch):
    right = survival.compare_concordance

    def narrow(*given, **asked):
        found = right(*given, **asked)
        whole = found.confidence_interval
        quarter = (whole.high - whole.low) / 4
        return replace(
            found, confidence_interval=ConfidenceInterval(whole.low + quarter, whole.high - quarter)
        )

    monkeypatch.setattr(survival, "compare_concordance", narrow)
    found = repeated(prognosis(), RehearsalPlan(), repeats=40)
    assert [check.name for check in found.checks if not check.holds] == ["coverage"]


def test_times_of_the_registry_are_in_its_own_unit_and_end_where_the_plan_says():
    parameters = [
        {"name": "pairs", "value": "volume_ml.algorithm:volume_ml.readers"},
        {"name": "time_divisor", "value": "30"},
    ]
    ended = [*parameters, {"name": "censor_after", "value": "6"}]
    inputs, _ = gate_inputs(prognosis(**{"analysis_plan.primary.parameters": ended}), FAR_APART)
    population = PrognosisPopulation(**FAR_APART.prognosis.model_dump())
    assert gate_expected(inputs).set_to == population.concordance_difference(censored_after=6.0)
    assert gate_expected(inputs).set_to != population.concordance_difference()
    (outcome,) = gate_runs(inputs, [1])
    (months,) = gate_runs(_in_months(inputs), [1])
    assert outcome == months


def _in_months(inputs):
    """The same trial with a registry that keeps months."""
    plan = inputs.analysis_plan
    return replace(inputs, analysis_plan=replace(plan, parameters={**plan.parameters, "time_divisor": "1"}))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ([], "compares no two measurements"),
        (
            [{"name": "pairs", "value": "a:b"}, {"name": "group", "value": "stage"}],
            "names further columns of the follow-up",
        ),
    ],
)
def test_what_no_simulation_gives_is_refused_with_the_remedy(parameters, words):
    with pytest.raises(ValidationFailedError, match=words):
        gate_inputs(prognosis(**{"analysis_plan.primary.parameters": parameters}), RehearsalPlan())


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        ("a:b", ("a", "b")),
        ("a : b, c:d", ("a", "b")),
        (("a:b",), ("a", "b")),
        ("a", None),
        ("", None),
        ((), None),
    ],
)
def test_first_pair_is_the_one_that_is_held_to_its_value(pairs, found):
    assert measurement_pair(pairs) == found


@pytest.mark.slow
def test_template_passes_its_repeated_rehearsal():
    found = repeated(draft_of("prognostic-value"), RehearsalPlan(), repeats=200)
    assert found.passed, found.problems
