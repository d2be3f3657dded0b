"""A reader's display is tested with the grey-step pattern before a session is read on it."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import EnvironmentRefusedError, StateConflictError
from trials.domain.environment import display_in
from trials.domain.grey_steps import GreySteps, display_is_fit, grey_steps_result
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import TrialState
from trials.models import DisplayCheck, Participant, ParticipantState
from trials.selectors.environment import outcomes_by_display, session_number
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reader import preparation_step
from trials.services.acts import Actor, participant_hold, record

NOT_TESTED = (
    "The grey steps of this display have not been looked at in this session; this trial needs that before a case is "
    "opened. Do the test of the display first."
)
NOT_SEEN = (
    "The darkest or brightest grey steps were not seen on this display; this trial needs them to be. Darken the room, "
    "set the display's brightness and contrast, or move to another display, and do the test again."
)


def display_check(
    participant: Participant,
    *,
    environment: Mapping[str, Any],
    answers: Sequence[Mapping[str, Any]] | None,
    actor: Actor,
) -> DisplayCheck:
    """Keep one try of the grey-step test on the display that the environment names; ``None`` is a test left out."""
    protocol = protocol_of_version(protocol_locked(participant.trial))
    asked = protocol.reading_environment.grey_steps
    if asked == "none":
        raise StateConflictError(
            "This trial has no test of the display.", data={"state": "none", "allowed": []}
        )
    if answers is None and asked == "required":
        raise StateConflictError(
            "This trial needs the test of the display; it cannot be left out.",
            data={"state": asked, "allowed": ["display-check"]},
        )
    outcome = GreySteps.SKIPPED if answers is None else grey_steps_result(answers).outcome
    now = timezone.now()
    with transaction.atomic():
        participant_hold(participant)
        _require_reading(participant, protocol)
        made = DisplayCheck.objects.create(
            participant=participant,
            session=session_number(participant, now=now),
            display=display_in(environment),
            environment=dict(environment),
            outcome=outcome,
            answers=[{name: one[name] for name in ("field", "shown", "chosen")} for one in answers or ()],
            made_at=now,
        )
        record(
            participant.trial,
            AuditKind.PARTICIPANT_DISPLAY_CHECKED,
            actor=actor,
            subject=f"participant:{participant.id}",
            after={"outcome": outcome, "session": made.session},
        )
    return made


def _require_reading(participant: Participant, protocol: ProtocolV1) -> None:
    """Refuse unless the reader may read now: the trial is open, and consent and instructions are behind."""
    trial = type(participant.trial).objects.get(id=participant.trial_id)
    if trial.state != TrialState.OPEN or participant.state == ParticipantState.WITHDRAWN:
        raise StateConflictError(
            "A display is tested while readings are taken.", data={"state": trial.state, "allowed": []}
        )
    step = preparation_step(participant, protocol)
    if step is not None:
        raise StateConflictError(
            f"The {step} comes before the test of the display.", data={"state": step, "allowed": []}
        )


def require_display_checked(
    participant: Participant, *, protocol: ProtocolV1, environment: Mapping[str, Any]
) -> None:
    """Refuse a display whose grey steps were not looked at in this session, or not seen where that is asked for."""
    asked = protocol.reading_environment
    if asked.grey_steps != "required":
        return
    outcomes = outcomes_by_display(participant, now=timezone.now()).get(display_in(environment), [])
    if display_is_fit(outcomes, asked=asked.grey_steps, failing=asked.grey_steps_failing):
        return
    message = NOT_SEEN if outcomes else NOT_TESTED
    raise EnvironmentRefusedError(message, data={"problems": [{"code": "grey_steps", "message": message}]})
