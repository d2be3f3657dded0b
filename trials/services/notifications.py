"""Webhooks: made, ended, told of events by jobs; each message is signed and sent at least once under the event's id."""

import json
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NoReturn

import httpx
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from equipoise.accounts.models import Account
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.models import AuditEntry
from equipoise.audit.services import chain_of, entry_append
from equipoise.common.errors import DomainError, ErrorCode, StateConflictError, ValidationFailedError
from equipoise.common.outbound import OutboundRefusedError, outbound_address, outbound_client
from equipoise.jobs.models import Job
from equipoise.jobs.registry import JobContext, Outcome, RetryLaterError
from equipoise.jobs.services import job_create
from trials.domain.notifications import signature
from trials.models import Trial, Webhook
from trials.selectors.notifications import NOTIFY_JOB, event_documents, event_entries, events_last
from trials.services.acts import Actor, record

ATTEMPTS = 12
"""At an address that does not answer, with pauses of 2, 4, 8, ... s up to a minute: about eight minutes in all."""
MAX_WEBHOOKS = 10
SLOW_S = 1.0
REST_FACTOR = 20
"""An address that fails after more than ``SLOW_S`` rests so many times as long as it took: it gets that share of a
worker's time, and one real attempt per message beyond it. What comes meanwhile waits like what was refused."""
_BATCH = 200
_ACCEPTED = range(200, 300)


class NotificationRefusedError(DomainError):
    """The address does not take the message."""

    code = ErrorCode.JOB_FAILED


def webhook_create(
    trial: Trial, *, url: str, kinds: Sequence[str], creator: Account, actor: Actor
) -> Webhook:
    """Tell an address of what happens from now on. The caller shows the secret once.

    Raises
    ------
    ValidationFailedError
        If the address is none that the site sends to, or there are too many.
    """
    try:
        outbound_address(url, allowed_hosts=settings.OUTBOUND_HOSTS)
    except OutboundRefusedError as error:
        raise ValidationFailedError.of_fields({"/url": error.message}) from None
    with transaction.atomic():
        held = Trial.objects.select_for_update(no_key=True).get(id=trial.id)
        if Webhook.objects.filter(trial=held, ended_at=None).count() >= MAX_WEBHOOKS:
            raise ValidationFailedError.of_fields({"/url": f"A trial has at most {MAX_WEBHOOKS} webhooks."})
        made = Webhook.objects.create(
            trial=held,
            url=url,
            kinds=sorted(set(kinds)),
            secret=secrets.token_bytes(32),
            queued_through=events_last(held),
            created_by=creator,
            created_at=timezone.now(),
        )
        record(
            held,
            AuditKind.WEBHOOK_CREATED,
            actor=actor,
            subject=f"webhook:{made.id}",
            after={"host": httpx.URL(url).host, "kinds": made.kinds},
        )
    return made


@transaction.atomic
def webhook_end(webhook: Webhook, *, actor: Actor) -> Webhook:
    """Tell an address nothing more, not even what waits."""
    ended = Webhook.objects.filter(id=webhook.id, ended_at=None).update(ended_at=timezone.now())
    if not ended:
        raise StateConflictError("This webhook has ended already.", data={"state": "ended", "allowed": []})
    record(webhook.trial, AuditKind.WEBHOOK_ENDED, actor=actor, subject=f"webhook:{webhook.id}")
    webhook.refresh_from_db()
    return webhook


def notifications_queue() -> int:
    """Queue a message for every webhook and every new event of its kinds; the tick loop calls this."""
    count = 0
    for webhook in Webhook.objects.filter(ended_at=None).select_related("trial"):
        with transaction.atomic():
            count += _queue(webhook)
    return count


def _queue(webhook: Webhook) -> int:
    last = events_last(webhook.trial)
    if last <= webhook.queued_through:
        return 0
    entries = event_entries(webhook.trial, after=webhook.queued_through, kinds=webhook.kinds, limit=_BATCH)
    through = entries[-1].sequence if len(entries) == _BATCH else last
    # Of two who queue at once, one moves the mark, and with it makes the job.
    moved = Webhook.objects.filter(id=webhook.id, queued_through=webhook.queued_through, ended_at=None)
    if not moved.update(queued_through=through) or not entries:
        return 0
    job_create(
        kind=NOTIFY_JOB,
        trial_id=webhook.trial_id,
        created_by_id=None,
        items=[
            (str(one.sequence), {"webhook_id": str(webhook.id), "sequence": one.sequence}) for one in entries
        ],
        unit="notifications",
    )
    return len(entries)


def notification_send(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Send one message; whatever does not answer with 2xx is tried again."""
    webhook = Webhook.objects.filter(id=uuid.UUID(payload["webhook_id"]), ended_at=None).first()
    if webhook is None:
        return Outcome(result={"outcome": "webhook_ended"})
    entry = AuditEntry.objects.get(chain=str(webhook.trial_id), sequence=payload["sequence"])
    [told] = event_documents([entry])
    message = told | {"at": told["at"].isoformat(), "trial": str(webhook.trial_id)}
    body = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    now = timezone.now()
    resting = webhook.resting_until is not None and webhook.resting_until > now
    if resting and context.attempt < ATTEMPTS:  # nothing is given up unsent
        raise RetryLaterError("The address did not answer in time lately.")
    timestamp = int(now.timestamp())
    headers = {
        "content-type": "application/json",
        "user-agent": "equipoise",
        "webhook-id": told["id"],
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(
            bytes(webhook.secret), event_id=told["id"], timestamp=timestamp, body=body
        ),
    }
    started = time.monotonic()
    trouble = _post(webhook.url, body, headers)
    if trouble is not None:
        took_s = time.monotonic() - started
        if took_s > SLOW_S:
            rest = timedelta(seconds=REST_FACTOR * took_s)
            Webhook.objects.filter(id=webhook.id).update(resting_until=timezone.now() + rest)
        _later(trouble, context)

    def keep() -> None:
        Webhook.objects.filter(id=webhook.id).update(last_delivered_at=now, resting_until=None)

    return Outcome(result={"outcome": "delivered"}, effect=keep)


def _later(trouble: str, context: JobContext) -> NoReturn:
    if context.attempt < ATTEMPTS:
        raise RetryLaterError(trouble)
    raise NotificationRefusedError(trouble)


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> str | None:
    """Send a message; return what went wrong, in words that do not quote the answer, or None."""
    try:
        with (
            outbound_client(allowed_hosts=settings.OUTBOUND_HOSTS) as client,
            client.stream("POST", url, content=body, headers=dict(headers)) as response,
        ):
            status = response.status_code  # the answer's body is never read
    except OutboundRefusedError as error:
        return error.message
    except httpx.HTTPError:
        return "The address cannot be reached, or broke off."
    return None if status in _ACCEPTED else f"The address answers with {status}."


def job_finished_record(job: Job) -> None:
    """Note the end of a trial's job in its audit trail, inside the transaction that ends it."""
    if job.trial_id is None or job.kind == NOTIFY_JOB:
        return
    entry_append(
        chain=chain_of(job.trial_id),
        kind=AuditKind.JOB_FINISHED,
        actor_id=None,
        origin=Origin.WORKER,
        subject=f"job:{job.id}",
        after={"kind": job.kind, "state": str(job.state)},
    )
