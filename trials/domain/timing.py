"""From the raw events of one reading to its durations and flags. Pure; the events stay, the durations can be made anew.

What each duration means
------------------------
The time of a reading is the time of its *page loads*: each counts from its first painted frame (every slice decoded)
to the submit, to its last event, or to the moment another window took over. Monotonic times compare only within one
page load. The time between two page loads was not measured by a monotonic clock and enters ``wall_s`` alone.

``wall_s``
    From the first paint to the submit, everything included: pauses, sleep, and the time between page loads.
``decision_s``
    To the last change of the primary answer, without what the reader spent writing the comment and without the time
    in which the platform showed no image (pause, sleep, between page loads). Hidden time is not taken away.
``visible_s``
    To the submit, while the page was visible and the images were not blanked.
``active_s``, ``active_30_s``, ``active_120_s``
    Visible time without idling. A stretch without input counts up to the threshold, the rest of it is idle.
    Scrolling and pointer movement are input; so are coming back to the page and ending a pause.
``comment_s``
    While the comment had the focus and images were shown.

What was not measured is None, never guessed. Impossible combinations are flagged and kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise, zip_longest
from typing import Any

from equipoise.common.units import MS_PER_SECOND

DRIFT_TOLERANCE_MS = 2_000.0
"""The wall clock may run ahead of the monotonic one by this much between two events before it counts as sleep."""
BACKWARDS_TOLERANCE_MS = 1_000.0
"""Input carries the time it happened, not the time it was handled, so events may be this much out of order."""
FASTEST_DECISION_S = 0.3
"""Nobody sees two outlines and answers faster."""
SENSITIVITY_THRESHOLDS_S = (30, 120)


class TimingFlag(StrEnum):
    """What is to be known of a reading's times. Values are stored and never renamed."""

    INTERRUPTED = "interrupted"
    PAUSED = "paused"
    HIDDEN = "hidden"
    LOST_FOCUS = "lost_focus"
    OFFLINE = "offline"
    SLEEP = "sleep"
    NO_FIRST_PAINT = "no_first_paint"
    NO_SUBMIT = "no_submit"
    NO_ANSWER_CHANGE = "no_answer_change"
    PAGE_WITHOUT_IMAGE = "page_without_image"
    ANSWER_BEFORE_FIRST_PAINT = "answer_before_first_paint"
    SUBMIT_BEFORE_FIRST_PAINT = "submit_before_first_paint"
    EVENTS_AFTER_SUBMIT = "events_after_submit"
    CLOCK_WENT_BACK = "clock_went_back"
    WALL_CLOCK_CHANGED = "wall_clock_changed"
    OVERLAPPING_WINDOWS = "overlapping_windows"
    IMPLAUSIBLY_FAST = "implausibly_fast"


HARMLESS_FLAGS = frozenset({TimingFlag.LOST_FOCUS, TimingFlag.OFFLINE})
"""Readings with these alone stay in the sensitivity analysis of reading times."""

FIRST_PAINT, ANSWER_CHANGE, SUBMIT = "first_paint", "answer_change", "submit"
OVERLAY_CHANGE = "overlay_change"
_INPUT = frozenset(
    {
        "input",
        "pointer",
        "key",
        "wheel",
        "slice_change",
        "window_change",
        "zoom_change",
        "outline_hidden",
        ANSWER_CHANGE,
        "comment_focus",
        "comment_blur",
        SUBMIT,
        "visible",
        "resume",
    }
)
_SLEEP = frozenset({"sleep", "sleep_detected"})
_INTERRUPTION = frozenset({"reload", "interrupted"})


@dataclass(frozen=True)
class TimedEvent:
    """One fact inside a reading."""

    lease: int
    sequence: int
    kind: str
    clock_id: str
    """Names the page load whose monotonic clock ``t_ms`` is on."""
    t_ms: float
    wall_ms: float
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadingTimes:
    """Durations in seconds, None where not measured, and the flags."""

    decision_s: float | None
    wall_s: float | None
    visible_s: float | None
    active_s: float | None
    active_30_s: float | None
    active_120_s: float | None
    comment_s: float | None
    flags: tuple[str, ...] = ()


_Span = tuple[float, float]


def _clipped(spans: Iterable[_Span], low: float, high: float) -> list[_Span]:
    """Return the spans inside [low, high], overlaps joined, in order."""
    joined: list[_Span] = []
    for start, end in sorted((max(low, start), min(high, end)) for start, end in spans):
        if end <= start:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _without(spans: Sequence[_Span], removed: Sequence[_Span]) -> list[_Span]:
    """Return what of the spans lies outside the removed ones. Both are in order and do not overlap."""
    kept: list[_Span] = []
    for start, end in spans:
        at = start
        for cut_start, cut_end in removed:
            if cut_end <= at or cut_start >= end:
                continue
            if cut_start > at:
                kept.append((at, cut_start))
            at = max(at, cut_end)
        if at < end:
            kept.append((at, end))
    return kept


def _length(spans: Iterable[_Span]) -> float:
    return sum(end - start for start, end in spans)


def _between(events: Sequence[TimedEvent], starts: str, ends: str, *, last: float) -> list[_Span]:
    """Return the spans from an event of one kind to the next of the other, the last one open to the end."""
    spans: list[_Span] = []
    since: float | None = None
    for event in events:
        if event.kind == starts and since is None:
            since = event.t_ms
        elif event.kind == ends and since is not None:
            spans.append((since, event.t_ms))
            since = None
    if since is not None:
        spans.append((since, last))
    return spans


@dataclass(frozen=True)
class _Load:
    """One page load from its first paint on."""

    events: tuple[TimedEvent, ...]
    start: float
    end: float
    wall_start: float
    wall_end: float
    slept_unseen: float
    """Milliseconds that the wall clock counted and the monotonic clock did not."""

    def shown(self, until: float | None = None) -> list[_Span]:
        """Return when images stood on the page: not paused, not asleep."""
        last = self.end if until is None else min(until, self.end)
        blanked = _between(self.events, "pause", "resume", last=self.end)
        blanked += [
            (event.t_ms - float(event.data.get("gap_ms", 0.0)), event.t_ms)
            for event in self.events
            if event.kind in _SLEEP and event.data.get("seen_by") == "timer"
        ]
        return _without(_clipped([(self.start, last)], self.start, last), _clipped(blanked, self.start, last))

    def visible(self) -> list[_Span]:
        """Return when images stood on a page that was not hidden."""
        hidden = _between(self.events, "hidden", "visible", last=self.end)
        return _without(self.shown(), _clipped(hidden, self.start, self.end))

    def comment(self, until: float | None = None) -> list[_Span]:
        """Return when the comment had the focus while images were shown."""
        spans = _between(self.events, "comment_focus", "comment_blur", last=self.end)
        shown = self.shown(until)
        written = _clipped(spans, self.start, self.end)
        return _without(shown, _without(shown, written))

    def active(self, threshold_ms: float) -> float:
        """Return the visible milliseconds that are not idle."""
        inputs = sorted(event.t_ms for event in self.events if event.kind in _INPUT)
        total = 0.0
        for start, end in self.visible():
            marks = [start, *(mark for mark in inputs if start < mark < end), end]
            total += sum(min(later - earlier, threshold_ms) for earlier, later in pairwise(marks))
        return total


def _drift(events: Sequence[TimedEvent], flags: set[TimingFlag]) -> float:
    """Return what the wall clock counted more than the monotonic one, in steps too large for anything but sleep."""
    slept = 0.0
    for earlier, later in pairwise(events):
        drift = (later.wall_ms - earlier.wall_ms) - (later.t_ms - earlier.t_ms)
        if drift > DRIFT_TOLERANCE_MS:
            flags.add(TimingFlag.SLEEP)
            slept += drift
        elif drift < -DRIFT_TOLERANCE_MS:
            flags.add(TimingFlag.WALL_CLOCK_CHANGED)
    return slept


def _by_clock(events: Sequence[TimedEvent], flags: set[TimingFlag]) -> list[list[TimedEvent]]:
    """Return the events of every page load in order of time, page loads in order of appearance."""
    clocks: dict[str, list[TimedEvent]] = {}
    for event in events:
        recorded = clocks.setdefault(event.clock_id, [])
        if recorded and max(one.t_ms for one in recorded[-8:]) - event.t_ms > BACKWARDS_TOLERANCE_MS:
            flags.add(TimingFlag.CLOCK_WENT_BACK)
        recorded.append(event)
    return [sorted(recorded, key=lambda event: event.t_ms) for recorded in clocks.values()]


def _wall_at(event: TimedEvent, t_ms: float) -> float:
    return event.wall_ms + (t_ms - event.t_ms)


def _load(events: Sequence[TimedEvent], submit: TimedEvent | None, flags: set[TimingFlag]) -> _Load | None:
    """Return the page load from its first paint to the submit or its last event."""
    first = next((event for event in events if event.kind == FIRST_PAINT), None)
    if first is None:
        return None
    last = submit if submit is not None and submit.clock_id == first.clock_id else events[-1]
    kept = tuple(event for event in events if event.t_ms <= last.t_ms)
    if last.t_ms < first.t_ms:
        flags.add(TimingFlag.SUBMIT_BEFORE_FIRST_PAINT)
        return None
    return _Load(
        events=kept,
        start=first.t_ms,
        end=last.t_ms,
        wall_start=first.wall_ms,
        wall_end=_wall_at(last, last.t_ms),
        slept_unseen=_drift([event for event in kept if event.t_ms >= first.t_ms], flags),
    )


def _up_to_submit(
    loads: Sequence[_Load], submit: TimedEvent | None, flags: set[TimingFlag]
) -> Sequence[_Load]:
    """Leave out windows opened later than the one that submitted: their time ran beside it."""
    for index, load in enumerate(loads[:-1]):
        if submit is not None and load.events[-1].clock_id == submit.clock_id:
            flags.add(TimingFlag.OVERLAPPING_WINDOWS)
            return loads[: index + 1]
    return loads


def _disjoint(loads: Sequence[_Load], flags: set[TimingFlag]) -> list[_Load]:
    """End each page load, by the wall clock, where the next one begins."""
    result = []
    for load, following in zip_longest(loads, loads[1:]):
        overlap = 0.0 if following is None else load.wall_end - following.wall_start
        if overlap > 0:
            if overlap > DRIFT_TOLERANCE_MS:
                flags.add(TimingFlag.OVERLAPPING_WINDOWS)
            end = max(load.start, load.end - overlap)
            result.append(
                _Load(
                    events=tuple(event for event in load.events if event.t_ms <= end),
                    start=load.start,
                    end=end,
                    wall_start=load.wall_start,
                    wall_end=load.wall_end - overlap,
                    slept_unseen=load.slept_unseen,
                )
            )
        else:
            result.append(load)
    return result


_FLAG_OF_KIND = {
    "pause": TimingFlag.PAUSED,
    "hidden": TimingFlag.HIDDEN,
    "blur": TimingFlag.LOST_FOCUS,
    "offline": TimingFlag.OFFLINE,
    **dict.fromkeys(_SLEEP, TimingFlag.SLEEP),
    **dict.fromkeys(_INTERRUPTION, TimingFlag.INTERRUPTED),
}


def _flag_facts(
    loads: Sequence[Sequence[TimedEvent]], submit: TimedEvent | None, flags: set[TimingFlag]
) -> None:
    """Flag what the events say by themselves, before the submit of their page load."""
    for events in loads:
        paint = next((event.t_ms for event in events if event.kind == FIRST_PAINT), None)
        if paint is None:
            flags.add(TimingFlag.PAGE_WITHOUT_IMAGE)
        for event in events:
            after = submit is not None and event.clock_id == submit.clock_id and event.t_ms > submit.t_ms
            if after and event.kind == ANSWER_CHANGE:
                flags.add(TimingFlag.EVENTS_AFTER_SUBMIT)
            if after:
                continue
            if event.kind in _FLAG_OF_KIND:
                flags.add(_FLAG_OF_KIND[event.kind])
            if event.kind == ANSWER_CHANGE and (paint is None or event.t_ms < paint):
                flags.add(TimingFlag.ANSWER_BEFORE_FIRST_PAINT)
    if sum(any(event.kind == FIRST_PAINT for event in events) for events in loads) > 1:
        flags.add(TimingFlag.INTERRUPTED)


def _last_answer(loads: Sequence[_Load]) -> tuple[int, float] | None:
    """Return page load and time of the last change of the primary answer."""
    for index in range(len(loads) - 1, -1, -1):
        times = [
            event.t_ms
            for event in loads[index].events
            if event.kind == ANSWER_CHANGE
            and event.data.get("primary", True)
            and event.t_ms >= loads[index].start
        ]
        if times:
            return index, max(times)
    return None


def _decision_ms(loads: Sequence[_Load], last: tuple[int, float]) -> float:
    index, at = last
    before = sum(_length(load.shown()) - _length(load.comment()) for load in loads[:index])
    return before + _length(loads[index].shown(at)) - _length(loads[index].comment(at))


def _wall_total_ms(loads: Sequence[_Load]) -> float:
    inside = sum(load.end - load.start + load.slept_unseen for load in loads)
    gaps = sum(max(0.0, later.wall_start - earlier.wall_end) for earlier, later in pairwise(loads))
    return inside + gaps


def _seconds(milliseconds: float) -> float:
    return round(milliseconds / MS_PER_SECOND, 4)


def overlay_shown_s(events: Iterable[TimedEvent]) -> float | None:
    """Return the seconds in which an overlay stood on a visible page, to the submit; None if nothing was painted.

    An overlay is on when a page begins; ``overlay_change`` says when it is switched (``data["on"]``). A change of its
    opacity alone leaves it on, down to an opacity of 0, which counts as off.
    """
    flags: set[TimingFlag] = set()
    ordered = sorted(events, key=lambda event: (event.lease, event.sequence))
    submit = next((event for event in reversed(ordered) if event.kind == SUBMIT), None)
    painted = [load for page in _by_clock(ordered, flags) if (load := _load(page, submit, flags)) is not None]
    loads = _disjoint(_up_to_submit(painted, submit, flags), flags)
    if not loads:
        return None
    total = 0.0
    for load in loads:
        visible = load.visible()
        total += _length(visible) - _length(_without(visible, _overlay_spans(load)))
    return _seconds(total)


def visible_s(events: Iterable[TimedEvent]) -> float | None:
    """Return the seconds in which images stood on a visible page, to the last event; None if nothing was painted.

    For an attempt that was left without an answer, of which nothing else is measured.
    """
    flags: set[TimingFlag] = set()
    ordered = sorted(events, key=lambda event: (event.lease, event.sequence))
    painted = [load for page in _by_clock(ordered, flags) if (load := _load(page, None, flags)) is not None]
    loads = _disjoint(painted, flags)
    return _seconds(sum(_length(load.visible()) for load in loads)) if loads else None


def _overlay_spans(load: _Load) -> list[_Span]:
    spans: list[_Span] = []
    since: float | None = load.start
    for event in load.events:
        if event.kind != OVERLAY_CHANGE:
            continue
        is_on = bool(event.data.get("on")) and float(event.data.get("opacity", 1.0)) > 0
        if is_on and since is None:
            since = event.t_ms
        elif not is_on and since is not None:
            spans.append((since, event.t_ms))
            since = None
    if since is not None:
        spans.append((since, load.end))
    return _clipped(spans, load.start, load.end)


def derive_times(events: Iterable[TimedEvent], *, idle_threshold_s: float = 60) -> ReadingTimes:
    """Return the durations of one reading and their flags.

    ``events`` are all events of the reading in any order; ``idle_threshold_s`` is the plan's primary one. Where an
    answer was submitted more than once (refused, corrected), the last submit ends the reading.
    """
    if idle_threshold_s <= 0:
        raise ValueError(f"idle_threshold_s must be positive, got {idle_threshold_s}.")
    flags: set[TimingFlag] = set()
    ordered = sorted(events, key=lambda event: (event.lease, event.sequence))
    pages = _by_clock(ordered, flags)
    submit = next((event for event in reversed(ordered) if event.kind == SUBMIT), None)
    _flag_facts(pages, submit, flags)
    painted = [load for page in pages if (load := _load(page, submit, flags)) is not None]
    loads = _disjoint(_up_to_submit(painted, submit, flags), flags)
    if submit is None:
        flags.add(TimingFlag.NO_SUBMIT)
    if not loads:
        flags.add(TimingFlag.NO_FIRST_PAINT)
        return _result(flags)
    measured = submit is not None and submit.clock_id == loads[-1].events[-1].clock_id
    if submit is not None and not measured:
        flags.add(TimingFlag.SUBMIT_BEFORE_FIRST_PAINT)
    last = _last_answer(loads)
    decision_s = None
    if last is None:
        flags.add(TimingFlag.NO_ANSWER_CHANGE)
    else:
        decision_s = _seconds(_decision_ms(loads, last))
        if decision_s < FASTEST_DECISION_S:
            flags.add(TimingFlag.IMPLAUSIBLY_FAST)
    if not measured:
        return _result(flags, decision_s=decision_s)
    return _result(
        flags,
        decision_s=decision_s,
        wall_s=_seconds(_wall_total_ms(loads)),
        visible_s=_seconds(sum(_length(load.visible()) for load in loads)),
        comment_s=_seconds(sum(_length(load.comment()) for load in loads)),
        active=tuple(
            _seconds(sum(load.active(threshold * MS_PER_SECOND) for load in loads))
            for threshold in (idle_threshold_s, *SENSITIVITY_THRESHOLDS_S)
        ),
    )


def _result(
    flags: set[TimingFlag],
    *,
    decision_s: float | None = None,
    wall_s: float | None = None,
    visible_s: float | None = None,
    comment_s: float | None = None,
    active: tuple[float, ...] | None = None,
) -> ReadingTimes:
    primary, short, long = active or (None, None, None)
    return ReadingTimes(
        decision_s=decision_s,
        wall_s=wall_s,
        visible_s=visible_s,
        active_s=primary,
        active_30_s=short,
        active_120_s=long,
        comment_s=comment_s,
        flags=tuple(str(flag) for flag in TimingFlag if flag in flags),
    )
