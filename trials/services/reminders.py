"""Reminders by e-mail: asked for by a person or by the trial's plan, sent by a job, stopped by their reader.

Who is reminded is written down before anything is sent, so that two who ask at once send one message. Should a worker
end between sending and writing that it did, the message may go out twice: the rare case, and the harmless one.
"""

import smtplib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from equipoise.accounts.models import Account
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.common.errors import DomainError, ErrorCode, ValidationFailedError
from equipoise.jobs.registry import JobContext, Outcome, RetryLaterError
from equipoise.jobs.services import job_create
from trials.domain.reminders import (
    MAX_AFTER_DAYS,
    MIN_AFTER_DAYS,
    WHY_NOT,
    NoReminder,
    is_due,
    no_reminder,
    reminder_text,
)
from trials.domain.states import TrialState
from trials.models import Participant, ParticipantState, Reminder, ReminderPlan, ReminderStop, Trial
from trials.selectors.reminders import REMIND_JOB, reader_standing, readers_of, stop_token
from trials.services.acts import Actor, participant_hold, record

ATTEMPTS = 6
"""At a mail server that does not answer, with growing pauses."""


class MailRefusedError(DomainError):
    """The mail server does not take the message."""

    code = ErrorCode.JOB_FAILED


@dataclass(frozen=True)
class Asked:
    """What became of a request to remind."""

    reminded: tuple[str, ...]
    not_reminded: Mapping[str, str]
    """Reader -> why not."""


def reminder_plan_set(trial: Trial, *, after_days: int | None, actor: Actor) -> None:
    """Have readers reminded after so many days without a reading; None: never by itself."""
    if after_days is not None and not MIN_AFTER_DAYS <= after_days <= MAX_AFTER_DAYS:
        raise ValidationFailedError.of_fields(
            {"/after_days": f"Days must be {MIN_AFTER_DAYS} to {MAX_AFTER_DAYS}, or none; got {after_days}."}
        )
    with transaction.atomic():
        if after_days is None:
            ReminderPlan.objects.filter(trial=trial).delete()
        else:
            ReminderPlan.objects.update_or_create(trial=trial, defaults={"after_days": after_days})
        record(
            trial,
            AuditKind.REMINDERS_PLANNED,
            actor=actor,
            subject=f"trial:{trial.id}",
            after={"after_days": after_days},
        )


def reminders_ask(trial: Trial, codes: Sequence[str], *, actor: Actor) -> Asked:
    """Remind the readers of these codes, each unless something speaks against it."""
    readers = {one.code: one for one in readers_of(trial)}
    unknown = [code for code in codes if code not in readers]
    if unknown:
        raise ValidationFailedError.of_fields({"/participants": f"There is no reader {', '.join(unknown)}."})
    return _ask(trial, [readers[code] for code in dict.fromkeys(codes)], after_days=None, actor=actor)


def reminders_due_send() -> int:
    """Remind whoever is due by the plan of an open trial; the tick loop calls this. Returns how many."""
    count = 0
    plans = ReminderPlan.objects.filter(trial__state=TrialState.OPEN).select_related("trial")
    for plan in plans:
        actor = Actor(account_id=None, origin=Origin.WORKER)
        count += len(
            _ask(plan.trial, readers_of(plan.trial), after_days=plan.after_days, actor=actor).reminded
        )
    return count


@transaction.atomic
def _ask(trial: Trial, readers: Sequence[Participant], *, after_days: int | None, actor: Actor) -> Asked:
    now = timezone.now()
    asked: list[Reminder] = []
    not_reminded: dict[str, str] = {}
    for participant in readers:
        participant_hold(participant)
        standing = reader_standing(participant)
        why = no_reminder(standing, now=now)
        if participant.state == ParticipantState.WITHDRAWN:
            why = NoReminder.NOTHING_TO_DO
        if why is not None:
            not_reminded[participant.code] = WHY_NOT[why]
        elif after_days is None or is_due(standing, after_days=after_days, now=now):
            asked.append(
                Reminder.objects.create(participant=participant, asked_by_id=_person(actor), asked_at=now)
            )
    if asked:
        job_create(
            kind=REMIND_JOB,
            trial_id=trial.id,
            created_by_id=actor.account_id,
            items=[(str(one.id), {"reminder_id": str(one.id)}) for one in asked],
            unit="reminders",
        )
        record(
            trial,
            AuditKind.REMINDERS_ASKED,
            actor=actor,
            subject=f"trial:{trial.id}",
            after={"readers": [one.participant.code for one in asked], "by_plan": after_days is not None},
        )
    return Asked(tuple(one.participant.code for one in asked), not_reminded)


def _person(actor: Actor) -> uuid.UUID | None:
    """Return the account that acts; None where a program or the plan does."""
    known = Account.objects.filter(id=actor.account_id).exists() if actor.account_id else False
    return actor.account_id if known else None


def reminder_send(payload: Mapping[str, Any], context: JobContext) -> Outcome:
    """Send one reminder, unless it was sent, or a newer one was asked for, or its reader is done with them."""
    reminder = Reminder.objects.select_related("participant__trial", "participant__membership__account").get(
        id=uuid.UUID(payload["reminder_id"])
    )
    participant = reminder.participant
    why = no_reminder(reader_standing(participant), now=timezone.now())
    newer = participant.reminders.filter(asked_at__gt=reminder.asked_at)
    if reminder.sent_at is not None or newer.exists() or why not in (None, NoReminder.REMINDED_LATELY):
        return Outcome(result={"outcome": "not_needed"})
    membership = participant.membership
    if membership is None or not membership.account.is_active:
        return Outcome(result={"outcome": "not_needed"})
    try:
        _message(participant, membership.account.email).send()
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused):
        raise MailRefusedError("The mail server does not take the message.") from None
    except (smtplib.SMTPException, OSError):
        if context.attempt < ATTEMPTS:
            raise RetryLaterError("The mail server cannot be reached.") from None
        raise MailRefusedError("The mail server cannot be reached.") from None
    sent_at = timezone.now()

    def keep() -> None:
        Reminder.objects.filter(id=reminder.id).update(sent_at=sent_at)

    return Outcome(result={"outcome": "sent"}, effect=keep)


def _message(participant: Participant, address: str) -> EmailMessage:
    site = settings.PUBLIC_URL.rstrip("/")
    stop_link = f"{site}/reminders/{quote(stop_token(participant), safe='')}"
    subject, body = reminder_text(
        trial=" ".join(participant.trial.title.split()),
        link=f"{site}/read/{participant.trial.slug}",
        stop_link=stop_link,
    )
    return EmailMessage(subject, body, to=[address], headers={"List-Unsubscribe": f"<{stop_link}>"})


@transaction.atomic
def reminders_stop(participant: Participant) -> None:
    """Take a reader at their word: no further reminders of this trial."""
    _, stopped = ReminderStop.objects.get_or_create(
        participant=participant, defaults={"stopped_at": timezone.now()}
    )
    if stopped:
        account_id = participant.membership.account_id if participant.membership is not None else None
        record(
            participant.trial,
            AuditKind.REMINDERS_STOPPED,
            actor=Actor(account_id=account_id),
            subject=f"participant:{participant.id}",
        )
