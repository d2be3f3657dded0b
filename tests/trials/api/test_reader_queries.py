"""How many statements each call of a reading sends to the database: what a site with many readers is short of first."""

import json
import uuid
from dataclasses import asdict

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import trials as factory

pytestmark = [pytest.mark.django_db, pytest.mark.db]

MOST = {"open": 22, "events": 8, "draft": 7, "submit": 34, "state": 13}
"""A reading in the middle of a trial; raise one only for what a reader cannot do without."""


@pytest.fixture
def caller():
    world = factory.open_world(practice=0, **{"practice.count": 0})
    client = Client()
    client.force_login(factory.account_of(world.enrol()))
    return Caller(client, f"/api/v1/reader/{world.trial.slug}")


class Caller:
    """Calls the reader's interface and keeps how many statements each call took."""

    def __init__(self, client, path):
        self.client, self.path, self.counts = client, path, {}

    def call(self, kind, method, path, body=None):
        data = None if body is None else json.dumps(body)
        with CaptureQueriesContext(connection) as queries:
            response = getattr(self.client, method)(
                self.path + path, data=data, content_type="application/json"
            )
        assert response.status_code in (200, 204), response.content
        self.counts[kind] = len(queries)
        return response

    def read(self):
        shown = self.call("open", "post", "/current/open", {"environment": factory.ENVIRONMENT}).json()
        here = {"reading": shown["reading"], "lease": shown["lease"]}
        events = [asdict(event) for event in factory.events_of(seconds=5, choice="left")]
        self.call("events", "post", "/current/events", {**here, "events": events[:2]})
        self.call("draft", "put", "/current/draft", {**here, "draft": {"choice": "left"}})
        answer = {"choice": "left", "reason_code": None, "comment": ""}
        answered = {"key": str(uuid.uuid4()), "answer": answer, "events": events[2:]}
        self.call("submit", "post", "/current/submit", {**here, **answered})
        self.call("state", "get", "")


def test_no_call_of_a_reading_sends_more_statements_than_it_needs(caller):
    for _ in range(4):
        caller.read()
    assert {kind: count for kind, count in caller.counts.items() if count > MOST[kind]} == {}


def test_a_later_reading_takes_as_many_statements_as_an_earlier_one(caller):
    for _ in range(4):
        caller.read()
    earlier = dict(caller.counts)
    for _ in range(4):
        caller.read()
    assert caller.counts == earlier
