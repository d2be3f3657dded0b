"""Was a reader away, for how long, and what becomes of the reading. Times are worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from trials.domain.protocol.v1 import OnReturn, Sessions
from trials.domain.returning import (
    Absence,
    Pause,
    Seen,
    leaving_text,
    longest_absence,
    return_text,
    what_happens,
)

EVENING = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)
MORNING = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)


def after(seconds):
    return EVENING + timedelta(seconds=seconds)


def seen(wall_s, *, received_s=None, clock_off_s=0.0):
    """An event at so many seconds; the reader's clock may be wrong, and the server may hear of it later."""
    received = after(wall_s if received_s is None else received_s)
    return Seen(received_at=received, wall_at=after(wall_s + clock_off_s))


def test_a_reading_of_which_nothing_was_heard_was_left_when_it_was_opened():
    assert longest_absence(EVENING, [], until=MORNING) == Absence(EVENING, timedelta(hours=14))


def test_the_absence_counts_from_the_last_event():
    assert longest_absence(EVENING, [seen(5), seen(60)], until=MORNING) == Absence(
        after(60), timedelta(hours=14) - timedelta(seconds=60)
    )


def test_events_that_a_closed_page_sends_on_return_do_not_hide_the_absence():
    late = (MORNING - EVENING).total_seconds()
    found = longest_absence(EVENING, [seen(5), seen(62, received_s=late)], until=MORNING)
    assert found == Absence(after(62), timedelta(hours=14) - timedelta(seconds=62))


def test_a_page_that_wakes_up_does_not_hide_the_absence_before_it():
    woken = (MORNING - EVENING).total_seconds()
    found = longest_absence(EVENING, [seen(5), seen(woken)], until=MORNING + timedelta(seconds=2))
    assert found == Absence(after(5), timedelta(hours=14) - timedelta(seconds=5))


def test_work_without_a_network_is_no_absence():
    hours = [3600.0 * hour for hour in range(15)]
    offline = [seen(at, received_s=3600.0 * 14) for at in hours[1:]]
    found = longest_absence(EVENING, [seen(0), *offline], until=MORNING)
    assert found.length == timedelta(hours=1)


def test_a_pause_of_the_trial_is_no_absence():
    hour = 3600.0
    pauses = [Pause(after(1 * hour), after(5 * hour)), Pause(after(6 * hour), after(30 * hour))]
    assert longest_absence(EVENING, [], until=MORNING, pauses=pauses).length == timedelta(hours=2)
    heard = [seen(0), seen(0.5 * hour), seen(5.25 * hour)]
    found = longest_absence(EVENING, heard, until=MORNING, pauses=pauses)
    assert found == Absence(after(0.5 * hour), timedelta(hours=0.75))  # half an hour before, a quarter after
    before = [Pause(after(-3 * hour), after(-1 * hour))]
    assert longest_absence(EVENING, [], until=MORNING, pauses=before).length == timedelta(hours=14)


@pytest.mark.parametrize("clock_off_s", [-7 * 3600.0, 3600.0 * 30])
def test_a_machine_whose_clock_is_wrong_was_not_away(clock_off_s):
    events = [seen(at, clock_off_s=clock_off_s) for at in (5, 30, 60)]
    assert longest_absence(EVENING, events, until=after(70)).length == timedelta(seconds=30)


def test_a_clock_that_is_set_forward_makes_no_absence():
    events = [seen(5), seen(30), seen(60, clock_off_s=3600.0 * 20), seen(65, clock_off_s=3600.0 * 20)]
    assert longest_absence(EVENING, events, until=after(70)).length <= timedelta(seconds=70)


def test_what_came_after_the_last_event_is_left_out_where_it_does_not_matter():
    assert longest_absence(EVENING, [seen(5), seen(60)], until=None).length == timedelta(seconds=55)


@pytest.mark.parametrize(
    ("policy", "hours", "expected"),
    [
        (OnReturn.RESUME, 1000, OnReturn.RESUME),
        (OnReturn.RESTART, 2, OnReturn.RESUME),
        (OnReturn.RESTART, 2.001, OnReturn.RESTART),
        (OnReturn.BLOCK, 2, OnReturn.RESUME),
        (OnReturn.BLOCK, 2.001, OnReturn.BLOCK),
    ],
)
def test_within_the_limit_a_reading_always_goes_on(policy, hours, expected):
    sessions = Sessions(on_return=policy, resume_within_hours=2)
    assert what_happens(sessions, Absence(EVENING, timedelta(hours=hours))) is expected


def test_protocols_that_say_nothing_have_readings_go_on():
    assert Sessions().on_return is OnReturn.RESUME


def test_readers_are_told_the_limit_before_they_leave_and_when_they_are_back():
    for policy, leaving, back in (
        (OnReturn.RESTART, "begins anew", "now begins anew"),
        (OnReturn.BLOCK, "not shown to you again", "not shown to you again"),
    ):
        sessions = Sessions(on_return=policy, resume_within_hours=3)
        assert "within 3 hours" in leaving_text(sessions)
        assert leaving in leaving_text(sessions)
        assert "more than 3 hours" in return_text(sessions, policy)
        assert back in return_text(sessions, policy)
    assert "within an hour" in leaving_text(Sessions(on_return=OnReturn.BLOCK, resume_within_hours=1))
    assert "goes on where you left it" in leaving_text(Sessions())
