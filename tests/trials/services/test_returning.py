"""A reader comes back to a reading that was left open: it goes on, begins anew, or is blocked and may be released."""

import time
import uuid
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from equipoise.audit.kinds import Origin
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import ReadingTakenOverError, StateConflictError, ValidationFailedError
from tests.factories import bone_scans as bones
from tests.factories import trials as factory
from trials.domain.states import ReadingTransitionRefusedError, TrialAction
from trials.models import (
    AttemptDraft,
    LateSubmission,
    Participant,
    Reading,
    ReadingAttempt,
    ReadingEvent,
    Response,
)
from trials.reports.bundle import _events, _reading_keys
from trials.selectors.monitor import left_readings
from trials.selectors.presentation import presentation_document
from trials.selectors.reader import (
    Step,
    break_suggested,
    current_session,
    reader_inbox,
    reader_state,
    reader_step,
)
from trials.selectors.tables import readings_columns, readings_rows
from trials.services.acts import Actor
from trials.services.participant import participant_close, participant_withdraw
from trials.services.reading import (
    EventIn,
    reading_commit,
    reading_draft_save,
    reading_events_append,
    reading_open,
    reading_submit,
)
from trials.services.returning import reading_release

pytestmark = [pytest.mark.django_db, pytest.mark.db]


class Clocks:
    """The server's clock and the reader's, which the test moves together."""

    def __init__(self):
        self.ahead = timedelta(0)
        self.real = timezone.now

    def now(self):
        return self.real() + self.ahead

    def pass_by(self, **amount):
        self.ahead += timedelta(**amount)

    @property
    def wall_ms(self):
        return (time.time() + self.ahead.total_seconds()) * 1000


@pytest.fixture
def clocks(monkeypatch):
    clocks = Clocks()
    monkeypatch.setattr(timezone, "now", clocks.now)
    monkeypatch.setattr(factory, "time", SimpleNamespace(time=lambda: clocks.wall_ms / 1000))
    return clocks


def world_where(what, *, hours=2, practice=0, **changes):
    return factory.open_world(
        practice=practice,
        **{
            "practice.count": practice,
            "sessions.on_return": what,
            "sessions.resume_within_hours": hours,
            **changes,
        },
    )


def sequential_where(what):
    rules = {"sessions.on_return": what, "sessions.resume_within_hours": 2}
    return bones.open_world(name="bone-scan-sequential", practice=0, **rules)


def send(reader, opened, clocks, steps, *, page="page-1", first=0):
    """Send the events of a page: (kind, second of the page, data)."""
    events = [
        EventIn(
            sequence=first + index,
            kind=kind,
            clock_id=page,
            t_ms=second * 1000.0,
            wall_ms=clocks.wall_ms + second * 1000.0,
            data=data,
        )
        for index, (kind, second, data) in enumerate(steps)
    ]
    reading_events_append(reader, token=str(opened.reading.token), lease=opened.reading.lease, events=events)


def begin(reader, clocks):
    """Open a reading, look at it for eight seconds and choose; it stays unanswered."""
    opened = factory.open_reading(reader)
    send(reader, opened, clocks, [("first_paint", 1.0, {}), ("answer_change", 9.0, {"choice": "left"})])
    reading_draft_save(
        reader,
        token=str(opened.reading.token),
        lease=opened.reading.lease,
        body={"choice": "left", "comment": "not sure"},
    )
    return opened


def finish(reader, opened, *, choice="right", seconds=5.0, page="page-2"):
    """Answer the opened reading after so many seconds of a page of its own."""
    return reading_submit(
        reader,
        token=str(opened.reading.token),
        lease=opened.reading.lease,
        key=uuid.uuid4(),
        answer={"choice": choice, "reason_code": None, "comment": ""},
        events=factory.events_of(seconds=seconds, choice=choice, clock_id=page),
        actor=Actor(account_id=factory.account_of(reader).id),
    )


def commit(reader, first, *, page="page-1"):
    """Commit the first half of a pair."""
    return reading_commit(
        reader,
        token=first.reading.token,
        lease=first.reading.lease,
        key=uuid.uuid4(),
        answer=bones.rated(1, 80),
        events=factory.events_of(seconds=5, choice="left", clock_id=page),
        environment={},
        session_key="session-a",
        actor=Actor(account_id=factory.account_of(reader).id),
    )


def kinds_of(trial):
    return list(
        AuditEntry.objects.filter(chain=str(trial.id)).order_by("sequence").values_list("kind", flat=True)
    )


def row_of(trial, reading):
    [row] = [
        row
        for row in readings_rows(trial, unblinded=False)
        if (row["participant"], row["position"]) == (reading.participant.code, reading.position)
    ]
    return row


# ---------------------------------------------------------------- it goes on


def test_a_reading_left_overnight_is_answered_in_a_session_of_the_next_day(clocks):
    reader = world_where("resume", **{"sessions.max_readings": 3, "sessions.break_after_minutes": 60}).enrol()
    for _ in range(2):
        finish(reader, begin(reader, clocks))
    left = begin(reader, clocks)
    assert left.reading.session == 1
    clocks.pass_by(hours=20)
    back = factory.open_reading(reader)
    assert (back.reading.id, back.reading.session) == (left.reading.id, 2)
    finish(reader, back)
    session = current_session(reader, now=clocks.now())
    assert (session.number, session.readings) == (2, 1)  # neither cap nor break counts yesterday's
    assert not break_suggested(reader)
    assert factory.open_reading(reader).reading.session == 2


def test_a_page_that_is_loaded_again_at_once_stays_in_its_session(clocks):
    reader = world_where("resume").enrol()
    opened = begin(reader, clocks)
    for _ in range(3):  # looked at for longer than a session's gap, and heard of all the time
        clocks.pass_by(minutes=20)
        send(reader, opened, clocks, [("input", 1.0, {})], first=10 + int(clocks.ahead.total_seconds()))
    clocks.pass_by(minutes=20)
    assert factory.open_reading(reader).reading.session == 1


@pytest.mark.parametrize(("what", "hours"), [("resume", 100), ("restart", 1.9), ("block", 1.9)])
def test_a_reading_goes_on_by_default_and_always_within_the_limit(clocks, what, hours):
    reader = world_where(what).enrol()
    left = begin(reader, clocks)
    clocks.pass_by(hours=hours)
    told = reader_state(reader)["on_return"]
    assert (told["what"], told["message"]) == (
        "resume",
        "You left a case open. It goes on where you left it, with the answer you had begun.",
    )
    again = factory.open_reading(reader)
    assert again.reading.id == left.reading.id
    assert again.draft == {"choice": "left", "comment": "not sure"}
    assert again.reading.flags == ["interrupted"]
    assert not ReadingAttempt.objects.exists()


def test_whoever_is_back_at_once_is_told_nothing(clocks):
    reader = world_where("block").enrol()
    begin(reader, clocks)
    clocks.pass_by(minutes=5)
    assert reader_state(reader)["on_return"] is None


def test_a_reading_of_which_nothing_was_shown_goes_on(clocks):
    reader = world_where("block").enrol()
    opened = factory.open_reading(reader)
    clocks.pass_by(days=3)
    assert reader_state(reader)["on_return"] is None
    assert factory.open_reading(reader).reading.id == opened.reading.id


def test_practice_always_goes_on(clocks):
    reader = world_where("block", practice=1).enrol()
    opened = begin(reader, clocks)
    assert opened.reading.phase == "practice"
    assert "goes on where you left it" in presentation_of(opened)["leave_note"]
    assert presentation_of(opened)["resume_within_hours"] is None
    clocks.pass_by(days=3)
    again = factory.open_reading(reader)
    assert (again.reading.id, again.draft["choice"]) == (opened.reading.id, "left")


def presentation_of(opened):
    return presentation_document(opened.reading, asset_tokens=opened.asset_tokens)


# ---------------------------------------------------------------- it begins anew


def test_after_the_limit_a_reading_begins_anew_and_its_earlier_attempt_is_kept(clocks):
    world = world_where("restart")
    reader = world.enrol()
    left = begin(reader, clocks)
    clocks.pass_by(hours=3)
    told = reader_state(reader)["on_return"]
    assert told["what"] == "restart"
    again = factory.open_reading(reader)
    assert (again.reading.id, again.reading.token) == (left.reading.id, left.reading.token)
    assert again.reading.lease == 2
    assert again.draft is None
    assert again.reading.flags == ["restarted", "interrupted"]
    attempt = ReadingAttempt.objects.get(reading=again.reading)
    assert (attempt.number, attempt.first_lease, attempt.last_lease) == (1, 1, 1)
    assert attempt.left_at < clocks.now() - timedelta(hours=2)
    assert attempt.timing["visible_s"] == 8.0
    assert attempt.timing["wall_s"] is None
    assert attempt.draft.body == {"choice": "left", "comment": "not sure"}
    assert kinds_of(world.trial)[-2:] == ["reading:restarted", "reading:opened"]


def test_the_times_of_a_reading_begun_anew_are_those_of_its_last_attempt_alone(clocks):
    world = world_where("restart")
    reader = world.enrol()
    begin(reader, clocks)
    clocks.pass_by(hours=3)
    again = factory.open_reading(reader)
    finish(reader, again, seconds=30.0)
    response = Response.objects.get(reading=again.reading)
    times = ("decision_s", "wall_s", "visible_s", "earlier_visible_s")
    assert [response.timing[name] for name in times] == [27.0, 30.0, 30.0, 8.0]
    assert {"restarted", "interrupted"} <= set(response.flags)
    assert "longer_than_open" in response.flags  # half a minute in an attempt that has just begun
    assert ReadingEvent.objects.filter(reading=again.reading).count() == 6
    attempts = {(row["lease"], row["attempt"]) for row in _events(world.trial, _reading_keys(world.trial))}
    assert attempts == {(1, 1), (2, 2)}
    row = row_of(world.trial, again.reading)
    assert (row["attempt"], row["earlier_visible_s"], row["wall_s"]) == (2, 8.0, 30.0)


def test_a_reading_may_begin_anew_twice(clocks):
    reader = world_where("restart").enrol()
    begin(reader, clocks)
    for _ in range(2):
        clocks.pass_by(hours=3)
        begin(reader, clocks)
    clocks.pass_by(minutes=10)
    again = factory.open_reading(reader)  # within the limit: the third attempt goes on
    assert again.draft == {"choice": "left", "comment": "not sure"}
    finish(reader, again, seconds=5.0, page="page-4")
    found = ReadingAttempt.objects.values_list("number", "first_lease", "last_lease")
    assert list(found) == [(1, 1, 1), (2, 2, 2)]
    response = Response.objects.get(reading=again.reading)
    assert response.timing["earlier_visible_s"] == 16.0
    assert response.timing["visible_s"] == 13.0
    assert response.lease == 4


def test_what_the_closed_page_sends_late_belongs_to_its_own_attempt_and_hides_no_absence(clocks):
    reader = world_where("restart").enrol()
    left = begin(reader, clocks)
    late = EventIn(
        sequence=2,
        kind="page_hide",
        clock_id="page-1",
        t_ms=12_000.0,
        wall_ms=clocks.wall_ms + 12_000,
        data={},
    )
    clocks.pass_by(hours=3)
    reading_events_append(reader, token=left.reading.token, lease=1, events=[late])
    again = factory.open_reading(reader)
    assert ReadingAttempt.objects.get(reading=again.reading).timing["visible_s"] == 11.0
    with pytest.raises(ReadingTakenOverError):
        reading_events_append(
            reader,
            token=left.reading.token,
            lease=1,
            events=[
                EventIn(
                    sequence=3, kind="blur", clock_id="page-1", t_ms=13e3, wall_ms=clocks.wall_ms, data={}
                )
            ],
        )
    finish(reader, again)
    assert Response.objects.get(reading=again.reading).timing["wall_s"] == 5.0


def test_an_answer_of_the_attempt_that_was_left_keeps_the_times_of_that_attempt(clocks):
    """A page without a network sends its answer after another machine had begun the reading anew."""
    reader = world_where("restart").enrol()
    left = begin(reader, clocks)
    clocks.pass_by(hours=3)
    factory.open_reading(reader)
    submit = EventIn(sequence=2, kind="submit", clock_id="page-1", t_ms=11e3, wall_ms=clocks.wall_ms, data={})
    submitted = reading_submit(
        reader,
        token=left.reading.token,
        lease=1,
        key=uuid.uuid4(),
        answer={"choice": "left", "reason_code": None, "comment": ""},
        events=[submit],
        actor=Actor(account_id=factory.account_of(reader).id),
    )
    response = Response.objects.get(reading=submitted.reading)
    assert submitted.late is False
    assert (response.timing["decision_s"], response.timing["visible_s"]) == (8.0, 10.0)
    assert "earlier_visible_s" not in response.timing
    assert "older_window" in response.flags


def test_an_answer_on_a_page_that_stood_open_for_too_long_is_kept_and_flagged(clocks):
    reader = world_where("restart").enrol()
    left = begin(reader, clocks)
    clocks.pass_by(hours=3)
    send(reader, left, clocks, [("visible", 20.0, {})], first=2)
    finish(reader, left, page="page-1")
    response = Response.objects.get(reading=left.reading)
    assert "not_reopened" in response.flags


def test_an_answer_given_in_time_and_sent_late_is_not_flagged(clocks):
    reader = world_where("restart").enrol()
    opened = begin(reader, clocks)
    events = factory.events_of(seconds=5.0, choice="right", first_sequence=10)
    clocks.pass_by(hours=3)
    reading_submit(
        reader,
        token=opened.reading.token,
        lease=1,
        key=uuid.uuid4(),
        answer={"choice": "right", "reason_code": None, "comment": ""},
        events=events,
        actor=Actor(account_id=factory.account_of(reader).id),
    )
    assert "not_reopened" not in Response.objects.get(reading=opened.reading).flags


def test_the_earlier_attempt_cannot_be_changed_but_its_words_can_be_erased(clocks):
    reader = world_where("restart").enrol()
    begin(reader, clocks)
    clocks.pass_by(hours=3)
    factory.open_reading(reader)
    with pytest.raises(DatabaseError), transaction.atomic():
        ReadingAttempt.objects.update(number=7)
    with pytest.raises(DatabaseError), transaction.atomic():
        ReadingAttempt.objects.all().delete()
    assert ReadingAttempt.objects.get().number == 1
    AttemptDraft.objects.all().delete()


def test_only_a_trial_whose_readings_may_begin_anew_has_columns_of_attempts():
    assert "attempt" not in readings_columns(world_where("block").trial)
    assert readings_columns(world_where("restart", slug="anew").trial)[-2:] == (
        "attempt",
        "earlier_visible_s",
    )


def test_a_simulated_reader_knows_no_absence(clocks):
    reader = world_where("restart").enrol()
    begin(reader, clocks)
    clocks.pass_by(hours=3)
    worker = Actor(account_id=factory.account_of(reader).id, origin=Origin.WORKER)
    assert reading_open(reader, environment={}, session_key="s", actor=worker).draft is not None


# ---------------------------------------------------------------- it is blocked


def test_after_the_limit_a_reading_is_blocked_and_the_next_one_opens(clocks):
    world = world_where("block")
    reader = world.enrol()
    left = begin(reader, clocks)
    assert "within 2 hours" in presentation_of(left)["leave_note"]
    assert presentation_of(left)["resume_within_hours"] == 2
    clocks.pass_by(hours=3)
    told = reader_state(reader)["on_return"]
    assert told["what"] == "block"
    assert reader_inbox(factory.account_of(reader))[0]["message"] == told["message"]
    following = factory.open_reading(reader)
    assert following.reading.position == left.reading.position + 1
    blocked = Reading.objects.get(id=left.reading.id)
    assert (blocked.state, blocked.flags) == ("blocked", ["left_open"])
    assert "reading:blocked" in kinds_of(world.trial)
    row = row_of(world.trial, blocked)
    assert (row["state"], row["flags"], row["wall_s"]) == ("blocked", "left_open", None)


def test_a_blocked_reading_takes_no_answer(clocks):
    reader = world_where("block").enrol()
    left = begin(reader, clocks)
    clocks.pass_by(hours=3)
    factory.open_reading(reader)
    with pytest.raises(ReadingTakenOverError, match="left open for too long and is blocked"):
        reading_draft_save(
            reader, token=str(left.reading.token), lease=left.reading.lease, body={"choice": "right"}
        )
    events = ReadingEvent.objects.filter(reading=left.reading)
    before = events.count()
    submitted = finish(reader, left)
    assert submitted.late is True
    assert events.count() > before  # what came with it is kept
    assert Reading.objects.get(id=left.reading.id).state == "blocked"
    assert not Response.objects.filter(reading=left.reading).exists()


def test_the_late_commit_of_a_blocked_half_is_kept_as_late(clocks):
    reader = sequential_where("block").enrol()
    left = bones.open_reading(reader)
    send(reader, left, clocks, [("first_paint", 1.0, {})])
    clocks.pass_by(hours=3)
    bones.open_reading(reader)
    with pytest.raises(ReadingTakenOverError, match="taken back"):
        commit(reader, left, page="page-2")
    assert LateSubmission.objects.filter(reading=left.reading).count() == 1


def test_a_reading_is_blocked_even_if_no_next_one_can_be_opened(clocks):
    world = world_where("block", **{"sessions.max_readings": 1})
    reader = world.enrol()
    begin(reader, clocks)
    clocks.pass_by(hours=3)
    world.trial.refresh_from_db()
    Reading.objects.filter(participant=reader, state="planned").update(state="not-done")
    with pytest.raises(StateConflictError, match="Every reading is done"):
        factory.open_reading(reader)
    assert Reading.objects.filter(participant=reader, state="blocked").count() == 1
    assert reader_step(reader)[0] is Step.CLOSING


def test_the_second_half_of_a_pair_is_blocked_and_released_with_the_first(clocks):
    world = sequential_where("block")
    reader = world.enrol()
    opened = bones.open_reading(reader)
    assert opened.reading.stage == 1
    send(reader, opened, clocks, [("first_paint", 1.0, {})])
    clocks.pass_by(hours=3)
    following = bones.open_reading(reader)
    assert (following.reading.stage, following.reading.position) == (1, opened.reading.position + 2)
    pair = Reading.objects.filter(
        participant=reader, position__in=(opened.reading.position, opened.reading.position + 1)
    )
    assert [row.state for row in pair] == ["blocked", "blocked"]
    reading_release(pair[0], reason="The fire alarm went off", actor=world.actor)
    assert [row.state for row in pair.all()] == ["released", "released"]


def test_a_released_pair_does_not_come_between_the_halves_of_another(clocks):
    world = sequential_where("block")
    reader = world.enrol()
    left = bones.open_reading(reader)
    send(reader, left, clocks, [("first_paint", 1.0, {})])
    clocks.pass_by(hours=3)
    first = bones.open_reading(reader)
    reading_release(
        Reading.objects.get(id=left.reading.id), reason="The fire alarm went off", actor=world.actor
    )
    second = commit(reader, first)
    assert (second.reading.stage, second.reading.position) == (2, first.reading.position + 1)
    bones.answer(reader, second, bones.rated(0, 20))
    assert bones.open_reading(reader).reading.id == left.reading.id  # only now


# ---------------------------------------------------------------- the trial is paused


@pytest.mark.parametrize("what", ["restart", "block"])
def test_a_pause_of_the_trial_is_not_the_readers_absence(clocks, what):
    world = world_where(what)
    reader = world.enrol()
    left = begin(reader, clocks)
    clocks.pass_by(hours=1)
    world.act(TrialAction.PAUSE)
    clocks.pass_by(days=5)
    world.act(TrialAction.RESUME)
    clocks.pass_by(minutes=50)
    reader.refresh_from_db()
    assert reader_state(reader)["on_return"]["what"] == "resume"
    again = factory.open_reading(reader)
    assert (again.reading.id, again.draft["choice"]) == (left.reading.id, "left")
    assert again.reading.flags == ["interrupted"]
    assert not ReadingAttempt.objects.exists()


def test_the_time_before_and_after_a_pause_is_the_readers_absence(clocks):
    world = world_where("block")
    reader = world.enrol()
    left = begin(reader, clocks)
    clocks.pass_by(hours=1)
    world.act(TrialAction.PAUSE)
    clocks.pass_by(days=5)
    world.act(TrialAction.RESUME)
    clocks.pass_by(minutes=70)
    reader.refresh_from_db()
    assert reader_state(reader)["on_return"]["what"] == "block"
    assert factory.open_reading(reader).reading.id != left.reading.id
    assert Reading.objects.get(id=left.reading.id).state == "blocked"


def test_an_answer_in_a_pause_that_goes_on_is_not_flagged_for_the_pause(clocks):
    world = world_where("restart")
    reader = world.enrol()
    left = begin(reader, clocks)
    clocks.pass_by(minutes=30)
    world.act(TrialAction.PAUSE)
    clocks.pass_by(hours=5)
    reader.refresh_from_db()
    send(reader, left, clocks, [("visible", 20.0, {})], first=2)
    finish(reader, left, page="page-1")
    assert "not_reopened" not in Response.objects.get(reading=left.reading).flags


# ---------------------------------------------------------------- it is released


def blocked_pair(world, reader, clocks):
    """Leave the first half of a pair until both halves are blocked; the next pair is open."""
    opened = bones.open_reading(reader)
    send(reader, opened, clocks, [("first_paint", 1.0, {})])
    clocks.pass_by(hours=3)
    bones.open_reading(reader)
    place = opened.reading.position
    return list(Reading.objects.filter(participant=reader, position__in=(place, place + 1)))


def test_the_second_half_of_a_pair_is_not_released_without_a_first_answer(clocks):
    world = sequential_where("block")
    reader = world.enrol()
    pair = blocked_pair(world, reader, clocks)
    with pytest.raises(StateConflictError, match="whose first half is not answered"):
        reading_release(pair[1], reason="The fire alarm went off", actor=world.actor)
    stored = Reading.objects.filter(id__in=[half.id for half in pair])
    assert [half.state for half in stored] == ["blocked", "blocked"]
    assert not AuditEntry.objects.filter(kind="reading:released").exists()


def test_the_second_half_that_was_left_is_released_under_its_committed_first(clocks):
    world = sequential_where("block")
    reader = world.enrol()
    second = commit(reader, bones.open_reading(reader))
    send(reader, second, clocks, [("first_paint", 1.0, {})])
    clocks.pass_by(hours=3)
    assert bones.open_reading(reader).reading.stage == 1
    reading_release(second.reading, reason="The fire alarm went off", actor=world.actor)
    assert Reading.objects.get(id=second.reading.id).state == "released"


def test_a_released_pair_that_is_left_again_is_blocked_whole_and_shows_no_aid(clocks):
    world = sequential_where("block")
    reader = world.enrol()
    pair = blocked_pair(world, reader, clocks)
    bones.answer(reader, commit(reader, bones.open_reading(reader)), bones.rated(1, 80))
    reading_release(pair[0], reason="The fire alarm went off", actor=world.actor)
    assert bones.open_reading(reader).reading.id == pair[0].id
    clocks.pass_by(hours=3)
    following = bones.open_reading(reader).reading
    assert (following.stage, following.position) == (1, pair[0].position + 4)
    stored = Reading.objects.filter(id__in=[half.id for half in pair])
    assert [half.state for half in stored] == ["blocked", "blocked"]
    reading_release(pair[0], reason="And again", actor=world.actor)
    assert [half.state for half in stored.all()] == ["released", "released"]


def blocked_reading(world, reader, clocks):
    left = begin(reader, clocks)
    clocks.pass_by(hours=3)
    factory.open_reading(reader)
    return Reading.objects.get(id=left.reading.id)


def test_a_released_reading_comes_next_and_goes_on_with_its_history(clocks):
    world = world_where("block")
    reader = world.enrol()
    blocked = blocked_reading(world, reader, clocks)
    assert [
        (row["participant"], row["n"], row["state"], row["releasable"]) for row in left_readings(world.trial)
    ] == [(reader.code, 1, "blocked", True)]
    reading_release(blocked, reason="Called to an emergency", actor=world.actor)
    entry = AuditEntry.objects.get(kind="reading:released")
    assert (entry.subject, entry.reason_row.text) == (f"reading:{blocked.id}", "Called to an emergency")
    finish(reader, factory.open_reading(reader))  # the one that was open meanwhile
    again = factory.open_reading(reader)
    assert again.reading.id == blocked.id
    assert again.draft == {"choice": "left", "comment": "not sure"}
    finish(reader, again, page="page-3")
    response = Response.objects.get(reading=blocked)
    assert {"left_open", "released", "interrupted"} <= set(response.flags)
    assert response.timing["visible_s"] == 13.0  # eight seconds before, five after
    assert left_readings(world.trial) == []


def test_a_released_reading_can_be_blocked_again(clocks):
    world = world_where("block")
    reader = world.enrol()
    blocked = blocked_reading(world, reader, clocks)
    finish(reader, factory.open_reading(reader))
    reading_release(blocked, reason="Called to an emergency", actor=world.actor)
    clocks.pass_by(days=2)
    assert factory.open_reading(reader).reading.id == blocked.id  # the release itself is no absence
    clocks.pass_by(hours=3)
    assert factory.open_reading(reader).reading.id != blocked.id
    blocked.refresh_from_db()
    assert (blocked.state, blocked.flags[-1]) == ("blocked", "left_open")


def test_a_reader_who_had_finished_reads_a_released_reading_and_is_done_again(clocks):
    world = world_where("block", **{"allocation.blinding_check.pairs": 0})
    reader = world.enrol()
    blocked = blocked_reading(world, reader, clocks)
    factory.read_everything(reader)
    participant_close(reader, answers={}, actor=world.actor)
    assert Participant.objects.get(id=reader.id).state == "done"
    reading_release(blocked, reason="Needed after all", actor=world.actor)
    reader.refresh_from_db()
    assert reader_step(reader)[0] is Step.READING
    finish(reader, factory.open_reading(reader))
    reader.refresh_from_db()
    assert (reader.state, reader_step(reader)[0]) == ("done", Step.DONE)


def refuses_release(world, reading, *, match):
    with pytest.raises(StateConflictError, match=match):
        reading_release(reading, reason="Needed after all", actor=world.actor)
    stored = Reading.objects.get(id=reading.id)
    assert (stored.state, stored.flags) == ("blocked", ["left_open"])
    assert not AuditEntry.objects.filter(kind="reading:released").exists()
    shown = {row["reading"]: row["releasable"] for row in left_readings(world.trial)}
    assert shown[reading.id] is False


def crossover_world():
    rules = {
        "sessions.on_return": "block",
        "sessions.resume_within_hours": 2,
        "sessions.max_readings": None,
        "allocation.design.washout_days": 28,
    }
    return bones.open_world(name="bone-scan-mrmc", cases=3, practice=0, **rules)


def left_in_the_first_period(world, reader, clocks):
    """Leave the first reading of a crossover until it is blocked, and read the rest of its period."""
    left = bones.open_reading(reader)
    send(reader, left, clocks, [("first_paint", 1.0, {})])
    clocks.pass_by(hours=3)
    while reader.readings.filter(state="planned", period=1).exists():
        bones.answer(reader, bones.open_reading(reader), bones.rated(1, 80))
    clocks.pass_by(days=40)
    return Reading.objects.get(id=left.reading.id)


def test_a_reading_is_not_released_once_its_case_was_opened_in_a_later_period(clocks):
    world = crossover_world()
    reader = world.enrol()
    blocked = left_in_the_first_period(world, reader, clocks)
    assert (blocked.state, blocked.period) == ("blocked", 1)
    while True:
        opened = bones.open_reading(reader)
        assert opened.reading.period == 2
        if opened.reading.item.case_id == blocked.item.case_id:
            break
        assert [row["releasable"] for row in left_readings(world.trial)] == [True]
        bones.answer(reader, opened, bones.rated(1, 80))
    refuses_release(world, blocked, match="has since opened the case of this reading in a later part")


def test_a_reading_released_before_its_case_comes_back_has_the_washout_before_it(clocks):
    world = crossover_world()
    reader = world.enrol()
    blocked = left_in_the_first_period(world, reader, clocks)
    reading_release(blocked, reason="Called to an emergency", actor=world.actor)
    again = bones.open_reading(reader)
    assert (again.reading.id, again.reading.period) == (blocked.id, 1)
    answered = bones.answer(reader, again, bones.rated(1, 80)).reading
    assert reader_state(reader)["opens_at"] == answered.submitted_at + timedelta(days=28)


def test_a_reading_of_the_second_period_is_released_although_its_case_was_read_in_the_first(clocks):
    world = crossover_world()
    reader = world.enrol()
    while reader.readings.filter(state="planned", period=1).exists():
        bones.answer(reader, bones.open_reading(reader), bones.rated(1, 80))
    clocks.pass_by(days=40)
    left = bones.open_reading(reader)
    send(reader, left, clocks, [("first_paint", 1.0, {})])
    clocks.pass_by(hours=3)
    bones.answer(reader, bones.open_reading(reader), bones.rated(1, 80))
    reading_release(left.reading, reason="Called to an emergency", actor=world.actor)
    assert bones.open_reading(reader).reading.id == left.reading.id


def test_a_reading_is_not_released_once_the_blinding_check_was_begun(clocks):
    world = world_where("block")
    reader = world.enrol()
    blocked = blocked_reading(world, reader, clocks)
    while True:
        opened = factory.open_reading(reader)
        if opened.reading.phase == "blinding-check":
            break
        assert [row["releasable"] for row in left_readings(world.trial)] == [True]
        finish(reader, opened)
    refuses_release(world, blocked, match="has opened the blinding check")
    factory.read_everything(reader)
    participant_close(reader, answers={}, actor=world.actor)
    refuses_release(world, blocked, match="Leave it as not done")
    assert Participant.objects.get(id=reader.id).state == "done"


def test_a_reading_of_the_blinding_check_is_released_during_the_check(clocks):
    world = world_where("block")
    reader = world.enrol()
    while Reading.objects.filter(participant=reader, state="planned", phase="reading").exists():
        finish(reader, factory.open_reading(reader))
    blocked = blocked_reading(world, reader, clocks)
    assert blocked.phase == "blinding-check"
    reading_release(blocked, reason="Called to an emergency", actor=world.actor)
    assert Reading.objects.get(id=blocked.id).state == "released"


def test_only_a_blocked_reading_is_released_and_only_with_a_reason(clocks):
    world = world_where("block")
    reader = world.enrol()
    blocked = blocked_reading(world, reader, clocks)
    with pytest.raises(ValidationFailedError, match="Say why"):
        reading_release(blocked, reason="  ", actor=world.actor)
    other = Reading.objects.filter(participant=reader, state="planned").first()
    with pytest.raises(ReadingTransitionRefusedError):
        reading_release(other, reason="Because", actor=world.actor)
    assert Reading.objects.get(id=blocked.id).state == "blocked"
    assert Reading.objects.get(id=other.id).state == "planned"


@pytest.mark.parametrize("end", ["close", "withdraw"])
def test_a_blocked_reading_that_is_left_ends_as_not_done(clocks, end):
    world = world_where("block")
    reader = world.enrol()
    blocked = blocked_reading(world, reader, clocks)
    if end == "close":
        world.act(TrialAction.CLOSE)
    else:
        participant_withdraw(reader, reason_code="no_time", reason="Left", actor=world.actor)
    blocked.refresh_from_db()
    reason = "trial_closed" if end == "close" else "withdrawn"
    assert (blocked.state, blocked.flags) == ("not-done", ["left_open", reason])
    with pytest.raises(StateConflictError):
        reading_release(blocked, reason="Too late", actor=world.actor)


def test_the_second_half_that_was_left_begins_anew_under_the_committed_first(clocks):
    world = sequential_where("restart")
    reader = world.enrol()
    first = bones.open_reading(reader)
    second = commit(reader, first)
    send(reader, second, clocks, [("first_paint", 1.0, {}), ("pointer", 4.0, {})])
    clocks.pass_by(hours=3)
    again = bones.open_reading(reader)
    assert (again.reading.id, again.reading.stage, again.resumed) == (second.reading.id, 2, True)
    assert presentation_of(again)["first_answer"]["decision"] == 1
    assert ReadingAttempt.objects.get(reading=again.reading).timing["visible_s"] == 3.0
    assert Reading.objects.get(id=first.reading.id).state == "submitted"
