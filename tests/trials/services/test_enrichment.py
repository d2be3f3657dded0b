"""A set share of diseased cases, from the draw of items to the predictive values at the prevalence meant."""

from collections import Counter

import pytest

from equipoise.common.errors import ValidationFailedError
from tests.factories import trials as factory
from tests.factories.bone_scans import bone_scan_world
from trials.domain.states import TrialAction
from trials.models import AllocationRow, Item
from trials.selectors.allocation import allocation_proof
from trials.selectors.protocol import protocol_current, protocol_of_version
from trials.services.analysis import plan_of_protocol
from trials.services.items import items_are_as_drawn, items_draw

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


def with_sites(world):
    for number, case in enumerate(world.trial.cases.order_by("code")):
        case.covariates = {"ward": "AAB"[number % 3]}
        case.save(update_fields=["covariates"])
    return world


def sites_of(trial):
    return Counter(trial.items.filter(practice=False).values_list("case__covariates__ward", flat=True))


def test_whole_cases_are_drawn_from_every_stratum_of_the_declared_covariates():
    world = bone_scan_world(cases=12, **{"items.count": 6})
    version = protocol_current(world.trial)
    version.document["items"]["strata"] = ["ward"]
    version.save()
    with pytest.raises(ValidationFailedError, match="case C-001, C-002") as caught:
        items_draw(world.trial, actor=world.actor)
    assert list(caught.value.data["fields"]) == ["/protocol/items/strata"]
    with_sites(world)
    trial_cases = Counter(
        world.trial.cases.filter(purpose="trial").values_list("covariates__ward", flat=True)
    )
    assert trial_cases == {"A": 8, "B": 4}
    items_draw(world.trial, actor=world.actor)
    assert sites_of(world.trial) == {"A": 4, "B": 2}
    assert items_are_as_drawn(world.trial)


def test_sides_of_pairs_are_halved_within_the_covariates_and_the_seed_gives_the_rows_again():
    world = with_sites(
        factory.preference_world(
            cases=9, **{"items.selection.count": 9, "allocation.design.stratify_by": ["ward"]}
        )
    )
    world.act(TrialAction.LOCK)
    rows = AllocationRow.objects.filter(slot__trial=world.trial, phase="reading", repeat=1)
    counted = Counter(
        (number, site, left == b)
        for number, site, left, b in rows.values_list(
            "slot__number", "item__case__covariates__ward", "left_id", "item__candidate_b_id"
        )
    )
    for number, site in {(number, site) for number, site, _ in counted}:
        assert abs(counted[number, site, True] - counted[number, site, False]) <= 1
    assert set(world.trial.items.filter(practice=False).values_list("stratum", flat=True)) == {
        "ward=A",
        "ward=B",
    }
    assert allocation_proof(world.trial).holds
