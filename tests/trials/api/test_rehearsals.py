"""Rehearsals through the interface, and protocol lock that leans on them."""

import pytest

from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry
from equipoise.jobs.inline import jobs_run_inline
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD, AccountFactory
from tests.factories.bone_scans import bone_scan_world
from tests.factories.templates import template_draft
from tests.trials.api.test_administration import API, send, signed_in
from trials.models import Rehearsal, Trial
from trials.selectors.protocol import protocol_current
from trials.services.protocol import protocol_save

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def look(client, path, status=200):
    response = client.get(f"{API}{path}")
    assert response.status_code == status, response.content
    return response.json()


def lock_action(client, trial):
    actions = look(client, f"/trials/{trial.id}")["actions"]
    return next(action for action in actions if action["action"] == "lock")


def test_administrator_rehearses_looks_and_removes():
    world = factory.preference_world()
    client, path = signed_in(world.administrator), f"/trials/{world.trial.id}/rehearsals"
    empty = look(client, path)
    assert empty["results"] == []
    assert "has not been rehearsed" in empty["lacking"]
    asked = send(client, "post", path, {"seed": 9, "plan": "preference: {mean_logit: 0}"}, status=202)
    assert (asked["state"], asked["seed"], asked["report"]) == ("queued", 9, None)
    (job,) = jobs_run_inline()
    assert (str(job.id), job.state) == (asked["job_id"], "succeeded")
    shown = look(client, f"{path}/{asked['id']}")
    assert shown["state"] == "passed"
    assert shown["report"]["cells"] == {"planned": 27, "read": 27, "not_assessable": 0, "missing": []}
    assert shown["report"]["estimates"][0]["set_to"] == pytest.approx(50.0)
    assert shown["report"]["pace_in_words"].startswith("A reader needs about ")
    listed = look(client, path)
    assert [one["id"] for one in listed["results"]] == [asked["id"]]
    assert listed["lacking"] is None
    assert listed["protocol_sha256"] == shown["protocol_sha256"]
    send(client, "delete", f"{path}/{asked['id']}", status=204)
    assert not Rehearsal.objects.exists()


def test_plan_that_cannot_be_is_refused_and_nothing_is_queued():
    world = factory.preference_world()
    client = signed_in(world.administrator)
    refused = send(
        client,
        "post",
        f"/trials/{world.trial.id}/rehearsals",
        {"plan": "readers: {speed_sd: fast}"},
        status=422,
    )
    assert "/readers/speed_sd" in refused["data"]["fields"]
    assert not Rehearsal.objects.exists()


def test_statistician_sees_rehearsals_and_does_not_start_them_and_a_stranger_sees_nothing():
    world = factory.preference_world()
    path = f"/trials/{world.trial.id}/rehearsals"
    statistician = signed_in(world.statistician)
    assert look(statistician, path)["results"] == []
    send(statistician, "post", path, {}, status=403)
    look(signed_in(AccountFactory.create()), path, status=404)
    assert not Rehearsal.objects.exists()


def test_rehearsal_of_another_trial_is_not_there():
    world, other = factory.preference_world(), factory.preference_world(slug="other")
    client = signed_in(other.administrator)
    asked = send(client, "post", f"/trials/{other.trial.id}/rehearsals", {}, status=202)
    look(
        signed_in(world.administrator),
        f"/trials/{world.trial.id}/rehearsals/{asked['id']}",
        status=404,
    )


def test_lock_leans_on_a_rehearsal_of_this_version_and_needs_no_waiver():
    world = factory.preference_world()
    client, path = signed_in(world.administrator), f"/trials/{world.trial.id}"
    before = lock_action(client, world.trial)
    assert before["needs_waiver"] is True
    assert "has not been rehearsed" in before["rehearsal_lacking"]
    asked = send(client, "post", f"{path}/rehearsals", {}, status=202)
    jobs_run_inline()
    after = lock_action(client, world.trial)
    assert (after["needs_waiver"], after["rehearsal_lacking"]) == (False, None)
    body = {"reason": "ready", "password": PASSWORD}
    assert send(client, "post", f"{path}/transitions/lock", body)["state"] == "locked"
    entry = AuditEntry.objects.get(kind=AuditKind.TRIAL_LOCKED)
    assert entry.after["rehearsals"] == [asked["id"]]
    assert not AuditEntry.objects.filter(kind=AuditKind.PROTOCOL_WAIVED).exists()
    kept = send(client, "delete", f"{path}/rehearsals/{asked['id']}", status=409)
    assert kept["code"] == "state_conflict"


def test_version_that_was_changed_since_is_refused_with_what_would_be_right():
    world = factory.preference_world()
    client, path = signed_in(world.administrator), f"/trials/{world.trial.id}"
    send(client, "post", f"{path}/rehearsals", {}, status=202)
    jobs_run_inline()
    document = {**protocol_current(world.trial).document, "summary": "Another summary."}
    protocol_save(world.trial, text=None, document=document, revision=None, actor=world.actor)
    refused = send(
        client, "post", f"{path}/transitions/lock", {"reason": "ready", "password": PASSWORD}, status=409
    )
    [unmet] = refused["data"]["unmet"]
    assert unmet["code"] == "rehearsed_or_waived"
    assert "changed since its last rehearsal" in unmet["message"]
    assert "equipoise trial rehearse" in unmet["message"]
    assert unmet["message"] in refused["detail"]
    assert Trial.objects.get().state == "draft"


def test_rehearsal_that_did_not_go_through_is_no_ground_for_lock_and_a_waiver_is_audited():
    world = factory.preference_world(practice=0)
    client, path = signed_in(world.administrator), f"/trials/{world.trial.id}"
    send(client, "post", f"{path}/rehearsals", {}, status=202)
    jobs_run_inline()
    assert "did not go through" in lock_action(client, world.trial)["rehearsal_lacking"]
    document = {**protocol_current(world.trial).document, "practice": {"count": 0}}
    protocol_save(world.trial, text=None, document=document, revision=None, actor=world.actor)
    body = {"reason": "ready", "password": PASSWORD, "waiver": "ok"}
    send(client, "post", f"{path}/transitions/lock", body, status=422)
    assert Trial.objects.get().state == "draft"
    body["waiver"] = "A pilot without inference."
    assert send(client, "post", f"{path}/transitions/lock", body)["state"] == "locked"
    entry = AuditEntry.objects.get(kind=AuditKind.PROTOCOL_WAIVED)
    assert entry.after["protocol_sha256"] == protocol_current(world.trial).sha256
    assert AuditEntry.objects.get(kind=AuditKind.TRIAL_LOCKED).after["rehearsals"] == []


def test_repeated_rehearsal_is_asked_for_and_shown_with_its_checks():
    world = bone_scan_world(cases=20)
    client, path = signed_in(world.administrator), f"/trials/{world.trial.id}/rehearsals"
    asked = send(client, "post", path, {"kind": "repeated", "repeats": 20}, status=202)
    assert (asked["kind"], asked["repeats"], asked["gate"]) == ("repeated", 20, None)
    jobs_run_inline()
    shown = look(client, f"{path}/{asked['id']}")
    assert shown["report"] is None
    assert [check["name"] for check in shown["gate"]["checks"]] == [
        "computed",
        "bias",
        "coverage",
        "type_one",
    ]
    assert shown["gate"]["power_mcse"] > 0


def test_repeated_rehearsal_of_what_cannot_be_set_is_refused_at_once():
    world = template_draft("contour-review", cases=2, readers=2)
    path = f"/trials/{world.trial.id}/rehearsals"
    refused = send(signed_in(world.administrator), "post", path, {"kind": "repeated"}, status=422)
    assert "Rehearse the trial once instead" in refused["detail"]
    assert not Rehearsal.objects.exists()
