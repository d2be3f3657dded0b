"""A reading that was left open, over the interface: what its reader is told, and what an administrator can do."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from equipoise.common.permissions import Role
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from trials.models import Reading
from trials.services.invitation import membership_create
from trials.services.reading import reading_events_append

pytestmark = [pytest.mark.django_db, pytest.mark.db]

API = "/api/v1"


def signed_in(account):
    client = Client()
    client.force_login(account)
    return client


def send(client, path, body=None, status=200):
    response = client.post(f"{API}{path}", data=json.dumps(body or {}), content_type="application/json")
    assert response.status_code == status, response.content
    return response.json()


@pytest.fixture
def left(monkeypatch):
    """A trial whose reader left the first reading open for three hours, where two are allowed."""
    world = factory.open_world(
        practice=0,
        **{"practice.count": 0, "sessions.on_return": "block", "sessions.resume_within_hours": 2},
    )
    reader = world.enrol()
    opened = factory.open_reading(reader)
    reading_events_append(
        reader,
        token=opened.reading.token,
        lease=1,
        events=factory.events_of(seconds=4, choice="left")[:1],
    )
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(hours=3))
    return world, reader, opened.reading


def test_a_reader_is_told_first_and_goes_on_with_the_next_case(left):
    world, reader, reading = left
    client = signed_in(factory.account_of(reader))
    state = client.get(f"{API}/reader/{world.trial.slug}").json()
    assert (state["step"], state["n"]) == ("reading", 1)
    assert state["on_return"]["what"] == "block"
    assert "not shown to you again" in state["on_return"]["message"]
    (row,) = client.get(f"{API}/reader").json()
    assert row["message"] == state["on_return"]["message"]
    presentation = send(client, f"/reader/{world.trial.slug}/current/open", {"environment": {}})
    assert (presentation["n"], presentation["resume_within_hours"]) == (2, 2)
    assert "within 2 hours" in presentation["leave_note"]
    assert client.get(f"{API}/reader/{world.trial.slug}").json()["on_return"] is None
    assert Reading.objects.get(id=reading.id).state == "blocked"


def test_a_reader_in_a_break_is_told_what_happens_to_the_open_case(left):
    world, reader, _ = left
    client = signed_in(factory.account_of(reader))
    state = send(client, f"/reader/{world.trial.slug}/break")
    assert "within 2 hours" in state["leave_note"]


def test_an_administrator_releases_a_blocked_reading_with_a_reason_and_nobody_else_does(left):
    world, reader, reading = left
    factory.open_reading(reader)
    path = f"/trials/{world.trial.id}/readings/{reading.id}/release"
    monitor = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, monitor, Role.BLINDED_MONITOR, actor=world.actor)
    shown = signed_in(monitor).get(f"{API}/trials/{world.trial.id}/monitor").json()["left"]
    assert [(row["participant"], row["n"], row["state"], row["releasable"]) for row in shown] == [
        ("R-01", 1, "blocked", True)
    ]
    assert set(shown[0]) == {"reading", "participant", "n", "opened_at", "state", "releasable", "refusal"}
    for account, status in ((monitor, 403), (world.statistician, 403), (factory.account_of(reader), 404)):
        send(signed_in(account), path, {"reason": "Emergency"}, status=status)
    client = signed_in(world.administrator)
    send(client, path, {"reason": ""}, status=400)
    assert Reading.objects.get(id=reading.id).state == "blocked"
    answer = send(client, path, {"reason": "Emergency"})
    assert [(row["state"], row["releasable"]) for row in answer["left"]] == [("released", False)]
    send(client, path, {"reason": "Emergency"}, status=409)
    entry = client.get(f"{API}/trials/{world.trial.id}/audit").json()["results"][0]
    assert (entry["kind"], entry["reason"]) == ("reading:released", "Emergency")


def test_a_reading_of_another_trial_is_not_found(left):
    _, reader, reading = left
    factory.open_reading(reader)
    other = factory.preference_world(slug="other")
    path = f"/trials/{other.trial.id}/readings/{reading.id}/release"
    send(signed_in(other.administrator), path, {"reason": "Emergency"}, status=404)
    assert Reading.objects.get(id=reading.id).state == "blocked"
