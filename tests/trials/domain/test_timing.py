"""Durations from raw events. Expected values are worked out by hand, event by event."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trials.domain.timing import (
    HARMLESS_FLAGS,
    ReadingTimes,
    TimedEvent,
    TimingFlag,
    derive_times,
    overlay_shown_s,
    visible_s,
)

WALL = 1_700_000_000_000.0


class Page:
    """Builds the events of one reading over one or more page loads."""

    def __init__(self):
        self.events = []
        self.clock = "page-1"
        self.lease = 1
        self.wall_zero = WALL

    def at(self, seconds, kind, *, wall_extra_s=0.0, **data):
        self.events.append(
            TimedEvent(
                lease=self.lease,
                sequence=len(self.events),
                kind=kind,
                clock_id=self.clock,
                t_ms=seconds * 1000.0,
                wall_ms=self.wall_zero + (seconds + wall_extra_s) * 1000.0,
                data=data,
            )
        )
        return self

    def reloaded(self, clock, *, wall_s, lease=1):
        """From here on another page load, whose clock starts at the given wall time."""
        self.clock, self.lease, self.wall_zero = clock, lease, WALL + wall_s * 1000.0
        return self

    def times(self, **arguments) -> ReadingTimes:
        return derive_times(self.events, **arguments)


def plain():
    return Page().at(0.5, "page_load").at(1, "first_paint").at(9, "answer_change").at(10, "submit")


def test_a_plain_reading_is_measured_from_first_paint():
    times = plain().times()
    assert times == ReadingTimes(
        decision_s=8.0,
        wall_s=9.0,
        visible_s=9.0,
        active_s=9.0,
        active_30_s=9.0,
        active_120_s=9.0,
        comment_s=0.0,
        flags=(),
    )


def test_the_last_change_of_the_answer_counts():
    times = Page().at(1, "first_paint").at(3, "answer_change").at(7, "answer_change").at(10, "submit").times()
    assert times.decision_s == 6.0


def test_a_change_that_is_not_the_primary_answer_is_no_decision():
    page = (
        Page()
        .at(1, "first_paint")
        .at(3, "answer_change")
        .at(7, "answer_change", primary=False)
        .at(10, "submit")
    )
    assert page.times().decision_s == 2.0


def test_comment_time_is_apart_from_the_decision():
    page = (
        Page()
        .at(0, "first_paint")
        .at(4, "answer_change")
        .at(5, "comment_focus")
        .at(15, "comment_blur")
        .at(20, "answer_change")
        .at(22, "comment_focus")
        .at(24, "submit")
    )
    times = page.times()
    assert times.comment_s == 12.0
    assert times.decision_s == 10.0
    assert times.wall_s == 24.0


def test_hidden_time_stays_in_wall_and_decision_but_not_in_visible():
    page = (
        Page()
        .at(0, "first_paint")
        .at(10, "hidden")
        .at(70, "visible")
        .at(75, "answer_change")
        .at(80, "submit")
    )
    times = page.times()
    assert (times.wall_s, times.decision_s, times.visible_s, times.active_s) == (80.0, 75.0, 20.0, 20.0)
    assert times.flags == ("hidden",)


def test_a_pause_blanks_the_images_and_stops_decision_and_visible():
    page = (
        Page()
        .at(0, "first_paint")
        .at(10, "pause")
        .at(310, "resume")
        .at(315, "answer_change")
        .at(316, "submit")
    )
    times = page.times()
    assert (times.wall_s, times.decision_s, times.visible_s) == (316.0, 15.0, 16.0)
    assert times.flags == ("paused",)


def test_hidden_within_a_pause_is_taken_away_once():
    page = (
        Page()
        .at(0, "first_paint")
        .at(10, "pause")
        .at(20, "hidden")
        .at(40, "visible")
        .at(50, "resume")
        .at(55, "answer_change")
        .at(60, "submit")
    )
    times = page.times()
    assert (times.visible_s, times.decision_s) == (20.0, 15.0)


def test_overlapping_pause_and_hidden_are_joined():
    page = (
        Page()
        .at(0, "first_paint")
        .at(10, "pause")
        .at(20, "hidden")
        .at(30, "resume")
        .at(45, "visible")
        .at(55, "answer_change")
        .at(60, "submit")
    )
    times = page.times()
    assert times.visible_s == 60 - 35
    assert times.decision_s == 55 - 20


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (20, (30.0, 30.0, 30.0)),
        (50, (60.0, 40.0, 60.0)),
        (100, (70.0, 40.0, 110.0)),
        (500, (70.0, 40.0, 130.0)),
    ],
)
def test_idling_counts_up_to_the_threshold(gap, expected):
    page = Page().at(0, "first_paint").at(5, "pointer").at(5 + gap, "answer_change").at(10 + gap, "submit")
    times = page.times()
    assert (times.active_s, times.active_30_s, times.active_120_s) == expected
    assert times.visible_s == gap + 10


def test_the_plans_idle_threshold_is_used():
    page = Page().at(0, "first_paint").at(100, "answer_change").at(100, "submit")
    assert page.times(idle_threshold_s=45).active_s == 45.0


@pytest.mark.parametrize(
    "kind",
    ["input", "pointer", "key", "wheel", "slice_change", "window_change", "zoom_change", "outline_hidden"],
)
def test_every_kind_of_input_ends_idling(kind):
    page = Page().at(0, "first_paint").at(50, kind).at(100, "answer_change").at(100, "submit")
    assert page.times().active_s == 100.0


@pytest.mark.parametrize("kind", ["offline", "online", "blur", "focus"])
def test_what_is_no_input_does_not_end_idling(kind):
    page = Page().at(0, "first_paint").at(50, kind).at(100, "answer_change").at(100, "submit")
    assert page.times().active_s == 60.0


def test_lost_focus_and_offline_are_flagged_and_not_subtracted():
    page = (
        Page()
        .at(0, "first_paint")
        .at(2, "blur")
        .at(4, "focus")
        .at(5, "offline")
        .at(8, "online")
        .at(9, "answer_change")
        .at(10, "submit")
    )
    times = page.times()
    assert (times.wall_s, times.visible_s) == (10.0, 10.0)
    assert set(times.flags) == {"lost_focus", "offline"} == {str(flag) for flag in HARMLESS_FLAGS}


def test_sleep_that_stops_the_monotonic_clock_is_seen_by_the_walls_drift():
    page = (
        Page()
        .at(0, "first_paint")
        .at(5, "pointer")
        .at(6, "sleep_detected", wall_extra_s=600, seen_by="clocks", gap_ms=600_000)
        .at(8, "answer_change", wall_extra_s=600)
        .at(10, "submit", wall_extra_s=600)
    )
    times = page.times()
    assert (times.wall_s, times.decision_s, times.visible_s) == (610.0, 8.0, 10.0)
    assert times.flags == ("sleep",)


def test_sleep_is_seen_even_if_the_page_did_not_report_it():
    page = Page().at(0, "first_paint").at(5, "answer_change").at(10, "submit", wall_extra_s=120)
    times = page.times()
    assert (times.wall_s, times.visible_s, times.flags) == (130.0, 10.0, ("sleep",))


def test_sleep_through_which_the_monotonic_clock_ran_is_cut_out():
    page = (
        Page()
        .at(0, "first_paint")
        .at(5, "pointer")
        .at(305, "sleep_detected", seen_by="timer", gap_ms=295_000)
        .at(308, "answer_change")
        .at(310, "submit")
    )
    times = page.times()
    assert (times.wall_s, times.decision_s, times.visible_s) == (310.0, 13.0, 15.0)
    assert times.flags == ("sleep",)


def test_small_drift_between_the_clocks_is_no_sleep():
    page = (
        Page()
        .at(0, "first_paint")
        .at(5, "answer_change", wall_extra_s=1.9)
        .at(10, "submit", wall_extra_s=1.9)
    )
    assert page.times().flags == ()


def test_a_wall_clock_set_back_is_flagged_and_costs_nothing():
    page = (
        Page()
        .at(0, "first_paint")
        .at(5, "answer_change", wall_extra_s=-3600)
        .at(10, "submit", wall_extra_s=-3600)
    )
    times = page.times()
    assert (times.wall_s, times.flags) == (10.0, ("wall_clock_changed",))


def resumed():
    """20 s on the first page, 100 s away, then 10 s on a second page whose clock starts anew."""
    page = Page().at(5, "first_paint").at(15, "answer_change").at(25, "page_hide")
    return page.reloaded("page-2", wall_s=120).at(1, "page_load").at(5, "first_paint")


def test_two_page_loads_add_up_and_the_time_between_is_wall_time_only():
    times = resumed().at(10, "answer_change").at(15, "submit").times()
    assert times.wall_s == 20 + 100 + 10
    assert times.visible_s == 20 + 10
    assert times.decision_s == 20 + 5
    assert times.flags == ("interrupted",)


def test_a_decision_of_the_first_page_is_not_moved_by_the_second():
    assert resumed().at(15, "submit").times().decision_s == 10.0


def test_time_after_a_killed_page_is_not_guessed():
    page = Page().at(0, "first_paint").at(8, "pointer")  # killed here, resumed a minute later
    page.reloaded("page-2", wall_s=60).at(2, "first_paint").at(6, "answer_change").at(7, "submit")
    times = page.times()
    assert times.visible_s == 8 + 5
    assert times.wall_s == 67.0
    assert times.decision_s == 8 + 4


def test_windows_that_overlap_are_not_counted_twice():
    page = Page().at(0, "first_paint").at(10, "pointer").at(30, "pointer")
    page.reloaded("page-2", wall_s=20, lease=2).at(0, "first_paint").at(5, "answer_change").at(10, "submit")
    times = page.times()
    assert times.visible_s == 20 + 10
    assert times.wall_s == 30.0
    assert times.flags == ("interrupted", "overlapping_windows")


def test_a_submit_from_the_older_of_two_windows_is_measured_in_that_window():
    page = Page().at(0, "first_paint").at(10, "answer_change")
    page.reloaded("page-2", wall_s=20, lease=2).at(0, "first_paint").at(5, "pointer")
    page.clock, page.lease, page.wall_zero = "page-1", 1, WALL
    page.at(30, "submit")
    times = page.times()
    assert (times.wall_s, times.decision_s, times.visible_s) == (30.0, 10.0, 30.0)
    assert times.flags == ("interrupted", "overlapping_windows")


def test_a_page_that_never_painted_adds_nothing():
    page = Page().at(0, "page_load").at(3, "pointer")
    page.reloaded("page-2", wall_s=10).at(1, "first_paint").at(4, "answer_change").at(6, "submit")
    times = page.times()
    assert (times.wall_s, times.decision_s) == (5.0, 3.0)
    assert times.flags == ("page_without_image",)


def test_a_second_first_paint_on_one_page_does_not_restart_the_clock():
    page = Page().at(0, "first_paint").at(5, "first_paint").at(8, "answer_change").at(9, "submit")
    assert page.times().wall_s == 9.0


def test_without_first_paint_nothing_was_measured():
    times = Page().at(1, "pointer").at(2, "answer_change").at(3, "submit").times()
    assert times == ReadingTimes(
        None, None, None, None, None, None, None,
        ("no_first_paint", "page_without_image", "answer_before_first_paint"),
    )  # fmt: skip


def test_without_submit_only_the_decision_is_known():
    times = Page().at(0, "first_paint").at(5, "answer_change").at(20, "pointer").times()
    assert (times.decision_s, times.wall_s, times.visible_s, times.active_s, times.comment_s) == (
        5.0, None, None, None, None,
    )  # fmt: skip
    assert times.flags == ("no_submit",)


def test_without_an_answer_there_is_no_decision_time():
    times = Page().at(0, "first_paint").at(5, "submit").times()
    assert (times.decision_s, times.wall_s, times.flags) == (None, 5.0, ("no_answer_change",))


def test_no_events_at_all():
    assert derive_times([]).flags == ("no_first_paint", "no_submit")


def test_impossible_combinations_are_flagged_and_kept():
    before = Page().at(1, "answer_change").at(2, "first_paint").at(5, "answer_change").at(6, "submit").times()
    assert (before.decision_s, before.flags) == (3.0, ("answer_before_first_paint",))
    early = Page().at(1, "answer_change").at(2, "submit").at(5, "first_paint").times()
    assert early.wall_s is None
    assert "submit_before_first_paint" in early.flags
    after = plain().at(12, "answer_change").times()
    assert (after.decision_s, after.flags) == (8.0, ("events_after_submit",))
    fast = Page().at(0, "first_paint").at(0.1, "answer_change").at(0.2, "submit").times()
    assert (fast.decision_s, fast.flags) == (0.1, ("implausibly_fast",))


def test_a_clock_that_runs_back_is_flagged():
    page = Page().at(0, "first_paint").at(9, "pointer").at(5, "answer_change").at(10, "submit")
    assert page.times().flags == ("clock_went_back",)
    late = Page().at(0, "first_paint").at(9, "pointer").at(8.5, "answer_change").at(10, "submit")
    assert late.times().flags == ()


def test_the_last_submit_ends_a_reading_that_was_refused_before():
    page = (
        Page()
        .at(0, "first_paint")
        .at(2, "answer_change")
        .at(3, "submit")
        .at(6, "answer_change")
        .at(8, "submit")
    )
    assert (page.times().decision_s, page.times().wall_s) == (6.0, 8.0)


def test_events_may_come_in_any_order():
    events = resumed().at(10, "answer_change").at(15, "submit").events
    shuffled = events[:]
    random.Random(3).shuffle(shuffled)
    assert derive_times(shuffled) == derive_times(events)


def test_an_idle_threshold_must_be_positive():
    with pytest.raises(ValueError, match="idle_threshold_s"):
        derive_times([], idle_threshold_s=0)


KINDS = [
    "pointer", "key", "answer_change", "comment_focus", "comment_blur", "hidden", "visible", "pause", "resume",
    "blur", "focus", "offline", "online", "sleep_detected", "page_hide",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(KINDS), st.floats(0, 400), st.sampled_from(["", "reload"])), max_size=40
    )
)
def test_durations_never_exceed_the_ones_that_contain_them(steps):
    page = Page().at(0, "first_paint")
    now, zero, loads = 0.0, 0.0, 1
    for kind, gap, reload in steps:
        now += gap
        if reload:
            loads += 1
            zero = now
            page.reloaded(f"page-{loads}", wall_s=zero).at(0, "first_paint")
        page.at(now - zero, kind)
    page.at(now - zero + 1, "submit")
    times = page.times()
    assert times.wall_s == pytest.approx(now + 1, abs=1e-3)
    assert 0 <= times.visible_s <= times.wall_s + 1e-6
    assert times.active_30_s <= times.active_s <= times.active_120_s <= times.visible_s + 1e-6
    assert times.comment_s <= times.wall_s + 1e-6
    if times.decision_s is not None:
        assert -1e-6 <= times.decision_s <= times.wall_s + 1e-6
    assert (TimingFlag.INTERRUPTED in times.flags) == (loads > 1)


def test_an_overlay_is_timed_while_it_is_on_and_the_page_visible():
    page = (
        Page()
        .at(1, "first_paint")
        .at(4, "overlay_change", on=False, opacity=0.5)
        .at(6, "overlay_change", on=True, opacity=0.5)
        .at(6.5, "overlay_change", on=True, opacity=0.6)
        .at(7, "hidden")
        .at(8, "visible")
        .at(10, "submit")
    )
    assert overlay_shown_s(page.events) == 6.0


def test_an_overlay_without_opacity_is_not_on_and_a_new_page_begins_with_it_on():
    page = Page().at(1, "first_paint").at(2, "overlay_change", on=True, opacity=0.0).at(5, "pointer")
    page.reloaded("page-2", wall_s=20).at(1, "first_paint").at(3, "submit")
    assert overlay_shown_s(page.events) == 1.0 + 2.0
    assert overlay_shown_s([]) is None


def test_an_attempt_that_was_left_is_measured_to_its_last_event():
    page = Page().at(0, "page_load").at(1, "first_paint").at(4, "hidden").at(6, "visible").at(9, "pointer")
    page.reloaded("page-2", wall_s=100, lease=2).at(1, "first_paint").at(3, "pause").at(8, "blur")
    assert page.times().visible_s is None
    assert visible_s(page.events) == 8.0  # 3 and 3 on the first page, 2 on the second
    assert visible_s(Page().at(0, "page_load").events) is None
