"""Jobs towards the browser: progress with an entity tag, stopping, retrying, items, and whose they are."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from equipoise.audit.models import AuditEntry
from equipoise.common.errors import NotFoundError
from equipoise.common.ids import new_id
from equipoise.common.permissions import Permission
from equipoise.jobs import access, claims
from equipoise.jobs.inline import job_run_inline
from equipoise.jobs.models import Job, JobState
from tests.factories.accounts import AccountFactory
from tests.jobs.test_services import claim, create

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def trial(monkeypatch):
    """A trial whose members may see its jobs and whose managers may stop them."""

    class Trial:
        id = new_id()
        members: dict = {}

        def client(self, *permissions):
            client, account = Client(), AccountFactory.create(institute=None)
            client.force_login(account)
            self.members[account.pk] = permissions
            return client

    made = Trial()

    def decide(*, actor, trial_id, permission):
        if trial_id != made.id or permission not in made.members.get(actor.id, ()):
            raise NotFoundError("There is no such trial.")

    monkeypatch.setattr(access, "_access", [decide])
    return made


@pytest.fixture
def member(trial):
    return trial.client(Permission.JOB_VIEW)


@pytest.fixture
def manager(trial):
    return trial.client(Permission.JOB_VIEW, Permission.JOB_CANCEL)


def test_job_shows_its_progress_and_nothing_new_is_304(trial, member):
    job = create("tests.progress", 4, {"steps": 2}, trial_id=trial.id, unit="series")
    running = claim(job)
    claims.claim_progress(running, done=1, total=2, message_code="tests.stepping")

    answer = member.get(f"/api/v1/jobs/{job.pk}")

    assert answer.status_code == 200
    body = answer.json()
    assert (body["state"], body["done"], body["total"], body["unit"]) == ("running", 0, 4, "series")
    assert (body["progress"], body["message_code"], body["stalled"]) == (0.125, "tests.stepping", False)
    etag = answer.headers["ETag"]
    again = member.get(f"/api/v1/jobs/{job.pk}", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    claims.claim_succeed(running, claims.Outcome())
    changed = member.get(f"/api/v1/jobs/{job.pk}", headers={"If-None-Match": etag})
    assert (changed.status_code, changed.json()["done"]) == (200, 1)


def test_silent_job_is_shown_as_stalled(trial, member):
    job = create(count=1, trial_id=trial.id)
    claim(job)
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=91))
    assert member.get(f"/api/v1/jobs/{job.pk}").json()["stalled"] is True


def test_job_of_another_trial_and_no_job_look_alike(member, client):
    other = create(count=1, trial_id=new_id())
    answers = [member.get(f"/api/v1/jobs/{job_id}") for job_id in (other.pk, new_id())]
    assert [a.status_code for a in answers] == [404, 404]
    assert {a.json()["code"] for a in answers} == {"not_found"}
    assert client.get(f"/api/v1/jobs/{other.pk}").status_code == 401


def test_cancel_needs_its_own_permission_and_leaves_an_entry(trial, member, manager):
    job = create(count=2, trial_id=trial.id)
    refused = member.post(f"/api/v1/jobs/{job.pk}/cancel")
    assert refused.status_code == 404
    assert Job.objects.get(pk=job.pk).state == JobState.QUEUED

    answer = manager.post(f"/api/v1/jobs/{job.pk}/cancel")

    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    entry = AuditEntry.objects.get(kind="job:cancelled")
    assert (entry.chain, entry.subject) == (str(trial.id), f"job:{job.pk}")
    assert (entry.before, entry.after) == ({"state": "queued"}, {"state": "cancelled"})
    again = manager.post(f"/api/v1/jobs/{job.pk}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "state_conflict")
    assert AuditEntry.objects.filter(kind="job:cancelled").count() == 1


def test_failed_items_are_listed_and_tried_again(trial, manager):
    job = job_run_inline(create("tests.refused", 3, lambda n: {"number": n}, trial_id=trial.id).pk)

    failed = manager.get(f"/api/v1/jobs/{job.pk}/items?state=failed").json()["results"]
    everything = manager.get(f"/api/v1/jobs/{job.pk}/items").json()["results"]

    assert [(i["key"], i["error_code"], i["error_detail"]) for i in failed] == [
        ("item-1", "validation_failed", "1 is odd.")
    ]
    assert [i["key"] for i in everything] == ["item-0", "item-1", "item-2"]
    assert manager.get(f"/api/v1/jobs/{job.pk}/items?state=odd").status_code == 400
    retried = manager.post(f"/api/v1/jobs/{job.pk}/retry")
    assert (retried.status_code, retried.json()["state"], retried.json()["done"]) == (200, "queued", 2)


def test_trial_lists_its_own_jobs_newest_first(trial, member):
    jobs = [create(count=1, trial_id=trial.id) for _ in range(3)]
    create(count=1, trial_id=new_id())
    listed = member.get(f"/api/v1/trials/{trial.id}/jobs").json()["results"]
    assert [row["id"] for row in listed] == sorted((str(job.pk) for job in jobs), reverse=True)
    assert member.get(f"/api/v1/trials/{new_id()}/jobs").status_code == 404


def test_jobs_of_a_trial_are_listed_by_state_and_kind(trial, member):
    job = create(count=1, trial_id=trial.id)
    path = f"/api/v1/trials/{trial.id}/jobs"
    for query, found in {
        f"state={job.state}": 1,
        "state=failed": 0,
        f"kind={job.kind}": 1,
        "kind=other": 0,
        f"kind={job.kind}&state=failed": 0,
    }.items():
        assert len(member.get(f"{path}?{query}").json()["results"]) == found, query
    assert member.get(f"{path}?state=lost").status_code == 400
