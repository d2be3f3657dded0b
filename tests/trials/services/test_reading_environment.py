"""A reading opens only in a window and on a display that the protocol allows; what readers sat at is told, blinded."""

import csv
import json
import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import EnvironmentRefusedError, StateConflictError, ValidationFailedError
from tests.factories import bone_scans as bones
from tests.factories import trials as factory
from trials.domain.states import TrialAction
from trials.models import DisplayCheck, Reading
from trials.reports.exports import environments_csv
from trials.selectors.environment import fit_displays, outcomes_by_display, reader_screen
from trials.selectors.monitor import monitor_document
from trials.selectors.protocol import protocol_of_version
from trials.services.acts import Actor
from trials.services.display_check import NOT_SEEN, NOT_TESTED, display_check
from trials.services.reading import EventIn, reading_commit, reading_events_append, reading_open

pytestmark = [pytest.mark.django_db, pytest.mark.db]

DESK = {
    "window_width_px": 1600,
    "window_height_px": 900,
    "screen_width_px": 1920,
    "screen_height_px": 1080,
    "colour_depth_bits": 24,
    "device_pixel_ratio": 1.25,
    "zoom_percent": 100,
    "renderer": "hardware",
    "display": "1920x1080+0+0/24",
}
LAPTOP = {**DESK, "window_width_px": 1300, "zoom_percent": None, "display": "1440x900+1920+0/24"}
MINIMUM = {"reading_environment.minimum_window": {"width_px": 1280, "height_px": 720}}
REQUIRED = {"reading_environment.grey_steps": "required"}
BLOCKING = {**REQUIRED, "reading_environment.grey_steps_failing": "block"}
OFFERED = {"reading_environment.grey_steps": "offered"}


def actor_of(reader):
    return Actor(account_id=factory.account_of(reader).id)


def open_at(reader, environment, **options):
    return reading_open(
        reader, environment=environment, session_key="a", **{"actor": actor_of(reader), **options}
    )


def patches(*, missed=0):
    shown = [("dark", 1), ("bright", 2), ("dark", 4), ("bright", 3), ("dark", 2), ("bright", 1)]
    return [
        {"field": field, "shown": quarter, "chosen": None if index < missed else quarter}
        for index, (field, quarter) in enumerate(shown)
    ]


def look_at(reader, environment=DESK, *, missed=0):
    return display_check(
        reader, environment=environment, answers=patches(missed=missed), actor=actor_of(reader)
    )


def protocol_of(reader):
    return protocol_of_version(reader.readings.first().protocol)


# ---------------------------------------------------------------- the minimum


def test_a_window_below_the_minimum_opens_nothing_and_one_that_is_right_does():
    reader = factory.open_world(**MINIMUM).enrol()
    with pytest.raises(EnvironmentRefusedError) as refused:
        open_at(reader, {**DESK, "window_width_px": 900, "window_height_px": 700, "zoom_percent": None})
    message = (
        "The window is 900 x 700 CSS pixels; this trial needs at least 1280 x 720. "
        "Enlarge the window or set the zoom to 100 %."
    )
    assert refused.value.message == message
    assert refused.value.data == {"problems": [{"code": "window_too_small", "message": message}]}
    assert set(Reading.objects.values_list("state", flat=True)) == {"planned"}
    opened = open_at(reader, DESK)
    assert opened.reading.state == "open"
    assert Reading.objects.get(id=opened.reading.id).environment == DESK


def test_an_open_reading_is_not_opened_again_in_too_small_a_window_and_keeps_its_lease():
    reader = factory.open_world(**MINIMUM).enrol()
    opened = open_at(reader, DESK)
    with pytest.raises(EnvironmentRefusedError):
        open_at(reader, {**DESK, "window_height_px": 600})
    stored = Reading.objects.get(id=opened.reading.id)
    assert (stored.lease, stored.environment) == (1, DESK)


def test_a_simulated_reader_of_the_worker_has_no_window():
    reader = factory.open_world(**MINIMUM, **REQUIRED).enrol()
    worker = Actor(account_id=None, origin=Origin.WORKER)
    assert open_at(reader, {"simulated": True}, actor=worker).reading.state == "open"


NARROW = {**DESK, "window_width_px": 300}


def pair_reader(**rules):
    """A reader of a trial of sequential pairs."""
    world = bones.bone_scan_world(name="bone-scan-sequential", cases=2, practice=0, **MINIMUM, **rules)
    for case in world.trial.cases.order_by("code"):
        bones.ai_result(world, case, probability=0.5)
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    return world.enrol()


def commit_at(reader, opened, environment, *, key):
    return reading_commit(
        reader,
        token=opened.reading.token,
        lease=opened.reading.lease,
        key=key,
        answer=bones.rated(1, 80),
        events=factory.events_of(seconds=5, choice=""),
        environment=environment,
        session_key="a",
        actor=actor_of(reader),
    )


def paint(reader, opened):
    events = factory.events_of(seconds=5, choice="")[:1]
    reading_events_append(reader, token=opened.reading.token, lease=opened.reading.lease, events=events)


def test_the_first_answer_of_a_pair_does_not_wait_for_a_window():
    reader = pair_reader()
    first = open_at(reader, DESK)
    assert first.reading.stage == 1
    key = uuid.uuid4()
    assert commit_at(reader, first, NARROW, key=key).reading.stage == 2
    again = commit_at(reader, first, NARROW, key=key)  # the reply was lost
    assert (again.reading.stage, again.reading.lease) == (2, 2)
    bones.answer(reader, again, bones.rated(1, 80))
    with pytest.raises(EnvironmentRefusedError):
        open_at(reader, NARROW)


def test_a_second_half_that_is_come_back_to_needs_the_window_and_the_display_as_any_reading():
    reader = pair_reader(**REQUIRED)
    look_at(reader)
    key = uuid.uuid4()
    first = open_at(reader, DESK)
    second = commit_at(reader, first, DESK, key=key)
    paint(reader, second)
    for environment in (NARROW, LAPTOP):  # too small, and not tested
        with pytest.raises(EnvironmentRefusedError):
            open_at(reader, environment)
        with pytest.raises(EnvironmentRefusedError):
            commit_at(reader, first, environment, key=key)
    stored = Reading.objects.get(id=second.reading.id)
    assert (stored.lease, stored.environment) == (1, DESK)
    look_at(reader, LAPTOP)
    again = open_at(reader, LAPTOP)
    assert (again.reading.id, again.resumed) == (second.reading.id, True)


def test_a_second_half_whose_first_answer_came_by_itself_is_asked_when_it_opens():
    reader = pair_reader()
    bones.answer(reader, open_at(reader, DESK), bones.rated(1, 80))
    with pytest.raises(EnvironmentRefusedError):
        open_at(reader, NARROW)
    assert open_at(reader, DESK).reading.stage == 2


# ---------------------------------------------------------------- the grey-step test


def test_a_required_test_comes_before_the_first_reading_of_a_session_on_each_display():
    reader = factory.open_world(**REQUIRED).enrol()
    with pytest.raises(EnvironmentRefusedError) as refused:
        open_at(reader, DESK)
    assert refused.value.message == NOT_TESTED
    assert refused.value.data["problems"][0]["code"] == "grey_steps"
    look_at(reader)
    assert open_at(reader, DESK).reading.state == "open"
    with pytest.raises(EnvironmentRefusedError):
        open_at(reader, LAPTOP)
    look_at(reader, LAPTOP)
    assert open_at(reader, LAPTOP).reading.state == "open"


def test_failing_warns_or_blocks_as_the_protocol_says():
    warned = factory.open_world(slug="warned", **REQUIRED).enrol()
    assert look_at(warned, missed=1).outcome == "failed"
    assert open_at(warned, DESK).reading.state == "open"
    blocked = factory.open_world(slug="blocked", **BLOCKING).enrol()
    look_at(blocked, missed=1)
    with pytest.raises(EnvironmentRefusedError) as refused:
        open_at(blocked, DESK)
    assert refused.value.message == NOT_SEEN
    assert fit_displays(blocked, protocol=protocol_of(blocked), now=timezone.now()) == []
    look_at(blocked)
    assert open_at(blocked, DESK).reading.state == "open"
    assert [one.outcome for one in DisplayCheck.objects.filter(participant=blocked)] == ["failed", "passed"]


def test_an_offered_test_may_be_left_out_and_a_required_one_not():
    offered = factory.open_world(slug="offered", **OFFERED).enrol()
    assert open_at(offered, DESK).reading.state == "open"
    left_out = display_check(offered, environment=DESK, answers=None, actor=actor_of(offered))
    assert (left_out.outcome, left_out.answers) == ("skipped", [])
    assert reader_screen(offered)["environment"]["fit_displays"] == [DESK["display"]]
    required = factory.open_world(slug="required", **REQUIRED).enrol()
    with pytest.raises(StateConflictError):
        display_check(required, environment=DESK, answers=None, actor=actor_of(required))
    assert not DisplayCheck.objects.filter(participant=required).exists()


def test_a_trial_without_a_test_takes_none_and_so_does_one_that_is_paused():
    world = factory.open_world()
    reader = world.enrol()
    with pytest.raises(StateConflictError):
        look_at(reader)
    paused = factory.open_world(slug="paused", **OFFERED)
    waiting = paused.enrol()
    paused.act(TrialAction.PAUSE)
    with pytest.raises(StateConflictError):
        look_at(waiting)
    assert DisplayCheck.objects.count() == 0


def test_answers_that_are_none_of_the_test_are_refused_and_nothing_is_kept():
    reader = factory.open_world(**REQUIRED).enrol()
    with pytest.raises(ValidationFailedError):
        display_check(reader, environment=DESK, answers=patches()[:3], actor=actor_of(reader))
    assert DisplayCheck.objects.count() == 0


def test_a_test_counts_for_its_session_alone():
    reader = factory.open_world(**REQUIRED).enrol()
    look_at(reader)
    now = timezone.now()
    assert outcomes_by_display(reader, now=now) == {DESK["display"]: ["passed"]}
    later = now + timedelta(minutes=31)
    assert outcomes_by_display(reader, now=later) == {}, "nothing was read in the meantime"
    factory.answer(reader, open_at(reader, DESK))
    assert outcomes_by_display(reader, now=now + timedelta(minutes=25)) == {DESK["display"]: ["passed"]}
    tomorrow = now + timedelta(days=1)
    assert outcomes_by_display(reader, now=tomorrow) == {}


def test_a_try_is_kept_for_good_with_its_display_and_its_audit_entry():
    reader = factory.open_world(**REQUIRED).enrol()
    made = look_at(reader, missed=2)
    entry = AuditEntry.objects.filter(kind=AuditKind.PARTICIPANT_DISPLAY_CHECKED).get()
    assert entry.after == {"outcome": "failed", "session": 1}
    assert (made.environment, made.display, made.session) == (DESK, DESK["display"], 1)
    assert [one["chosen"] for one in made.answers] == [None, None, 4, 3, 2, 1]
    with pytest.raises(DatabaseError), transaction.atomic():
        DisplayCheck.objects.filter(id=made.id).update(outcome="passed")
    with pytest.raises(DatabaseError), transaction.atomic():
        DisplayCheck.objects.filter(id=made.id).delete()


# ---------------------------------------------------------------- what is told


def change(opened, sequence):
    return EventIn(
        sequence=sequence,
        kind="environment_change",
        clock_id="c",
        t_ms=1.0,
        wall_ms=1.0,
        data={"window_width_px": 1000, "window_height_px": 700},
    )


def test_each_environment_is_a_row_with_its_windows_its_changes_and_its_test():
    world = factory.open_world(**OFFERED)
    reader = world.enrol()
    look_at(reader, missed=1)
    look_at(reader)
    for width in (1600, 1500):
        opened = open_at(reader, {**DESK, "window_width_px": width})
        reading_events_append(
            reader, token=opened.reading.token, lease=1, events=[change(opened, 90), change(opened, 91)]
        )
        factory.answer(reader, opened)
    factory.answer(reader, open_at(reader, LAPTOP))
    other = world.enrol()
    look_at(other, LAPTOP, missed=3)
    table = list(csv.DictReader(environments_csv(world.trial)))
    told = [
        [row[name] for name in ("participant", "session", "display", "readings", "grey_steps")]
        for row in table
    ]
    assert told == [
        [reader.code, "1", "1440x900+1920+0/24", "1", ""],
        [reader.code, "1", "1920x1080+0+0/24", "2", "passed"],
        [other.code, "1", "1440x900+1920+0/24", "0", "failed"],
    ]
    desk = table[1]
    assert (desk["window_width_px_min"], desk["window_width_px_max"]) == ("1500", "1600")
    assert (desk["grey_steps_tries"], desk["dark_found"], desk["bright_found"]) == ("2", "3", "3")
    assert desk["changes_during_readings"] == "4"
    assert (desk["device_pixel_ratio"], desk["zoom_percent"], desk["renderer"]) == ("1.25", "100", "hardware")
    assert (table[0]["zoom_percent"], table[0]["simulated"]) == ("", "0")
    assert (table[2]["dark_found"], table[2]["bright_found"]) == ("1", "2")


def test_the_monitor_tells_environments_and_no_arm_or_answer():
    world = factory.open_world(**OFFERED)
    reader = world.enrol()
    look_at(reader)
    factory.answer(reader, open_at(reader, DESK), choice="left")
    [row] = monitor_document(world.trial)["environments"]
    assert row["participant"] == reader.code
    assert (row["window_width_px_min"], row["renderer"], row["grey_steps"]) == (1600, "hardware", "passed")
    words = json.dumps(row)
    assert not any(word in words for word in ("expert", "algorithm", "left", "C-0"))


def test_an_account_of_another_program_is_a_row_without_what_it_does_not_tell():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, open_at(reader, {"renderer": 5, "zoom_percent": "big", "display": ["x"]}))
    [row] = csv.DictReader(environments_csv(world.trial))
    assert (row["readings"], row["display"], row["renderer"], row["zoom_percent"]) == ("1", "", "", "")
