"""Protocol lock freezes what was drawn by this very protocol, and nothing that changed while it was prepared."""

import pytest

from equipoise.common.errors import StateConflictError, VersionConflictError
from tests.factories import trials as factory
from trials.domain.protocol.document import to_yaml
from trials.domain.states import TrialAction
from trials.models import ProtocolVersion, SealedSeed, Trial
from trials.services import trial as trial_services
from trials.services.items import items_draw
from trials.services.protocol import protocol_save

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def edit(world, **changes):
    document = factory.protocol_document(**changes)
    protocol_save(world.trial, text=to_yaml(document), document=None, revision=None, actor=world.actor)


@pytest.mark.parametrize("changes", [{"seeds.item_draw": 77}, {"items.selection.count": 5}])
def test_items_of_another_protocol_are_not_locked(changes):
    world = factory.preference_world(cases=8)
    edit(world, **changes)
    with pytest.raises(
        StateConflictError, match="must be drawn from the cases by the protocol's rule and seed"
    ):
        world.act(TrialAction.LOCK)
    assert Trial.objects.get().state == "draft"
    items_draw(world.trial, actor=world.actor)
    assert world.act(TrialAction.LOCK).state == "locked"


def test_case_that_came_after_the_draw_asks_for_another():
    world = factory.preference_world(**{"items.selection.count": 20})
    factory.phantom_case(world.trial, number=50)
    with pytest.raises(StateConflictError, match="must be drawn"):
        world.act(TrialAction.LOCK)


@pytest.mark.parametrize("change", ["protocol", "items"])
def test_what_changes_while_the_lock_is_prepared_stops_it(monkeypatch, change):
    world = factory.preference_world()
    prepare = trial_services.lock_prepare

    def and_then_change(trial):
        prepared = prepare(trial)
        if change == "protocol":
            edit(world, title="Another title")
        else:
            items_draw(trial, actor=world.actor)
        return prepared

    monkeypatch.setattr(trial_services, "lock_prepare", and_then_change)
    with pytest.raises(VersionConflictError, match="changed while the lock was prepared"):
        world.act(TrialAction.LOCK)
    assert Trial.objects.get().state == "draft"
    assert SealedSeed.objects.count() == 0
    assert ProtocolVersion.objects.get().locked_at is None
