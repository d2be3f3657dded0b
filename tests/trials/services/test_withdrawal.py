"""A reader leaves and another takes their place: nothing read is lost, and the balance stays as allocated."""

import pytest
from django.utils import timezone

from equipoise.common.errors import StateConflictError, ValidationFailedError
from tests.factories import trials as factory
from trials.models import AllocationRow, Reading, Slot
from trials.services.participant import participant_withdraw

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
