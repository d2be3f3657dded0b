"""A preference trial from drawn items to the frozen table, through the services."""

import pytest
from django.db import DatabaseError, connection, transaction

from tests.factories import trials as factory
from trials.domain.protocol.document import protocol_sha256
from trials.domain.states import TrialAction
from trials.models import AllocationRow, Reading, Response, SealedSeed, Slot
from trials.selectors.allocation import balance_allocated
from trials.selectors.tables import readings_rows, snapshot_sha256

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def test_lock_stores_slots_rows_and_a_commitment_to_the_sealed_seed():
    world = factory.preference_world()
    world.act(TrialAction.LOCK)
    assert Slot.objects.filter(trial=world.trial).count() == 4  # three readers and a quarter in reserve
    rows = AllocationRow.objects.filter(slot__trial=world.trial)
    assert rows.filter(phase="practice").count() == 4
    assert rows.filter(phase="reading").count() == 4 * (6 + 1)
    assert rows.filter(phase="blinding-check").count() == 4 * 2
    sealed = SealedSeed.objects.get(trial=world.trial)
    assert len(sealed.commitment_sha256) == 64
    assert sealed.seed_hex not in (sealed.commitment_sha256, sealed.allocation_sha256)
    report = balance_allocated(world.trial)
    assert report.balanced


def test_locked_document_spells_out_its_defaults_and_gives_the_stored_hash():
    world = factory.preference_world(timing={})
    world.act(TrialAction.LOCK)
    version = world.trial.protocol_versions.get()
    assert version.document["timing"] == {"idle_threshold_s": 60, "primary_time": "decision_s"}
    assert version.sha256 == protocol_sha256(version.document)


def test_whole_trial_is_read_closed_unblinded_and_tabulated():
    world = factory.open_world()
    readers = [world.enrol(speciality=name) for name in ("radiology", "radiation_oncology")]
    for reader in readers:
        done = factory.read_everything(
            reader, choose=lambda reading: "left" if reading.left.source == "algorithm" else "right"
        )
        assert done == 1 + 7 + 2
    world.act(TrialAction.CLOSE)
    blinded = list(readings_rows(world.trial, unblinded=False))
    assert {row["preferred"] for row in blinded} == {None}
    assert {row["left_source"] for row in blinded} == {None}
    world.act(TrialAction.DATA_LOCK)
    world.act(TrialAction.UNBLIND)
    rows = list(readings_rows(world.trial, unblinded=True))
    preference = [row for row in rows if row["task"] == "preference"]
    assert len(preference) == 2 * 7
    assert {row["preferred"] for row in preference} == {"algorithm"}
    assert {row["group"] for row in preference} == {"Radiology", "Radiation oncology"}
    assert {row["wall_s"] for row in preference} == {5.0}
    assert {row["decision_s"] for row in preference} == {4.5}
    assert world.trial.data_sha256 == snapshot_sha256(world.trial)


def test_hidden_repeats_swap_the_sides():
    world = factory.open_world()
    reader = world.enrol()
    repeats = Reading.objects.filter(participant=reader, phase="reading", repeat=2)
    assert repeats.count() == 1
    second = repeats.get()
    first = Reading.objects.get(participant=reader, phase="reading", repeat=1, item=second.item)
    assert (first.left_id, first.right_id) == (second.right_id, second.left_id)
    assert second.position - first.position >= 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trials_response SET answer = '{}'",
        "DELETE FROM trials_response",
        "UPDATE trials_readingevent SET t_ms = 0",
        "DELETE FROM trials_readingevent",
        "UPDATE trials_reading SET left_id = right_id",
        "UPDATE trials_reading SET state = 'planned'",
        "DELETE FROM trials_allocationrow",
        "UPDATE trials_sealedseed SET seed_hex = 'x'",
    ],
)
def test_direct_sql_cannot_alter_what_was_submitted(statement):
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader), choice="left")
    before = list(Response.objects.values_list("answer", flat=True))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(Response.objects.values_list("answer", flat=True)) == before
