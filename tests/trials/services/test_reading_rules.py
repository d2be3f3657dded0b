"""What a reading must not allow: two open at once, an answer lost to a withdrawal or a close, a step left out."""

import threading
import uuid

import pytest
from django.db import IntegrityError, connection, transaction

from equipoise.archive.models import AssetToken
from equipoise.common.errors import NotFoundError, ReadingTakenOverError, StateConflictError
from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from trials.domain.states import TrialAction
from trials.models import Draft, LateSubmission, Participant, Reading, ReadingEvent, Response
from trials.selectors.monitor import pace_document
from trials.selectors.presentation import presentation_document
from trials.selectors.reader import Step, reader_step
from trials.services import participant as participant_services
from trials.services import reading as reading_services
from trials.services.acts import Actor
from trials.services.invitation import membership_create
from trials.services.reading import EventIn, reading_amend, reading_draft_save, reading_events_append

pytestmark = [pytest.mark.django_db, pytest.mark.db]

ANSWERS = {
    "speciality": "radiology",
    "experience_years": "4",
    "contours_per_month": 3,
    "display": "laptop",
}


def actor_of(reader):
    return Actor(account_id=factory.account_of(reader).id)


def amend(reader, reading, choice, key=None):
    return reading_amend(
        reader,
        token=reading.token,
        key=key or uuid.uuid4(),
        answer={"choice": choice, "reason_code": None, "comment": ""},
        actor=actor_of(reader),
    )


class Meanwhile:
    """Runs something in a thread of its own while the caller stands still inside its transaction."""

    def __init__(self, act):
        self.result = None
        self.act = act
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        try:
            self.result = self.act()
        except Exception as error:
            self.result = error
        finally:
            connection.close()

    def start_and_let_pass(self, seconds=1.0):
        """Give the other one its chance; where it has to wait for us, it goes on after us."""
        if not self.thread.ident:
            self.thread.start()
            self.thread.join(seconds)

    def end(self):
        self.thread.join(30)
        assert not self.thread.is_alive()
        return self.result


# ---------------------------------------------------------------- two windows at the same moment


def test_two_windows_at_the_same_moment_open_one_reading(flushing_db, monkeypatch):
    world = factory.open_world()
    reader = world.enrol()
    other = Meanwhile(
        lambda: factory.open_reading(Participant.objects.get(id=reader.id), session_key="session-b")
    )
    due = reading_services.reading_due

    def and_then_the_other(participant):
        found = due(participant)
        if threading.current_thread() is threading.main_thread():
            other.start_and_let_pass()
        return found

    monkeypatch.setattr(reading_services, "reading_due", and_then_the_other)
    opened = factory.open_reading(reader)
    second = other.end()
    assert second.reading.id == opened.reading.id
    assert (opened.reading.lease, second.reading.lease) == (1, 2)
    assert Reading.objects.filter(participant=reader, state="open").count() == 1


def test_database_refuses_a_second_open_reading():
    world = factory.open_world()
    reader = world.enrol()
    factory.open_reading(reader)
    planned = Reading.objects.filter(participant=reader, state="planned").order_by("position").first()
    with pytest.raises(IntegrityError), transaction.atomic():
        Reading.objects.filter(id=planned.id).update(state="open")


def test_answer_under_way_while_the_reader_leaves_is_kept_whole(flushing_db, monkeypatch):
    world = factory.open_world()
    reader = world.enrol()
    opened = factory.open_reading(reader)
    leaving = Meanwhile(
        lambda: participant_services.participant_withdraw(
            Participant.objects.get(id=reader.id), reason_code="no_time", reason="Left", actor=world.actor
        )
    )
    derive = reading_services.derive_times

    def and_then_leave(events, **options):
        leaving.start_and_let_pass()
        return derive(events, **options)

    monkeypatch.setattr(reading_services, "derive_times", and_then_leave)
    assert factory.answer(reader, opened).late is False
    assert leaving.end() is None
    assert Reading.objects.get(id=opened.reading.id).state == "submitted"
    assert Response.objects.filter(reading_id=opened.reading.id).count() == 1
    assert Participant.objects.get(id=reader.id).state == "withdrawn"


def test_same_answer_sent_twice_at_the_same_moment_is_acknowledged_twice_and_stored_once(
    flushing_db, monkeypatch
):
    world = factory.open_world()
    reader = world.enrol()
    opened = factory.open_reading(reader)
    key = uuid.uuid4()
    again = Meanwhile(lambda: factory.answer(Participant.objects.get(id=reader.id), opened, key=key))
    derive = reading_services.derive_times

    def and_then_again(events, **options):
        again.start_and_let_pass()
        return derive(events, **options)

    monkeypatch.setattr(reading_services, "derive_times", and_then_again)
    assert factory.answer(reader, opened, key=key).repeated is False
    assert again.end().repeated is True
    assert Response.objects.count() == 1
    assert LateSubmission.objects.count() == 0


# ---------------------------------------------------------------- pause and close


def test_answer_to_a_reading_opened_before_a_pause_is_taken():
    world = factory.open_world()
    reader = world.enrol()
    opened = factory.open_reading(reader)
    world.act(TrialAction.PAUSE)
    reader = Participant.objects.get(id=reader.id)
    assert factory.answer(reader, opened).late is False
    assert Reading.objects.get(id=opened.reading.id).state == "submitted"
    with pytest.raises(StateConflictError, match="paused"):
        factory.open_reading(reader)


def test_close_ends_what_is_left_and_keeps_an_answer_that_comes_after_it():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    opened = factory.open_reading(reader)
    world.act(TrialAction.CLOSE)
    states = Reading.objects.filter(participant=reader).values_list("state", flat=True)
    assert sorted(states) == ["not-done"] * 9 + ["submitted"]
    assert Reading.objects.get(id=opened.reading.id).flags == ["trial_closed"]
    reader = Participant.objects.get(id=reader.id)
    assert factory.answer(reader, opened).late is True
    assert LateSubmission.objects.get().reading_id == opened.reading.id
    assert Response.objects.count() == 1
    (pace,) = pace_document(world.trial)
    assert [(flag["code"], flag["count"]) for flag in pace["flags"]] == [("late_submission", 1)]
    world.act(TrialAction.DATA_LOCK)
    assert world.trial.state == "data-locked"


def test_answer_that_was_never_opened_in_the_trial_is_not_taken_after_close():
    world = factory.open_world()
    reader = world.enrol()
    opened = factory.open_reading(reader)
    world.act(TrialAction.CLOSE)
    opened.reading.token = "x" * 22
    with pytest.raises(NotFoundError):
        factory.answer(Participant.objects.get(id=reader.id), opened)


def test_events_after_the_answer_are_not_stored():
    world = factory.open_world()
    reader = world.enrol()
    opened = factory.open_reading(reader)
    factory.answer(reader, opened)
    before = ReadingEvent.objects.count()
    more = factory.events_of(seconds=9, choice="right", first_sequence=50)
    reading = reading_events_append(reader, token=opened.reading.token, lease=1, events=more)
    assert reading.state == "submitted"
    assert ReadingEvent.objects.count() == before


def test_events_of_an_older_window_are_stored_once_and_the_window_is_still_refused():
    reader = factory.open_world().enrol()
    old = factory.open_reading(reader)
    new = factory.open_reading(reader)
    assert (old.reading.lease, new.reading.lease) == (1, 2)
    left = factory.events_of(seconds=4, choice="left", clock_id="killed")[:3]
    for batch in (left[:2], left, left[1:]):
        with pytest.raises(ReadingTakenOverError) as refused:
            reading_events_append(reader, token=old.reading.token, lease=1, events=batch)
        assert refused.value.data == {"lease": 2}
    reading_events_append(
        reader, token=new.reading.token, lease=2, events=factory.events_of(seconds=1, choice="left")[:1]
    )
    assert list(
        ReadingEvent.objects.filter(reading=old.reading).values_list("lease", "sequence", "kind", "clock_id")
    ) == [
        (1, 0, "first_paint", "killed"),
        (1, 1, "pointer", "killed"),
        (1, 2, "answer_change", "killed"),
        (2, 0, "first_paint", "page-1"),
    ]


def test_events_of_an_older_window_come_too_late_once_the_reading_is_answered():
    reader = factory.open_world().enrol()
    factory.open_reading(reader)
    opened = factory.open_reading(reader)
    factory.answer(reader, opened)
    stored = Response.objects.get()
    before = ReadingEvent.objects.count()
    with pytest.raises(ReadingTakenOverError):
        reading_events_append(
            reader,
            token=opened.reading.token,
            lease=1,
            events=factory.events_of(seconds=4, choice="right", clock_id="killed"),
        )
    assert ReadingEvent.objects.count() == before
    reading = Reading.objects.get(id=opened.reading.id)
    assert (reading.flags, stored.flags) == ([], [])


def test_another_readers_events_are_refused_and_not_stored():
    world = factory.open_world()
    reader, other = world.enrol(), world.enrol()
    opened = factory.open_reading(reader)
    factory.open_reading(reader)
    for lease in (1, 2):
        with pytest.raises(NotFoundError):
            reading_events_append(
                other,
                token=opened.reading.token,
                lease=lease,
                events=factory.events_of(seconds=4, choice="left"),
            )
    assert ReadingEvent.objects.count() == 0
    assert Reading.objects.get(id=opened.reading.id).painted_at is None


def test_a_draft_of_an_older_window_is_refused_and_not_kept():
    reader = factory.open_world().enrol()
    opened = factory.open_reading(reader)
    factory.open_reading(reader)
    with pytest.raises(ReadingTakenOverError):
        reading_draft_save(reader, token=opened.reading.token, lease=1, body={"choice": "left"})
    assert Draft.objects.count() == 0


def test_frames_end_with_the_readers_part_preloaded_ones_too():
    world = factory.open_world()
    reader, other = world.enrol(), world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    _, following = reader_step(reader)
    assert reading_services.reading_preload(reader, following, session_key="session-a") is not None
    factory.open_reading(other)
    assert AssetToken.objects.filter(closed_at=None).count() == 2
    participant_services.participant_withdraw(reader, reason_code="no_time", reason="Left", actor=world.actor)
    assert AssetToken.objects.filter(closed_at=None).count() == 1
    world.act(TrialAction.CLOSE)
    assert AssetToken.objects.filter(closed_at=None).count() == 0


def test_consent_given_twice_at_the_same_moment_is_one_consent(flushing_db, monkeypatch):
    world = factory.open_world()
    reader = newcomer(world)
    actor = actor_of(reader)

    def consent():
        participant_services.participant_consent(
            Participant.objects.get(id=reader.id), version="1", agreed=True, actor=actor
        )

    again = Meanwhile(consent)
    record = participant_services.record

    def and_then_again(*arguments, **named):
        again.start_and_let_pass()
        record(*arguments, **named)

    monkeypatch.setattr(participant_services, "record", and_then_again)
    consent()
    assert again.end() is None
    assert reader.consents.count() == 1


# ---------------------------------------------------------------- steps


def newcomer(world):
    account = AccountFactory.create(institute=world.trial.institute)
    return membership_create(world.trial, account, Role.READER, actor=world.actor).participant


def test_questionnaire_waits_for_consent_and_binds_no_slot_without_it():
    world = factory.open_world()
    reader = newcomer(world)
    with pytest.raises(StateConflictError, match="consent"):
        participant_services.participant_answer_questionnaire(reader, answers=ANSWERS, actor=actor_of(reader))
    assert reader.readings.count() == 0
    assert world.trial.slots.filter(state="free").count() == 4


def test_no_reading_opens_before_the_instructions_were_read():
    world = factory.open_world()
    reader = newcomer(world)
    actor = actor_of(reader)
    participant_services.participant_consent(reader, version="1", agreed=True, actor=actor)
    with pytest.raises(StateConflictError, match="questionnaire"):
        participant_services.participant_read_instructions(reader, actor=actor)
    participant_services.participant_answer_questionnaire(reader, answers=ANSWERS, actor=actor)
    with pytest.raises(StateConflictError, match="instructions"):
        factory.open_reading(reader)
    participant_services.participant_read_instructions(reader, actor=actor)
    assert factory.open_reading(reader).reading.phase == "practice"


def test_closing_waits_for_the_steps_before_it():
    world = factory.open_world()
    reader = newcomer(world)
    with pytest.raises(StateConflictError):
        participant_services.participant_close(reader, answers={}, actor=actor_of(reader))
    reader.refresh_from_db()
    assert reader.state == "enrolled"


# ---------------------------------------------------------------- corrections


def test_correction_is_offered_for_every_reading_but_the_check():
    world = factory.open_world(**{"tasks.0.corrections": "until_next_is_opened"})
    reader = world.enrol()
    offered = []
    while reader_step(reader)[0] in (Step.PRACTICE, Step.READING, Step.BLINDING_CHECK):
        opened = factory.open_reading(reader)
        document = presentation_document(opened.reading, asset_tokens=opened.asset_tokens)
        offered.append(document["may_amend_previous"])
        with pytest.raises((StateConflictError, NotFoundError)):
            amend(reader, opened.reading, "right")
        factory.answer(reader, opened, choice="left")
        if document["may_amend_previous"]:
            amend(reader, opened.reading, "right")
        else:
            with pytest.raises(StateConflictError, match="no longer be corrected"):
                amend(reader, opened.reading, "right")
    assert offered == [True] * 8 + [False] * 2
    assert Response.objects.filter(number=2).count() == 8


# ---------------------------------------------------------------- flags


def test_an_interruption_is_flagged_once():
    world = factory.open_world()
    reader = world.enrol()
    first = factory.open_reading(reader)
    paint = factory.events_of(seconds=2, choice="left", clock_id="page-0")[:1]
    reading_events_append(reader, token=first.reading.token, lease=1, events=paint)
    again = factory.open_reading(reader)
    factory.answer(reader, again)
    reading = Reading.objects.get(id=first.reading.id)
    assert reading.flags.count("interrupted") == 1


def test_a_reading_that_was_never_painted_is_not_interrupted():
    reader = factory.open_world().enrol()
    factory.open_reading(reader)
    again = factory.open_reading(reader)
    assert again.reading.flags == []
    factory.answer(reader, again)
    assert Response.objects.get().flags == []


def test_a_first_paint_heard_of_only_after_the_next_opening_is_an_interruption():
    reader = factory.open_world().enrol()
    factory.open_reading(reader)
    again = factory.open_reading(reader)
    paint = factory.events_of(seconds=2, choice="left", clock_id="killed")[:1]
    for _ in range(2):
        with pytest.raises(ReadingTakenOverError):
            reading_events_append(reader, token=again.reading.token, lease=1, events=paint)
    reading = Reading.objects.get(id=again.reading.id)
    assert reading.flags == ["interrupted"]
    assert reading.painted_at is not None
    factory.answer(reader, again)
    assert Response.objects.get().flags.count("interrupted") == 1


def test_what_an_older_window_recorded_beside_the_newer_one_is_not_counted_twice():
    reader = factory.open_world().enrol()
    factory.open_reading(reader)
    opened = factory.open_reading(reader)
    shown = factory.events_of(seconds=10, choice="left")
    begins = shown[0].wall_ms
    old = [
        EventIn(sequence=n, kind=kind, clock_id="old", t_ms=2000 + at_ms, wall_ms=begins + at_ms, data={})
        for n, (at_ms, kind) in enumerate([(-1000, "first_paint"), (500, "pointer"), (5000, "pointer")])
    ]
    with pytest.raises(ReadingTakenOverError):
        reading_events_append(reader, token=opened.reading.token, lease=1, events=old)
    factory.answer(reader, opened, seconds=10)
    timing = Response.objects.get().timing
    # A second in the older window, until the newer one had painted, and ten in the newer one.
    assert timing["wall_s"] == pytest.approx(11, abs=0.2)
    assert timing["visible_s"] == pytest.approx(11, abs=0.2)


def test_time_longer_than_the_reading_was_open_is_kept_and_flagged():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader), seconds=7200)
    factory.answer(reader, factory.open_reading(reader), seconds=4)
    long, short = Response.objects.order_by("submitted_at")
    assert long.timing["wall_s"] == 7200.0
    assert "longer_than_open" in long.flags
    assert short.flags == []
