"""Doing one item: claim it, keep the lease alive, call the handler, end the item in one transaction."""

import logging
import threading
import time
from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from equipoise.common.errors import DomainError, ErrorCode
from equipoise.common.faults import is_database_away, is_disk_full
from equipoise.jobs import claims
from equipoise.jobs.models import Job, JobItem
from equipoise.jobs.registry import (
    ClaimLostError,
    HandlerSpec,
    JobCancelledError,
    Outcome,
    RetryLaterError,
    handler_of,
)
from equipoise.jobs.services import claimable

logger = logging.getLogger("equipoise.jobs")

_PROGRESS_S = 0.5
"""At least so long between two writes of progress."""


class ClaimContext:
    """The context a handler is given (see :class:`equipoise.jobs.registry.JobContext`)."""

    def __init__(self, claim: claims.Claim, *, is_inline: bool) -> None:
        self._is_inline = is_inline
        self.job_id: UUID = claim.job.pk
        self.item_id: UUID = claim.item.pk
        self.item_key: str = claim.item.key
        self.trial_id: UUID | None = claim.job.trial_id
        self.created_by_id: UUID | None = claim.job.created_by_id
        self.attempt: int = claim.item.attempts
        self._claim = claim
        self._lost = threading.Event()
        self._written = 0.0
        self._asked = 0.0

    def progress(self, done: int, total: int, message_code: str = "") -> None:
        """Say how far the item is; written at most twice a second."""
        now = time.monotonic()
        if connection.in_atomic_block and not self._is_inline:
            raise RuntimeError("progress belongs outside the work's transaction.")
        if done < total and now - self._written < _PROGRESS_S:
            return
        self._written = now
        if not claims.claim_progress(self._claim, done=done, total=total, message_code=message_code):
            self._lost.set()

    def check_cancelled(self) -> None:
        """Raise if the job was cancelled or the claim lost; asks the database at most twice a second."""
        if self._lost.is_set():
            raise ClaimLostError
        now = time.monotonic()
        if self._asked and now - self._asked < _PROGRESS_S:
            return
        self._asked = now
        if claims.claim_is_cancelled(self._claim):
            raise JobCancelledError

    def mark_lost(self) -> None:
        """Note that the lease could not be renewed."""
        self._lost.set()


class _Heartbeat:
    """Renews a claim's lease from a thread while the handler computes."""

    def __init__(self, claim: claims.Claim, context: ClaimContext) -> None:
        self._claim, self._context = claim, context
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="job-heartbeat", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._stop.wait(settings.JOB_LEASE_S / 3):
                self._renew()
        finally:
            connections.close_all()

    def _renew(self) -> None:
        try:
            if not claims.claim_renew(self._claim):
                self._context.mark_lost()
                self._stop.set()
        except Exception:  # the next beat tries again; if none succeeds, the lease runs out, which is safe
            logger.exception("A lease could not be renewed.", extra={"item_id": str(self._claim.item.pk)})
            connection.close()


class _NoHeartbeat:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


def work_next_item(job_id: UUID, *, task_id: str, heartbeat: bool = True) -> bool:
    """Do the next item of a job, if any is free; return whether another is waiting."""
    kind = Job.objects.filter(pk=job_id).values_list("kind", flat=True).first()
    if kind is None:
        return False
    spec = handler_of(kind)
    claim = claims.item_claim(job_id, task_id=task_id, max_attempts=spec.max_attempts)
    if claim is None:
        return False
    context = ClaimContext(claim, is_inline=not heartbeat)
    with _Heartbeat(claim, context) if heartbeat else _NoHeartbeat():
        _end_with(claim, _attempt(spec, claim, context))
    return _has_claimable(job_id)


def _attempt(spec: HandlerSpec, claim: claims.Claim, context: ClaimContext) -> Callable[[], None]:
    """Run the handler and return how the item ends."""
    facts = {"job_id": str(claim.job.pk), "item_id": str(claim.item.pk), "kind": spec.kind}
    try:
        context.check_cancelled()
        returned = spec.handle(claim.item.payload, context)
    except JobCancelledError:
        return lambda: claims.claim_cancel(claim)
    except ClaimLostError:
        logger.warning("A claim was lost; another worker has the item.", extra=facts)
        return lambda: None
    except RetryLaterError:
        logger.warning("An item is put back to be tried later.", extra=facts, exc_info=True)
        return lambda: claims.claim_release(claim)
    except DomainError as error:
        code, detail, data = error.code.value, error.message, error.data
        return lambda: claims.claim_fail(claim, code=code, detail=detail, data=data)
    except Exception as error:
        if is_database_away(error):
            return _put_back(claim)
        logger.exception("An item failed unexpectedly.", extra=facts)
        unforeseen = error  # the name of the clause is gone when the item ends
        return lambda: _fail_unforeseen(claim, unforeseen)
    outcome = returned if isinstance(returned, Outcome) else Outcome(result=returned or {})
    return lambda: _succeed(claim, outcome)


def _succeed(claim: claims.Claim, outcome: Outcome) -> None:
    """End as the handler says; an effect that is refused (or breaks) fails the item, and leaves nothing behind."""
    try:
        if outcome.refusal is None:
            claims.claim_succeed(claim, outcome)
        else:
            why = outcome.refusal
            claims.claim_fail(
                claim, code=why.code.value, detail=why.message, data=why.data, effect=outcome.effect
            )
    except DomainError as error:
        claims.claim_fail(claim, code=error.code.value, detail=error.message, data=error.data)
        _discard(claim, outcome)
    except ClaimLostError:
        raise
    except Exception as error:
        if is_database_away(error):
            # If the effect was written all the same, the item has ended, and letting go of it raises.
            _put_back(claim)()
        else:
            logger.exception("The effect of an item failed.", extra={"item_id": str(claim.item.pk)})
            _fail_unforeseen(claim, error)
        _discard(claim, outcome)


def _put_back(claim: claims.Claim) -> Callable[[], None]:
    """Have an item tried again that the database left alone; if it is still away, the lease runs out instead."""
    logger.warning(
        "The database did not answer; an item is put back.",
        extra={"item_id": str(claim.item.pk)},
        exc_info=True,
    )
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    return lambda: claims.claim_release(claim)


def _discard(claim: claims.Claim, outcome: Outcome) -> None:
    if outcome.discard is None:
        return
    try:
        outcome.discard()
    except Exception:  # what stays behind is found by the archive's verification; the item has ended already
        logger.exception("What an item left could not be discarded.", extra={"item_id": str(claim.item.pk)})


def unforeseen_words(error: BaseException) -> str:
    """Return what people are told of an error that nobody foresaw: never its own words, which may name somebody."""
    if is_disk_full(error):
        return "The disk is full. Once whoever runs the site has made room, the job can be retried."
    return "The work on this item stopped with an unexpected error; the server's log has the details."


def _fail_unforeseen(claim: claims.Claim, error: BaseException) -> None:
    claims.claim_fail(claim, code=ErrorCode.JOB_FAILED.value, detail=unforeseen_words(error), data={})


def _end_with(claim: claims.Claim, end: Callable[[], None]) -> None:
    try:
        end()
    except ClaimLostError:
        logger.warning(
            "An item's end came too late; another worker has it.", extra={"item_id": str(claim.item.pk)}
        )


def _has_claimable(job_id: UUID) -> bool:
    return JobItem.objects.filter(claimable(timezone.now()), job_id=job_id).exists()
