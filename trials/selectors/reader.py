"""Where a reader stands: which step comes next, how many are left, how long it may take.

Everything here goes to a reader's browser. Nothing names a case, an item, a source, or another reader.
"""

import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from equipoise.accounts.models import Account
from equipoise.api.prepared import Parameter, PreparedQuery
from trials.domain.protocol.questions import Question
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import AWAITED_STATES, ReadingState, TrialState
from trials.models import Consent, Participant, ParticipantState, Questionnaire, Reading, Response
from trials.selectors.practice import practice_failed
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reading import (
    ANSWERED,
    PRACTICE,
    opens_at,
    reading_current,
    reading_due,
    reading_next,
)
from trials.selectors.returning import leave_note, return_document

MAIN, BLINDING_CHECK = "reading", "blinding-check"
PHASE_LABELS = {PRACTICE: "Practice", MAIN: "", BLINDING_CHECK: "Last part"}
DEFAULT_SECONDS_PER_READING = 20
"""Shown until the reader's own pace is known."""
PACE_WINDOW = 15
SECONDS_PER_MINUTE = 60
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
    WAITING = "waiting"
    """The next reading opens later: a washout, or enough was read in one session."""
    PRACTICE_FAILED = "practice-failed"


@dataclass(frozen=True)
class Place:
    """The n-th of N readings of a phase."""

    n: int
    total: int


@dataclass(frozen=True)
class Waiting:
    """Why the next reading cannot be opened now, in words, and from when it can."""

    step: Step
    message: str
    opens_at: datetime | None


def _places(*, by_round: bool) -> PreparedQuery[tuple[int, int]]:
    """Return the query of how many readings come up to a position and how many there are in all."""

    def build() -> QuerySet[Reading, tuple[int, int]]:
        same = Reading.objects.filter(
            participant=Parameter("participant", Reading), phase=Parameter("phase", Reading)
        ).exclude(stage=2)
        if by_round:
            same = same.filter(repeat=Parameter("repeat", Reading))
        before = Count("id", filter=Q(position__lte=Parameter("position", Reading)))
        counted = same.order_by().values("participant").annotate(before=before, total=Count("id"))
        return counted.values_list("before", "total")

    return PreparedQuery(build)


_PLACES, _PLACES_IN_ROUND = _places(by_round=False), _places(by_round=True)


def place_of(reading: Reading) -> Place:
    """Return the reading's place within its phase (practice: its round); a sequential pair counts once."""
    values = {
        "participant": reading.participant_id,
        "phase": reading.phase,
        "position": reading.position,
    }
    if reading.phase == PRACTICE:
        counts = _PLACES_IN_ROUND.first(**values, repeat=reading.repeat)
    else:
        counts = _PLACES.first(**values)
    n, total = counts or (0, 0)
    return Place(n=n, total=total)


_NOW = PreparedQuery(
    lambda: Participant.objects.select_related("trial").filter(id=Parameter("id", Participant))
)


def participant_now(participant: Participant) -> Participant:
    """Return a participant and its trial as the database has them now."""
    now = _NOW.first(id=participant.id)
    if now is None:
        raise Participant.DoesNotExist(f"Participant {participant.id} was deleted meanwhile.")
    return now


def participant_refresh(participant: Participant) -> None:
    """Bring a participant up to date, and with it the trial."""
    participant.become(participant_now(participant))


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
    reading = reading_due(participant)
    if reading is None:
        return (Step.CLOSING if participant.closing_answers is None else Step.DONE), None
    waiting = waiting_for(participant, reading)
    return (Step(reading.phase), reading) if waiting is None else (waiting.step, None)


def waiting_for(participant: Participant, reading: Reading) -> Waiting | None:
    """Return what keeps the participant from opening the reading now, or None."""
    if reading.state == ReadingState.OPEN or reading.stage == 2:
        return None
    failed = stopped_by_practice(participant, reading)
    if failed is not None:
        return failed
    now = timezone.now()
    protocol = protocol_of_version(reading.protocol)
    washed = opens_at(reading)
    if washed is not None and washed > now:
        text = f"The next part opens on {washed.date().isoformat()}, so that the cases are no longer fresh in mind."
        return Waiting(Step.WAITING, text, washed)
    most = protocol.sessions.max_readings
    session = None if most is None else current_session(participant, now=now)
    if most is not None and session is not None and session.readings >= most:
        text = f"You have read {session.readings} cases in this session, as many as one session may have."
        return Waiting(Step.WAITING, text, session.over_at)
    return None


def stopped_by_practice(participant: Participant, reading: Reading) -> Waiting | None:
    """Return that practice was not passed, for a reading that comes after it; no time that passes mends it."""
    if reading.phase == PRACTICE:
        return None
    failed = practice_failed(participant, protocol=protocol_of_version(reading.protocol))
    if failed is None:
        return None
    text = f"{failed.right} of {failed.judged} practice answers were right, which is below the pass mark. "
    return Waiting(Step.PRACTICE_FAILED, text + "Ask the trial's administrator how to go on.", None)


NEW_SESSION_AFTER = timedelta(minutes=30)
"""A gap after which the next reading counts as another session."""


@dataclass(frozen=True)
class Session:
    """The session a participant is in."""

    number: int
    readings: int
    """Answered in it, practice and blinding check included; a sequential pair counts once."""
    since_break: int
    """Answered in it since its begin or the end of the last break."""
    minutes_since_break: float
    over_at: datetime
    """When a further reading would begin another session."""


def _in_last_session() -> QuerySet[Reading]:
    opened = Reading.objects.filter(participant=Parameter("participant", Reading), session__isnull=False)
    newest = opened.order_by(F("opened_at").desc(nulls_last=True))
    own = newest.filter(session=Subquery(newest.values("session")[:1]))
    return own.only("session", "state", "stage", "opened_at", "submitted_at")


_IN_LAST_SESSION = PreparedQuery(_in_last_session)


def current_session(participant: Participant, *, now: datetime) -> Session | None:
    """Return the participant's session, or None if the next reading begins another."""
    own = _IN_LAST_SESSION.rows(participant=participant.id)
    last = own[0] if own else None
    if last is None or last.opened_at is None:
        return None
    last_seen = last.submitted_at or last.opened_at
    if now - last_seen > NEW_SESSION_AFTER:
        return None
    begun = min(reading.opened_at for reading in own if reading.opened_at is not None)
    since = max(begun, participant.last_break_at or begun)
    answered = [reading.submitted_at for reading in own if reading.state in ANSWERED and reading.stage != 1]
    return Session(
        number=int(last.session or 0),
        readings=len(answered),
        since_break=sum(at is not None and at > since for at in answered),
        minutes_since_break=(now - since).total_seconds() / SECONDS_PER_MINUTE,
        over_at=last_seen + NEW_SESSION_AFTER,
    )


def break_suggested(participant: Participant) -> bool:
    """Say whether the protocol would have the reader rest now: after so many readings or minutes without a break."""
    sessions = protocol_of_version(protocol_locked(participant.trial)).sessions
    readings, minutes = sessions.break_after_readings, sessions.break_after_minutes
    if readings is None and minutes is None:
        return False
    session = current_session(participant, now=timezone.now())
    if session is None or session.since_break == 0:
        return False
    return (readings is not None and session.since_break >= readings) or (
        minutes is not None and session.minutes_since_break >= minutes
    )


def _prepared() -> QuerySet[Participant, tuple[bool, bool]]:
    consents = Consent.objects.filter(participant=OuterRef("id"), version=Parameter("version", Consent))
    questionnaires = Questionnaire.objects.filter(participant=OuterRef("id"))
    this = Participant.objects.filter(id=Parameter("id", Participant))
    return this.values_list(Exists(consents), Exists(questionnaires))


_PREPARED = PreparedQuery(_prepared)


def preparation_step(participant: Participant, protocol: ProtocolV1) -> Step | None:
    """Return what a reader still has to do before the first reading, or None."""
    done = _PREPARED.first(id=participant.id, version=protocol.consent.version)
    consented, asked = done or (False, False)
    if not consented:
        return Step.CONSENT
    if not asked:
        return Step.QUESTIONNAIRE
    return Step.INSTRUCTIONS if participant.instructions_read_at is None else None


_LEFT: PreparedQuery[int] = PreparedQuery(
    lambda: (
        Reading.objects.filter(
            participant=Parameter("participant", Reading), state__in=(*AWAITED_STATES, ReadingState.OPEN)
        )
        .order_by()
        .values("participant")
        .annotate(left_to_do=Count("id"))
        .values_list("left_to_do", flat=True)
    )
)
_RECENT_TIMES: PreparedQuery[dict[str, float | None]] = PreparedQuery(
    lambda: (
        Response.objects.filter(reading__participant=Parameter("participant", Reading), number=1)
        .order_by("-submitted_at")
        .values_list("timing", flat=True)[:PACE_WINDOW]
    )
)


def seconds_left_estimate(participant: Participant) -> int | None:
    """Estimate from the reader's own pace how long the planned readings will take."""
    left = _LEFT.first(participant=participant.id)
    if not left:
        has_own = Reading.objects.filter(participant=participant).exists()
        return None if has_own else (_rows_per_slot(participant) * DEFAULT_SECONDS_PER_READING or None)
    times = [timing.get("wall_s") for timing in _RECENT_TIMES.rows(participant=participant.id)]
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
        "opens_at": None,
        "task": _task_kind(participant),
        "environment": None,
        "on_return": None if reading is None else return_document(reading, now=timezone.now()),
        "leave_note": None,
    }
    if step in (Step.WAITING, Step.PRACTICE_FAILED):
        due = reading_next(participant)
        waiting = None if due is None else waiting_for(participant, due)
        if waiting is not None:
            document |= {"message": waiting.message, "opens_at": waiting.opens_at}
        return document
    if step in (Step.CLOSED, Step.PAUSED, Step.DONE):
        document["message"] = _message(participant, step)
        return document
    protocol = protocol_of_version(protocol_locked(participant.trial))
    document |= _step_material(step, protocol)
    left = reading_current(participant) if step == Step.BREAK else None
    document["leave_note"] = None if left is None else leave_note(left)
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
        question = (
            protocol.allocation.blinding_check.general_question if protocol.has_blinding_check else None
        )
        return {"closing": {"question": question}}
    return {}


def _rows_per_slot(participant: Participant, **only: Any) -> int:
    """Return how many readings await a reader who has no slot yet; every slot has as many."""
    slot = participant.trial.slots.first()
    return slot.rows.filter(**only).exclude(stage=2).count() if slot is not None else 0


def _planned_total(participant: Participant) -> int:
    """Return how many readings the trial has for this reader, practice and blinding check aside."""
    own = Reading.objects.filter(participant=participant, phase=MAIN).exclude(stage=2).count()
    return own or _rows_per_slot(participant, phase=MAIN)


def _task_kind(participant: Participant) -> str | None:
    """Return the kind of task, so that the browser can fetch its screen before the first reading."""
    version = participant.trial.protocol_versions.filter(locked_at__isnull=False).order_by("-version").first()
    task = protocol_of_version(version).task if version is not None else None
    return task.kind if task is not None else None


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


def _inbox_message(participant: Participant, step: Step, reading: Reading | None) -> str | None:
    if step in (Step.CLOSED, Step.PAUSED, Step.DONE):
        return _message(participant, step)
    if step in (Step.WAITING, Step.PRACTICE_FAILED):
        due = reading_next(participant)
        waiting = None if due is None else waiting_for(participant, due)
        return None if waiting is None else waiting.message
    back = None if reading is None else return_document(reading, now=timezone.now())
    return None if back is None else str(back["message"])


def reader_inbox(account: Account) -> list[dict[str, Any]]:
    """Return the trials in which a person reads, with what is left to do."""
    participants = (
        Participant.objects.select_related("trial", "membership")
        .filter(membership__account_id=account.id, membership__ended_at__isnull=True)
        .order_by("trial__title")
    )
    rows = []
    for participant in participants:
        step, reading = reader_step(participant)
        counts = (
            Reading.objects.filter(participant=participant)
            .exclude(stage=2)
            .aggregate(total=Count("id"), done=Count("id", filter=Q(state__in=ANSWERED)))
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
                "message": _inbox_message(participant, step, reading),
            }
        )
    return rows
