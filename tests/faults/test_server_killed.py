"""The web server is killed at random moments while readers submit: nothing acknowledged is lost or doubled."""

import random
import threading
import time
import uuid

import httpx
import pytest

from equipoise.audit.selectors import chain_verify
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD
from tests.faults.real_server import RealServer
from trials.models import Participant, Reading, ReadingEvent, Response

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.db, pytest.mark.timeout(240)]

READERS = 4
ITEMS = 46
KILLS = 12
RETRY_S = 0.05


class Browser:
    """A reader's browser with an outbox: it sends the same submit until it is acknowledged."""

    def __init__(self, url: str, participant: Participant) -> None:
        self.client = httpx.Client(base_url=f"{url}/api/v1", timeout=10)
        self.email = factory.account_of(participant).email
        self.path = f"/reader/{participant.trial.slug}/current"
        self.acknowledged: dict[str, str] = {}
        self.retries = 0

    def call(self, method: str, path: str, body=None):
        """Send until an answer comes; a killed server is only slow."""
        while True:
            try:
                response = self.client.request(method, path, json=body, headers={"X-CSRFToken": self.csrf})
                if response.status_code == 403 and response.json()["code"] == "csrf_failed":
                    self.csrf = self.call("GET", "/session").json()["csrf_token"]  # as the page does
                elif response.status_code < 500:
                    return response
            except httpx.TransportError:
                pass
            self.retries += 1
            self.rest()

    csrf = ""

    def rest(self) -> None:
        """Wait before the next try."""
        time.sleep(RETRY_S)

    def sign_in(self) -> None:
        """Begin a session."""
        self.csrf = self.call("GET", "/session").json()["csrf_token"]
        answer = self.call("POST", "/session", {"email": self.email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.csrf = answer.json()["csrf_token"]

    def read(self) -> None:
        """Read everything there is to read."""
        while True:
            opened = self.call("POST", f"{self.path}/open", {"environment": {}})
            if opened.status_code == 409:
                return
            shown = opened.json()
            key = str(uuid.uuid4())
            events = [event.__dict__ for event in factory.events_of(seconds=2, choice="left")]
            body = {
                "reading": shown["reading"],
                "lease": shown["lease"],
                "key": key,
                "answer": {"choice": "left", "reason_code": None, "comment": ""},
                "events": events,
            }
            answer = self.call("POST", f"{self.path}/submit", body)
            assert answer.status_code == 200, answer.text
            self.acknowledged[key] = shown["reading"]


@pytest.fixture
def world(flushing_db):
    return factory.open_world(
        cases=ITEMS,
        **{
            "items.selection.count": ITEMS,
            "allocation.strata": [{"key": "all", "label": "All", "participants": READERS}],
            "allocation.hidden_repeats": {"count": 3, "min_distance": 5},
            "allocation.blinding_check.pairs": 3,
        },
    )


def test_two_hundred_submits_survive_a_server_that_is_killed_again_and_again(world, tmp_path):
    readers = [world.enrol() for _ in range(READERS)]
    server = RealServer(log=tmp_path / "server.log")
    server.wait()
    browsers = [Browser(server.url, reader) for reader in readers]
    for browser in browsers:
        browser.sign_in()
    faults: list[BaseException] = []

    def run(browser: Browser) -> None:
        try:
            browser.read()
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=run, args=(browser,), daemon=True) for browser in browsers]
    for thread in threads:
        thread.start()
    moments = random.Random(20260101)
    kills = 0
    while kills < KILLS and any(thread.is_alive() for thread in threads):
        time.sleep(moments.uniform(0.05, 0.6))
        server.kill()
        kills += 1
        server.start()
        server.wait()
    for thread in threads:
        thread.join(timeout=150)
    server.kill()
    for browser in browsers:
        browser.client.close()
    assert faults == []
    assert kills == KILLS
    total = READERS * (1 + ITEMS + 3 + 3)
    acknowledged = {key for browser in browsers for key in browser.acknowledged}
    assert len(acknowledged) == total >= 200
    stored = {str(key) for key in Response.objects.values_list("idempotency_key", flat=True)}
    assert stored == acknowledged
    assert Reading.objects.filter(state="submitted").count() == total
    assert ReadingEvent.objects.count() == 4 * total
    assert sum(browser.retries for browser in browsers) > 0
    assert chain_verify(str(world.trial.id)).problems == ()
