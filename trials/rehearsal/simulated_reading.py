"""A simulated reader reads: the same opening, the same events, the same submit as a browser's.

The times a simulated reader took are told by its events, whose clock runs faster than the server's.
"""

import hashlib
import time
import uuid
from collections.abc import Mapping

from equipoise.audit.kinds import Origin
from equipoise.simulation import PreferenceAnswer, PreferenceReader, stream
from trials.domain.questionnaire import check_answers
from trials.models import Item, Participant, Reading
from trials.reading_tasks.preference.task import BLINDING_CHECK
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reading import reading_current, reading_next
from trials.services.acts import Actor
from trials.services.participant import (
    participant_answer_questionnaire,
    participant_close,
    participant_consent,
    participant_read_instructions,
)
from trials.services.reading import EventIn, reading_open, reading_submit

CLOCK_START_MS = 500.0
DONT_KNOW_SHARE = 0.4
"""How often a simulated reader has no idea which contour is the algorithm's; otherwise it guesses blindly."""


def simulated_enrolment(participant: Participant, *, answers: Mapping[str, object]) -> None:
    """Consent, answer the questionnaire and read the instructions."""
    actor = _actor(participant)
    protocol = protocol_of_version(protocol_locked(participant.trial))
    check_answers(protocol.questionnaire.questions, answers)
    participant_consent(participant, version=str(protocol.consent.version), agreed=True, actor=actor)
    participant_answer_questionnaire(participant, answers=answers, actor=actor)
    participant_read_instructions(participant)
    participant.refresh_from_db()


def simulated_readings(
    participant: Participant,
    model: PreferenceReader,
    *,
    effects: Mapping[str, float],
    seed: int,
    reader_number: int,
) -> int:
    """Read everything that is left and answer the closing question; return the number of readings.

    Parameters
    ----------
    effects : mapping of item code to float
        What the population adds to the preference for candidate b, logit scale.
    seed, reader_number : int
        Name the reader's stream of random numbers; each reading has its own.
    """
    count = 0
    session = f"simulated-{participant.id}"
    while (reading_current(participant) or reading_next(participant)) is not None:
        opened = reading_open(
            participant, environment={"simulated": True}, session_key=session, actor=_actor(participant)
        )
        reading = opened.reading
        answer = _answer(reading, model, effects=effects, seed=seed, reader_number=reader_number)
        choice = _choice(reading, answer, seed=seed, reader_number=reader_number)
        reading_submit(
            participant,
            token=str(reading.token),
            lease=reading.lease,
            key=uuid.uuid4(),
            answer={
                "choice": choice,
                "reason_code": "image_quality" if choice == "cannot_assess" else None,
                "comment": "",
            },
            events=_events(answer, choice),
            actor=_actor(participant),
        )
        count += 1
    participant_close(participant, answers={"could_tell": False}, actor=_actor(participant))
    return count


def _actor(participant: Participant) -> Actor:
    account = participant.membership.account_id if participant.membership is not None else None
    return Actor(account_id=account, origin=Origin.WORKER)


def _item_key(item: Item) -> int:
    return int.from_bytes(hashlib.sha256(item.code.encode()).digest()[:4], "big")


def _answer(
    reading: Reading, model: PreferenceReader, *, effects: Mapping[str, float], seed: int, reader_number: int
) -> PreferenceAnswer:
    return model.answer(
        stream(seed, reader_number, reading.position, _item_key(reading.item)),
        side_b="left" if reading.left_id == reading.item.candidate_b_id else "right",
        effect_logit=effects.get(reading.item.code, 0.0),
        position=reading.position,
    )


def _choice(reading: Reading, answer: PreferenceAnswer, *, seed: int, reader_number: int) -> str:
    """Return the choice; in the blinding check a guess, since the model knows no more than a blinded reader."""
    if reading.phase != BLINDING_CHECK:
        return answer.choice
    rng = stream(seed, reader_number, reading.position)
    if rng.random() < DONT_KNOW_SHARE:
        return "dont_know"
    return "left" if rng.random() < 0.5 else "right"


def _events(answer: PreferenceAnswer, choice: str) -> list[EventIn]:
    clock = uuid.uuid4().hex
    now_ms = time.time() * 1000
    decided = answer.decision_s * 1000
    last = answer.changes - 1
    changes = [
        (decided * (1.0 if number == last else 0.9), {"choice": choice}) for number in range(answer.changes)
    ]
    steps: list[tuple[str, float, dict[str, str]]] = [
        ("first_paint", 0.0, {}),
        *(("pointer", decided * share, {}) for share in (0.2, 0.5, 0.8)),
        *(("answer_change", offset_ms, data) for offset_ms, data in changes),
        ("submit", answer.wall_s * 1000, {}),
    ]
    return [
        EventIn(
            sequence=number,
            kind=kind,
            clock_id=clock,
            t_ms=CLOCK_START_MS + offset_ms,
            wall_ms=now_ms + offset_ms,
            data=data,
        )
        for number, (kind, offset_ms, data) in enumerate(steps)
    ]
