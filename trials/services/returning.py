"""What becomes of a reading that was left open: begun anew, blocked, released.

A reading is never reissued as new: it keeps its row, its events and its flags. Begun anew, its clock starts again and
the attempt that was left is kept beside it; blocked, nothing of it is shown until an administrator releases it.
"""

from dataclasses import asdict
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from equipoise.api.prepared import Parameter, PreparedQuery
from equipoise.archive.services import asset_tokens_close
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.common.errors import StateConflictError, ValidationFailedError
from trials.domain.protocol.v1 import OnReturn
from trials.domain.state_acts import StateAct, is_open_to
from trials.domain.states import (
    AWAITED_STATES,
    ReadingAction,
    ReadingState,
    TrialState,
    next_reading_state,
)
from trials.domain.timing import TimedEvent, derive_times, visible_s
from trials.models import (
    AttemptDraft,
    Draft,
    Participant,
    ParticipantState,
    Reading,
    ReadingAttempt,
    ReadingEvent,
    Trial,
)
from trials.selectors.protocol import protocol_of_version
from trials.selectors.reading import reading_current
from trials.selectors.returning import (
    Return,
    goes_on,
    leases_of_attempt,
    reading_return,
    release_refusal,
)
from trials.services.acts import Actor, participant_hold, record

RESTARTED, LEFT_OPEN, RELEASED, NOT_REOPENED = "restarted", "left_open", "released", "not_reopened"
"""Flags: begun anew; blocked after being left; released again; answered on a page that had been left too long."""


_EVENTS = PreparedQuery(
    lambda: (
        ReadingEvent.objects.filter(reading=Parameter("reading", ReadingEvent))
        .order_by("lease", "sequence")
        .values("lease", "sequence", "kind", "clock_id", "t_ms", "wall_ms", "data")
    )
)


def timed_events(reading: Reading) -> list[TimedEvent]:
    """Return every event of a reading, in order."""
    return [TimedEvent(**row) for row in _EVENTS.rows(reading=reading.id)]


def attempt_end(reading: Reading, back: Return, *, now: datetime, actor: Actor) -> None:
    """Keep what was done so far as an earlier attempt, and set its unfinished answer aside.

    Call it inside the transaction that opens the reading anew.
    """
    leases = leases_of_attempt(reading, reading.lease)
    earlier = ReadingAttempt.objects.filter(reading=reading).order_by("-number").first()
    began_at = earlier.ended_at if earlier is not None else reading.first_opened_at
    events = [event for event in timed_events(reading) if leases[0] <= event.lease <= leases[1]]
    threshold_s = protocol_of_version(reading.protocol).timing.idle_threshold_s
    times = derive_times(events, idle_threshold_s=threshold_s)
    measured = {name: value for name, value in asdict(times).items() if name.endswith("_s")}
    attempt = ReadingAttempt.objects.create(
        reading=reading,
        realm=reading.realm,
        number=1 if earlier is None else earlier.number + 1,
        first_lease=leases[0],
        last_lease=reading.lease,
        began_at=began_at or now,
        left_at=back.left_at,
        ended_at=now,
        timing=measured | {"visible_s": visible_s(events)},
        flags=list(times.flags),
    )
    draft = Draft.objects.filter(reading=reading).first()
    if draft is not None:
        AttemptDraft.objects.create(
            attempt=attempt, lease=draft.lease, body=draft.body, saved_at=draft.saved_at
        )
        draft.delete()
    record(
        reading.trial,
        AuditKind.READING_RESTARTED,
        actor=actor,
        subject=f"reading:{reading.id}",
        after={"attempt": attempt.number, "leases": list(leases), "left_at": back.left_at.isoformat()},
    )


def reading_block_if_left(participant: Participant, *, actor: Actor) -> Reading | None:
    """Block the open reading if its reader was away from it for too long; with it the second half of its pair.

    A transaction of its own: the reading stays blocked whether or not a next one can be opened.
    """
    now = timezone.now()
    reading = None if actor.origin == Origin.WORKER else reading_current(participant)
    if reading is None or goes_on(reading, until=now):
        return None
    with transaction.atomic():
        participant_hold(participant)
        # A submit holds the reading alone, and a pause the trial: both are asked again, now that nothing can change.
        held = Reading.objects.select_for_update(of=("self",), no_key=True).filter(id=reading.id).first()
        is_open = Trial.objects.filter(id=participant.trial_id, state=TrialState.OPEN).exists()
        if held is None or held.state != ReadingState.OPEN or not is_open:
            return None
        reading = reading_current(participant)
        if reading is None:
            return None
        back = reading_return(reading, until=now)
        if back.what != OnReturn.BLOCK:
            return None
        for row in (reading, *_second_half(reading, *AWAITED_STATES)):
            row.flags = [*row.flags, LEFT_OPEN]
            row.state = next_reading_state(ReadingState(row.state), ReadingAction.BLOCK)
            row.save(update_fields=["state", "flags"])
            asset_tokens_close(row.id)
        participant_rest(participant)
        record(
            reading.trial,
            AuditKind.READING_BLOCKED,
            actor=actor,
            subject=f"reading:{reading.id}",
            after={"left_at": back.left_at.isoformat(), "lease": reading.lease, "position": reading.position},
        )
    return reading


def _second_half(reading: Reading, *states: ReadingState) -> list[Reading]:
    """Return the second half of the pair whose first half this is, if it is in one of the states."""
    if reading.stage != 1:
        return []
    return list(
        Reading.objects.filter(
            participant_id=reading.participant_id,
            item_id=reading.item_id,
            position=reading.position + 1,
            stage=2,
            state__in=states,
        )
    )


def reading_release(reading: Reading, *, reason: str, actor: Actor) -> Reading:
    """Release a blocked reading: it comes next and goes on where it was left, with its clock's history.

    A reader who had finished reads once more, without a second closing question. Not once it would come out of its
    order: after its case was opened in a later period, or after the blinding check was begun.
    """
    if not reason.strip():
        raise ValidationFailedError.of_fields({"/reason": "Say why the reading is released."})
    participant = reading.participant
    with transaction.atomic():
        participant_hold(participant)
        reading.refresh_from_db()
        state = reading.trial.state
        if not is_open_to(state, StateAct.RELEASE):
            raise StateConflictError(
                f"The trial is {state}: readings are released while it is open or paused.",
                data={"state": state, "allowed": []},
            )
        if reading.state == ReadingState.BLOCKED and participant.state == ParticipantState.WITHDRAWN:
            raise StateConflictError(
                f"Reader {participant.code} has left the trial.",
                data={"state": participant.state, "allowed": []},
            )
        refusal = release_refusal(reading) if reading.state == ReadingState.BLOCKED else None
        if refusal is not None:
            raise StateConflictError(refusal, data={"state": reading.state, "allowed": []})
        for row in (reading, *_second_half(reading, ReadingState.BLOCKED)):
            row.state = next_reading_state(ReadingState(row.state), ReadingAction.RELEASE)
            row.flags = [*row.flags, RELEASED]
            row.save(update_fields=["state", "flags"])
        if participant.state == ParticipantState.DONE:
            Participant.objects.filter(id=participant.id).update(state=ParticipantState.READING)
        record(
            reading.trial,
            AuditKind.READING_RELEASED,
            actor=actor,
            subject=f"reading:{reading.id}",
            after={"position": reading.position},
            reason=reason,
        )
    return reading


def participant_rest(participant: Participant) -> None:
    """A reader who had finished, and read a released reading since, is done again when nothing is left."""
    if participant.closing_answers is None:
        return
    left = Reading.objects.filter(participant=participant, state__in=(*AWAITED_STATES, ReadingState.OPEN))
    finished = Participant.objects.filter(
        id=participant.id, closing_answers__isnull=False, state=ParticipantState.READING
    )
    if not left.exists():
        finished.update(state=ParticipantState.DONE)
