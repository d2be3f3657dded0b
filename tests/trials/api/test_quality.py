"""A trial's material against the protocol's limits: what the page shows, and when protocol lock is refused."""

import pytest
from django.test import Client

from tests.factories import trials as factory
from trials.domain.protocol.document import check_text, to_yaml
from trials.domain.states import PreconditionsUnmetError, TrialAction, TrialState
from trials.models import Trial

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def quality_of(world, account=None):
    client = Client()
    client.force_login(account or world.administrator)
    response = client.get(f"/api/v1/trials/{world.trial.id}/quality")
    assert response.status_code == 200, response.content
    return response.json()


def test_without_limits_every_fact_is_shown_and_nothing_fails():
    told = quality_of(factory.preference_world(quality={}))
    assert (told["limited"], told["rules"], told["accepted"], len(told["cases"])) == (False, [], 7, 7)
    assert [one["name"] for one in told["distributions"]] == [
        "slices",
        "slice_spacing_mm",
        "in_plane_spacing_mm",
        "in_plane_size_mm",
    ]
    slices = told["distributions"][0]
    assert (slices["low"], slices["high"]) == (None, None)
    assert {one["value"] for one in slices["values"]} == {12.0}


def test_each_rule_is_counted_and_each_case_says_why_it_fails():
    world = factory.preference_world(
        quality={
            "modalities": ["CT"],
            "slices": {"low": "13"},
            "tube_voltage_kv": {"low": "80", "high": "140"},
        }
    )
    told = quality_of(world)
    assert told["limited"] is True
    assert told["accepted"] == 0
    assert told["rules"] == [
        {"rule": "modality", "passed": 7, "failed": 0, "not_stated": 0},
        {"rule": "slices", "passed": 0, "failed": 7, "not_stated": 0},
        {"rule": "tube-voltage", "passed": 0, "failed": 0, "not_stated": 7},
    ]
    first = told["cases"][0]
    assert [(one["outcome"], one["sentence"]) for one in first["checks"]] == [
        ("passed", "The modality is CT; accepted: CT."),
        ("failed", "The number of slices is 12; accepted: at least 13."),
        ("not-stated", "The tube voltage is not stated; accepted: 80 to 140 kV."),
    ]
    assert first["thumbnail_url"].endswith("/thumbnail.png")


def test_lock_is_refused_while_a_forbidden_case_fails_and_nothing_changes():
    world = factory.preference_world(quality={"slices": {"low": "13"}, "failing_cases": "forbid"})
    with pytest.raises(PreconditionsUnmetError, match="Every case must pass the protocol's quality limits"):
        world.act(TrialAction.LOCK)
    assert Trial.objects.get().state == TrialState.DRAFT
    accepting = factory.preference_world(
        slug="accepting", quality={"slices": {"low": "12"}, "failing_cases": "forbid"}
    )
    assert accepting.act(TrialAction.LOCK).state == TrialState.LOCKED


def test_a_failing_case_that_is_only_listed_does_not_stop_the_lock():
    world = factory.preference_world(quality={"slices": {"low": "13"}})
    assert world.act(TrialAction.LOCK).state == TrialState.LOCKED


def test_readers_and_strangers_see_no_quality_page():
    world = factory.open_world()
    reader = factory.account_of(world.enrol())
    client = Client()
    client.force_login(reader)
    assert client.get(f"/api/v1/trials/{world.trial.id}/quality").status_code in (403, 404)


def test_limits_the_wrong_way_round_are_named_by_line():
    text = to_yaml(factory.protocol_document(quality={"slices": {"low": "20", "high": "10"}}))
    problems = check_text(text).problems
    assert [one.pointer for one in problems] == ["/quality/slices"]
    assert "low (20) must not exceed high (10)" in problems[0].message
    assert problems[0].line is not None
