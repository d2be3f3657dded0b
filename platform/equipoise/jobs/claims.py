"""A worker's hold on an item: claim, renew, end. Every write names the fence number of the claim it belongs to."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from equipoise.common.errors import ErrorCode
from equipoise.jobs.models import Job, JobItem, JobItemState, JobState
from equipoise.jobs.registry import ClaimLostError, Outcome, handler_of
from equipoise.jobs.services import claimable, job_settle

logger = logging.getLogger("equipoise.jobs")

_MAX_RACES = 100


@dataclass(frozen=True)
class Claim:
    """One start of one item."""

    item: JobItem
    job: Job
    fence: int


def item_claim(job_id: UUID, *, task_id: str, max_attempts: int) -> Claim | None:
    """Claim the first item of a job that nobody holds, by one conditional UPDATE; None if there is none.

    An item that was started ``max_attempts`` times and never ended (it kills its worker) is failed on the way.
    """
    for _ in range(_MAX_RACES):
        now = timezone.now()
        item = JobItem.objects.filter(claimable(now), job_id=job_id).order_by("position").first()
        if item is None:
            return None
        mine = JobItem.objects.filter(claimable(now), pk=item.pk, fence=item.fence)
        if item.attempts >= max_attempts:
            _fail_exhausted(item)
            continue
        taken = mine.update(
            state=JobItemState.RUNNING,
            fence=F("fence") + 1,
            attempts=F("attempts") + 1,
            lease_until=now + timedelta(seconds=settings.JOB_LEASE_S),
            task_id=task_id,
            started_at=now,
            progress_done=0,
            progress_total=0,
        )
        if taken:
            return _started(item.pk, job_id)
    logger.warning("Every race for an item was lost; the sweeper rings again.", extra={"job_id": str(job_id)})
    return None


def _started(item_id: UUID, job_id: UUID) -> Claim:
    now = timezone.now()
    Job.objects.filter(pk=job_id, state=JobState.QUEUED).update(state=JobState.RUNNING)
    Job.objects.filter(pk=job_id, started_at__isnull=True).update(started_at=now)
    Job.objects.filter(pk=job_id).update(heartbeat_at=now)
    item = JobItem.objects.select_related("job").get(pk=item_id)
    return Claim(item=item, job=item.job, fence=item.fence)


def _held(claim: Claim) -> Any:
    return JobItem.objects.filter(pk=claim.item.pk, fence=claim.fence, state=JobItemState.RUNNING)


def claim_renew(claim: Claim) -> bool:
    """Prolong the lease; False if the claim is lost."""
    now = timezone.now()
    held = bool(_held(claim).update(lease_until=now + timedelta(seconds=settings.JOB_LEASE_S)))
    if held:
        Job.objects.filter(pk=claim.job.pk).update(heartbeat_at=now)
    return held


def claim_is_cancelled(claim: Claim) -> bool:
    """Whether the job was asked to stop."""
    return Job.objects.filter(pk=claim.job.pk, state=JobState.CANCELLING).exists()


def claim_progress(claim: Claim, *, done: int, total: int, message_code: str) -> bool:
    """Store how far the item is, and renew; False if the claim is lost."""
    now = timezone.now()
    held = bool(
        _held(claim).update(
            progress_done=done,
            progress_total=total,
            lease_until=now + timedelta(seconds=settings.JOB_LEASE_S),
        )
    )
    if held:
        message = {"message_code": message_code} if message_code else {}
        Job.objects.filter(pk=claim.job.pk).update(heartbeat_at=now, **message)
    return held


@transaction.atomic
def claim_succeed(claim: Claim, outcome: Outcome) -> None:
    """Mark the item done and let its effect happen, together, if the claim still holds."""
    _end(claim, state=JobItemState.SUCCEEDED, result=dict(outcome.result))
    if outcome.effect is not None:
        outcome.effect()
    _count_ended(claim.job.pk, failed=0)


@transaction.atomic
def claim_fail(
    claim: Claim,
    *,
    code: str,
    detail: str,
    data: Mapping[str, Any],
    effect: Callable[[], None] | None = None,
) -> None:
    """Mark the item failed with what a person can act on, and let the failure's own effect happen with it."""
    _end(claim, state=JobItemState.FAILED, error_code=code, error_detail=detail, error_data=dict(data))
    if effect is not None:
        effect()
    _count_ended(claim.job.pk, failed=1)


@transaction.atomic
def claim_cancel(claim: Claim) -> None:
    """Mark the item cancelled."""
    _end(claim, state=JobItemState.CANCELLED)
    _count_ended(claim.job.pk, failed=0)


def claim_release(claim: Claim) -> None:
    """Let go of the item for 2, 4, 8, ... s: its lease is shortened, then anyone may claim it."""
    pause = timedelta(seconds=min(2**claim.item.attempts, settings.JOB_LEASE_S))
    if not _held(claim).update(fence=F("fence") + 1, lease_until=timezone.now() + pause):
        raise ClaimLostError


def _end(claim: Claim, **fields: Any) -> None:
    if not _held(claim).update(lease_until=None, finished_at=timezone.now(), **fields):
        raise ClaimLostError


def _count_ended(job_id: UUID, *, failed: int) -> None:
    now = timezone.now()
    Job.objects.filter(pk=job_id).update(done=F("done") + 1, failed=F("failed") + failed, heartbeat_at=now)
    job_settle(job_id)


@transaction.atomic
def _fail_exhausted(item: JobItem) -> None:
    detail = f"Started {item.attempts} times and never finished; the worker may have run out of memory."
    ended = (
        JobItem.objects.filter(pk=item.pk, fence=item.fence)
        .exclude(Q(state=JobItemState.SUCCEEDED))
        .update(
            state=JobItemState.FAILED,
            fence=F("fence") + 1,
            finished_at=timezone.now(),
            lease_until=None,
            error_code=ErrorCode.JOB_FAILED.value,
            error_detail=detail,
        )
    )
    if ended:
        exhausted = handler_of(item.job.kind).exhausted
        if exhausted is not None:
            exhausted(item.payload, detail)
        _count_ended(item.job_id, failed=1)


@transaction.atomic
def item_end_deaf(item: JobItem) -> bool:
    """Cancel a running item of a cancelling job whose worker does not listen (its process is ended as well)."""
    ended = JobItem.objects.filter(pk=item.pk, fence=item.fence, state=JobItemState.RUNNING).update(
        state=JobItemState.CANCELLED, fence=F("fence") + 1, finished_at=timezone.now(), lease_until=None
    )
    if ended:
        _count_ended(item.job_id, failed=0)
    return bool(ended)
