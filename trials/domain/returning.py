"""A reading that was left open: for how long, what the protocol says of it, and how the reader is told. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from trials.domain.protocol.v1 import OnReturn, Sessions


@dataclass(frozen=True)
class Seen:
    """An event: when the server had it, and when it happened by the clock of the reader's machine."""

    received_at: datetime
    wall_at: datetime


@dataclass(frozen=True)
class Absence:
    """The longest time in which nothing was heard of a reading."""

    left_at: datetime
    length: timedelta


@dataclass(frozen=True)
class Pause:
    """A time in which the trial was paused, so that nobody could come back."""

    began_at: datetime
    ended_at: datetime


def _without_pauses(start: datetime, length: timedelta, pauses: Sequence[Pause]) -> timedelta:
    """Return what is left of a stretch outside the pauses, which do not overlap."""
    paused = timedelta(0)
    for pause in pauses:
        shared = min(start + length, pause.ended_at) - max(start, pause.began_at)
        paused += max(shared, timedelta(0))
    return length - paused


def longest_absence(
    opened_at: datetime, seen: Sequence[Seen], *, until: datetime | None, pauses: Sequence[Pause] = ()
) -> Absence:
    """Return the longest stretch between the opening, the events in order of happening, and ``until``.

    Events may come long after they happened: a page that was closed sends the last ones when it is opened again. When
    they happened is told by the machine's own clock, set right by the shortest delay of any event of the reading. A
    stretch between two events counts only as far as both clocks saw it, so that neither late delivery nor a clock that
    was set makes an absence. ``until`` is None where the time since the last event is of no account. Of no stretch do
    the pauses of the trial count.
    """
    if not seen:
        return Absence(opened_at, _without_pauses(opened_at, (until or opened_at) - opened_at, pauses))
    ordered = sorted(seen, key=lambda one: one.wall_at)
    delay = min(one.received_at - one.wall_at for one in ordered)
    first, last = ordered[0], ordered[-1]
    stretches = [(opened_at, min(first.wall_at + delay, first.received_at) - opened_at)]
    stretches += [
        (one.wall_at + delay, min(following.wall_at - one.wall_at, following.received_at - one.received_at))
        for one, following in pairwise(ordered)
    ]
    if until is not None:
        stretches.append((last.wall_at + delay, until - (last.wall_at + delay)))
    absences = [Absence(start, _without_pauses(start, length, pauses)) for start, length in stretches]
    return max(absences, key=lambda absence: absence.length)


def what_happens(sessions: Sessions, absence: Absence) -> OnReturn:
    """Return what the protocol has become of a reading left for so long."""
    away = absence.length > timedelta(hours=sessions.resume_within_hours)
    return sessions.on_return if away else OnReturn.RESUME


def _hours(count: int) -> str:
    return "an hour" if count == 1 else f"{count} hours"


def leaving_text(sessions: Sessions) -> str:
    """Tell a reader, before leaving an open reading, what happens to it."""
    limit = _hours(sessions.resume_within_hours)
    if sessions.on_return == OnReturn.RESTART:
        return (
            f"If you leave this case, come back within {limit} to go on where you left it. After that it begins anew: "
            "with an empty answer, and its time is measured from the start."
        )
    if sessions.on_return == OnReturn.BLOCK:
        return (
            f"If you leave this case, come back within {limit} to go on where you left it. After that it is not shown "
            "to you again, and you go on with the next one."
        )
    return "If you leave, this case waits for you and goes on where you left it."


def return_text(sessions: Sessions, what: OnReturn) -> str:
    """Tell a reader who is back what happens to the reading that was left open."""
    limit = _hours(sessions.resume_within_hours)
    if what == OnReturn.RESTART:
        return (
            f"You were away from a case for more than {limit}. It now begins anew: the answer is empty, and its time "
            "is measured from the start. What you did before is kept in the record."
        )
    if what == OnReturn.BLOCK:
        return (
            f"You were away from a case for more than {limit}. As this trial has it, the case is not shown to you "
            "again; you go on with the next one. The trial's administrator sees this and can release the case."
        )
    return "You left a case open. It goes on where you left it, with the answer you had begun."
