"""A reading from its first frame to its answer.

The reader's browser speaks of one reading at a time: open, events, draft, submit, amend. Opening raises the lease;
what comes under an older lease is refused, except a submit, which is taken if the reading is still unanswered and
kept as a late submission otherwise. Nothing acknowledged is ever lost or doubled.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import rfc8785
from django.db import transaction
from django.utils import timezone

from equipoise.archive.selectors import asset_token_of
from equipoise.archive.services import asset_token_issue, asset_tokens_close
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.common.errors import (
    IdempotencyConflictError,
    NotFoundError,
    ReadingTakenOverError,
    StateConflictError,
    ValidationFailedError,
)
from equipoise.common.ids import new_reader_token
from trials.domain.states import ReadingState, TrialState
from trials.domain.timing import TimedEvent, derive_times
from trials.models import (
    Draft,
    LateSubmission,
    Participant,
    ParticipantState,
    Reading,
    ReadingEvent,
    Response,
    ResponseComment,
)
from trials.reading_tasks.registry import reading_task
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reader import preparation_step
from trials.selectors.reading import correction_allowed, reading_current, reading_next, reading_previous
from trials.services.acts import Actor, participant_hold, record

NEW_SESSION_AFTER = timedelta(minutes=30)
"""A gap after which the next reading counts as another session."""
CLOCK_TOLERANCE = timedelta(seconds=5)
"""By how much a page's time of a reading may exceed the server's before it counts as impossible."""
ASSET_LIFETIME = timedelta(hours=12)
MAX_EVENTS_IN_BATCH = 5000
"""Of a batch; an answer is not refused for the number of events that come with it."""
READER_CORRECTION = "reader-correction"
_ANSWERABLE = (TrialState.OPEN, TrialState.PAUSED)
"""The trial's states in which an open reading takes its events and its answer."""


@dataclass(frozen=True)
class EventIn:
    """One event as the browser sent it."""

    sequence: int
    kind: str
    clock_id: str
    t_ms: float
    wall_ms: float
    data: dict[str, Any]


@dataclass(frozen=True)
class Opened:
    """A reading that is open in this browser, and the name of its frames."""

    reading: Reading
    asset_token: str
    draft: dict[str, Any] | None
    resumed: bool


@dataclass(frozen=True)
class Submitted:
    """What became of a submit."""

    reading: Reading
    late: bool
    repeated: bool


def _require_trial(participant: Participant, *states: TrialState) -> None:
    """Refuse unless the trial is in one of the states, as the database has it now, and the reader still takes part."""
    now = Participant.objects.select_related("trial").get(id=participant.id)
    if now.state == ParticipantState.WITHDRAWN:
        raise StateConflictError("You have left this trial.", data={"state": now.state, "allowed": []})
    if now.trial.state not in states:
        raise StateConflictError(
            f"The trial is {now.trial.state}: readings are taken while it is open.",
            data={"state": now.trial.state, "allowed": []},
        )


def _require_prepared(participant: Participant) -> None:
    """Refuse a reader who has not consented, answered the questionnaire and read the instructions."""
    step = preparation_step(participant, protocol_of_version(protocol_locked(participant.trial)))
    if step is not None:
        raise StateConflictError(
            f"The {step} comes before the first reading.", data={"state": step, "allowed": []}
        )


def _reading_held(participant: Participant, token: str) -> Reading | None:
    """Return the participant's reading of that token and hold its row to the end of the transaction."""
    return (
        Reading.objects.select_for_update(of=("self",), no_key=True)
        .select_related("item", "trial", "protocol")
        .filter(participant=participant, token=token)
        .first()
    )


def _next_session(participant: Participant, now: datetime) -> int:
    last = (
        Reading.objects.filter(participant=participant, session__isnull=False)
        .order_by("-first_opened_at")
        .values_list("session", "submitted_at", "first_opened_at")
        .first()
    )
    if last is None:
        return 1
    session, submitted_at, opened_at = last
    last_seen = submitted_at or opened_at
    is_new = last_seen is None or now - last_seen > NEW_SESSION_AFTER
    return int(session or 0) + (1 if is_new else 0)


def reading_open(
    participant: Participant, *, environment: Mapping[str, Any], session_key: str, actor: Actor
) -> Opened:
    """Open the participant's current reading, or the next one, in this browser; older windows lose it."""
    now = timezone.now()
    with transaction.atomic():
        participant_hold(participant)
        _require_trial(participant, TrialState.OPEN)
        _require_prepared(participant)
        reading = reading_current(participant) or reading_next(participant)
        if reading is None:
            raise StateConflictError("Every reading is done.", data={"state": "done", "allowed": []})
        resumed = reading.state == ReadingState.OPEN
        flags = list(reading.flags)
        if resumed and reading.painted_at is not None and "interrupted" not in flags:
            flags.append("interrupted")
        changes: dict[str, Any] = {
            "state": ReadingState.OPEN,
            "lease": reading.lease + 1,
            "token": reading.token or new_reader_token(),
            "flags": flags,
            "environment": dict(environment),
        }
        if not resumed:
            changes |= {"first_opened_at": now, "session": _next_session(participant, now)}
        taken = Reading.objects.filter(id=reading.id, state=reading.state, lease=reading.lease).update(
            **changes
        )
        if not taken:
            raise ReadingTakenOverError(
                "This reading was opened in another window at the same moment. Try again."
            )
        for name, value in changes.items():
            setattr(reading, name, value)
        Participant.objects.filter(id=participant.id).update(
            state=ParticipantState.READING, on_break_since=None
        )
        asset_token = _frames_token(reading, session_key=session_key, now=now)
        draft = Draft.objects.filter(reading=reading).first()
        record(
            participant.trial,
            AuditKind.READING_OPENED,
            actor=actor,
            subject=f"reading:{reading.id}",
            after={"lease": reading.lease, "resumed": resumed, "position": reading.position},
        )
    return Opened(
        reading=reading,
        asset_token=asset_token,
        draft=draft.body if draft is not None else None,
        resumed=resumed,
    )


def _frames_token(reading: Reading, *, session_key: str, now: datetime) -> str:
    """Return the name of the reading's frames in this session: the preloaded one if there is one."""
    known = asset_token_of(reading_id=reading.id, session_key=session_key, now=now)
    if known is not None:
        return known.token
    asset_tokens_close(reading.id)
    issued = asset_token_issue(
        reading.item.image.volume,
        reading_id=reading.id,
        session_key=session_key,
        first_frame=reading.item.first_frame,
        last_frame=reading.item.last_frame,
        expires_at=now + ASSET_LIFETIME,
    )
    return issued.token


def _open_reading(participant: Participant, token: str, lease: int) -> Reading:
    reading = _reading_held(participant, token)
    if reading is None:
        raise NotFoundError("There is no such reading.")
    if lease < reading.lease:
        raise ReadingTakenOverError(
            "This reading was opened in another window.", data={"lease": reading.lease}
        )
    if lease > reading.lease:
        raise ValidationFailedError.of_fields({"/lease": f"The lease is {reading.lease}, not {lease}."})
    return reading


def _store_events(reading: Reading, lease: int, events: Sequence[EventIn], now: datetime) -> None:
    ReadingEvent.objects.bulk_create(
        [
            ReadingEvent(
                reading=reading,
                realm=reading.realm,
                lease=lease,
                sequence=event.sequence,
                kind=event.kind,
                clock_id=event.clock_id,
                t_ms=event.t_ms,
                wall_ms=event.wall_ms,
                received_at=now,
                data=event.data,
            )
            for event in events
        ],
        ignore_conflicts=True,
        batch_size=500,
    )
    if reading.painted_at is None and any(event.kind == "first_paint" for event in events):
        Reading.objects.filter(id=reading.id, painted_at__isnull=True).update(painted_at=now)


def reading_events_append(
    participant: Participant, *, token: str, lease: int, events: Sequence[EventIn]
) -> Reading:
    """Store a batch of events. A batch may be sent again; a reading that is answered takes no more."""
    if len(events) > MAX_EVENTS_IN_BATCH:
        raise ValidationFailedError.of_fields(
            {"/events": f"At most {MAX_EVENTS_IN_BATCH} events fit in one batch; {len(events)} came."}
        )
    with transaction.atomic():
        _require_trial(participant, *_ANSWERABLE)
        reading = _open_reading(participant, token, lease)
        if reading.state == ReadingState.OPEN:
            _store_events(reading, lease, events, timezone.now())
    return reading


def reading_draft_save(participant: Participant, *, token: str, lease: int, body: Mapping[str, Any]) -> None:
    """Keep the unfinished answer; the latest of the current lease wins."""
    with transaction.atomic():
        _require_trial(participant, *_ANSWERABLE)
        reading = _open_reading(participant, token, lease)
        if reading.state == ReadingState.OPEN:
            Draft.objects.update_or_create(
                reading=reading, defaults={"lease": lease, "body": dict(body), "saved_at": timezone.now()}
            )


def _body_sha256(token: str, answer: Mapping[str, Any]) -> str:
    return hashlib.sha256(rfc8785.dumps({"reading": token, "answer": dict(answer)})).hexdigest()


def _answer_sha256(stored: Mapping[str, Any], key: uuid.UUID) -> str:
    """Return the hash that binds the audit entry to the answer. The key keeps the few possible answers from guesses."""
    return hashlib.sha256(rfc8785.dumps({"answer": dict(stored), "key": str(key)})).hexdigest()


def _events_for_timing(reading: Reading) -> tuple[list[TimedEvent], str]:
    rows = (
        ReadingEvent.objects.filter(reading=reading)
        .order_by("lease", "sequence")
        .values_list("lease", "sequence", "kind", "clock_id", "t_ms", "wall_ms", "data")
    )
    events = []
    digest = hashlib.sha256()
    for lease, sequence, kind, clock_id, t_ms, wall_ms, data in rows:
        digest.update(rfc8785.dumps([lease, sequence, kind, clock_id, t_ms, wall_ms, data]))
        events.append(
            TimedEvent(
                lease=lease,
                sequence=sequence,
                kind=kind,
                clock_id=clock_id,
                t_ms=t_ms,
                wall_ms=wall_ms,
                data=data,
            )
        )
    return events, digest.hexdigest()


def _longer_than_open(reading: Reading, wall_s: float | None, *, now: datetime, actor: Actor) -> bool:
    """Say whether the page counted more time than passed here since the reading was first opened.

    Such a time is kept and flagged. Simulated readers, who live in the worker, need no time at all.
    """
    if wall_s is None or reading.first_opened_at is None or actor.origin == Origin.WORKER:
        return False
    return wall_s > (now - reading.first_opened_at + CLOCK_TOLERANCE).total_seconds()


def _repeated(participant: Participant, key: uuid.UUID, body_sha256: str) -> Submitted | None:
    known: Response | LateSubmission | None = (
        Response.objects.filter(idempotency_key=key).select_related("reading").first()
        or LateSubmission.objects.filter(idempotency_key=key).select_related("reading").first()
    )
    if known is None:
        return None
    if known.reading.participant_id != participant.id or known.body_sha256 != body_sha256:
        raise IdempotencyConflictError("This key has already been used for another answer.")
    return Submitted(reading=known.reading, late=isinstance(known, LateSubmission), repeated=True)


def reading_submit(
    participant: Participant,
    *,
    token: str,
    lease: int,
    key: uuid.UUID,
    answer: Mapping[str, Any],
    events: Sequence[EventIn],
    actor: Actor,
) -> Submitted:
    """Take the answer: once, whole, and for good.

    The same key with the same answer is acknowledged again; with another answer it is a conflict. An answer under an
    older lease counts if the reading is still unanswered. A pause stops the opening of readings, not the answer to an
    open one; what comes after the trial was closed is kept as a late submission.
    """
    body_sha256 = _body_sha256(token, answer)
    now = timezone.now()
    with transaction.atomic():
        reading = _reading_held(participant, token)
        repeated = _repeated(participant, key, body_sha256)
        if repeated is not None:
            return repeated
        _require_trial(participant, *_ANSWERABLE, TrialState.CLOSED)
        if reading is None or lease > reading.lease or lease < 1:
            raise NotFoundError("There is no such reading.")
        protocol = protocol_of_version(reading.protocol)
        checked = reading_task(reading.task).check_answer(answer, protocol=protocol, phase=reading.phase)
        if reading.state != ReadingState.OPEN:
            LateSubmission.objects.create(
                reading=reading,
                realm=reading.realm,
                answer=checked.stored,
                idempotency_key=key,
                body_sha256=body_sha256,
                lease=lease,
                received_at=now,
            )
            record(
                participant.trial,
                AuditKind.READING_LATE_SUBMITTED,
                actor=actor,
                subject=f"reading:{reading.id}",
                after={"lease": lease, "state": reading.state},
            )
            return Submitted(reading=reading, late=True, repeated=False)
        _store_events(reading, lease, events, now)
        timed, events_sha256 = _events_for_timing(reading)
        times = derive_times(timed, idle_threshold_s=protocol.timing.idle_threshold_s)
        flags = list(dict.fromkeys((*reading.flags, *times.flags)))
        if lease < reading.lease:
            flags.append("older_window")
        if _longer_than_open(reading, times.wall_s, now=now, actor=actor):
            flags.append("longer_than_open")
        state = ReadingState.NOT_ASSESSABLE if checked.not_assessable else ReadingState.SUBMITTED
        response = Response.objects.create(
            reading=reading,
            realm=reading.realm,
            answer=checked.stored,
            timing={name: value for name, value in asdict(times).items() if name.endswith("_s")},
            flags=flags,
            events_sha256=events_sha256,
            idempotency_key=key,
            body_sha256=body_sha256,
            lease=lease,
            submitted_at=now,
        )
        if checked.comment:
            ResponseComment.objects.create(response=response, text=checked.comment)
        Reading.objects.filter(id=reading.id, state=ReadingState.OPEN).update(
            state=state, submitted_at=now, flags=flags
        )
        reading.state, reading.submitted_at, reading.flags = state, now, flags
        Draft.objects.filter(reading=reading).delete()
        asset_tokens_close(reading.id)
        record(
            participant.trial,
            AuditKind.READING_SUBMITTED,
            actor=actor,
            subject=f"reading:{reading.id}",
            after={
                "response": str(response.id),
                "answer_sha256": _answer_sha256(checked.stored, key),
                "events_sha256": events_sha256,
                "state": state,
            },
        )
    return Submitted(reading=reading, late=False, repeated=False)


def reading_amend(
    participant: Participant, *, token: str, key: uuid.UUID, answer: Mapping[str, Any], actor: Actor
) -> Submitted:
    """Correct the answer just given, where the protocol allows it, until the next reading is opened.

    The first answer stays; a further response row is added with the reason ``reader-correction``.
    """
    body_sha256 = _body_sha256(token, answer)
    now = timezone.now()
    with transaction.atomic():
        participant_hold(participant)
        repeated = _repeated(participant, key, body_sha256)
        if repeated is not None:
            return repeated
        _require_trial(participant, TrialState.OPEN)
        reading = reading_previous(participant)
        if reading is None or reading.token != token:
            raise NotFoundError("There is no such reading.")
        protocol = protocol_of_version(reading.protocol)
        is_over = participant.state == ParticipantState.DONE or reading_current(participant) is not None
        if is_over or not correction_allowed(protocol, phase=reading.phase):
            raise StateConflictError(
                "This answer can no longer be corrected.", data={"state": reading.state, "allowed": []}
            )
        checked = reading_task(reading.task).check_answer(answer, protocol=protocol, phase=reading.phase)
        number = Response.objects.filter(reading=reading).count() + 1
        response = Response.objects.create(
            reading=reading,
            realm=reading.realm,
            number=number,
            answer=checked.stored,
            idempotency_key=key,
            body_sha256=body_sha256,
            lease=reading.lease,
            reason=READER_CORRECTION,
            submitted_at=now,
        )
        if checked.comment:
            ResponseComment.objects.create(response=response, text=checked.comment)
        record(
            participant.trial,
            AuditKind.READING_AMENDED,
            actor=actor,
            subject=f"reading:{reading.id}",
            after={
                "response": str(response.id),
                "number": number,
                "answer_sha256": _answer_sha256(checked.stored, key),
            },
            reason=READER_CORRECTION,
        )
    return Submitted(reading=reading, late=False, repeated=False)


def reading_preload(participant: Participant, *, session_key: str) -> tuple[Reading, str] | None:
    """Name the bare image frames of the next reading, so that the browser has them before it is opened.

    Contours, sides, question and item come with ``reading_open`` and with nothing else.
    """
    reading = reading_next(participant)
    if reading is None or reading_current(participant) is not None:
        return None
    if participant.trial.state != TrialState.OPEN:
        return None
    with transaction.atomic():
        participant_hold(participant)
        return reading, _frames_token(reading, session_key=session_key, now=timezone.now())
