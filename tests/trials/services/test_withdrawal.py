"""A reader leaves and another takes their place: nothing read is lost, and the balance stays as allocated."""

import re

import pytest
from django.test import Client
from django.utils import timezone
from typer.testing import CliRunner

from equipoise.audit.models import AuditEntry
from equipoise.cli import trial as command
from equipoise.cli import trial_shared
from equipoise.common.errors import StateConflictError, ValidationFailedError
from tests.factories import trials as factory
from trials.domain.states import TrialAction
from trials.models import AllocationRow, Reading, Slot
from trials.reports.bundle import _events, _reading_keys, _responses
from trials.reports.report_flow import deviations_section
from trials.selectors.report import report_facts
from trials.selectors.tables import readings_rows, snapshot_sha256
from trials.services.participant import participant_exclude_data, participant_withdraw

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def withdraw(world, reader, **changes):
    fields = {"reason_code": "no_time", "reason": "On leave", **changes}
    participant_withdraw(reader, actor=world.actor, **fields)


def sides_of(slot):
    rows = AllocationRow.objects.filter(slot=slot)
    return sorted(rows.values_list("phase", "item__code", "repeat", "left_id"))


def test_replacement_takes_the_same_sides_in_another_order():
    world = factory.open_world()
    reader = world.enrol()
    left = Slot.objects.get(participant=reader)
    factory.answer(reader, factory.open_reading(reader))
    withdraw(world, reader)
    left.refresh_from_db()
    assert left.state == "closed"
    states = set(Reading.objects.filter(participant=reader).values_list("state", flat=True))
    assert states == {"submitted", "not-done"}
    replacement = world.enrol()
    slot = Slot.objects.get(participant=replacement)
    assert slot.replaces == left
    assert slot.number == 5
    assert sides_of(slot) == sides_of(left)
    order = [list(s.rows.filter(phase="reading").values_list("item__code", flat=True)) for s in (left, slot)]
    assert order[0] != order[1]


def test_withdrawn_reader_can_neither_read_nor_leave_again():
    world = factory.open_world()
    reader = world.enrol()
    withdraw(world, reader)
    reader.refresh_from_db()
    with pytest.raises(StateConflictError, match="You have left this trial"):
        factory.open_reading(reader)
    with pytest.raises(StateConflictError, match="has already left"):
        withdraw(world, reader)
    assert Slot.objects.filter(replaces__isnull=False).count() == 1


def test_withdrawal_needs_a_known_reason_and_changes_nothing_without_one():
    world = factory.open_world()
    reader = world.enrol()
    with pytest.raises(ValidationFailedError, match="must be one of own_wish"):
        withdraw(world, reader, reason_code="bored")
    reader.refresh_from_db()
    assert reader.state == "enrolled"
    assert reader.withdrawn_at is None
    assert reader.joined_at <= timezone.now()


def test_trial_without_a_free_slot_says_so():
    world = factory.open_world(
        **{
            "allocation.strata": [{"key": "all", "label": "All", "participants": 1}],
            "allocation.reserve_percent": 0,
        }
    )
    world.enrol()
    world.enrol()
    with pytest.raises(StateConflictError, match="Every place of your group is taken"):
        world.enrol()


def test_readings_are_not_used_of_a_reader_who_asks_for_it_after_leaving():
    world = factory.open_world()
    reader, other = world.enrol(), world.enrol()
    for one in (reader, other):
        factory.read_everything(one)
    with pytest.raises(StateConflictError, match="withdraw them first"):
        participant_exclude_data(reader, reason="Asked for it", actor=world.actor)
    withdraw(world, reader)
    before = snapshot_sha256(world.trial)
    given = reader.readings.filter(state="submitted").count()

    assert participant_exclude_data(reader, reason="Asked for it", actor=world.actor) == given > 3

    rows = list(readings_rows(world.trial, unblinded=True))
    assert {row["participant"] for row in rows if row["preferred"] or row["wall_s"]} == {other.code}
    voided = [(row["participant"], row["flags"]) for row in rows if row["state"] == "voided"]
    assert len(voided) > 3
    assert {code for code, flags in voided if "data_excluded" in flags} == {reader.code}
    assert snapshot_sha256(world.trial) != before
    keys = _reading_keys(world.trial)
    assert {row["participant"] for row in _responses(world.trial, keys)} == {other.code}
    assert {row["participant"] for row in _events(world.trial, keys)} == {other.code}
    told = str(deviations_section(report_facts(world.trial)))
    practice = reader.readings.filter(state="voided", phase="practice").count()
    for words, count in (
        ("Readings voided", given - practice),
        ("... because the reader asked that they not be used", given - practice),
        ("Readers who asked that their readings not be used", 1),
    ):
        assert re.search(rf"{re.escape(words)}</t[hd]>\s*<td[^>]*>{count}<", told), (words, told)
    entry = AuditEntry.objects.get(kind="participant:data_excluded")
    assert (entry.after, entry.reason_row.text) == ({"readings": given}, "Asked for it")
    with pytest.raises(StateConflictError, match="is in use"):
        participant_exclude_data(reader, reason="Asked for it", actor=world.actor)
    assert AuditEntry.objects.filter(kind="participant:data_excluded").count() == 1


def test_readings_stay_in_use_after_data_lock():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    withdraw(world, reader)
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK):
        world.act(action)
    reader.refresh_from_db()
    client = Client()
    client.force_login(world.administrator)
    path = f"/api/v1/trials/{world.trial.id}/participants/{reader.id}/exclude-data"
    refused = client.post(path, {"reason": "Asked for it"}, content_type="application/json")
    assert (refused.status_code, refused.json()["data"]["state"]) == (409, "data-locked")
    assert Reading.objects.filter(state="submitted").count() == 1


def test_readings_are_left_out_by_command(monkeypatch):
    monkeypatch.setattr(trial_shared, "start", lambda: None)
    world = factory.open_world()
    reader = world.enrol()
    factory.read_everything(reader)
    given = reader.readings.filter(state="submitted").count()
    named = [world.trial.slug, "--as", world.administrator.email, "--reason", "Asked for it", "--reader"]
    run = CliRunner()
    assert run.invoke(command.app, ["exclude-data", *named, "R-99"]).exit_code != 0
    assert run.invoke(command.app, ["exclude-data", *named, reader.code]).exit_code != 0, "still takes part"
    assert reader.readings.filter(state="submitted").count() == given
    withdraw(world, reader)

    done = run.invoke(command.app, ["exclude-data", *named, reader.code])

    told = f"{given} readings of {reader.code} are left out. The reason is in the audit trail.\n"
    assert (done.exit_code, done.output) == (0, told)
    assert reader.readings.filter(state="submitted").count() == 0
    entry = AuditEntry.objects.get(kind="participant:data_excluded")
    assert (entry.origin, entry.reason_row.text) == ("cli", "Asked for it")
