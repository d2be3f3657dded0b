"""The events of a trial, as programs poll them or are told of them; webhooks as administrators see them."""

import uuid
from collections.abc import Collection, Iterable
from typing import Any

from equipoise.audit.models import AuditEntry, AuditHead
from equipoise.jobs.models import JobItem, JobItemState
from trials.domain.notifications import EVENT_OF_AUDIT_KIND, EventKind
from trials.models import Reading, Trial, Webhook

NOTIFY_JOB = "trials.notify"
"""The kind of job that sends notifications; of its end nobody is notified."""


def events_last(trial: Trial) -> int:
    """Return the sequence number up to which the trial's events are known."""
    head = AuditHead.objects.filter(chain=str(trial.id)).first()
    return head.sequence if head is not None else 0


def event_entries(
    trial: Trial, *, after: int, kinds: Collection[str] = tuple(EventKind), limit: int
) -> list[AuditEntry]:
    """Return the entries behind a number that are events of these kinds, oldest first."""
    wanted = [kind for kind, event in EVENT_OF_AUDIT_KIND.items() if event in kinds]
    entries = AuditEntry.objects.filter(chain=str(trial.id), sequence__gt=after, kind__in=wanted)
    return list(entries.order_by("sequence")[:limit])


def event_documents(entries: Iterable[AuditEntry]) -> list[dict[str, Any]]:
    """Return entries as programs see them: who has read, not what; which state; which job."""
    told = list(entries)
    readings = [
        uuid.UUID(one.subject.partition(":")[2])
        for one in told
        if EVENT_OF_AUDIT_KIND[one.kind] == EventKind.READING_SUBMITTED
    ]
    readers = {
        str(reading): {"participant": code, "phase": phase}
        for reading, code, phase in Reading.objects.filter(id__in=readings).values_list(
            "id", "participant__code", "phase"
        )
    }
    return [
        {
            "id": str(one.id),
            "sequence": one.sequence,
            "kind": EVENT_OF_AUDIT_KIND[one.kind].value,
            "at": one.created_at,
            "data": _data(one, readers),
        }
        for one in told
    ]


def _data(entry: AuditEntry, readers: dict[str, dict[str, str]]) -> dict[str, Any]:
    subject = entry.subject.partition(":")[2]
    before, after = entry.before or {}, entry.after or {}
    match EVENT_OF_AUDIT_KIND[entry.kind]:
        case EventKind.READING_SUBMITTED:
            return dict(readers.get(subject, {}))
        case EventKind.TRIAL_STATE_CHANGED:
            return {"from": before.get("state"), "state": after.get("state")}
        case EventKind.JOB_FINISHED:
            return {"job": subject, "kind": after.get("kind"), "state": after.get("state")}


def webhooks_document(trial: Trial) -> list[dict[str, Any]]:
    """Return the trial's webhooks without their secrets, and how many messages wait or were given up."""
    return [webhook_document(one) for one in Webhook.objects.filter(trial=trial)]


def webhook_document(webhook: Webhook) -> dict[str, Any]:
    """Return one webhook without its secret."""
    items = JobItem.objects.filter(job__kind=NOTIFY_JOB, payload__webhook_id=str(webhook.id))
    return {
        "id": webhook.id,
        "url": webhook.url,
        "kinds": webhook.kinds,
        "created_at": webhook.created_at,
        "ended_at": webhook.ended_at,
        "last_delivered_at": webhook.last_delivered_at,
        "waiting": items.filter(state__in=(JobItemState.QUEUED, JobItemState.RUNNING)).count(),
        "given_up": items.filter(state=JobItemState.FAILED).count(),
    }
