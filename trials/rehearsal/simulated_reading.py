"""A simulated reader reads: the same opening, the same events, the same submit as a browser's.

The times a simulated reader took are told by its events, whose clock runs faster than the server's; washouts and
sessions, which are days and hours of a person's life, do not hold it up.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence

from equipoise.audit.kinds import Origin
from trials.domain.questionnaire import check_answers
from trials.models import Participant
from trials.rehearsal.readers.answers import SimulatedReader, Step
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reading import reading_due
from trials.services.acts import Actor
from trials.services.participant import (
    participant_answer_questionnaire,
    participant_close,
    participant_consent,
    participant_read_instructions,
)
from trials.services.reading import EventIn, reading_open, reading_submit

CLOCK_START_MS = 500.0


def simulated_enrolment(participant: Participant, *, answers: Mapping[str, object]) -> None:
    """Consent, answer the questionnaire and read the instructions."""
    actor = _actor(participant)
    protocol = protocol_of_version(protocol_locked(participant.trial))
    check_answers(protocol.questionnaire.questions, answers)
    participant_consent(participant, version=str(protocol.consent.version), agreed=True, actor=actor)
    participant_answer_questionnaire(participant, answers=answers, actor=actor)
    participant_read_instructions(participant, actor=actor)
    participant.refresh_from_db()


def simulated_readings(
    participant: Participant, reader: SimulatedReader, *, between: Callable[[], None] | None = None
) -> int:
    """Read everything that is left and answer the closing question; return the number of readings.

    ``between`` is called after every reading; it may raise to stop.
    """
    count = 0
    session = f"simulated-{participant.id}"
    while reading_due(participant) is not None:
        opened = reading_open(
            participant, environment={"simulated": True}, session_key=session, actor=_actor(participant)
        )
        answer = reader.answer(opened.reading)
        reading_submit(
            participant,
            token=str(opened.reading.token),
            lease=opened.reading.lease,
            key=uuid.uuid4(),
            answer=answer.body,
            events=_events(answer.steps),
            actor=_actor(participant),
        )
        count += 1
        if between is not None:
            between()
    protocol = protocol_of_version(protocol_locked(participant.trial))
    closing = {"could_tell": False} if protocol.has_blinding_check else {}
    participant_close(participant, answers=closing, actor=_actor(participant))
    return count


def _actor(participant: Participant) -> Actor:
    account = participant.membership.account_id if participant.membership is not None else None
    return Actor(account_id=account, origin=Origin.WORKER)


def _events(steps: Sequence[Step]) -> list[EventIn]:
    clock = uuid.uuid4().hex
    now_ms = time.time() * 1000
    return [
        EventIn(
            sequence=number,
            kind=kind,
            clock_id=clock,
            t_ms=CLOCK_START_MS + offset_s * 1000,
            wall_ms=now_ms + offset_s * 1000,
            data=data,
        )
        for number, (kind, offset_s, data) in enumerate(steps)
    ]
