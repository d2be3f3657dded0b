"""Which reading a participant has open, had last, and has next, and from when that one may be opened."""

from datetime import datetime, timedelta

from django.db.models import (
    Case,
    Exists,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)

from equipoise.api.prepared import Parameter, PreparedQuery
from trials.domain.protocol.tasks import Corrections
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import AWAITED_STATES, ReadingState
from trials.models import Item, Participant, Reading, ReadingEvent

ANSWERED = (ReadingState.SUBMITTED, ReadingState.NOT_ASSESSABLE)
BLINDING_CHECK = "blinding-check"
PRACTICE = "practice"


def with_protocol(readings: QuerySet[Reading]) -> QuerySet[Reading]:
    """Return readings with the version of the protocol they belong to, without its text and document."""
    return readings.select_related("protocol").defer("protocol__text", "protocol__document")


def with_item(reading: Reading) -> Reading:
    """Fetch what the reading shows: its item, the item's own image and its volume."""
    if not Reading.item.is_cached(reading):
        item = _ITEM.first(id=reading.item_id)
        assert item is not None  # a reading's item is never deleted
        reading.item = item
    return reading


_ITEM = PreparedQuery(lambda: Item.objects.select_related("image__volume").filter(id=Parameter("id", Item)))


def _first_in_order(*states: ReadingState) -> PreparedQuery[Reading]:
    """Return the query of a participant's first reading in one of the states: the open one, then by position.

    The second half of a sequential pair whose first half is answered goes before all others: nothing comes between.
    """

    def build() -> QuerySet[Reading]:
        participant = Parameter("participant", Reading)
        begun = Reading.objects.filter(
            participant=participant, stage=1, state__in=ANSWERED, position=OuterRef("position") - 1
        )
        turn = Case(
            When(state=ReadingState.OPEN, then=Value(0)),
            When(Q(stage=2) & Exists(begun), then=Value(1)),
            default=Value(2),
        )
        own = with_protocol(Reading.objects.filter(participant=participant, state__in=states))
        return own.order_by(turn, "position")[:1]

    return PreparedQuery(build)


_CURRENT = PreparedQuery(
    lambda: with_protocol(
        Reading.objects.filter(participant=Parameter("participant", Reading), state=ReadingState.OPEN)
    )[:1]
)
_NEXT = _first_in_order(*AWAITED_STATES)
_DUE = _first_in_order(ReadingState.OPEN, *AWAITED_STATES)


def reading_current(participant: Participant) -> Reading | None:
    """Return the reading that is open for the participant."""
    return _CURRENT.first(participant=participant.id)


def reading_next(participant: Participant) -> Reading | None:
    """Return the first reading in the participant's order that is planned, or was blocked and is released."""
    return _of(participant, _NEXT)


def reading_due(participant: Participant) -> Reading | None:
    """Return the reading that is open for the participant, or else the next one."""
    return _of(participant, _DUE)


def _of(participant: Participant, query: PreparedQuery[Reading]) -> Reading | None:
    reading = query.first(participant=participant.id)
    if reading is not None:
        reading.participant = participant
    return reading


def reading_previous(participant: Participant) -> Reading | None:
    """Return the reading answered last."""
    answered = with_protocol(Reading.objects.filter(participant=participant, state__in=ANSWERED))
    return answered.order_by("-position").first()


def correction_allowed(protocol: ProtocolV1, reading: Reading) -> bool:
    """Say whether an answer may be corrected until the next reading is opened.

    Never in the blinding check, never the committed half of a sequential pair, and never a practice answer that was
    followed by the reference standard.
    """
    task = protocol.task
    told = reading.phase == PRACTICE and protocol.practice.show_reference
    return (
        task is not None
        and task.corrections != Corrections.NONE
        and reading.phase != BLINDING_CHECK
        and reading.stage != 1
        and not told
    )


def opens_at(reading: Reading) -> datetime | None:
    """Return from when a planned reading may be opened: with its whole period, after the washout of its last case.

    The washout of a case counts from the reader's last exposure to it in an earlier period, aborted ones included.
    None where nothing has to be waited for.
    """
    if reading.min_days == 0:
        return None
    same_period = Reading.objects.filter(
        participant_id=reading.participant_id,
        phase=reading.phase,
        period=reading.period,
        state=ReadingState.PLANNED,
    )
    earlier = Reading.objects.filter(
        participant_id=reading.participant_id,
        period__lt=reading.period,
        first_opened_at__isnull=False,
        item__case__in=same_period.values("item__case"),
    )
    seen = earlier.aggregate(opened=Max("first_opened_at"), answered=Max("submitted_at"))
    aborted = ReadingEvent.objects.filter(reading__in=earlier.filter(submitted_at=None)).aggregate(
        last=Max("received_at")
    )
    exposures = [at for at in (*seen.values(), *aborted.values()) if at is not None]
    return max(exposures) + timedelta(days=reading.min_days) if exposures else None
