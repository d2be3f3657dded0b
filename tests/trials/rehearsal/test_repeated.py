"""Repeated rehearsals: a right analysis passes, a wrong one is caught, and no row of a trial is touched."""

import pytest

import trials.rehearsal.gate_inputs as inputs_module
from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import StateConflictError, ValidationFailedError
from equipoise.jobs.inline import job_run_inline
from equipoise.jobs.models import Job, JobState
from equipoise.jobs.services import job_cancel
from tests.factories import trials as preference
from tests.factories.bone_scans import bone_scan_world
from tests.trials.rehearsal.test_single_run import draft_of, everything_stored
from trials.domain.rehearsal import RehearsalKind, RehearsalPlan, plan_of_document
from trials.domain.rehearsal_gate import gate_report
from trials.domain.rehearsal_repeats import REPEATABLE
from trials.models import Rehearsal, RehearsalState
from trials.rehearsal.gate import gate_expected, gate_run, gate_runs
from trials.rehearsal.gate_inputs import gate_inputs
from trials.rehearsal.gates import GATES
from trials.selectors.protocol import protocol_current
from trials.selectors.rehearsal import rehearsal_document, rehearsal_lacking
from trials.services.acts import Actor
from trials.services.protocol import protocol_save
from trials.services.rehearsal import rehearsal_delete, rehearsal_request

pytestmark = [pytest.mark.django_db, pytest.mark.db]

DIFFERENT_READERS = plan_of_document(
    {"classification": {"var_reader_condition": 0.05, "auc_unaided": 0.8, "auc_aided": 0.86}}
)
"""Readers whom the aid helps to a different degree: an analysis of random readers must not take them as fixed."""
REPEATS = 100


def repeated(trial, plan, *, repeats=REPEATS, first=1):
    inputs, sha256 = gate_inputs(trial, plan)
    outcomes = gate_runs(inputs, range(first, first + repeats))
    return gate_report(
        outcomes, gate_expected(inputs), protocol_sha256=sha256, repeats=repeats, first_seed=first
    )


def scans(**changes):
    return draft_of(
        "bone-scan-mrmc",
        **{
            "items.count": 80,
            "allocation.strata": [{"key": "all", "label": "All", "participants": 6}],
            **changes,
        },
    )


def test_planned_analysis_of_random_readers_passes():
    found = repeated(scans(), DIFFERENT_READERS)
    assert found.passed, found.problems
    assert found.expected.set_to == pytest.approx(0.06)
    assert (found.expected.readers, found.expected.cases) == (6, 80)
    assert found.power > found.type_one


def readers_taken_as_fixed(monkeypatch):
    """Let the analysis take as fixed the readers whom the protocol calls random."""
    right = inputs_module.plan_of_protocol

    def wrong(protocol, name, parameters, **asked):
        return right(protocol, name, {**parameters, "readers": "fixed"}, **asked)

    monkeypatch.setattr(inputs_module, "plan_of_protocol", wrong)


def test_wrong_analysis_is_caught(monkeypatch):
    """Random readers analysed as fixed ones: intervals are too narrow and the test rejects too often."""
    readers_taken_as_fixed(monkeypatch)
    found = repeated(scans(), DIFFERENT_READERS)
    assert not found.passed
    assert [check.name for check in found.checks if not check.holds] == ["coverage", "type_one"]
    assert found.type_one > 0.1
    assert "the test rejects too often" in found.problems[1]


def test_analysis_of_fixed_readers_is_held_to_these_readers_alone():
    """The protocol asks about its own readers: it is right not to count how others would differ."""
    found = repeated(scans(**{"analysis_plan.primary.readers": "fixed"}), DIFFERENT_READERS)
    assert found.passed, found.problems
    assert found.type_one <= 0.1
    assert found.expected.set_to == pytest.approx(0.06)
    assert "nothing is said of other readers" in found.expected.notes[0]


def test_analysis_of_fixed_cases_is_not_repeated():
    with pytest.raises(ValidationFailedError, match="takes the cases as fixed"):
        gate_inputs(scans(**{"analysis_plan.primary.cases": "fixed"}), RehearsalPlan())


def test_few_readers_and_high_areas_are_stated_as_conservative():
    trial = scans(**{"allocation.strata": [{"key": "all", "label": "All", "participants": 4}]})
    plan = plan_of_document({"classification": {"auc_unaided": 0.93, "auc_aided": 0.97}})
    inputs, _ = gate_inputs(trial, plan)
    expected = gate_expected(inputs)
    assert expected.is_conservative
    assert ["up to 5 readers" in expected.notes[0], "areas above 0.95" in expected.notes[1]] == [True, True]


def test_enough_readers_of_ordinary_areas_are_held_to_the_nominal_behaviour():
    inputs, _ = gate_inputs(scans(), RehearsalPlan())
    expected = gate_expected(inputs)
    assert (expected.is_conservative, expected.is_liberal, expected.notes) == (False, False, ())
    assert expected.alpha == 0.05


def test_runs_take_the_protocols_allocation_and_the_trials_own_items_and_touch_no_row():
    world = bone_scan_world(cases=8)
    before = everything_stored()
    inputs, _ = gate_inputs(world.trial, RehearsalPlan())
    assert {one.id for one in inputs.items} == set(
        world.trial.items.filter(practice=False).values_list("code", flat=True)
    )
    assert {one.stratum for one in inputs.items} == {"reference=0", "reference=1"}
    assert sum(inputs.truth.values()) == 4
    first, again = (gate_run(inputs, seed=3, null=False) for _ in range(2))
    assert first == again
    assert gate_run(inputs, seed=4, null=False) != first
    assert everything_stored() == before


def test_preference_trial_can_be_repeated():
    trial = draft_of(
        "contour-preference",
        **{
            "items.selection.count": 40,
            "allocation.strata": [{"key": "all", "label": "All", "participants": 10}],
        },
    )
    found = repeated(trial, plan_of_document({"preference": {"mean_logit": 1.0}}), repeats=20)
    assert found.passed, found.problems
    assert found.power == 1.0
    assert found.expected.set_to == pytest.approx(71, abs=1.5)


def test_primary_analysis_that_cannot_be_set_is_refused_with_the_remedy_and_nothing_is_queued():
    trial = draft_of("contouring-variability", **{"analysis_plan.primary.analysis": "reading-time"})
    with pytest.raises(ValidationFailedError, match="Rehearse the trial once instead"):
        rehearsal_request(
            trial,
            kind=RehearsalKind.REPEATED,
            repeats=30,
            seed=1,
            plan=RehearsalPlan(),
            actor=Actor(account_id=trial.created_by_id),
        )
    assert (Rehearsal.objects.count(), Job.objects.count()) == (0, 0)
    with pytest.raises(ValidationFailedError, match="Rehearse the trial once instead"):
        gate_inputs(trial, RehearsalPlan())


# --- by workers ---------------------------------------------------------------------------------------------------


def requested(world, *, repeats=30):
    return rehearsal_request(
        world.trial,
        kind=RehearsalKind.REPEATED,
        repeats=repeats,
        seed=1,
        plan=RehearsalPlan(),
        actor=world.actor,
    )


def test_workers_take_sets_of_seeds_and_the_last_one_writes_the_report():
    world = bone_scan_world(cases=30)
    rehearsal = requested(world)
    job = Job.objects.get(id=rehearsal.job_id)
    assert (job.total, job.unit) == (3, "sets of seeds")
    assert rehearsal_document(rehearsal)["gate"] is None
    assert job_run_inline(job.id).state == JobState.SUCCEEDED
    rehearsal.refresh_from_db()
    document = rehearsal_document(rehearsal)
    assert document["report"] is None
    gate = document["gate"]
    assert (gate["repeats"], gate["computed"], gate["seeds"]) == (30, 60, "1 to 30")
    inputs, sha256 = gate_inputs(world.trial, RehearsalPlan())
    alone = gate_report(
        gate_runs(inputs, range(1, 31)),
        gate_expected(inputs),
        protocol_sha256=sha256,
        repeats=30,
        first_seed=1,
    )
    assert gate | {"seconds": 0} == alone.document() | {"seconds": 0}
    assert rehearsal.state == (RehearsalState.PASSED if alone.passed else RehearsalState.FAILED)
    entry = AuditEntry.objects.get(kind=AuditKind.REHEARSAL_RUN)
    assert (entry.after["kind"], entry.after["repeats"]) == ("repeated", 30)
    # It is no run through the trial: protocol lock still asks for one.
    assert "has not been rehearsed" in rehearsal_lacking(world.trial)


def test_protocol_that_is_changed_meanwhile_ends_the_rehearsal():
    world = bone_scan_world(cases=8)
    rehearsal = requested(world)
    document = {**protocol_current(world.trial).document, "summary": "Another summary."}
    protocol_save(world.trial, text=None, document=document, revision=None, actor=world.actor)
    assert job_run_inline(rehearsal.job_id).state == JobState.FAILED
    rehearsal.refresh_from_db()
    assert rehearsal.state == RehearsalState.FAILED
    assert "changed while it was rehearsed" in rehearsal.message


def test_cancelled_rehearsal_writes_no_report():
    world = preference.preference_world()
    rehearsal = requested(world)
    job_cancel(rehearsal.job_id)
    job_run_inline(rehearsal.job_id)
    rehearsal.refresh_from_db()
    assert rehearsal_document(rehearsal)["state"] == RehearsalState.CANCELLED
    assert rehearsal_document(rehearsal)["gate"] is None
    assert Rehearsal.objects.count() == 1


def test_repeated_rehearsal_that_found_the_analysis_wrong_is_kept_and_not_made_up_for_by_fewer_repeats(
    monkeypatch,
):
    world = bone_scan_world(cases=30)
    rehearsal_request(world.trial, seed=1, plan=RehearsalPlan(), actor=world.actor)
    world.trial.rehearsals.update(state=RehearsalState.PASSED)
    with monkeypatch.context() as wrong:
        readers_taken_as_fixed(wrong)
        failed = rehearsal_request(
            world.trial,
            kind=RehearsalKind.REPEATED,
            repeats=30,
            seed=1,
            plan=plan_of_document({"classification": {"var_reader_condition": 0.5}}),
            actor=world.actor,
        )
        job_run_inline(failed.job_id)
    failed.refresh_from_db()
    assert failed.state == RehearsalState.FAILED
    assert not all(check["holds"] for check in rehearsal_document(failed)["gate"]["checks"])
    with pytest.raises(StateConflictError, match="is kept"):
        rehearsal_delete(failed, actor=world.actor)
    assert "found its primary analysis wrong" in rehearsal_lacking(world.trial)
    for repeats, lacking in ((29, "with at least 30 repeats"), (30, None)):
        passed = requested(world, repeats=repeats)
        Rehearsal.objects.filter(id=passed.id).update(state=RehearsalState.PASSED)
        told = rehearsal_lacking(world.trial)
        assert told is None if lacking is None else lacking in told
    assert Rehearsal.objects.filter(id=failed.id).exists()


def test_repeated_rehearsal_that_broke_can_be_removed_and_the_trail_says_how_it_ended():
    world = bone_scan_world(cases=8)
    broken = requested(world)
    job_run_inline_of_another_version(world, broken)
    rehearsal_delete(broken, actor=world.actor)
    entry = AuditEntry.objects.get(kind=AuditKind.REHEARSAL_DELETED)
    assert entry.before == {
        "kind": "repeated",
        "protocol_sha256": broken.protocol_sha256,
        "seed": 1,
        "repeats": 30,
        "state": "failed",
    }


def job_run_inline_of_another_version(world, rehearsal):
    """Run a rehearsal whose protocol was changed since: it breaks."""
    document = {**protocol_current(world.trial).document, "summary": "Another summary."}
    protocol_save(world.trial, text=None, document=document, revision=None, actor=world.actor)
    job_run_inline(rehearsal.job_id)
    rehearsal.refresh_from_db()


def test_a_protocol_may_ask_for_what_there_is_a_gate_for_and_for_nothing_else():
    assert set(GATES) == set(REPEATABLE)
