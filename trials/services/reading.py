"""A reading from its first frame to its answer.

The reader's browser speaks of one reading at a time: open, events, draft, submit, amend. Opening raises the lease.
Under an older lease a draft is refused; events are kept while the reading is open, for they happened, and then refused;
a submit is taken if the reading is still unanswered and kept as a late submission otherwise. Nothing acknowledged is
ever lost or doubled.
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, BinaryIO

import rfc8785
from django.db import transaction
from django.db.models import Max, QuerySet, Value, prefetch_related_objects
from django.utils import timezone

from equipoise.api.prepared import Parameter, PreparedQuery, PreparedUpdate
from equipoise.archive.selectors import asset_tokens_of
from equipoise.archive.services import asset_token_issue, asset_tokens_close, asset_tokens_pass
from equipoise.archive.storage import StoredFile, StoreKind, default_store
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.common.errors import (
    EnvironmentRefusedError,
    IdempotencyConflictError,
    NotFoundError,
    ReadingTakenOverError,
    StateConflictError,
    ValidationFailedError,
)
from equipoise.common.ids import new_reader_token
from trials.domain.environment import environment_problems
from trials.domain.protocol.v1 import OnReturn, ProtocolV1
from trials.domain.states import AWAITED_STATES, ReadingState, TrialState
from trials.domain.timing import FIRST_PAINT, TimedEvent, TimingFlag, derive_times, overlay_shown_s
from trials.models import (
    Draft,
    LateSubmission,
    Participant,
    ParticipantState,
    Reading,
    ReadingEvent,
    Response,
    ResponseComment,
    ResponseFile,
)
from trials.reading_tasks.contract import CheckedAnswer, Feedback
from trials.reading_tasks.registry import reading_task
from trials.selectors.aid import aid_of, has_overlay, result_to_show
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reader import (
    NEW_SESSION_AFTER,
    participant_now,
    preparation_step,
    stopped_by_practice,
    waiting_for,
)
from trials.selectors.reading import (
    PRACTICE,
    correction_allowed,
    reading_current,
    reading_due,
    reading_previous,
    with_item,
    with_protocol,
)
from trials.selectors.returning import goes_on, leases_of_attempt, reading_return
from trials.services.acts import Actor, participant_hold, record
from trials.services.display_check import require_display_checked
from trials.services.practice import practice_end
from trials.services.returning import (
    NOT_REOPENED,
    RESTARTED,
    attempt_end,
    participant_rest,
    reading_block_if_left,
    timed_events,
)

CLOCK_TOLERANCE = timedelta(seconds=5)
"""By how much a page's time of a reading may exceed the server's before it counts as impossible."""
ASSET_LIFETIME = timedelta(hours=12)
MAX_EVENTS_IN_BATCH = 5000
"""Of a batch; an answer is not refused for the number of events that come with it."""
READER_CORRECTION = "reader-correction"
SECOND_HALF = 2
"""The stage of the half of a sequential pair that shows the aid."""
_ANSWERABLE = (TrialState.OPEN, TrialState.PAUSED)
"""The trial's states in which an open reading takes its events and its answer."""
_BEGUN = (ReadingState.OPEN, ReadingState.BLOCKED, ReadingState.RELEASED)
"""The states of a reading that was begun and is not over: its events are kept."""


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
    asset_tokens: dict[uuid.UUID, str]
    """By image of the item."""
    draft: dict[str, Any] | None
    resumed: bool


@dataclass(frozen=True)
class Submitted:
    """What became of a submit."""

    reading: Reading
    late: bool
    repeated: bool
    feedback: Feedback | None = None
    """What a practice reader is told of the reference standard, where the protocol says so."""


def _require_trial(participant: Participant, *states: TrialState) -> None:
    """Refuse unless the trial is in one of the states, as the database has it now, and the reader still takes part."""
    _require_state(participant_now(participant), *states)


def _require_state(participant: Participant, *states: TrialState) -> None:
    """Refuse a participant, just read, who has left or whose trial is in none of the states."""
    if participant.state == ParticipantState.WITHDRAWN:
        raise StateConflictError(
            "You have left this trial.", data={"state": participant.state, "allowed": []}
        )
    if participant.trial.state not in states:
        raise StateConflictError(
            f"The trial is {participant.trial.state}: readings are taken while it is open.",
            data={"state": participant.trial.state, "allowed": []},
        )


def _require_prepared(participant: Participant) -> None:
    """Refuse a reader who has not consented, answered the questionnaire and read the instructions."""
    step = preparation_step(participant, protocol_of_version(protocol_locked(participant.trial)))
    if step is not None:
        raise StateConflictError(
            f"The {step} comes before the first reading.", data={"state": step, "allowed": []}
        )


def _require_environment(participant: Participant, reading: Reading, environment: Mapping[str, Any]) -> None:
    """Refuse a window or display below the protocol's minimum, with everything that is wrong.

    The second half that a commit opens is not asked: the images are on the screen already, and the first answer must
    not wait for a window. One that is come back to is asked as any other.
    """
    protocol = protocol_of_version(reading.protocol)
    problems = environment_problems(environment, protocol.reading_environment)
    if problems:
        raise EnvironmentRefusedError(
            " ".join(problem.message for problem in problems),
            data={"problems": [asdict(problem) for problem in problems]},
        )
    require_display_checked(participant, protocol=protocol, environment=environment)


def _own() -> QuerySet[Reading]:
    own = Reading.objects.filter(
        participant=Parameter("participant", Reading), token=Parameter("token", Reading)
    )
    return with_protocol(own).select_related("protocol", "participant__trial")


_OWN = PreparedQuery(lambda: _own()[:1])
_HELD = PreparedQuery(lambda: _own().select_for_update(of=("self",), no_key=True)[:1])


def _reading_held(participant: Participant, token: str) -> Reading | None:
    """Return the participant's reading of that token and hold its row to the end of the transaction.

    Its participant and trial are as they were when the row was asked for, before anybody was waited for.
    """
    return _HELD.first(participant=participant.id, token=token)


def _reading_of(participant: Participant, token: str) -> Reading | None:
    """Return the participant's reading of that token, and its trial as it is now; nothing is held."""
    return _OWN.first(participant=participant.id, token=token)


@dataclass
class _Files:
    """The parts of an answer that lie in the store, not yet named by a row."""

    stored: dict[str, StoredFile]

    def named_in(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer with the hashes of its files."""
        if not self.stored:
            return dict(answer)
        return {**answer, "files": {name: file.sha256 for name, file in sorted(self.stored.items())}}

    def name_by(
        self,
        *,
        realm: str,
        response: Response | None = None,
        late_submission: LateSubmission | None = None,
    ) -> None:
        """Write the rows that name the files, inside the caller's transaction."""
        ResponseFile.objects.bulk_create(
            ResponseFile(
                response=response,
                late_submission=late_submission,
                realm=realm,
                name=name,
                key=file.key,
                sha256=file.sha256,
                size_bytes=file.size_bytes,
            )
            for name, file in self.stored.items()
        )

    def discard(self) -> None:
        """Delete the files: nothing names them."""
        for file in self.stored.values():
            default_store().delete(file.key)
        self.stored = {}


@contextmanager
def _files_kept(reading: Reading, checked: CheckedAnswer) -> Iterator[_Files]:
    """Write the files of an answer before the transaction that names them; delete them if that fails."""
    files = _Files({})
    try:
        for name, content in checked.files.items():
            files.stored[name] = default_store().write(
                partial(_write_into, content=content),
                institute_id=reading.trial.institute_id,
                trial_id=reading.trial_id,
                kind=StoreKind.ANSWERS,
            )
        yield files
    except BaseException:
        files.discard()
        raise


def _write_into(sink: BinaryIO, *, content: bytes) -> None:
    sink.write(content)


def _frames_leave(reading: Reading) -> None:
    """End the frames of an answered reading; after the first half of a pair the second goes on with them."""
    second = None
    if reading.stage == 1:
        second = Reading.objects.filter(
            participant_id=reading.participant_id,
            item_id=reading.item_id,
            position=reading.position + 1,
            stage=2,
            state__in=AWAITED_STATES,
        ).first()
    if second is not None:
        asset_tokens_pass(reading.id, to=second.id)
    else:
        asset_tokens_close(reading.id)


_LAST_CONTACT: PreparedQuery[tuple[int, datetime | None, datetime | None]] = PreparedQuery(
    lambda: (
        Reading.objects.filter(participant=Parameter("participant", Reading), session__isnull=False)
        .order_by()
        .values("participant")
        .annotate(last=Max("session"), opened=Max("opened_at"), answered=Max("submitted_at"))
        .values_list("last", "opened", "answered")
    )
)


def _session_at(participant: Participant, reading: Reading, now: datetime) -> int:
    """Return the session in which a reading is opened now: another one after a gap, for one that was left open too.

    A reading belongs to the session in which it is answered, so that caps and breaks do not count across days.
    """
    contact = _LAST_CONTACT.first(participant=participant.id)
    if contact is None:
        return 1
    last, opened_at, answered_at = contact
    heard = None
    if reading.first_opened_at is not None:
        heard = ReadingEvent.objects.filter(reading=reading).aggregate(last=Max("received_at"))["last"]
    contacts = [at for at in (opened_at, answered_at, heard) if at is not None]
    is_new = not contacts or now - max(contacts) > NEW_SESSION_AFTER
    return last + (1 if is_new else 0)


def reading_open(
    participant: Participant,
    *,
    environment: Mapping[str, Any],
    session_key: str,
    actor: Actor,
    follows_commit: bool = False,
) -> Opened:
    """Open the participant's current reading, or the next one, in this browser; older windows lose it.

    What its aid shows is fixed by the first opening. ``follows_commit`` says that the first half of a pair has just
    been answered on the same screen, or that the reply to that was lost.
    """
    reading_block_if_left(participant, actor=actor)
    now = timezone.now()
    with transaction.atomic():
        participant_hold(participant)
        _require_state(participant, TrialState.OPEN)
        _require_prepared(participant)
        reading = reading_due(participant)
        if reading is None:
            raise StateConflictError("Every reading is done.", data={"state": "done", "allowed": []})
        # A simulated reader lives in the worker, where neither days nor sessions pass; practice holds for it too.
        holds = stopped_by_practice if actor.origin == Origin.WORKER else waiting_for
        waiting = holds(participant, reading)
        if waiting is not None:
            raise StateConflictError(waiting.message, data={"state": waiting.step, "allowed": []})
        on_screen = follows_commit and reading.stage == SECOND_HALF and reading.painted_at is None
        if actor.origin != Origin.WORKER and not on_screen:
            _require_environment(participant, reading, environment)
        resumed = reading.state in (ReadingState.OPEN, ReadingState.RELEASED)
        flags = list(reading.flags)
        restarted = _begin_anew_if_left(reading, now=now, actor=actor)
        if restarted and RESTARTED not in flags:
            flags.append(RESTARTED)
        if resumed and reading.painted_at is not None and TimingFlag.INTERRUPTED not in flags:
            flags.append(str(TimingFlag.INTERRUPTED))
        changes: dict[str, Any] = {
            "state": ReadingState.OPEN,
            "lease": reading.lease + 1,
            "token": reading.token or new_reader_token(),
            "flags": flags,
            "environment": dict(environment),
            "opened_at": now,
        }
        aid = aid_of(reading, protocol=protocol_of_version(reading.protocol))
        if aid is not None and reading.aid_fixed_at is None:
            changes |= {"aid_result": result_to_show(reading, aid), "aid_fixed_at": now}
        if reading.first_opened_at is None:
            changes["first_opened_at"] = now
        changes["session"] = _session_at(participant, reading, now)
        taken = Reading.objects.filter(id=reading.id, state=reading.state, lease=reading.lease).update(
            **changes
        )
        if not taken:
            raise ReadingTakenOverError(
                "This reading was opened in another window at the same moment. Try again."
            )
        for name, value in changes.items():
            setattr(reading, name, value)
        if participant.state != ParticipantState.READING or participant.on_break_since is not None:
            Participant.objects.filter(id=participant.id).update(
                state=ParticipantState.READING, on_break_since=None
            )
        asset_tokens = _frames_tokens(with_item(reading), session_key=session_key, now=now)
        draft = Draft.objects.filter(reading=reading).first() if reading.lease > 1 else None
        record(
            participant.trial,
            AuditKind.READING_OPENED,
            actor=actor,
            subject=f"reading:{reading.id}",
            after={"lease": reading.lease, "resumed": resumed, "position": reading.position},
        )
    return Opened(
        reading=reading,
        asset_tokens=asset_tokens,
        draft=draft.body if draft is not None else None,
        resumed=resumed,
    )


def _begin_anew_if_left(reading: Reading, *, now: datetime, actor: Actor) -> bool:
    """End the present attempt at a reading that was left for so long that the protocol has it begin anew."""
    if reading.state != ReadingState.OPEN or actor.origin == Origin.WORKER:
        return False
    if goes_on(reading, until=now):
        return False
    back = reading_return(reading, until=now)
    if back.what != OnReturn.RESTART:
        return False
    attempt_end(reading, back, now=now, actor=actor)
    return True


def _frames_tokens(reading: Reading, *, session_key: str, now: datetime) -> dict[uuid.UUID, str]:
    """Return the names of the images' frames in this session, by image: the preloaded ones if there are any."""
    images = reading.item.images
    known = asset_tokens_of(reading_id=reading.id, session_key=session_key, now=now)
    if all(image.volume_id in known for image in images):
        return {image.id: known[image.volume_id] for image in images}
    asset_tokens_close(reading.id)
    tokens = {}
    for image in images:
        first, last = reading.item.frames_of(image)
        tokens[image.id] = asset_token_issue(
            image.volume,
            reading_id=reading.id,
            session_key=session_key,
            first_frame=first,
            last_frame=last,
            expires_at=now + ASSET_LIFETIME,
        ).token
    return tokens


def _reading_under(participant: Participant, token: str, lease: int) -> Reading:
    """Return the reading of that token, held, and refuse a trial that takes none and a lease that was never given."""
    reading = _reading_held(participant, token)
    if reading is None:
        _require_trial(participant, *_ANSWERABLE)
        raise NotFoundError("There is no such reading.")
    _require_state(reading.participant, *_ANSWERABLE)
    if lease > reading.lease:
        raise ValidationFailedError.of_fields({"/lease": f"The lease is {reading.lease}, not {lease}."})
    return reading


def _refuse_older(reading: Reading, lease: int) -> None:
    if lease < reading.lease:
        raise ReadingTakenOverError(
            "This reading was opened in another window.", data={"lease": reading.lease}
        )


_PAINTED = PreparedUpdate(
    lambda: (
        Reading.objects.filter(id=Parameter("id", Reading), painted_at__isnull=True),
        {"painted_at": Parameter("painted_at", Reading)},
    )
)


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
    if reading.painted_at is None and any(event.kind == FIRST_PAINT for event in events):
        _PAINTED.run(id=reading.id, painted_at=now)


def reading_events_append(
    participant: Participant, *, token: str, lease: int, events: Sequence[EventIn]
) -> Reading:
    """Store a batch of events. A batch may be sent again; a reading that is answered takes no more.

    What a killed tab or another window left behind comes under an older lease. It is stored all the same, and then
    refused, so that a window that still stands there learns of it. The refusal comes after the transaction, which
    would otherwise take the events with it.
    """
    if len(events) > MAX_EVENTS_IN_BATCH:
        raise ValidationFailedError.of_fields(
            {"/events": f"At most {MAX_EVENTS_IN_BATCH} events fit in one batch; {len(events)} came."}
        )
    with transaction.atomic(durable=True):
        reading = _reading_under(participant, token, lease)
        if reading.state in _BEGUN:
            _store_events(reading, lease, events, timezone.now())
            if lease < reading.lease and any(event.kind == FIRST_PAINT for event in events):
                _flag_interrupted(reading)
    _refuse_older(reading, lease)
    return reading


def _flag_interrupted(reading: Reading) -> None:
    """Flag a reading of which it is heard only now that it had been painted before it was opened again."""
    if TimingFlag.INTERRUPTED not in reading.flags:
        reading.flags = [*reading.flags, str(TimingFlag.INTERRUPTED)]
        Reading.objects.filter(id=reading.id).update(flags=reading.flags)


def reading_draft_save(participant: Participant, *, token: str, lease: int, body: Mapping[str, Any]) -> None:
    """Keep the unfinished answer; the latest of the current lease wins."""
    with transaction.atomic():
        reading = _reading_under(participant, token, lease)
        _refuse_older(reading, lease)
        if reading.state == ReadingState.BLOCKED:
            raise ReadingTakenOverError("This reading was left open for too long and is blocked.")
        if reading.state == ReadingState.OPEN:
            Draft.objects.bulk_create(
                [Draft(reading=reading, lease=lease, body=dict(body), saved_at=timezone.now())],
                update_conflicts=True,
                unique_fields=["reading"],
                update_fields=["lease", "body", "saved_at"],
            )


def _body_sha256(token: str, answer: Mapping[str, Any]) -> str:
    return hashlib.sha256(rfc8785.dumps({"reading": token, "answer": dict(answer)})).hexdigest()


def _answer_sha256(stored: Mapping[str, Any], key: uuid.UUID) -> str:
    """Return the hash that binds the audit entry to the answer. The key keeps the few possible answers from guesses."""
    return hashlib.sha256(rfc8785.dumps({"answer": dict(stored), "key": str(key)})).hexdigest()


def _events_sha256(events: Sequence[TimedEvent]) -> str:
    """Return the hash of every event of a reading, earlier attempts included."""
    digest = hashlib.sha256()
    for one in events:
        digest.update(
            rfc8785.dumps(
                [one.lease, one.sequence, one.kind, one.clock_id, one.t_ms, one.wall_ms, dict(one.data)]
            )
        )
    return digest.hexdigest()


@dataclass(frozen=True)
class _Measured:
    """The durations of the attempt that was answered, its flags, and the hash of all events."""

    timing: dict[str, float | None]
    flags: list[str]
    events_sha256: str


def _measure(reading: Reading, lease: int, protocol: ProtocolV1, *, now: datetime, actor: Actor) -> _Measured:
    """Derive the times of a reading from the events of the attempt that the lease belongs to; no other attempt's."""
    events = timed_events(reading)
    prefetch_related_objects([reading], "attempts")
    first, last = leases_of_attempt(reading, lease)
    timed = [event for event in events if first <= event.lease <= last]
    times = derive_times(timed, idle_threshold_s=protocol.timing.idle_threshold_s)
    timing = {name: value for name, value in asdict(times).items() if name.endswith("_s")}
    if has_overlay(reading, protocol=protocol):
        timing["overlay_s"] = overlay_shown_s(timed)
    earlier = [attempt for attempt in reading.attempts.all() if attempt.last_lease < first]
    if earlier:
        timing["earlier_visible_s"] = sum(attempt.timing.get("visible_s") or 0.0 for attempt in earlier)
    began_at = earlier[-1].ended_at if earlier else reading.first_opened_at
    flags = list(times.flags)
    if lease < reading.lease:
        flags.append("older_window")
    elif actor.origin != Origin.WORKER and not goes_on(reading, until=None):
        flags.append(NOT_REOPENED)
    if _longer_than_open(began_at, times.wall_s, now=now, actor=actor):
        flags.append("longer_than_open")
    return _Measured(timing=timing, flags=flags, events_sha256=_events_sha256(events))


def _longer_than_open(
    began_at: datetime | None, wall_s: float | None, *, now: datetime, actor: Actor
) -> bool:
    """Say whether the page counted more time than passed here since the reading, or its last attempt, began.

    Such a time is kept and flagged. Simulated readers, who live in the worker, need no time at all.
    """
    if wall_s is None or began_at is None or actor.origin == Origin.WORKER:
        return False
    return wall_s > (now - began_at + CLOCK_TOLERANCE).total_seconds()


def _answered_with() -> QuerySet[Any, tuple[uuid.UUID, str, bool]]:
    columns = ("reading_id", "body_sha256", "late")
    key = Parameter("key", Response, "idempotency_key")
    taken = Response.objects.filter(idempotency_key=key).annotate(late=Value(value=False))
    late = LateSubmission.objects.filter(idempotency_key=key).annotate(late=Value(value=True))
    return taken.order_by().values_list(*columns).union(late.order_by().values_list(*columns), all=True)


_ANSWERED_WITH = PreparedQuery(_answered_with)


def _repeated(participant: Participant, key: uuid.UUID, body_sha256: str) -> Submitted | None:
    """Return what became of the answer that came with this key, if one did; refuse another answer with it."""
    for reading_id, known_sha256, is_late in _ANSWERED_WITH.rows(key=key):
        reading = with_protocol(Reading.objects.all()).get(id=reading_id)
        if reading.participant_id != participant.id or known_sha256 != body_sha256:
            raise IdempotencyConflictError("This key has already been used for another answer.")
        return Submitted(reading=reading, late=is_late, repeated=True)
    return None


def _keep_words(response: Response, checked: CheckedAnswer) -> None:
    """Keep what was written apart from the answer, so that it can be erased."""
    if checked.comment or checked.texts:
        ResponseComment.objects.create(response=response, text=checked.comment, answers=dict(checked.texts))


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
    reading = _reading_of(participant, token)
    if reading is None or reading.state != ReadingState.OPEN:
        repeated = _repeated(participant, key, body_sha256)
        if repeated is not None:
            return repeated
    if reading is None:
        _require_trial(participant, *_ANSWERABLE, TrialState.CLOSED)
        raise NotFoundError("There is no such reading.")
    _require_state(reading.participant, *_ANSWERABLE, TrialState.CLOSED)
    if lease > reading.lease or lease < 1:
        raise NotFoundError("There is no such reading.")
    protocol = protocol_of_version(reading.protocol)
    # Outside the transaction: an answer may hold a mask, which takes time to decode and to write.
    checked = reading_task(reading.task).check_answer(answer, reading=reading, protocol=protocol)
    with _files_kept(reading, checked) as files:
        submitted = _submit_checked(
            participant,
            token=token,
            lease=lease,
            key=key,
            body_sha256=body_sha256,
            checked=checked,
            files=files,
            events=events,
            actor=actor,
        )
        if submitted.repeated:
            files.discard()
    if submitted.reading.phase != PRACTICE or submitted.late or not protocol.practice.show_reference:
        return submitted
    told = reading_task(reading.task).feedback(submitted.reading, checked, protocol=protocol)
    return replace(submitted, feedback=told)


_SUBMITTED = PreparedUpdate(
    lambda: (
        Reading.objects.filter(id=Parameter("id", Reading), state=ReadingState.OPEN),
        {name: Parameter(name, Reading) for name in ("state", "submitted_at", "flags")},
    )
)


def _submit_checked(
    participant: Participant,
    *,
    token: str,
    lease: int,
    key: uuid.UUID,
    body_sha256: str,
    checked: CheckedAnswer,
    files: "_Files",
    events: Sequence[EventIn],
    actor: Actor,
) -> Submitted:
    """Store a checked answer in one transaction."""
    now = timezone.now()
    with transaction.atomic():
        reading = _reading_held(participant, token)
        repeated = _repeated(participant, key, body_sha256)
        if repeated is not None:
            return repeated
        _require_trial(participant, *_ANSWERABLE, TrialState.CLOSED)
        if reading is None or lease > reading.lease:
            raise NotFoundError("There is no such reading.")
        protocol = protocol_of_version(reading.protocol)
        if reading.state != ReadingState.OPEN:
            # Blocked meanwhile: what was done is kept with it, as when it is sent alone.
            if reading.state in _BEGUN:
                _store_events(reading, lease, events, now)
            kept = LateSubmission.objects.create(
                reading=reading,
                realm=reading.realm,
                answer=files.named_in(checked.stored),
                idempotency_key=key,
                body_sha256=body_sha256,
                lease=lease,
                received_at=now,
            )
            files.name_by(late_submission=kept, realm=reading.realm)
            record(
                participant.trial,
                AuditKind.READING_LATE_SUBMITTED,
                actor=actor,
                subject=f"reading:{reading.id}",
                after={"lease": lease, "state": reading.state},
            )
            return Submitted(reading=reading, late=True, repeated=False)
        _store_events(reading, lease, events, now)
        measured = _measure(reading, lease, protocol, now=now, actor=actor)
        flags = list(dict.fromkeys((*reading.flags, *measured.flags, *checked.flags)))
        state = ReadingState.NOT_ASSESSABLE if checked.not_assessable else ReadingState.SUBMITTED
        response = Response.objects.create(
            reading=reading,
            realm=reading.realm,
            answer=files.named_in(checked.stored),
            timing=measured.timing,
            flags=flags,
            events_sha256=measured.events_sha256,
            idempotency_key=key,
            body_sha256=body_sha256,
            lease=lease,
            submitted_at=now,
        )
        files.name_by(response=response, realm=reading.realm)
        _keep_words(response, checked)
        _SUBMITTED.run(id=reading.id, state=state, submitted_at=now, flags=flags)
        reading.state, reading.submitted_at, reading.flags = state, now, flags
        Draft.objects.filter(reading=reading).delete()
        _frames_leave(reading)
        if reading.phase == PRACTICE:
            practice_end(participant, reading, protocol)
        participant_rest(participant)
        record(
            participant.trial,
            AuditKind.READING_SUBMITTED,
            actor=actor,
            subject=f"reading:{reading.id}",
            after={
                "response": str(response.id),
                "answer_sha256": _answer_sha256(response.answer, key),
                "events_sha256": measured.events_sha256,
                "state": state,
            },
        )
    return Submitted(reading=reading, late=False, repeated=False)


def reading_commit(
    participant: Participant,
    *,
    token: str,
    lease: int,
    key: uuid.UUID,
    answer: Mapping[str, Any],
    events: Sequence[EventIn],
    environment: Mapping[str, Any],
    session_key: str,
    actor: Actor,
) -> Opened:
    """Lock the first answer of a sequential pair and open its second half, which shows the aid. Both or neither.

    Nothing of the second half is sent before the first answer is stored for good. The same key with the same answer
    opens the second half again.
    """
    known = _reading_of(participant, token)
    if known is None:
        raise NotFoundError("There is no such reading.")
    if known.stage != 1:
        raise StateConflictError(
            "Only the first half of a sequential pair is committed; submit this one.",
            data={"state": known.state, "allowed": ["submit"]},
        )
    with transaction.atomic():
        submitted = reading_submit(
            participant, token=token, lease=lease, key=key, answer=answer, events=events, actor=actor
        )
        if not submitted.late:
            return reading_open(
                participant,
                environment=environment,
                session_key=session_key,
                actor=actor,
                follows_commit=True,
            )
    raise ReadingTakenOverError("This reading was answered in another window, or taken back meanwhile.")


def reading_amend(
    participant: Participant, *, token: str, key: uuid.UUID, answer: Mapping[str, Any], actor: Actor
) -> Submitted:
    """Correct the answer just given, where the protocol allows it, until the next reading is opened.

    The first answer stays; a further response row is added with the reason ``reader-correction``.
    """
    body_sha256 = _body_sha256(token, answer)
    known = _reading_of(participant, token)
    if known is None:
        raise NotFoundError("There is no such reading.")
    # Outside the transaction, as when it was submitted; whether it may be corrected is decided inside.
    checked = reading_task(known.task).check_answer(
        answer, reading=known, protocol=protocol_of_version(known.protocol)
    )
    with _files_kept(known, checked) as files:
        amended = _amend_checked(
            participant,
            token=token,
            key=key,
            body_sha256=body_sha256,
            checked=checked,
            files=files,
            actor=actor,
        )
        if amended.repeated:
            files.discard()
    return amended


def _amend_checked(
    participant: Participant,
    *,
    token: str,
    key: uuid.UUID,
    body_sha256: str,
    checked: CheckedAnswer,
    files: "_Files",
    actor: Actor,
) -> Submitted:
    """Store a checked correction in one transaction."""
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
        if is_over or not correction_allowed(protocol, reading):
            raise StateConflictError(
                "This answer can no longer be corrected.", data={"state": reading.state, "allowed": []}
            )
        number = Response.objects.filter(reading=reading).count() + 1
        response = Response.objects.create(
            reading=reading,
            realm=reading.realm,
            number=number,
            answer=files.named_in(checked.stored),
            idempotency_key=key,
            body_sha256=body_sha256,
            lease=reading.lease,
            reason=READER_CORRECTION,
            submitted_at=now,
        )
        files.name_by(response=response, realm=reading.realm)
        _keep_words(response, checked)
        record(
            participant.trial,
            AuditKind.READING_AMENDED,
            actor=actor,
            subject=f"reading:{reading.id}",
            after={
                "response": str(response.id),
                "number": number,
                "answer_sha256": _answer_sha256(response.answer, key),
            },
            reason=READER_CORRECTION,
        )
    return Submitted(reading=reading, late=False, repeated=False)


_ALONE = PreparedQuery(
    lambda: (
        Participant.objects.select_for_update(no_key=True).filter(id=Parameter("id", Participant)).only("id")
    )
)


def reading_preload(
    participant: Participant, reading: Reading | None, *, session_key: str
) -> dict[uuid.UUID, str] | None:
    """Name the bare image frames of the reading that comes next, so that the browser has them before it is opened.

    Contours, sides, question and item come with ``reading_open`` and with nothing else.
    """
    if reading is None or reading.state == ReadingState.OPEN:
        return None
    with_item(reading)
    with transaction.atomic():
        # Held only: nothing of the participant decides here, two windows just must not name frames at once.
        _ALONE.rows(id=participant.id)
        return _frames_tokens(reading, session_key=session_key, now=timezone.now())
