"""Who may be reminded, when each reader last was, and why not."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import Max, Q
from django.utils import timezone

from equipoise.common.errors import NotFoundError
from equipoise.jobs.models import JobItem, JobItemState
from trials.domain.reminders import WHY_NOT, ReaderStanding, no_reminder
from trials.domain.states import AWAITED_STATES, ReadingState, TrialState
from trials.models import (
    Participant,
    ParticipantKind,
    ParticipantState,
    Reading,
    Reminder,
    ReminderPlan,
    ReminderStop,
    Trial,
)
from trials.selectors.reading import opens_at, reading_current, reading_next

REMIND_JOB = "trials.remind"
"""The kind of job that sends reminders; each of its items has a reminder's id as its key."""
_SALT = "trials.reminders.stop"


@dataclass(frozen=True)
class RemindedReader:
    """A reader and what decides about a reminder."""

    participant: Participant
    standing: ReaderStanding


def reader_standing(participant: Participant) -> ReaderStanding:
    """Return what decides whether a reader may be reminded."""
    own = Reading.objects.filter(participant=participant)
    last_answer = own.aggregate(last=Max("submitted_at"))["last"]
    active = participant.state in (ParticipantState.ENROLLED, ParticipantState.READING)
    unread = own.filter(state__in=(*AWAITED_STATES, ReadingState.OPEN)).exists()
    begins = not own.exists()
    due = None if reading_current(participant) is not None else reading_next(participant)
    return ReaderStanding(
        trial_open=participant.trial.state == TrialState.OPEN,
        stopped=ReminderStop.objects.filter(participant=participant).exists(),
        has_something_to_do=active
        and (unread or begins or participant.closing_answers is None)
        and participant.membership is not None,
        opens_at=None if due is None else opens_at(due),
        last_reminder_at=reminder_last_at(participant),
        last_activity_at=last_answer or participant.joined_at,
    )


def reminder_last_at(participant: Participant) -> datetime | None:
    """Return when the reader was last reminded: by what was sent, or is still to be sent, not by what failed."""
    own = Reminder.objects.filter(participant=participant)
    unsent = [str(pk) for pk in own.filter(sent_at=None).values_list("id", flat=True)]
    waiting = JobItem.objects.filter(
        job__kind=REMIND_JOB, key__in=unsent, state__in=(JobItemState.QUEUED, JobItemState.RUNNING)
    ).values_list("key", flat=True)
    counted = own.filter(Q(sent_at__isnull=False) | Q(id__in=[uuid.UUID(key) for key in waiting]))
    last: datetime | None = counted.aggregate(last=Max("asked_at"))["last"]
    return last


def readers_of(trial: Trial) -> list[Participant]:
    """Return the readers of a trial who have not left."""
    return list(
        Participant.objects.filter(trial=trial, kind=ParticipantKind.READER)
        .exclude(state=ParticipantState.WITHDRAWN)
        .select_related("trial", "membership__account")
        .order_by("code")
    )


def reminders_document(trial: Trial) -> dict[str, Any]:
    """Return the plan, and per reader the last reminder and whether another may be sent."""
    now: datetime = timezone.now()
    plan = ReminderPlan.objects.filter(trial=trial).first()
    rows = []
    for participant in readers_of(trial):
        standing = reader_standing(participant)
        why = no_reminder(standing, now=now)
        rows.append(
            {
                "participant": participant.code,
                "last_reminder_at": standing.last_reminder_at,
                "last_activity_at": standing.last_activity_at,
                "may_be_reminded": why is None,
                "why_not": None if why is None else WHY_NOT[why],
            }
        )
    return {"after_days": plan.after_days if plan is not None else None, "results": rows}


def stop_token(participant: Participant) -> str:
    """Return what a reminder's link carries, by which its reader stops further ones without signing in."""
    return signing.dumps(str(participant.id), salt=_SALT)


def participant_of_stop_token(token: str) -> Participant:
    """Return the reader whose link was followed."""
    try:
        found = (
            Participant.objects.select_related("trial").filter(id=signing.loads(token, salt=_SALT)).first()
        )
    except signing.BadSignature:
        found = None
    if found is None:
        raise NotFoundError("This link belongs to no reminder.")
    return found
