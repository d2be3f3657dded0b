"""Readings that were left open: what happens to one when its reader comes back."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry
from equipoise.common.units import MS_PER_SECOND
from trials.domain.protocol.v1 import OnReturn
from trials.domain.returning import Pause, Seen, leaving_text, longest_absence, return_text, what_happens
from trials.domain.states import ReadingState
from trials.models import Reading, ReadingEvent
from trials.selectors.protocol import protocol_of_version
from trials.selectors.reading import ANSWERED, BLINDING_CHECK, PRACTICE

TOLD_AFTER = timedelta(minutes=30)
"""Whoever was away for less finds the reading as it was and needs no telling."""


@dataclass(frozen=True)
class Return:
    """What happens to a reading on its reader's return."""

    what: OnReturn
    left_at: datetime
    away: timedelta


def reading_return(reading: Reading, *, until: datetime | None) -> Return:
    """Return what happens to an open reading whose reader is back at ``until``.

    None stands for the last event: was there an absence before it after which the page went on as it stood? Practice,
    and a reading of which nothing was shown yet, always go on.
    """
    opened_at = reading.opened_at or reading.first_opened_at
    if reading.state != ReadingState.OPEN or opened_at is None:
        raise ValueError(f"Only an open reading is come back to; this one is {reading.state}.")
    events = ReadingEvent.objects.filter(reading=reading, lease=reading.lease)
    seen = [
        Seen(received_at, datetime.fromtimestamp(wall_ms / MS_PER_SECOND, tz=UTC))
        for received_at, wall_ms in events.values_list("received_at", "wall_ms")
    ]
    absence = longest_absence(opened_at, seen, until=until, pauses=_pauses(reading))
    exempt = reading.phase == PRACTICE or reading.painted_at is None
    sessions = protocol_of_version(reading.protocol).sessions
    what = OnReturn.RESUME if exempt else what_happens(sessions, absence)
    return Return(what=what, left_at=absence.left_at, away=absence.length)


def _pauses(reading: Reading) -> list[Pause]:
    """Return when the reading's trial was paused; a pause that lasts ends now."""
    kinds = (AuditKind.TRIAL_PAUSED, AuditKind.TRIAL_RESUMED)
    acts = AuditEntry.objects.filter(chain=str(reading.trial_id), kind__in=kinds).order_by("sequence")
    pauses: list[Pause] = []
    began_at: datetime | None = None
    for kind, at in acts.values_list("kind", "created_at"):
        if kind == AuditKind.TRIAL_PAUSED:
            began_at = at
        elif began_at is not None:
            pauses.append(Pause(began_at, at))
            began_at = None
    if began_at is not None:
        pauses.append(Pause(began_at, timezone.now()))
    return pauses


def goes_on(reading: Reading, *, until: datetime | None) -> bool:
    """Say whether an open reading goes on where it was left; in most trials every reading does, whatever happened."""
    always = protocol_of_version(reading.protocol).sessions.on_return == OnReturn.RESUME
    return always or reading_return(reading, until=until).what == OnReturn.RESUME


def return_document(reading: Reading, *, now: datetime) -> dict[str, Any] | None:
    """Return what a reader who is back is told before the reading opens; None where there is nothing to tell."""
    if reading.state != ReadingState.OPEN:
        return None
    back = reading_return(reading, until=now)
    if back.what == OnReturn.RESUME and (back.away < TOLD_AFTER or reading.painted_at is None):
        return None
    sessions = protocol_of_version(reading.protocol).sessions
    return {"what": back.what, "left_at": back.left_at, "message": return_text(sessions, back.what)}


def leave_note(reading: Reading) -> str:
    """Return what a reader is told of leaving the open reading, before they leave it."""
    sessions = protocol_of_version(reading.protocol).sessions
    always = sessions.model_copy(update={"on_return": OnReturn.RESUME})
    return leaving_text(always if reading.phase == PRACTICE else sessions)


def release_refusal(reading: Reading) -> str | None:
    """Return why a blocked reading may not be released any more, in words; None where it may.

    Readings come in the order that keeps their design: a case is not read in one period after it was seen in a later
    one, no main reading follows the blinding check, and no second half of a pair comes without a first answer.
    """
    code = reading.participant.code
    own = Reading.objects.filter(participant_id=reading.participant_id)
    if reading.stage == 2 and not _first_half_answered(reading):
        return (
            f"The reading of reader {code} is the second half of a pair whose first half is not answered, so its aid "
            "would be shown without a first answer. Release the first half: the second comes with it."
        )
    opened_later = own.filter(position__gt=reading.position, first_opened_at__isnull=False)
    if reading.phase != BLINDING_CHECK and opened_later.filter(phase=BLINDING_CHECK).exists():
        return (
            f"Reader {code} has opened the blinding check, which comes after the last reading, so this reading can no "
            "longer be read blinded. Leave it as not done."
        )
    elsewhere = ~Q(period=reading.period) | ~Q(condition=reading.condition)
    if opened_later.filter(elsewhere, item__case=reading.item.case_id).exists():
        return (
            f"Reader {code} has since opened the case of this reading in a later part of the trial, so it can no "
            "longer be read in its order and with its washout. Leave it as not done."
        )
    return None


def _first_half_answered(second: Reading) -> bool:
    return Reading.objects.filter(
        participant_id=second.participant_id,
        item_id=second.item_id,
        position=second.position - 1,
        stage=1,
        state__in=ANSWERED,
    ).exists()


def leases_of_attempt(reading: Reading, lease: int) -> tuple[int, int]:
    """Return the first and the last lease of the attempt to which a lease belongs; the last attempt is open-ended."""
    first = 1
    for ended in reading.attempts.all():
        if lease <= ended.last_lease:
            return ended.first_lease, ended.last_lease
        first = ended.last_lease + 1
    return first, max(lease, reading.lease)
