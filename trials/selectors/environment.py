"""What readers sat at: the displays checked in the session that goes on, and the tidy table of all environments.

Nothing here is by arm, and no answer is told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Max
from django.utils import timezone

from trials.domain.environment import display_in, number_in
from trials.domain.grey_steps import GreySteps, display_is_fit, grey_steps_result
from trials.domain.protocol.v1 import ProtocolV1
from trials.domain.states import ReadingState
from trials.models import DisplayCheck, Participant, Reading, ReadingEvent, Trial
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.reader import NEW_SESSION_AFTER, Step, current_session, reader_state
from trials.selectors.reading import ANSWERED, reading_current

_READING_STEPS = (Step.PRACTICE, Step.READING, Step.BLINDING_CHECK)
RESIZED = "environment_change"
"""The event that says that window, zoom or display changed during a reading."""

ENVIRONMENTS_COLUMNS = (
    "trial",
    "participant",
    "session",
    "display",
    "readings",
    "window_width_px_min",
    "window_height_px_min",
    "window_width_px_max",
    "window_height_px_max",
    "screen_width_px",
    "screen_height_px",
    "device_pixel_ratio",
    "zoom_percent",
    "colour_depth_bits",
    "renderer",
    "changes_during_readings",
    "grey_steps",
    "grey_steps_tries",
    "dark_found",
    "bright_found",
    "simulated",
)
"""The columns of ``environments.csv``; only ever added to."""


def session_number(participant: Participant, *, now: datetime) -> int:
    """Return the number of the session that goes on, or of the one that the next reading begins."""
    reading = reading_current(participant)
    if reading is not None and reading.session is not None:
        return reading.session
    session = current_session(participant, now=now)
    if session is not None:
        return session.number
    last = participant.readings.aggregate(last=Max("session"))["last"]
    return int(last or 0) + 1


def outcomes_by_display(participant: Participant, *, now: datetime) -> dict[str, list[str]]:
    """Return, per display, what its tests in this session came to, oldest first.

    Before the first reading of a session a test counts as long as a session may stand still.
    """
    checks = DisplayCheck.objects.filter(
        participant=participant, session=session_number(participant, now=now)
    ).order_by("made_at")
    if current_session(participant, now=now) is None:
        checks = checks.filter(made_at__gte=now - NEW_SESSION_AFTER)
    outcomes: dict[str, list[str]] = {}
    for display, outcome in checks.values_list("display", "outcome"):
        outcomes.setdefault(display, []).append(outcome)
    return outcomes


def fit_displays(participant: Participant, *, protocol: ProtocolV1, now: datetime) -> list[str]:
    """Return the displays that need no further test in this session."""
    asked = protocol.reading_environment
    if asked.grey_steps == "none":
        return []
    return [
        display
        for display, outcomes in outcomes_by_display(participant, now=now).items()
        if display_is_fit(outcomes, asked=asked.grey_steps, failing=asked.grey_steps_failing)
    ]


def reader_screen(participant: Participant) -> dict[str, Any]:
    """Return the reader's next screen; before a reading with what the protocol asks of display and window."""
    document = reader_state(participant)
    if document["step"] not in _READING_STEPS:
        return document
    protocol = protocol_of_version(protocol_locked(participant.trial))
    asked = protocol.reading_environment.model_dump(mode="json")
    fit = fit_displays(participant, protocol=protocol, now=timezone.now())
    return document | {"environment": asked | {"fit_displays": fit}}


@dataclass
class _Seen:
    """What is known of one environment of a participant in a session."""

    account: Mapping[str, Any]
    readings: int = 0
    widths: list[float] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    changes: int = 0


def environment_rows(trial: Trial) -> Iterator[dict[str, Any]]:
    """Yield a row per reader, session and environment: display, pixel ratio, zoom and renderer.

    Practice counts. An environment in which nothing was answered has 0 readings: a display may have failed its test.
    """
    seen: dict[tuple[Any, ...], _Seen] = {}
    readings = (
        Reading.objects.filter(trial=trial, session__isnull=False)
        .exclude(state=ReadingState.PLANNED)
        .order_by("participant__code", "position")
        .values_list("id", "participant__code", "session", "state", "environment")
    )
    resized = dict(
        ReadingEvent.objects.filter(reading__trial=trial, kind=RESIZED)
        .values_list("reading")
        .annotate(count=Count("id"))
        .order_by()
    )
    for reading, code, session, state, account in readings.iterator(chunk_size=2000):
        one = seen.setdefault(_key(code, session, account), _Seen(account))
        one.readings += state in ANSWERED
        one.changes += resized.get(reading, 0)
        _measure(one, account)
    checks: dict[tuple[str, int, str], list[DisplayCheck]] = {}
    for check in DisplayCheck.objects.filter(participant__trial=trial).select_related("participant"):
        code = check.participant.code
        checks.setdefault((code, check.session, check.display), []).append(check)
    known = {(code, session, display) for code, session, display, *_ in seen}
    for place, made in checks.items():
        if place not in known:
            account = made[-1].environment
            seen[_key(place[0], place[1], account)] = one = _Seen(account)
            _measure(one, account)
    for key in sorted(seen, key=lambda one: tuple(str(part).rjust(12) for part in one)):
        yield _row(trial, key, seen[key], checks.get(key[:3], []))


def _key(code: str, session: int | None, account: Mapping[str, Any]) -> tuple[Any, ...]:
    parts = ("device_pixel_ratio", "zoom_percent")
    return (
        code,
        session,
        display_in(account),
        *(number_in(account, name) for name in parts),
        _text_in(account, "renderer"),
        account.get("simulated") is True,
    )


def _text_in(account: Mapping[str, Any], name: str) -> str | None:
    value = account.get(name)
    return value if isinstance(value, str) else None


def _measure(one: _Seen, account: Mapping[str, Any]) -> None:
    for sizes, name in ((one.widths, "window_width_px"), (one.heights, "window_height_px")):
        value = number_in(account, name)
        if value is not None:
            sizes.append(value)


def _row(trial: Trial, key: tuple[Any, ...], one: _Seen, checks: list[DisplayCheck]) -> dict[str, Any]:
    code, session, display, ratio, zoom, renderer, simulated = key
    best = next((each for each in checks if each.outcome == GreySteps.PASSED), checks[-1] if checks else None)
    tried = [each for each in checks if each.outcome != GreySteps.SKIPPED]
    found = grey_steps_result(best.answers) if best is not None and best.answers else None
    return {
        "trial": trial.slug,
        "participant": code,
        "session": session,
        "display": display or None,
        "readings": one.readings,
        "window_width_px_min": min(one.widths, default=None),
        "window_height_px_min": min(one.heights, default=None),
        "window_width_px_max": max(one.widths, default=None),
        "window_height_px_max": max(one.heights, default=None),
        "screen_width_px": number_in(one.account, "screen_width_px"),
        "screen_height_px": number_in(one.account, "screen_height_px"),
        "device_pixel_ratio": ratio,
        "zoom_percent": zoom,
        "colour_depth_bits": number_in(one.account, "colour_depth_bits"),
        "renderer": renderer,
        "changes_during_readings": one.changes,
        "grey_steps": best.outcome if best is not None else None,
        "grey_steps_tries": len(tried),
        "dark_found": found.dark_found if found is not None else None,
        "bright_found": found.bright_found if found is not None else None,
        "simulated": int(simulated),
    }
