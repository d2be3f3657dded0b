"""The network between web server and database is cut while readers submit: calls end, and work resumes by itself."""

import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection

from equipoise.audit.selectors import chain_verify
from equipoise.config.postgresql import base
from tests.factories import trials as factory
from tests.faults.proxy import Network, Proxy
from tests.faults.real_server import RealServer
from tests.faults.test_server_killed import Browser
from tests.jobs.real_worker import database_url, wait_for
from trials.models import Reading, Response

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.production,
    pytest.mark.usefixtures("flushing_db"),
    pytest.mark.timeout(600),
]

READERS = 3
ITEMS = 46
CUTS = (Network.SILENT, Network.DEAF, Network.RESET)
SLACK_S = 15.0
"""For a machine that is slow and has more to do."""


class ObservedBrowser(Browser):
    """A reader's browser that notes how each call ended, and reads until it is told to stop."""

    def __init__(self, url, participant):
        super().__init__(url, participant)
        self.client.timeout = httpx.Timeout(120)
        self.stop = threading.Event()
        self.longest_s = 0.0
        self.refused: list[httpx.Response] = []
        self.lost = 0
        self.client.event_hooks = {"response": [self._note]}

    def _note(self, response):
        response.read()
        self.longest_s = max(self.longest_s, response.elapsed.total_seconds())
        if response.status_code >= 500:
            self.refused.append(response)

    def call(self, method, path, body=None):
        if path.endswith("/open") and self.stop.is_set():
            return httpx.Response(409)
        return super().call(method, path, body)


@pytest.mark.parametrize(
    ("application", "connect_s", "answer_s"),
    [
        pytest.param("tests.faults.short_limits", 2, 3.0, id="short"),
        pytest.param(
            "equipoise.config.wsgi", base.CONNECT_S, base.WEB_ANSWER_S, id="real", marks=pytest.mark.slow
        ),
    ],
)
def test_calls_end_with_a_sentence_and_work_resumes_when_the_network_does(
    application, connect_s, answer_s, tmp_path, record_property
):
    if connection.vendor != "postgresql":
        pytest.skip("There is no network before SQLite: set EQUIPOISE_DATABASE_URL.")
    world = factory.open_world(
        cases=ITEMS,
        **{
            "items.selection.count": ITEMS,
            "allocation.strata": [{"key": "all", "label": "All", "participants": READERS}],
        },
    )
    readers = [world.enrol() for _ in range(READERS)]
    address = urlsplit(database_url())
    with Proxy(address.port or 5432) as network:
        through = address._replace(netloc=address.netloc.replace(f":{address.port}", f":{network.port}"))
        server = RealServer(
            log=tmp_path / "server.log",
            application=f"{application}:application",
            # The tests' own settings connect anew for each request; a site keeps its connections.
            settings="tests.faults.kept_connections",
            environment={"EQUIPOISE_DATABASE_URL": through.geturl()},
        )
        try:
            server.wait()
            browsers = [ObservedBrowser(server.url, reader) for reader in readers]
            resumed_s = _cut_while_they_read(network, browsers)
        finally:
            server.kill()
    for browser in browsers:
        browser.client.close()
    refused = [answer for browser in browsers for answer in browser.refused]
    longest_s = max(browser.longest_s for browser in browsers)
    record_property("longest_s", round(longest_s, 1))
    record_property("refused", len(refused))
    record_property("resumed_s", resumed_s)
    assert longest_s < answer_s + connect_s + SLACK_S
    for answer in refused:
        assert answer.status_code == 503, answer.text
        assert answer.json()["detail"] == "The database did not answer; try again."
        assert answer.headers["Retry-After"] == "5"
    acknowledged = {key for browser in browsers for key in browser.acknowledged}
    assert {str(key) for key in Response.objects.values_list("idempotency_key", flat=True)} == acknowledged
    assert Reading.objects.filter(state="submitted").count() == len(acknowledged)
    assert chain_verify(str(world.trial.id)).problems == ()


def _cut_while_they_read(network, browsers):
    """Cut the network in every way, each until everybody was refused; return the seconds until work went on."""
    faults: list[BaseException] = []

    def run(browser):
        try:
            browser.sign_in()
            browser.read()
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=run, args=(browser,), daemon=True) for browser in browsers]
    for thread in threads:
        thread.start()
    resumed_s = {}
    for way in CUTS:
        _wait_for_submits(browsers, 2, f"reading before the network is {way.value}")
        before = [len(browser.refused) for browser in browsers]
        network.become(way)
        wait_for(
            lambda before=before: all(
                len(browser.refused) > count for browser, count in zip(browsers, before, strict=True)
            ),
            seconds=120,
            what=f"A refusal while the network is {way.value}",
        )
        network.become(Network.WHOLE)
        started = time.monotonic()
        _wait_for_submits(browsers, 1, f"reading after the network was {way.value}")
        resumed_s[way.value] = round(time.monotonic() - started, 1)
    for browser in browsers:
        browser.stop.set()
    for thread in threads:
        thread.join(120)
    assert faults == []
    assert not any(thread.is_alive() for thread in threads)
    return resumed_s


def _wait_for_submits(browsers, count, what):
    """Wait until everybody has submitted so many answers more."""
    wanted = [len(browser.acknowledged) + count for browser in browsers]
    wait_for(
        lambda: all(len(b.acknowledged) >= number for b, number in zip(browsers, wanted, strict=True)),
        seconds=120,
        what=what,
    )
