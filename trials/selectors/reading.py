"""Which reading a participant has open, had last, and has next."""

from trials.domain.protocol.v1 import Corrections, ProtocolV1
from trials.domain.states import ReadingState
from trials.models import Participant, Reading

ANSWERED = (ReadingState.SUBMITTED, ReadingState.NOT_ASSESSABLE)
BLINDING_CHECK = "blinding-check"

_WITH_MATERIAL = ("item", "item__image", "item__image__volume", "trial", "protocol")


def reading_current(participant: Participant) -> Reading | None:
    """Return the reading that is open for the participant."""
    return (
        Reading.objects.select_related(*_WITH_MATERIAL)
        .filter(participant=participant, state=ReadingState.OPEN)
        .order_by("position")
        .first()
    )


def reading_next(participant: Participant) -> Reading | None:
    """Return the first planned reading in the participant's order."""
    return (
        Reading.objects.select_related(*_WITH_MATERIAL)
        .filter(participant=participant, state=ReadingState.PLANNED)
        .order_by("position")
        .first()
    )


def reading_previous(participant: Participant) -> Reading | None:
    """Return the reading answered last."""
    return (
        Reading.objects.select_related(*_WITH_MATERIAL)
        .filter(participant=participant, state__in=ANSWERED)
        .order_by("-position")
        .first()
    )


def correction_allowed(protocol: ProtocolV1, *, phase: str) -> bool:
    """Say whether an answer may be corrected until the next reading is opened; never in the blinding check."""
    task = protocol.preference
    return task is not None and task.corrections != Corrections.NONE and phase != BLINDING_CHECK
