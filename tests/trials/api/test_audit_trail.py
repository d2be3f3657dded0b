"""The audit trail by person, kind and time, and as files: whole, chained, harmless to a spreadsheet."""

import csv
import io
import ipaddress
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry
from equipoise.audit.selectors import chain_verify
from tests.factories import trials as factory
from trials.services.acts import record

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def client_of(account: Any) -> Client:
    client = Client()
    client.force_login(account)
    return client


def trail_of(world: Any) -> str:
    return f"/api/v1/trials/{world.trial.id}/audit"


def text_of(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_trail_is_filtered_by_person_kind_and_time():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader), choice="right")
    client, trail = client_of(world.administrator), trail_of(world)

    whole = client.get(trail).json()
    assert {"R-01", "system"} <= set(whole["people"])
    assert {"reading:opened", "trial:locked"} <= set(whole["kinds"])

    def kinds(**query: str) -> list[str]:
        return [entry["kind"] for entry in client.get(trail, query).json()["results"]]

    assert kinds(who="R-01", what="reading") == ["reading:submitted", "reading:opened"]
    assert kinds(what="trial:locked") == ["trial:locked"]
    assert kinds(who="R-99") == []
    moment = AuditEntry.objects.get(kind="reading:submitted").created_at
    assert kinds(since=moment.isoformat(), what="reading") == ["reading:submitted"]
    assert kinds(until=moment.isoformat(), what="reading") == ["reading:opened"]
    assert client.get(trail, {"since": "yesterday"}).status_code == 400


def test_trail_leaves_as_csv_and_json_with_every_hash_and_no_formula():
    world = factory.open_world()
    record(
        world.trial,
        AuditKind.TRIAL_PAUSED,
        actor=world.actor,
        subject="trial:x",
        after={"n": 1},
        reason='=HYPERLINK("http://x")',
    )
    client, trail = client_of(world.statistician), trail_of(world)

    rows = list(csv.DictReader(io.StringIO(text_of(client.get(f"{trail}/audit.csv")))))
    stored = list(AuditEntry.objects.filter(chain=str(world.trial.id)).order_by("sequence"))
    assert [row["hash"] for row in rows] == [entry.hash for entry in stored]
    odd = next(row for row in rows if row["subject"] == "trial:x")
    assert odd["reason"] == '\'=HYPERLINK("http://x")'
    assert json.loads(odd["after"]) == {"n": 1}
    assert rows[-1]["kind"] == "export:downloaded"
    assert rows[-1]["subject"] == "export:audit.csv"

    told = json.loads(text_of(client.get(f"{trail}/audit.json", {"what": "trial:paused"})))
    assert [(row["kind"], row["reason"]) for row in told] == [("trial:paused", '=HYPERLINK("http://x")')]
    assert told[0]["previous_hash"] == AuditEntry.objects.get(subject="trial:x").previous_hash
    assert {row["address"] for row in rows if row["kind"] == "export:downloaded"} == {"127.0.0.1"}
    assert (odd["address"], odd["address_hash"]) == ("", ""), "no request made it"
    late = (timezone.now() + timedelta(days=1)).isoformat()
    assert json.loads(text_of(client.get(f"{trail}/audit.json", {"since": late}))) == []
    assert client.get(f"{trail}/audit.xml").status_code == 404


def test_trail_says_from_which_address_behind_the_sites_own_proxy(settings):
    settings.TRUSTED_PROXIES = (ipaddress.ip_network("127.0.0.0/8"),)
    world = factory.open_world()
    client, trail = client_of(world.statistician), trail_of(world)
    client.get(f"{trail}/audit.json", headers={"X-Forwarded-For": "203.0.113.5, 2001:db8::7"})

    entry, *older = client.get(trail).json()["results"]

    assert (entry["kind"], entry["origin"], entry["address"]) == ("export:downloaded", "web", "2001:db8::7")
    assert {one["address"] for one in older} == {None}
    assert chain_verify(str(world.trial.id)).problems == ()
