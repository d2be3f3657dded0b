"""A reader's way: consent, questionnaire, slot, instructions, breaks, closing question, leaving."""

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from equipoise.archive.models import AssetToken
from equipoise.archive.services import asset_tokens_close
from equipoise.audit.kinds import AuditKind
from equipoise.common.collector import collector_slowed
from equipoise.common.errors import StateConflictError, ValidationFailedError
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.questionnaire import check_answers
from trials.domain.state_acts import StateAct, is_open_to
from trials.domain.states import ANSWERED_STATES, AWAITED_STATES, DATA_EXCLUDED, ReadingState, TrialState
from trials.models import (
    AllocationRow,
    Consent,
    Participant,
    ParticipantState,
    Questionnaire,
    Reading,
    Slot,
    Trial,
)
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reader import Step, preparation_step
from trials.services.acts import MIN_REASON_CHARACTERS, Actor, participant_hold, record
from trials.services.invitation import membership_end
from trials.services.slots import slot_bind, slot_close

_PREPARATION = (Step.CONSENT, Step.QUESTIONNAIRE, Step.INSTRUCTIONS, Step.PRACTICE)
"""The order of the steps before the first reading."""
_ANSWER_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MAX_CLOSING_ANSWERS = 10
_MAX_CLOSING_CHARACTERS = 2000
WITHDRAWAL_REASONS = ("own_wish", "no_time", "conflict_of_interest", "technical", "other")


def _require_open(participant: Participant) -> None:
    if participant.trial.state not in (TrialState.OPEN, TrialState.PAUSED):
        raise StateConflictError(
            f"The trial is {participant.trial.state}; readers take part while it is open.",
            data={"state": participant.trial.state, "allowed": []},
        )
    if participant.state == ParticipantState.WITHDRAWN:
        raise StateConflictError(
            "You have left this trial.", data={"state": participant.state, "allowed": []}
        )


def _protocol(participant: Participant) -> ProtocolV1:
    return protocol_of_version(protocol_locked(participant.trial))


def _require_step_reached(participant: Participant, protocol: ProtocolV1, step: Step) -> None:
    """Refuse an act whose step comes after one that is still to be done."""
    now = preparation_step(participant, protocol)
    if now is not None and _PREPARATION.index(now) < _PREPARATION.index(step):
        raise StateConflictError(f"The {now} comes first.", data={"state": now, "allowed": []})


def participant_consent(participant: Participant, *, version: str, agreed: bool, actor: Actor) -> None:
    """Record that the reader agreed to these words."""
    _require_open(participant)
    consent = _protocol(participant).consent
    if not agreed:
        raise ValidationFailedError.of_fields(
            {
                "/agreed": "Without agreement there is no reading. Close the page if you do not wish to take part."
            }
        )
    if version != consent.version:
        raise ValidationFailedError.of_fields(
            {"/version": f"The text has changed: read version {consent.version} and agree again."}
        )
    text = consent.shown_text
    with transaction.atomic():
        participant_hold(participant)
        _require_open(participant)
        if participant.consents.filter(version=version).exists():
            return
        given = Consent.objects.create(
            participant=participant,
            version=version,
            text=text,
            text_sha256=hashlib.sha256(text.encode()).hexdigest(),
            given_at=timezone.now(),
        )
        record(
            participant.trial,
            AuditKind.PARTICIPANT_CONSENTED,
            actor=actor,
            subject=f"participant:{participant.id}",
            after={"version": version, "text_sha256": given.text_sha256},
        )


def participant_answer_questionnaire(
    participant: Participant, *, answers: Mapping[str, Any], actor: Actor
) -> None:
    """Keep the reader's answers about themselves and bind the next free slot of their stratum, for good."""
    _require_open(participant)
    protocol = _protocol(participant)
    questionnaire = protocol.questionnaire
    _require_step_reached(participant, protocol, Step.QUESTIONNAIRE)
    checked = check_answers(questionnaire.questions, answers)
    stratum = _stratum(protocol, checked)
    labels = {q.key: {o.value: o.label for o in q.options} for q in questionnaire.questions}
    group = ""
    if questionnaire.group_question is not None:
        value = checked.get(questionnaire.group_question)
        group = labels[questionnaire.group_question].get(str(value), str(value or ""))
    years = checked.get(questionnaire.experience_question or "")
    with transaction.atomic():
        participant_hold(participant)
        _require_open(participant)
        if Questionnaire.objects.filter(participant=participant).exists():
            return
        # An amendment asks whether readings were handed out: it comes before these or after them, not between.
        Trial.objects.select_for_update(no_key=True).get(id=participant.trial_id)
        Questionnaire.objects.create(participant=participant, answers=checked, answered_at=timezone.now())
        Participant.objects.filter(id=participant.id).update(
            group=group,
            stratum=stratum,
            experience_years=None if years is None else Decimal(str(years)),
        )
        participant.group, participant.stratum = group, stratum
        slot = slot_bind(participant, stratum)
        with collector_slowed():
            readings_plan(participant, slot)
        record(
            participant.trial,
            AuditKind.PARTICIPANT_QUESTIONNAIRE_ANSWERED,
            actor=actor,
            subject=f"participant:{participant.id}",
            after={"answered": sorted(checked)},  # not the answers: they are about a person, and erasable
        )
        record(
            participant.trial,
            AuditKind.ALLOCATION_SLOT_BOUND,
            actor=actor,
            subject=f"participant:{participant.id}",
            after={"stratum": stratum, "slot": slot.number},
        )


def _stratum(protocol: ProtocolV1, answers: Mapping[str, Any]) -> str:
    plan = protocol.allocation
    if plan.stratum_question is None:
        return plan.strata[0].key
    answer = answers.get(plan.stratum_question)
    for stratum in plan.strata:
        if answer in stratum.answers:
            return stratum.key
    raise ValidationFailedError.of_fields(
        {f"/answers/{plan.stratum_question}": "This trial has no place for readers of this group."}
    )


def readings_plan(participant: Participant, slot: Slot) -> None:
    """Write the slot's rows as planned readings of the participant."""
    protocol_version = protocol_locked(participant.trial)
    task = protocol_of_version(protocol_version).task
    if task is None:
        raise LookupError("A locked protocol has a task; this one has none.")
    copied = (
        "item_id", "phase", "condition", "repeat", "position", "period", "stage", "min_days", "left_id", "right_id",
    )  # fmt: skip
    rows = AllocationRow.objects.filter(slot=slot).order_by("position").values("id", *copied)
    Reading.objects.bulk_create(
        [
            Reading(
                trial_id=participant.trial_id,
                participant_id=participant.id,
                allocation_row_id=row["id"],
                protocol_id=protocol_version.id,
                task=task.kind,
                **{name: row[name] for name in copied},
            )
            for row in rows
        ],
        batch_size=500,
    )


def participant_read_instructions(participant: Participant, *, actor: Actor) -> None:
    """Note that the instructions were read."""
    _require_open(participant)
    _require_step_reached(participant, _protocol(participant), Step.INSTRUCTIONS)
    _note_moment(
        participant,
        AuditKind.PARTICIPANT_INSTRUCTIONS_READ,
        when=Q(instructions_read_at__isnull=True),
        changes={"instructions_read_at": timezone.now()},
        actor=actor,
    )


def participant_break(participant: Participant, *, actor: Actor) -> None:
    """Begin a break."""
    _require_open(participant)
    _note_moment(
        participant,
        AuditKind.PARTICIPANT_BREAK_BEGUN,
        when=Q(on_break_since__isnull=True),
        changes={"on_break_since": timezone.now()},
        actor=actor,
    )


def participant_resume(participant: Participant, *, actor: Actor) -> None:
    """End a break."""
    _note_moment(
        participant,
        AuditKind.PARTICIPANT_BREAK_ENDED,
        when=Q(on_break_since__isnull=False),
        changes={"on_break_since": None, "last_break_at": timezone.now()},
        actor=actor,
    )


@transaction.atomic
def _note_moment(
    participant: Participant, kind: AuditKind, *, when: Q, changes: Mapping[str, Any], actor: Actor
) -> None:
    """Write a moment of the reader's way once, with its entry; asked again, nothing changes and nothing is told."""
    if Participant.objects.filter(when, id=participant.id).update(**changes):
        record(participant.trial, kind, actor=actor, subject=f"participant:{participant.id}")


def _require_short_answers(answers: Mapping[str, Any]) -> None:
    """Refuse what is no answer to a closing question: other keys than names, lists and objects, long texts."""
    problems = {}
    for key, value in answers.items():
        if not _ANSWER_KEY.fullmatch(key) or len(answers) > _MAX_CLOSING_ANSWERS:
            problems[f"/answers/{key}"] = "There is no such closing question."
        elif not isinstance(value, str | bool | int | float | None):
            problems[f"/answers/{key}"] = "The answer must be text, a number, or yes or no."
        elif isinstance(value, str) and len(value) > _MAX_CLOSING_CHARACTERS:
            problems[f"/answers/{key}"] = (
                f"The answer must have at most {_MAX_CLOSING_CHARACTERS} characters."
            )
    if problems:
        raise ValidationFailedError.of_fields(problems)


def participant_close(participant: Participant, *, answers: Mapping[str, Any], actor: Actor) -> None:
    """Take the closing answers; the reader is done."""
    _require_open(participant)
    _require_short_answers(answers)
    _require_step_reached(participant, _protocol(participant), Step.PRACTICE)
    left = Reading.objects.filter(
        participant=participant, state__in=(*AWAITED_STATES, ReadingState.OPEN)
    ).count()
    if left:
        raise StateConflictError(
            f"{left} readings are left; the closing question comes after the last.",
            data={"state": "reading", "allowed": []},
        )
    with transaction.atomic():
        taken = Participant.objects.filter(id=participant.id, closing_answers__isnull=True).update(
            closing_answers=dict(answers), state=ParticipantState.DONE
        )
        if taken:
            record(
                participant.trial,
                AuditKind.PARTICIPANT_UPDATED,
                actor=actor,
                subject=f"participant:{participant.id}",
            )


def readings_end(readings: QuerySet[Reading], *, reason: str) -> int:
    """Mark what is planned, open or blocked among the readings as not done, flagged with the reason; end their frames.

    Returns how many were open. Call it inside the caller's transaction.
    """
    begun = (ReadingState.OPEN, ReadingState.BLOCKED, ReadingState.RELEASED)
    were_begun = list(readings.filter(state__in=begun).values_list("id", "state", "flags"))
    readings.filter(state=ReadingState.PLANNED).update(state=ReadingState.NOT_DONE, flags=[reason])
    ended = 0
    for reading_id, state, flags in were_begun:
        changed = readings.filter(id=reading_id, state=state).update(
            state=ReadingState.NOT_DONE, flags=[*flags, reason]
        )
        ended += changed if state == ReadingState.OPEN else 0
    fetchable = AssetToken.objects.filter(reading_id__in=readings.values("id"), closed_at=None)
    for holder in set(fetchable.values_list("reading_id", flat=True)):
        if holder is not None:  # the open reading's, and those fetched ahead for the next
            asset_tokens_close(holder)
    return ended


def is_leavable(participant: Participant) -> bool:
    """Whether what becomes of a participant's readings is still open: not after data lock."""
    return is_open_to(participant.trial.state, StateAct.LEAVE)


def participant_withdraw(participant: Participant, *, reason_code: str, reason: str, actor: Actor) -> None:
    """End a reader's part: the slot is closed, submitted readings stay, the rest are not done.

    Not after data lock: a reading's state enters the analyses, and nobody reads any more.
    """
    if not is_leavable(participant):
        raise StateConflictError(
            f"The trial is {participant.trial.state}: nothing of its readings changes any more.",
            data={"state": participant.trial.state, "allowed": []},
        )
    if reason_code not in WITHDRAWAL_REASONS:
        raise ValidationFailedError.of_fields(
            {
                "/reason_code": f"The reason must be one of {', '.join(WITHDRAWAL_REASONS)}; got {reason_code!r}."
            }
        )
    now = timezone.now()
    with transaction.atomic():
        withdrawn = (
            Participant.objects.filter(id=participant.id)
            .exclude(state=ParticipantState.WITHDRAWN)
            .update(state=ParticipantState.WITHDRAWN, withdrawn_at=now, withdrawal_reason_code=reason_code)
        )
        if not withdrawn:
            raise StateConflictError(
                f"Reader {participant.code} has already left.",
                data={"state": ParticipantState.WITHDRAWN, "allowed": []},
            )
        slot = Slot.objects.filter(participant=participant).first()
        replacement = slot_close(slot) if slot is not None else None
        readings_end(Reading.objects.filter(participant=participant), reason="withdrawn")
        record(
            participant.trial,
            AuditKind.PARTICIPANT_WITHDRAWN,
            actor=actor,
            subject=f"participant:{participant.id}",
            after={
                "reason_code": reason_code,
                "slot": slot.number if slot is not None else None,
                "replacement_slot": replacement.number if replacement is not None else None,
            },
            reason=reason,
        )
        if participant.membership is not None:
            membership_end(participant.trial, participant.membership, reason="", actor=actor)


def participant_exclude_data(participant: Participant, *, reason: str, actor: Actor) -> int:
    """Leave out every answered reading of a reader who asks that theirs not be used; return how many.

    Asked apart from leaving, and after it. The readings are voided: they keep their rows, are counted as voided, and
    enter no table, analysis or bundle with their answers. Not after data lock, and never taken back.
    """
    trial = participant.trial
    if len(reason.strip()) < MIN_REASON_CHARACTERS:
        raise ValidationFailedError.of_fields({"/reason": "Say why; it is kept in the audit trail."})
    with transaction.atomic():
        Trial.objects.select_for_update(no_key=True).get(id=trial.id)
        participant_hold(participant)
        trial.refresh_from_db()
        if not is_leavable(participant):
            raise StateConflictError(
                f"The trial is {trial.state}: nothing of its readings changes any more.",
                data={"state": trial.state, "allowed": []},
            )
        if participant.state != ParticipantState.WITHDRAWN:
            raise StateConflictError(
                f"Reader {participant.code} still takes part: withdraw them first, then leave their readings out.",
                data={"state": participant.state, "allowed": []},
            )
        answered = list(participant.readings.filter(state__in=ANSWERED_STATES))
        if not answered:
            raise StateConflictError(
                f"No answered reading of {participant.code} is in use.",
                data={"state": participant.state, "allowed": []},
            )
        for reading in answered:
            Reading.objects.filter(id=reading.id, state=reading.state).update(
                state=ReadingState.VOIDED, flags=[*reading.flags, DATA_EXCLUDED]
            )
        record(
            trial,
            AuditKind.PARTICIPANT_DATA_EXCLUDED,
            actor=actor,
            subject=f"participant:{participant.id}",
            after={"readings": len(answered)},
            reason=reason,
        )
    return len(answered)
