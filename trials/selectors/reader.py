"""Where a reader stands: which step comes next, how many are left, how long it may take.

Everything here goes to a reader's browser. Nothing names a case, an item, a source, or another reader.
"""

import statistics
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import Count, Q

from equipoise.accounts.models import Account
from trials.domain.protocol.v1 import ProtocolV1, Question
from trials.domain.states import ReadingState, TrialState
from trials.models import Participant, ParticipantState, Questionnaire, Reading, Response
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reading import ANSWERED, reading_current, reading_next

PRACTICE, MAIN, BLINDING_CHECK = "practice", "reading", "blinding-check"
PHASE_LABELS = {PRACTICE: "Practice", MAIN: "", BLINDING_CHECK: "Last part"}
DEFAULT_SECONDS_PER_READING = 20
"""Shown until the reader's own pace is known."""
PACE_WINDOW = 15
"""Readings whose median is the reader's pace."""


class Step(StrEnum):
    """What the reader's browser shows next."""

    CONSENT = "consent"
    QUESTIONNAIRE = "questionnaire"
    INSTRUCTIONS = "instructions"
    PRACTICE = "practice"
    READING = "reading"
    BLINDING_CHECK = "blinding-check"
    BREAK = "break"
    CLOSING = "closing"
    DONE = "done"
    PAUSED = "paused"
    CLOSED = "closed"


@dataclass(frozen=True)
class Place:
    """The n-th of N readings of a phase."""

    n: int
    total: int


def place_of(reading: Reading) -> Place:
    """Return the reading's place within its phase."""
    same = Reading.objects.filter(participant_id=reading.participant_id, phase=reading.phase)
    counts = same.aggregate(total=Count("id"), before=Count("id", filter=Q(position__lte=reading.position)))
    return Place(n=counts["before"], total=counts["total"])


def reader_step(participant: Participant) -> tuple[Step, Reading | None]:
    """Return the next step and, where it is a reading, which."""
    state = participant.trial.state
    if participant.state == ParticipantState.WITHDRAWN or state not in (TrialState.OPEN, TrialState.PAUSED):
        return (Step.DONE if participant.state == ParticipantState.DONE else Step.CLOSED), None
    if participant.state == ParticipantState.DONE:
        return Step.DONE, None
    if state == TrialState.PAUSED:
        return Step.PAUSED, None
    protocol = protocol_of_version(protocol_locked(participant.trial))
    preparation = preparation_step(participant, protocol)
    if preparation is not None:
        return preparation, None
    if participant.on_break_since is not None:
        return Step.BREAK, None
    reading = reading_current(participant) or reading_next(participant)
    if reading is None:
        return Step.CLOSING, None
    return Step(reading.phase), reading


def preparation_step(participant: Participant, protocol: ProtocolV1) -> Step | None:
    """Return what a reader still has to do before the first reading, or None."""
    if not participant.consents.filter(version=protocol.consent.version).exists():
        return Step.CONSENT
    if not Questionnaire.objects.filter(participant=participant).exists():
        return Step.QUESTIONNAIRE
    return Step.INSTRUCTIONS if participant.instructions_read_at is None else None


def seconds_left_estimate(participant: Participant) -> int | None:
    """Estimate from the reader's own pace how long the planned readings will take."""
    left = Reading.objects.filter(
        participant=participant, state__in=[ReadingState.PLANNED, ReadingState.OPEN]
    ).count()
    if not left:
        return None
    recent = Response.objects.filter(reading__participant=participant, number=1).order_by("-submitted_at")
    times = [timing.get("wall_s") for timing in recent.values_list("timing", flat=True)[:PACE_WINDOW]]
    known = [float(seconds) for seconds in times if seconds is not None]
    pace = statistics.median(known) if known else DEFAULT_SECONDS_PER_READING
    return round(left * pace)


def question_document(question: Question) -> dict[str, Any]:
    """Return a question as the browser draws it."""
    return question.model_dump(mode="json")


def reader_state(participant: Participant) -> dict[str, Any]:
    """Return what the reader's browser needs for its next screen."""
    step, reading = reader_step(participant)
    place = place_of(reading) if reading is not None else None
    document: dict[str, Any] = {
        "trial": participant.trial.slug,
        "title": participant.trial.title,
        "step": step,
        "n": place.n if place else 0,
        "total": place.total if place else _planned_total(participant),
        "phase_label": PHASE_LABELS.get(reading.phase, "") if reading is not None else "",
        "seconds_left_estimate": seconds_left_estimate(participant),
        "consent": None,
        "questionnaire": None,
        "instructions": None,
        "break_text": None,
        "closing": None,
        "message": None,
    }
    if step in (Step.CLOSED, Step.PAUSED, Step.DONE):
        document["message"] = _message(participant, step)
        return document
    protocol = protocol_of_version(protocol_locked(participant.trial))
    document |= _step_material(step, protocol)
    return document


def _step_material(step: Step, protocol: ProtocolV1) -> dict[str, Any]:
    if step == Step.CONSENT:
        return {"consent": {"version": protocol.consent.version, "text": protocol.consent.shown_text}}
    if step == Step.QUESTIONNAIRE:
        questionnaire = protocol.questionnaire
        questions = [question_document(question) for question in questionnaire.questions]
        return {"questionnaire": {"introduction": questionnaire.introduction, "questions": questions}}
    if step == Step.INSTRUCTIONS:
        text = protocol.instructions.text or ""
        return {"instructions": {"text": text, "disclosure": protocol.disclosure}}
    if step == Step.BREAK:
        return {"break_text": protocol.sessions.break_text}
    if step == Step.CLOSING:
        question = protocol.allocation.blinding_check.general_question
        return {"closing": {"question": question}}
    return {}


def _rows_per_slot(participant: Participant) -> int:
    """Return how many readings await a reader who has no slot yet; every slot has as many."""
    slot = participant.trial.slots.first()
    return slot.rows.count() if slot is not None else 0


def _planned_total(participant: Participant) -> int:
    return Reading.objects.filter(participant=participant, phase=MAIN).count()


def _message(participant: Participant, step: Step) -> str:
    if step == Step.PAUSED:
        return "The trial is paused. Your answers are safe; come back when it goes on."
    if step == Step.DONE:
        return "You have done every reading. Thank you."
    if participant.state == ParticipantState.WITHDRAWN:
        return "You have left this trial."
    if participant.trial.state in (TrialState.DRAFT, TrialState.LOCKED):
        return "The trial has not opened yet."
    return "The trial is closed; no more readings are taken."


def reader_inbox(account: Account) -> list[dict[str, Any]]:
    """Return the trials in which a person reads, with what is left to do."""
    participants = (
        Participant.objects.select_related("trial", "membership")
        .filter(membership__account_id=account.id, membership__ended_at__isnull=True)
        .order_by("trial__title")
    )
    rows = []
    for participant in participants:
        step, _ = reader_step(participant)
        counts = Reading.objects.filter(participant=participant).aggregate(
            total=Count("id"), done=Count("id", filter=Q(state__in=ANSWERED))
        )
        if not counts["total"]:
            counts["total"] = _rows_per_slot(participant)
        seconds = seconds_left_estimate(participant)
        rows.append(
            {
                "trial": participant.trial.slug,
                "title": participant.trial.title,
                "step": step,
                "n": counts["done"],
                "total": counts["total"],
                "minutes_left": None if seconds is None else max(1, round(seconds / 60)),
                "message": _message(participant, step)
                if step in (Step.CLOSED, Step.PAUSED, Step.DONE)
                else None,
            }
        )
    return rows
