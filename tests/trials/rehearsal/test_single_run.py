"""A rehearsal runs the whole allocation through the real submit path and leaves nothing in the trial."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import connection

from equipoise.accounts.models import Account
from equipoise.archive.storage import default_store
from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.jobs.inline import job_run_inline
from equipoise.jobs.models import JobState
from equipoise.jobs.services import job_cancel
from tests.factories import trials as preference
from tests.factories.accounts import AccountFactory
from tests.factories.bone_scans import bone_scan_world
from tests.factories.templates import template_document
from trials.domain.protocol.document import check_document, protocol_sha256, to_yaml
from trials.domain.rehearsal import RehearsalPlan, plan_of_document
from trials.domain.states import TrialAction
from trials.models import Participant, Reading, Rehearsal, RehearsalState
from trials.rehearsal.run import RehearsalImpossibleError, rehearse
from trials.selectors.protocol import protocol_current
from trials.selectors.rehearsal import rehearsal_document
from trials.services.acts import Actor
from trials.services.protocol import protocol_save
from trials.services.rehearsal import rehearsal_delete, rehearsal_request
from trials.services.trial import trial_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]

FEW = plan_of_document({"material": {"cases": 4}})


def quiet(_step, _done, _total):
    pass


def everything_stored():
    """Return every row of the site and every file of its store, as text."""
    rows = {
        model._meta.label: sorted(repr(sorted(row.items())) for row in model._default_manager.values())
        for model in apps.get_models()
    }
    return rows, sorted(default_store().keys())


def draft_of(name, **changes):
    """Return a draft of a shipped template that has no cases."""
    administrator = AccountFactory.create()
    document = template_document(name, cases=4, readers=3, **changes)
    return trial_create(
        slug=name,
        title=document["title"],
        protocol_text=to_yaml(document),
        institute=administrator.institute,
        creator=administrator,
        actor=Actor(account_id=administrator.id),
    )


def test_rehearsal_leaves_every_row_and_file_of_the_site_as_it_was():
    world = preference.preference_world()
    before, database = everything_stored(), connection.settings_dict["NAME"]
    report = rehearse(world.trial, seed=1, plan=RehearsalPlan(), say=quiet)
    assert report.passed, report.problems
    assert (report.cells.planned, report.cells.read, report.cells.missing) == (27, 27, ())
    assert everything_stored() == before
    assert connection.settings_dict["NAME"] == database
    assert not Reading.objects.exists()


def test_preference_report_sets_the_probability_beside_what_was_set():
    world = preference.preference_world()
    plan = plan_of_document({"preference": {"mean_logit": -1.2, "reader_sd": 0.1, "side_logit": 0}})
    report = rehearse(world.trial, seed=3, plan=plan, say=quiet)
    [one] = report.estimates
    assert (one.analysis, one.unit) == ("preference", " %")
    assert one.set_to == pytest.approx(24.3, abs=0.5)
    assert one.low < one.value < one.high < 50  # the readers were set to prefer the expert, and did
    assert {row["name"] for row in report.analyses} == {"preference", "reading-time", "agreement"}
    assert [row["problem"] for row in report.analyses] == [None, None, None]
    assert [one.participant for one in report.pace] == ["R-01", "R-02", "R-03"]
    assert all(one.readings == 10 and one.minutes > 0.5 for one in report.pace)
    assert any("left" in sentence for sentence in report.balance)


def test_two_period_trial_of_scans_runs_with_its_own_cases_and_references():
    world = bone_scan_world(cases=8)
    report = rehearse(world.trial, seed=1, plan=RehearsalPlan(), say=quiet)
    assert report.passed, report.problems
    assert report.material == {
        "cases": 8,
        "items": 8,
        "phantoms": 0,
        "references_simulated": 0,
        "algorithms_simulated": ["bone-scan-ai"],
    }
    assert report.cells.planned == 3 * 8 * 2
    assert [(one.label.rpartition(" ")[2], round(one.set_to, 2)) for one in report.estimates[:2]] == [
        ("(aided)", 0.88),
        ("(unaided)", 0.8),
    ]
    assert report.estimates[2].set_to == pytest.approx(0.08)


@pytest.mark.parametrize(
    "name", ["contour-preference", "bone-scan-sequential", "contouring-variability", "case-labelling"]
)
def test_trial_without_cases_is_rehearsed_with_phantoms(name):
    trial = draft_of(name)
    report = rehearse(trial, seed=1, plan=FEW, say=quiet)
    assert report.passed, report.problems
    assert report.material["phantoms"] == report.material["cases"] == 4
    assert not trial.cases.exists()


def test_same_seed_gives_the_same_report_and_another_seed_another_one():
    world = preference.preference_world()
    first, again, other = (
        rehearse(world.trial, seed=seed, plan=RehearsalPlan(), say=quiet) for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other
    assert first.protocol_sha256 == other.protocol_sha256


def test_rehearsal_of_a_locked_trial_is_of_the_hash_that_was_frozen_and_of_another_seed():
    world = preference.preference_world()
    draft = rehearse(world.trial, seed=1, plan=RehearsalPlan(), say=quiet)
    world.act(TrialAction.LOCK)
    locked = rehearse(world.trial, seed=1, plan=RehearsalPlan(), say=quiet)
    assert locked == draft
    assert locked.protocol_sha256 == world.trial.protocol_versions.get().sha256


def test_reader_who_fails_practice_leaves_cells_missing_and_the_rehearsal_fails():
    """Simulated readers at chance rarely reach a pass mark of 100 % in eight practice scans."""
    world = bone_scan_world(cases=4, practice=8, **{"practice.pass_mark_percent": 100})
    plan = plan_of_document({"classification": {"auc_unaided": 0.5, "auc_aided": 0.5}})
    report = rehearse(world.trial, seed=2, plan=plan, say=quiet)
    assert not report.passed
    assert len(report.cells.missing) == report.cells.planned - report.cells.read > 0
    assert report.problems[0].startswith("Reader R-01 could not go on: ")
    assert any("planned readings have no answer" in problem for problem in report.problems)


def test_readers_are_led_into_every_stratum():
    trial = draft_of(
        "contour-preference",
        **{
            "allocation.stratum_question": "speciality",
            "allocation.strata": [
                {"key": "doctors", "label": "Doctors", "participants": 2, "answers": ["radiology"]},
                {
                    "key": "others",
                    "label": "Others",
                    "participants": 1,
                    "answers": [
                        "radiation_oncology",
                        "nuclear_medicine",
                        "other_medical",
                        "medical_student",
                        "computer_science",
                    ],
                },
            ],
        },
    )
    outcome = check_document(protocol_current(trial).document)
    assert not outcome.lock_problems, outcome.lock_problems
    report = rehearse(trial, seed=5, plan=FEW, say=quiet)
    assert report.passed, report.problems


def test_rehearsal_is_refused_with_what_is_missing_when_nothing_can_be_read():
    world = preference.preference_world(practice=0)
    before = everything_stored()
    with pytest.raises(RehearsalImpossibleError, match="practice items") as refused:
        rehearse(world.trial, seed=1, plan=RehearsalPlan(), say=quiet)
    assert [one["code"] for one in refused.value.data["unmet"]] == ["practice_items_present"]
    assert everything_stored() == before


def test_protocol_that_cannot_be_locked_is_not_rehearsed():
    world = preference.preference_world()
    document = {**protocol_current(world.trial).document}
    document["analysis_plan"] = {**document["analysis_plan"], "primary": None}
    protocol_save(world.trial, text=None, document=document, revision=None, actor=world.actor)
    with pytest.raises(ValidationFailedError):
        rehearse(world.trial, seed=1, plan=RehearsalPlan(), say=quiet)


# --- as a record, by a worker -------------------------------------------------------------------------------------


def requested(world, **options):
    return rehearsal_request(world.trial, seed=4, plan=RehearsalPlan(), actor=world.actor, **options)


def test_worker_rehearses_and_keeps_the_report_beside_the_hash_of_the_protocol():
    world = preference.preference_world()
    rehearsal = requested(world)
    assert rehearsal_document(rehearsal)["state"] == RehearsalState.QUEUED
    job = job_run_inline(rehearsal.job_id)
    assert job.state == JobState.SUCCEEDED
    rehearsal.refresh_from_db()
    protocol = check_document(protocol_current(world.trial).document).protocol
    assert rehearsal.state == RehearsalState.PASSED
    assert rehearsal.protocol_sha256 == protocol_sha256(protocol)
    assert rehearsal.report["cells"]["read"] == 27
    assert rehearsal.report["passed"] is True
    entry = AuditEntry.objects.filter(kind=AuditKind.REHEARSAL_RUN).get()
    assert (entry.subject, entry.chain) == (f"rehearsal:{rehearsal.id}", str(world.trial.id))
    assert entry.after["protocol_sha256"] == rehearsal.protocol_sha256
    # Nobody was made to read, in the trial or on the site.
    assert not Participant.objects.filter(trial=world.trial, kind="reader").exists()
    assert not Account.objects.filter(email__contains="invalid.example").exists()


def test_rehearsal_that_is_refused_says_why():
    world = preference.preference_world(practice=0)
    rehearsal = requested(world)
    assert job_run_inline(rehearsal.job_id).state == JobState.FAILED
    rehearsal.refresh_from_db()
    assert rehearsal.state == RehearsalState.FAILED
    assert "practice items" in rehearsal.message


def test_rehearsal_that_is_cancelled_before_a_worker_comes_is_shown_as_cancelled():
    world = preference.preference_world()
    rehearsal = requested(world)
    job_cancel(rehearsal.job_id)
    job_run_inline(rehearsal.job_id)
    rehearsal.refresh_from_db()
    assert rehearsal_document(rehearsal)["state"] == RehearsalState.CANCELLED
    rehearsal_delete(rehearsal, actor=world.actor)
    assert not Rehearsal.objects.exists()


def test_rehearsal_stops_in_the_middle_when_its_progress_raises_and_the_site_is_as_before():
    world = preference.preference_world()
    before = everything_stored()

    def stop(step, done, _total):
        if step == "reading" and done >= 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rehearse(world.trial, seed=1, plan=RehearsalPlan(), say=stop)
    assert everything_stored() == before


def test_progress_is_told_outside_the_copy():
    """What says how far the rehearsal is (a job's row) must not be looked for in the copy."""
    world = preference.preference_world()
    seen = []

    def say(step, _done, _total):
        seen.append((step, Account.objects.filter(id=world.administrator.id).exists()))

    rehearse(world.trial, seed=1, plan=RehearsalPlan(), say=say)
    assert {step for step, _ in seen} == {"material", "allocation", "reading", "analysis"}
    assert all(found for _, found in seen)


def test_open_trial_is_not_rehearsed_any_more():
    world = preference.open_world()
    with pytest.raises(StateConflictError, match="before readers read"):
        requested(world)
    assert not Rehearsal.objects.exists()


def test_removed_rehearsal_leaves_its_trace_in_the_audit_trail():
    world = preference.preference_world()
    rehearsal = requested(world)
    with pytest.raises(StateConflictError, match="under way"):
        rehearsal_delete(rehearsal, actor=world.actor)
    job_run_inline(rehearsal.job_id)
    rehearsal.refresh_from_db()
    subject = f"rehearsal:{rehearsal.id}"
    rehearsal_delete(rehearsal, actor=world.actor)
    assert not Rehearsal.objects.exists()
    kinds = list(
        AuditEntry.objects.filter(subject=subject).order_by("sequence").values_list("kind", flat=True)
    )
    assert kinds == [AuditKind.REHEARSAL_RUN, AuditKind.REHEARSAL_DELETED]


def test_rehearsal_of_a_command_that_was_killed_can_be_removed_after_a_day():
    world = preference.preference_world()
    rehearsal = requested(world, with_job=False)
    with pytest.raises(StateConflictError, match="under way"):
        rehearsal_delete(rehearsal, actor=world.actor)
    rehearsal.created_at -= timedelta(days=1, seconds=1)
    rehearsal.save()
    assert rehearsal_document(rehearsal)["state"] == RehearsalState.FAILED
    rehearsal_delete(rehearsal, actor=world.actor)
    assert not Rehearsal.objects.exists()
