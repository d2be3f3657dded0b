"""Repeated rehearsals of trials of contours: right medians pass, too narrow intervals are caught."""

import pytest

import equipoise.analysis.methods.medians as medians
from equipoise.common.errors import ValidationFailedError
from tests.trials.rehearsal.test_repeated import repeated
from tests.trials.rehearsal.test_single_run import draft_of
from trials.domain.rehearsal import RehearsalPlan, plan_of_document
from trials.domain.rehearsal_gate import gate_report
from trials.rehearsal.gate import gate_expected, gate_runs
from trials.rehearsal.gate_inputs import gate_inputs

pytestmark = [pytest.mark.django_db, pytest.mark.db]

DIFFERENT_READERS = plan_of_document({"contours": {"reader_sd": 0.6, "case_sd": 0.3}})


def outlines(*, cases=12, readers=8, **changes):
    return draft_of(
        "contouring-variability",
        **{
            "items.count": cases,
            "allocation.strata": [{"key": "all", "label": "All", "participants": readers}],
            **changes,
        },
    )


def only_cases_drawn_again(monkeypatch):
    """Let the interval take the readers as they are."""
    right = medians.bootstrap_median
    monkeypatch.setattr(
        medians, "bootstrap_median", lambda values, units, **asked: right(values, units[:1], **asked)
    )


def only_readers_drawn_again(monkeypatch):
    right = medians.bootstrap_median
    monkeypatch.setattr(
        medians, "bootstrap_median", lambda values, units, **asked: right(values, units[1:], **asked)
    )


def test_median_between_readers_passes_and_the_report_says_what_is_known_of_its_interval():
    found = repeated(outlines(), DIFFERENT_READERS, repeats=40)
    assert found.passed, found.problems
    assert (found.expected.set_to, found.expected.readers, found.expected.cases) == (0.85, 8, 12)
    assert found.type_one is None
    assert found.computed == 40
    assert 0.85 < found.expected.known_coverage < 0.95
    assert "are known to be too narrow" in found.expected.notes[0]
    assert "known to be conservative" in found.expected.notes[1]
    assert "on the logit scale" in found.lines[2]
    assert "as many without" not in found.lines[0]


@pytest.mark.parametrize(
    ("wrong", "plan"),
    [
        (only_cases_drawn_again, DIFFERENT_READERS),
        (only_readers_drawn_again, plan_of_document({"contours": {"reader_sd": 0.05, "case_sd": 1.0}})),
    ],
)
def test_interval_that_leaves_readers_or_cases_out_is_caught(wrong, plan, monkeypatch):
    wrong(monkeypatch)
    found = repeated(outlines(), plan, repeats=40)
    assert [check.name for check in found.checks if not check.holds] == ["coverage"]
    assert found.coverage < 0.75


def test_median_that_is_off_is_caught(monkeypatch):
    """The upper quartile in place of the median."""
    right = medians.summary
    monkeypatch.setattr(
        medians, "summary", lambda values: right([value for value in values if value >= right(values).median])
    )
    found = repeated(outlines(), RehearsalPlan(), repeats=30)
    assert "bias" in [check.name for check in found.checks if not check.holds]


def test_readers_who_are_fixed_are_simulated_without_a_spread_between_them():
    inputs, _ = gate_inputs(outlines(**{"analysis_plan.primary.readers": "fixed"}), DIFFERENT_READERS)
    expected = gate_expected(inputs)
    outcomes = gate_runs(inputs, range(1, 31))
    assert "takes its readers as fixed" in expected.notes[-1]
    found = gate_report(outcomes, expected, protocol_sha256="a", repeats=30, first_seed=1)
    assert found.passed, found.problems


def test_median_of_the_algorithm_passes_on_as_many_cases_as_are_planned():
    plan = plan_of_document({"contours": {"dice_algorithm": 0.8}, "material": {"cases": 40}})
    found = repeated(draft_of("performance-by-subgroup", **{"items.count": None}), plan, repeats=40)
    assert found.passed, found.problems
    assert (found.expected.set_to, found.expected.cases, found.expected.notes) == (0.8, 40, ())
    assert "median Dice of algorithm" in found.expected.quantity


def test_interval_of_the_algorithm_that_takes_half_of_the_spread_is_caught(monkeypatch):
    right = medians.bootstrap_median

    def halved(values, units, **asked):
        low, high = right(values, units, **asked)
        return (3 * low + high) / 4, (low + 3 * high) / 4

    monkeypatch.setattr(medians, "bootstrap_median", halved)
    found = repeated(draft_of("performance-by-subgroup"), RehearsalPlan(), repeats=40)
    assert [check.name for check in found.checks if not check.holds] == ["coverage"]
    assert found.coverage < 0.85


@pytest.mark.parametrize("template", ["contouring-variability", "performance-by-subgroup"])
def test_other_metrics_than_dice_are_refused(template):
    trial = draft_of(
        template, **{"analysis_plan.primary.parameters": [{"name": "metric", "value": "hausdorff_95_mm"}]}
    )
    with pytest.raises(ValidationFailedError, match="simulates Dice"):
        gate_inputs(trial, RehearsalPlan())


def test_fixed_cases_are_refused():
    with pytest.raises(ValidationFailedError, match="takes the cases as fixed"):
        gate_inputs(outlines(**{"analysis_plan.primary.cases": "fixed"}), RehearsalPlan())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "size"),
    [
        (
            "contouring-variability",
            {
                "items.count": 25,
                "allocation.strata": [{"key": "all", "label": "All", "participants": 7}],
            },
        ),
        ("performance-by-subgroup", {}),
    ],
)
def test_template_passes_at_its_own_size(template, size):
    found = repeated(draft_of(template, **size), RehearsalPlan(), repeats=200)
    assert found.passed, found.problems
