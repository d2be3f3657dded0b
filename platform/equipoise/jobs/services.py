"""Making, cancelling and retrying jobs, from inside the caller's transaction."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from equipoise.common.errors import NotFoundError, StateConflictError
from equipoise.jobs.models import ACTIVE_STATES, Job, JobItem, JobItemState, JobState
from equipoise.jobs.registry import handler_of

logger = logging.getLogger("equipoise.jobs")

WORK_TASK = "equipoise.jobs.work"
"""The one Celery task: do the next item of a job."""
MAX_BELLS = 8
"""Rung at once for one job; each bell does one item and rings for the next, so this bounds a job's parallelism."""
_BATCH = 500

Items = Sequence[tuple[str, Mapping[str, Any]]]


@transaction.atomic
def job_create(
    *, kind: str, trial_id: UUID | None, created_by_id: UUID | None, items: Items, unit: str = "item"
) -> Job:
    """Store a job with one item per (key, payload), and ring for it when the caller's transaction commits.

    Payloads are JSON and hold ids, not objects. Keys are unique within the job. A job without items has succeeded.
    """
    spec = handler_of(kind)
    now = timezone.now()
    finished = {} if items else {"state": JobState.SUCCEEDED, "started_at": now, "finished_at": now}
    job = Job.objects.create(
        kind=kind,
        queue=settings.JOB_QUEUE_INSTEAD.get(spec.queue, spec.queue),
        trial_id=trial_id,
        created_by_id=created_by_id,
        total=len(items),
        unit=unit,
        **finished,
    )
    JobItem.objects.bulk_create(
        [
            JobItem(job=job, key=key, position=position, payload=dict(payload))
            for position, (key, payload) in enumerate(items)
        ],
        batch_size=_BATCH,
    )
    if items:
        _ring_on_commit(job, len(items))
    return job


@transaction.atomic
def job_cancel(job_id: UUID) -> Job:
    """Ask a job to stop: waiting items are cancelled at once, running ones when they next look (or are ended)."""
    now = timezone.now()
    asked = Job.objects.filter(pk=job_id, state__in=(JobState.QUEUED, JobState.RUNNING)).update(
        state=JobState.CANCELLING, cancel_requested_at=now
    )
    job = _job(job_id)
    if not asked:
        if job.state == JobState.CANCELLING:
            return job
        raise StateConflictError(
            f"The job is {job.state}; only a job that is queued or running can be cancelled.",
            data={"state": job.state, "allowed": []},
        )
    cancelled = job.items.filter(state=JobItemState.QUEUED).update(
        state=JobItemState.CANCELLED, finished_at=now
    )
    Job.objects.filter(pk=job_id).update(done=F("done") + cancelled)
    job_settle(job_id)
    return _job(job_id)


@transaction.atomic
def job_retry(job_id: UUID) -> Job:
    """Queue the failed and cancelled items of a finished job again; what succeeded stays."""
    again = (JobItemState.FAILED, JobItemState.CANCELLED)
    # The conditional UPDATE comes first: of two people who press the button, one wins.
    taken = Job.objects.filter(
        pk=job_id, state__in=(JobState.FAILED, JobState.PARTIAL, JobState.CANCELLED)
    ).update(state=JobState.QUEUED, finished_at=None, cancel_requested_at=None, heartbeat_at=None)
    job = _job(job_id)
    if not taken:
        raise StateConflictError(
            f"The job is {job.state}; only a job that failed, in part or whole, or was cancelled can be retried.",
            data={"state": job.state, "allowed": []},
        )
    count = job.items.filter(state__in=again).update(
        state=JobItemState.QUEUED,
        attempts=0,
        lease_until=None,
        error_code="",
        error_detail="",
        error_data={},
        progress_done=0,
        progress_total=0,
        finished_at=None,
        fence=F("fence") + 1,
    )
    Job.objects.filter(pk=job_id).update(done=F("done") - count, failed=0)
    _ring_on_commit(job, count)
    return _job(job_id)


def job_settle(job_id: UUID) -> None:
    """Give a job its last state once no item is left to do. Call inside the transaction that ended an item."""
    job = Job.objects.get(pk=job_id)
    if job.done < job.total or job.state not in ACTIVE_STATES:
        return
    cancelled = job.items.filter(state=JobItemState.CANCELLED).count()
    if cancelled:
        state = JobState.CANCELLED
    elif job.failed == 0:
        state = JobState.SUCCEEDED
    else:
        state = JobState.FAILED if job.failed == job.total else JobState.PARTIAL
    Job.objects.filter(pk=job_id).update(state=state, finished_at=timezone.now())
    job.refresh_from_db()
    for tell in _ON_FINISHED:
        tell(job)


_ON_FINISHED: list[Callable[[Job], None]] = []


def register_on_finished(tell: Callable[[Job], None]) -> None:
    """Have ``tell`` called with a job that has ended, as the last act of the transaction that ends it."""
    if tell not in _ON_FINISHED:
        _ON_FINISHED.append(tell)


def claimable(now: Any) -> Q:
    """Return the condition of an item that any worker may take."""
    return Q(state=JobItemState.QUEUED) | Q(state=JobItemState.RUNNING, lease_until__lt=now)


def ring(job: Job, bells: int = 1) -> None:
    """Tell workers that a job has something to do. A bell that is lost is rung again by the sweeper."""
    Job.objects.filter(pk=job.pk).update(rung_at=timezone.now())
    most = handler_of(job.kind).at_once or MAX_BELLS
    try:
        for _ in range(min(bells, most)):
            current_app.send_task(WORK_TASK, args=[str(job.pk)], queue=job.queue)
    except (OperationalError, OSError):
        logger.warning(
            "The broker cannot be reached; the job waits for the sweeper.", extra={"job_id": str(job.pk)}
        )


def jobs_needing_a_bell(now: Any) -> list[Job]:
    """Return active jobs with claimable items that nobody is known to be working on, or were long not rung for."""
    quiet = now - timedelta(seconds=settings.JOB_TICK_S)
    long_ago = now - timedelta(seconds=4 * settings.JOB_TICK_S)
    silent = (Q(heartbeat_at__isnull=True) | Q(heartbeat_at__lt=quiet)) & Q(rung_at__lt=quiet)
    return list(
        Job.objects.filter(state__in=(JobState.QUEUED, JobState.RUNNING))
        .filter(Q(rung_at__isnull=True) | Q(rung_at__lt=long_ago) | silent)
        .filter(pk__in=JobItem.objects.filter(claimable(now)).values("job_id"))
    )


def _ring_on_commit(job: Job, items: int) -> None:
    transaction.on_commit(lambda: ring(job, items))


def _job(job_id: UUID) -> Job:
    try:
        return Job.objects.get(pk=job_id)
    except Job.DoesNotExist:
        raise NotFoundError("There is no such job.") from None
