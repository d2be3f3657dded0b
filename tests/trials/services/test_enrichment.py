"""A set share of diseased cases, from the draw of items to the predictive values at the prevalence meant."""

import pytest

from equipoise.common.errors import ValidationFailedError
from tests.factories.bone_scans import bone_scan_world
from trials.models import Item
from trials.selectors.protocol import protocol_current, protocol_of_version
from trials.services.analysis import plan_of_protocol
from trials.services.items import items_are_as_drawn

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def enriched(**changes):
    prevalence = {"sample_percent": 75, "target_percent": "2.5", "target_from": "A registry"}
    return {"items.count": 4, "items.prevalence": prevalence, **changes}


def test_items_are_drawn_with_the_share_and_predictive_values_meant_for_the_target():
    world = bone_scan_world(cases=10, **enriched())
    items = Item.objects.filter(trial=world.trial, practice=False)
    assert sorted(item.case.reference_standards.get().truth for item in items) == [0, 1, 1, 1]
    assert items_are_as_drawn(world.trial)
    plan = plan_of_protocol(protocol_of_version(protocol_current(world.trial)), "operating-point", {})
    assert plan.parameters["prevalence"] == 0.025


def test_too_few_diseased_cases_are_refused_where_the_share_stands():
    with pytest.raises(ValidationFailedError) as caught:
        bone_scan_world(cases=10, **enriched(**{"items.count": 8}))
    [(pointer, [problem])] = caught.value.data["fields"].items()
    assert pointer == "/protocol/items/prevalence/sample_percent"
    assert problem["message"] == "6 cases that are diseased are wanted; there are 5."
