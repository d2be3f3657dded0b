"""Jobs in the database: creation, claims and fences, ends, cancel, retry, sweeping, access."""

import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection, transaction
from django.utils import timezone

from equipoise.common.errors import NotFoundError, StateConflictError
from equipoise.common.ids import new_id
from equipoise.common.permissions import Permission
from equipoise.jobs import access, claims, services, tick
from equipoise.jobs.access import access_job
from equipoise.jobs.execution import work_next_item
from equipoise.jobs.inline import job_run_inline, jobs_run_inline
from equipoise.jobs.models import Job, JobItem, JobItemState, JobState, Lease
from equipoise.jobs.registry import ClaimLostError, Outcome, handler_of
from equipoise.jobs.selectors import job_is_stalled, job_progress

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def create(kind="tests.effect", count=3, payload=None, **fields):
    items = [(f"item-{n}", payload(n) if callable(payload) else dict(payload or {})) for n in range(count)]
    defaults = {"trial_id": None, "created_by_id": None, "unit": "item"}
    return services.job_create(kind=kind, items=items, **{**defaults, **fields})


def claim(job, task_id="t"):
    return claims.item_claim(job.pk, task_id=task_id, max_attempts=5)


def states(job):
    return list(JobItem.objects.filter(job=job).values_list("state", flat=True))


def expire(item):
    JobItem.objects.filter(pk=item.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_job_rings_only_when_its_transaction_commits(bells, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = create()
        assert bells == []
    assert bells == [("equipoise.jobs.work", str(job.pk), "default")] * 3


def test_job_of_many_items_rings_eight_times(bells, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        create(count=1200)
    assert len(bells) == 8
    assert JobItem.objects.count() == 1200


def test_job_goes_to_its_handlers_queue(bells, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        create("tests.queue", 1)
    assert [bell[2] for bell in bells] == ["inference"]


def test_job_of_a_rolled_back_act_neither_stands_nor_rings(bells, django_capture_on_commit_callbacks):
    @transaction.atomic
    def act():
        create()
        raise ZeroDivisionError

    with django_capture_on_commit_callbacks(execute=True), pytest.raises(ZeroDivisionError):
        act()
    assert (bells, Job.objects.count()) == ([], 0)


def test_unreachable_broker_does_not_fail_the_act(monkeypatch, django_capture_on_commit_callbacks):
    class Dead:
        def send_task(self, *_, **__):
            raise ConnectionRefusedError

    monkeypatch.setattr(services, "current_app", Dead())
    with django_capture_on_commit_callbacks(execute=True):
        job = create()
    assert Job.objects.get(pk=job.pk).state == JobState.QUEUED


def test_unknown_kind_is_refused_at_once():
    with pytest.raises(LookupError, match=r"No handler is registered for jobs of kind 'tests.unknown'"):
        create("tests.unknown")
    assert Job.objects.count() == 0


def test_empty_job_has_succeeded():
    assert create(count=0).state == JobState.SUCCEEDED


def test_every_item_is_done_once():
    job = job_run_inline(create().pk)

    assert (job.state, job.done, job.failed, job.total) == (JobState.SUCCEEDED, 3, 0, 3)
    assert states(job) == [JobItemState.SUCCEEDED] * 3
    assert Lease.objects.count() == 3
    assert [item.result for item in job.items.all()] == [{"key": f"item-{n}"} for n in range(3)]
    assert job.started_at is not None
    assert job.finished_at is not None


def test_refused_items_fail_alone_and_say_why():
    job = job_run_inline(create("tests.refused", 4, lambda n: {"number": n}).pk)

    assert (job.state, job.done, job.failed) == (JobState.PARTIAL, 4, 2)
    failed = job.items.filter(state=JobItemState.FAILED).first()
    assert (failed.error_code, failed.error_detail, failed.error_data) == (
        "validation_failed",
        "1 is odd.",
        {"number": 1},
    )


def test_unforeseen_error_fails_the_item_without_showing_its_text(caplog):
    job = job_run_inline(create("tests.broken", 1).pk)

    assert job.state == JobState.FAILED
    item = job.items.get()
    assert item.error_code == "job_failed"
    assert "division" not in item.error_detail
    assert "ZeroDivisionError" in caplog.text


def test_refused_effect_leaves_nothing_behind():
    job = job_run_inline(create("tests.broken_effect", 1).pk)

    assert (job.state, job.items.get().error_detail) == (JobState.FAILED, "The case was removed meanwhile.")
    assert Lease.objects.count() == 0


def test_failure_that_is_worth_a_row_ends_the_item_as_failed_and_writes_it():
    job = job_run_inline(create("tests.noted_failure", 1, {"name": "x"}).pk)
    item = job.items.get()
    assert (job.state, item.error_detail, item.error_data) == (
        JobState.FAILED,
        "No lungs were found.",
        {"failure": "input"},
    )
    assert set(Lease.objects.values_list("name", flat=True)) == {f"{job.pk}:failure"}


def test_failures_row_that_is_refused_is_discarded_and_the_refusal_stands():
    job = job_run_inline(create("tests.noted_failure", 1, {"refused": True}).pk)
    assert (job.state, job.items.get().error_detail) == (JobState.FAILED, "The trial was closed meanwhile.")
    assert set(Lease.objects.values_list("name", flat=True)) == {f"{job.pk}:discarded"}


def test_item_that_never_ended_may_leave_a_row_once():
    job = create("tests.noted_failure", 1, {"name": "x"})
    job.items.update(attempts=5)
    assert job_run_inline(job.pk).state == JobState.FAILED
    assert set(Lease.objects.values_list("name", flat=True)) == {"exhausted:x"}
    assert not job_run_inline(job.pk).items.exclude(state=JobItemState.FAILED).exists()


def test_item_is_claimed_once_while_its_lease_lives():
    job = create(count=1)
    first = claim(job)
    assert (first.fence, first.item.attempts) == (1, 1)
    assert claim(job) is None


def test_expired_item_is_claimed_again_and_the_first_worker_can_write_nothing():
    job = create(count=1)
    first = claim(job)
    expire(first.item)
    second = claim(job)
    assert (second.item.pk, second.fence, second.item.attempts) == (first.item.pk, 2, 2)

    effects = []
    for end in (
        lambda: claims.claim_succeed(first, Outcome(effect=lambda: effects.append("first"))),
        lambda: claims.claim_fail(first, code="job_failed", detail="x", data={}),
        lambda: claims.claim_cancel(first),
        lambda: claims.claim_release(first),
    ):
        with pytest.raises(ClaimLostError), transaction.atomic():
            end()
    assert claims.claim_renew(first) is False
    assert claims.claim_progress(first, done=1, total=2, message_code="") is False

    claims.claim_succeed(second, Outcome(effect=lambda: effects.append("second")))
    assert effects == ["second"]
    assert Job.objects.get(pk=job.pk).done == 1


def test_item_that_always_kills_its_worker_fails_after_its_attempts():
    job = create(count=1)
    for _ in range(5):
        expire(claim(job).item)

    assert claim(job) is None

    item = job.items.get()
    assert (item.state, item.attempts) == (JobItemState.FAILED, 5)
    assert item.error_detail.startswith("Started 5 times and never finished")
    assert Job.objects.get(pk=job.pk).state == JobState.FAILED


def test_item_put_back_waits_before_its_next_attempt():
    job = create("tests.flaky", 1, {"good_attempt": 3})
    for attempt in (1, 2):
        job_run_inline(job.pk)
        item = job.items.get()
        assert (item.attempts, item.state) == (attempt, JobItemState.RUNNING)
        assert 0 < (item.lease_until - timezone.now()).total_seconds() <= 2**attempt
        assert work_next_item(job.pk, task_id="early", heartbeat=False) is False
        expire(item)
    job = job_run_inline(job.pk)
    assert (job.state, job.items.get().result) == (JobState.SUCCEEDED, {"attempt": 3})


@pytest.mark.parametrize(("where", "left"), [("work", []), ("effect", ["discarded"])])
def test_item_whose_database_was_away_is_put_back_and_done_later(where, left):
    job = create("tests.away", 1, {"where": where})
    job_run_inline(job.pk)
    item = job.items.get()
    assert (item.attempts, item.state, item.error_code) == (1, JobItemState.RUNNING, "")
    assert [name.split(":")[1] for name in Lease.objects.values_list("name", flat=True)] == left
    expire(item)
    assert job_run_inline(job.pk).state == JobState.SUCCEEDED
    assert Lease.objects.filter(name=f"{job.pk}:effect").count() == 1


def test_progress_is_stored_and_counts_parts():
    job = create("tests.progress", 2, {"steps": 4})
    running = claim(job)
    assert claims.claim_progress(running, done=1, total=4, message_code="tests.stepping")
    job.refresh_from_db()
    assert job.message_code == "tests.stepping"
    assert job_progress(job) == 0.125
    claims.claim_succeed(running, Outcome())
    job.refresh_from_db()
    assert job_progress(job) == 0.5


def test_cancelled_job_drops_what_waits_and_stops_what_runs():
    job = create(count=3)
    running = claim(job)

    job = services.job_cancel(job.pk)

    assert (job.state, job.done) == (JobState.CANCELLING, 2)
    assert claims.claim_is_cancelled(running)
    claims.claim_cancel(running)
    assert Job.objects.get(pk=job.pk).state == JobState.CANCELLED
    assert Lease.objects.count() == 0


def test_cancelled_job_without_running_items_is_cancelled_at_once():
    assert services.job_cancel(create().pk).state == JobState.CANCELLED


def test_cancelling_twice_is_harmless_and_a_finished_job_cannot_be_cancelled():
    job = create(count=2)
    claim(job)
    assert services.job_cancel(job.pk).state == JobState.CANCELLING
    assert services.job_cancel(job.pk).state == JobState.CANCELLING
    done = job_run_inline(create(count=1).pk)
    with pytest.raises(StateConflictError, match="succeeded") as refused:
        services.job_cancel(done.pk)
    assert refused.value.data == {"state": "succeeded", "allowed": []}
    with pytest.raises(NotFoundError):
        services.job_cancel(new_id())


def test_retry_does_failed_items_only(bells, django_capture_on_commit_callbacks):
    job = job_run_inline(create("tests.refused", 3, lambda n: {"number": n}).pk)
    assert job.state == JobState.PARTIAL
    JobItem.objects.filter(job=job, key="item-1").update(payload={"number": 10})

    with django_capture_on_commit_callbacks(execute=True):
        services.job_retry(job.pk)
    assert len(bells) == 1
    job = job_run_inline(job.pk)

    assert (job.state, job.done, job.failed) == (JobState.SUCCEEDED, 3, 0)
    assert list(job.items.values_list("attempts", flat=True)) == [1, 1, 1]
    assert job.items.get(key="item-1").result == {"half": 5}
    with pytest.raises(StateConflictError):
        services.job_retry(job.pk)


def test_sweeper_rings_for_what_nobody_works_on(bells):
    waiting = create(count=1)
    beaten = create(count=2)
    claim(beaten)
    done = job_run_inline(create(count=1).pk)
    Job.objects.update(rung_at=timezone.now() - timedelta(seconds=1))

    tick.sweep()

    assert [bell[1] for bell in bells] == [str(waiting.pk)]
    assert str(done.pk) not in [bell[1] for bell in bells]
    bells.clear()
    tick.sweep()
    assert bells == []  # rung a moment ago


def test_sweeper_rings_for_an_item_whose_lease_ran_out(bells):
    job = create(count=1)
    expire(claim(job).item)
    Job.objects.update(
        rung_at=timezone.now() - timedelta(minutes=5), heartbeat_at=timezone.now() - timedelta(minutes=2)
    )
    tick.sweep()
    assert [bell[1] for bell in bells] == [str(job.pk)]


def test_sweeper_ends_what_does_not_listen_to_a_cancel(bells, monkeypatch):
    ended = []

    class Control:
        def revoke(self, task_id, terminate, signal):
            ended.append((task_id, terminate, signal))

    monkeypatch.setattr(tick, "current_app", SimpleNamespace(control=Control()))
    job = create(count=1)
    running = claim(job, task_id="task-7")
    services.job_cancel(job.pk)
    tick.sweep()
    assert ended == []
    Job.objects.update(cancel_requested_at=timezone.now() - timedelta(seconds=3))

    tick.sweep()

    assert ended == [("task-7", True, "SIGKILL")]
    assert Job.objects.get(pk=job.pk).state == JobState.CANCELLED
    with pytest.raises(ClaimLostError), transaction.atomic():
        claims.claim_succeed(running, Outcome())


def test_one_worker_at_a_time_ticks(bells):
    assert tick.tick("a") is True
    assert tick.tick("b") is False
    assert tick.tick("a") is True
    Lease.objects.filter(name="tick").update(until=timezone.now() - timedelta(seconds=1))
    assert tick.tick("b") is True


def test_periodic_work_runs_once_per_period_and_its_failure_stops_nothing(bells, monkeypatch, caplog):
    monkeypatch.setattr(tick, "_PERIODIC", {})
    runs = []
    tick.register_periodic("tests.broken", 60, lambda: 1 / 0)
    tick.register_periodic("tests.fine", 60, lambda: runs.append(1))
    tick.tick("a")
    tick.tick("a")
    assert runs == [1]
    assert "ZeroDivisionError" in caplog.text
    Lease.objects.filter(name="periodic:tests.fine").update(until=timezone.now() - timedelta(seconds=1))
    tick.tick("a")
    assert runs == [1, 1]


def test_job_is_stalled_after_ninety_silent_seconds():
    job = create(count=1)
    claim(job)
    job.refresh_from_db()
    assert not job_is_stalled(job)
    job.heartbeat_at = timezone.now() - timedelta(seconds=91)
    assert job_is_stalled(job)
    job.state = JobState.SUCCEEDED
    assert not job_is_stalled(job)


def test_jobs_run_inline_does_every_waiting_job():
    first, second = create(count=1), create("tests.refused", 1, {"number": 1})
    assert {j.pk: j.state for j in jobs_run_inline()} == {
        first.pk: JobState.SUCCEEDED,
        second.pk: JobState.FAILED,
    }


def test_handlers_are_found_by_kind():
    assert handler_of("tests.queue").queue == "inference"


class Person:
    def __init__(self, is_site_administrator=False):
        self.id = new_id()
        self.is_site_administrator = is_site_administrator


def test_job_of_no_trial_belongs_to_its_maker_and_the_site_administrator():
    maker = Person()
    job = create(count=1, created_by_id=maker.id)
    for actor in (maker, Person(is_site_administrator=True)):
        assert access_job(actor=actor, job_id=job.pk, permission=Permission.JOB_VIEW) == job
    with pytest.raises(NotFoundError):
        access_job(actor=Person(), job_id=job.pk, permission=Permission.JOB_VIEW)


def test_job_of_a_trial_is_decided_above_and_refused_without_it(monkeypatch):
    job, member = create(count=1, trial_id=new_id()), Person()
    monkeypatch.setattr(access, "_access", [])
    with pytest.raises(NotFoundError):
        access_job(actor=Person(is_site_administrator=True), job_id=job.pk, permission=Permission.JOB_VIEW)

    def decide(*, actor, trial_id, permission):
        if (actor, trial_id, permission) != (member, job.trial_id, Permission.JOB_CANCEL):
            raise NotFoundError("There is no such trial.")

    access.register_job_access(decide)
    assert access_job(actor=member, job_id=job.pk, permission=Permission.JOB_CANCEL) == job
    with pytest.raises(NotFoundError):
        access_job(actor=member, job_id=job.pk, permission=Permission.JOB_VIEW)


def test_racing_workers_take_effect_once_per_item(flushing_db):
    job = create(count=20)
    errors = []

    def work():
        try:
            while work_next_item(job.pk, task_id="race"):
                pass
        except Exception as error:  # handed to the test's own thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    job.refresh_from_db()
    assert (job.state, job.done) == (JobState.SUCCEEDED, 20)
    assert Lease.objects.filter(name__startswith=str(job.pk)).count() == 20
    assert set(job.items.values_list("attempts", flat=True)) == {1}


def test_lease_is_renewed_while_a_handler_computes(flushing_db, settings):
    settings.JOB_LEASE_S = 0.6
    job = create(count=1, payload={"sleep_s": 1.5})
    assert work_next_item(job.pk, task_id="slow") is False
    job.refresh_from_db()
    assert (job.state, job.items.get().attempts) == (JobState.SUCCEEDED, 1)
