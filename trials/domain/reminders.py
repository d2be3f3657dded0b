"""Whom a reminder may be sent to, and what it says: no case, condition, answer or count of either."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MIN_GAP = timedelta(days=2)
"""Between two reminders to one reader, whoever asks for them."""
MIN_AFTER_DAYS, MAX_AFTER_DAYS = 2, 60


class NoReminder(StrEnum):
    """Why a reader is not reminded."""

    TRIAL_NOT_OPEN = "trial_not_open"
    STOPPED = "stopped"
    NOTHING_TO_DO = "nothing_to_do"
    NOT_YET = "not_yet"
    REMINDED_LATELY = "reminded_lately"


WHY_NOT = {
    NoReminder.TRIAL_NOT_OPEN: "The trial is not open for readers.",
    NoReminder.STOPPED: "The reader wants no reminders.",
    NoReminder.NOTHING_TO_DO: "Nothing is left to read, or the reader has left.",
    NoReminder.NOT_YET: "The next reading may not be opened yet: its washout lasts.",
    NoReminder.REMINDED_LATELY: "The last reminder is less than two days old.",
}


@dataclass(frozen=True)
class ReaderStanding:
    """What decides whether a reader may be reminded."""

    trial_open: bool
    stopped: bool
    has_something_to_do: bool
    opens_at: datetime | None
    """From when the next reading may be opened; None where nothing has to be waited for."""
    last_reminder_at: datetime | None
    last_activity_at: datetime
    """The last answer, or when the reader joined."""


def no_reminder(standing: ReaderStanding, *, now: datetime) -> NoReminder | None:
    """Return why a reader may not be reminded now; None where they may."""
    last = standing.last_reminder_at
    if not standing.trial_open:
        return NoReminder.TRIAL_NOT_OPEN
    if standing.stopped:
        return NoReminder.STOPPED
    if not standing.has_something_to_do:
        return NoReminder.NOTHING_TO_DO
    if standing.opens_at is not None and standing.opens_at > now:
        return NoReminder.NOT_YET
    if last is not None and now - last < MIN_GAP:
        return NoReminder.REMINDED_LATELY
    return None


def is_due(standing: ReaderStanding, *, after_days: int, now: datetime) -> bool:
    """Say whether the plan reminds a reader now: so many days after the last sign of them or the last reminder."""
    quiet_since = max(
        one
        for one in (standing.last_activity_at, standing.last_reminder_at, standing.opens_at)
        if one is not None
    )
    return no_reminder(standing, now=now) is None and now - quiet_since >= timedelta(days=after_days)


def reminder_text(*, trial: str, link: str, stop_link: str) -> tuple[str, str]:
    """Return subject and words of a reminder."""
    words = (
        f"There is something left for you to read in the trial “{trial}”. You go on where you left:\n\n{link}\n\n"
        "If you do not wish to take part any more, tell whoever invited you.\n\n"
        f"No further reminders of this trial: {stop_link}\n"
    )
    return f"Readings are waiting: {trial}", words
