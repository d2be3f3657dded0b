"""Repeated rehearsals of a survey: the share of an answer is held to the one that was set."""

import pytest

import equipoise.analysis.methods.survey as survey
from equipoise.common.errors import ValidationFailedError
from equipoise.stats import answer_share
from tests.trials.rehearsal.test_repeated import repeated
from tests.trials.rehearsal.test_single_run import draft_of
from trials.domain.rehearsal import RehearsalPlan, plan_of_document
from trials.rehearsal.gate import gate_expected
from trials.rehearsal.gate_inputs import gate_inputs

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def form(*, cases=20, readers=8, **changes):
    strata = [{"key": "all", "label": "All", "participants": readers}]
    return draft_of("saliency-survey", **{"items.count": cases, "allocation.strata": strata, **changes})


def test_share_passes_and_the_report_says_what_is_known_of_its_interval():
    found = repeated(form(), RehearsalPlan(), repeats=40)
    assert found.passed, found.problems
    assert found.expected.quantity == "share of '1' among the answers to 'outside'"
    assert (found.expected.set_to, found.expected.readers, found.expected.cases) == (0.3, 8, 20)
    assert (found.computed, found.type_one) == (40, None)
    assert "known to be too narrow" in found.expected.notes[0]


def test_interval_that_takes_answers_as_independent_is_caught(monkeypatch):
    """Every answer as one of a reader and a case of its own."""

    def independent(given, participant, case, **asked):
        rows = [f"{who} {what}" for who, what in zip(participant, case, strict=True)]
        return answer_share(given, rows, rows, **asked)

    monkeypatch.setattr(survey, "answer_share", independent)
    plan = plan_of_document({"survey": {"case_sd": 2.0, "reader_sd": 1.0}})
    found = repeated(form(cases=40), plan, repeats=40)
    assert "coverage" in [check.name for check in found.checks if not check.holds]


def test_share_of_another_answer_is_caught(monkeypatch):
    monkeypatch.setattr(
        survey,
        "answer_share",
        lambda given, *where, **asked: answer_share([not one for one in given], *where, **asked),
    )
    found = repeated(form(), RehearsalPlan(), repeats=20)
    assert {check.name for check in found.checks if not check.holds} == {"bias", "coverage"}


def test_plan_whose_answer_is_often_not_given_at_all_depends_on_luck():
    found = repeated(form(cases=2, readers=2), RehearsalPlan(), repeats=30)
    assert "computed" in [check.name for check in found.checks if not check.holds]


def test_readers_who_are_fixed_are_simulated_without_a_spread_between_them():
    inputs, _ = gate_inputs(form(**{"analysis_plan.primary.readers": "fixed"}), RehearsalPlan())
    assert "takes its readers as fixed" in gate_expected(inputs).notes[-1]


def test_survey_without_a_form_is_refused_with_the_remedy():
    with pytest.raises(ValidationFailedError, match="asks no question of a form"):
        gate_inputs(draft_of("contour-review"), RehearsalPlan())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["saliency-survey", "vasari-features", "case-labelling"])
def test_template_passes_its_repeated_rehearsal(name):
    found = repeated(draft_of(name), RehearsalPlan(), repeats=200)
    assert found.passed, found.problems
