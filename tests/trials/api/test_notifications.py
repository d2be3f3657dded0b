"""Events to poll and webhooks: order, signature, retries, at least once, and nothing by arm or of an answer."""

import base64
import hashlib
import hmac
import json
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.utils import timezone
from typer.testing import CliRunner

from equipoise.audit.models import AuditEntry
from equipoise.cli import trial as command
from equipoise.cli import trial_shared
from equipoise.jobs.inline import jobs_run_inline
from equipoise.jobs.models import JobItem
from equipoise.jobs.services import job_create
from tests.factories import bone_scans as bones
from tests.factories import trials as factory
from tests.trials.api.test_administration import API, send, signed_in
from trials.domain.notifications import signature
from trials.domain.states import TrialAction
from trials.models import Case, Item, Reading, Webhook
from trials.services.notifications import ATTEMPTS, notifications_queue

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def receiver(settings):
    """A program that keeps what it is sent; it answers with the next of ``answers``, or 204."""

    class Receiver(BaseHTTPRequestHandler):
        received: list = []
        answers: list = []

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.received.append((dict(self.headers.items()), body))
            self.send_response(self.answers.pop(0) if self.answers else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    settings.OUTBOUND_HOSTS = ("127.0.0.1",)
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        Receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        yield Receiver
        server.shutdown()


def events(client, world, query="", **headers):
    response = client.get(f"{API}/trials/{world.trial.id}/events{query}", headers=headers)
    assert response.status_code == 200, response.content
    return response.json()


def hooked(world, url, kinds=("reading.submitted", "trial.state_changed", "job.finished")):
    body = {"url": url, "kinds": list(kinds)}
    return send(
        signed_in(world.administrator), "post", f"/trials/{world.trial.id}/webhooks", body, status=201
    )


def test_signature_is_the_one_of_the_standard():
    """The worked example of the Standard Webhooks specification (its libraries' test vector)."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = signature(secret, event_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_events_are_polled_in_order_and_tell_nothing_by_arm():
    world = bones.open_world(practice=0, cases=4, **{"practice.count": 0})
    reader = world.enrol()
    for _ in range(2):
        bones.answer(reader, bones.open_reading(reader), bones.rated(1, 80))
    world.act(TrialAction.PAUSE)
    job_create(kind="trials.ingest", trial_id=world.trial.id, created_by_id=None, items=[("1", {})])
    jobs_run_inline()
    client = signed_in(world.administrator)
    told = events(client, world)
    assert [(one["kind"], one["data"]) for one in told["results"][2:]] == [
        ("reading.submitted", {"participant": reader.code, "phase": "reading"}),
        ("reading.submitted", {"participant": reader.code, "phase": "reading"}),
        ("trial.state_changed", {"from": "open", "state": "paused"}),
        (
            "job.finished",
            {
                "job": str(JobItem.objects.get(job__kind="trials.ingest").job_id),
                "kind": "trials.ingest",
                "state": "failed",
            },
        ),
    ]
    numbers = [one["sequence"] for one in told["results"]]
    assert numbers == sorted(numbers)
    words = json.dumps([one["data"] for one in told["results"]])
    forbidden = {*Case.objects.values_list("code", flat=True), *Item.objects.values_list("code", flat=True)}
    forbidden |= set(Reading.objects.values_list("condition", flat=True)) - {""}
    forbidden |= {str(pk) for pk in Reading.objects.values_list("id", flat=True)}
    assert [word for word in forbidden if word in words] == []
    after = events(client, world, f"?after={told['results'][2]['sequence']}&kind=reading.submitted")
    assert len(after["results"]) == 1
    nothing = events(client, world, f"?after={told['next']}")
    assert (nothing["results"], nothing["next"], nothing["more"]) == ([], told["next"], False)
    first = client.get(f"{API}/trials/{world.trial.id}/events")
    again = client.get(
        f"{API}/trials/{world.trial.id}/events", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304
    assert client.get(f"{API}/trials/{world.trial.id}/events?after=-1").status_code == 400


def test_message_is_signed_sent_again_until_it_is_taken_and_queued_once(receiver):
    world = factory.open_world()
    reader = world.enrol()
    made = hooked(world, receiver.url)
    factory.answer(reader, factory.open_reading(reader))
    assert notifications_queue() == 1
    assert notifications_queue() == 0
    receiver.answers[:] = [503]
    jobs_run_inline()
    assert JobItem.objects.get().state != "succeeded"
    JobItem.objects.update(lease_until=timezone.now() - timedelta(days=1))
    jobs_run_inline()
    assert JobItem.objects.get().result == {"outcome": "delivered"}
    first, second = receiver.received
    assert first[0]["webhook-id"] == second[0]["webhook-id"] == json.loads(second[1])["id"]
    headers, body = second
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    message = json.loads(body)
    assert message["data"] == {"participant": reader.code, "phase": "practice"}
    assert message["trial"] == str(world.trial.id)
    [listed] = send_get(world, "/webhooks")["results"]
    assert "secret" not in listed
    assert listed["last_delivered_at"] is not None
    assert not AuditEntry.objects.filter(kind="job:finished").exists()
    entry = AuditEntry.objects.get(kind="webhook:created")
    assert entry.after == {
        "host": "127.0.0.1",
        "kinds": ["job.finished", "reading.submitted", "trial.state_changed"],
    }
    send(signed_in(world.administrator), "post", f"/trials/{world.trial.id}/webhooks/{made['id']}/end")
    world.act(TrialAction.PAUSE)
    assert notifications_queue() == 0


def send_get(world, path):
    response = signed_in(world.administrator).get(f"{API}/trials/{world.trial.id}{path}")
    assert response.status_code == 200
    return response.json()


def test_address_that_never_takes_it_is_given_up_and_can_be_retried(receiver, monkeypatch):
    monkeypatch.setattr("trials.services.notifications.ATTEMPTS", 1)
    world = factory.open_world()
    hooked(world, receiver.url, kinds=["trial.state_changed"])
    world.act(TrialAction.PAUSE)
    notifications_queue()
    receiver.answers[:] = [500]
    jobs_run_inline()
    item = JobItem.objects.get()
    assert (item.state, item.error_detail) == ("failed", "The address answers with 500.")
    [listed] = send_get(world, "/webhooks")["results"]
    assert (listed["waiting"], listed["given_up"]) == (0, 1)
    send(signed_in(world.administrator), "post", f"/jobs/{item.job_id}/retry")
    jobs_run_inline()
    assert json.loads(receiver.received[-1][1])["data"] == {"from": "open", "state": "paused"}


def test_slow_address_rests_and_what_comes_meanwhile_keeps_no_worker(receiver, monkeypatch):
    world = factory.open_world()
    made = hooked(world, receiver.url, kinds=["trial.state_changed"])
    world.act(TrialAction.PAUSE)
    world.act(TrialAction.RESUME)
    assert notifications_queue() == 2
    calls = []

    def slow(url, body, headers):
        calls.append(url)
        return "The address cannot be reached, or broke off."

    monkeypatch.setattr("trials.services.notifications._post", slow)
    monkeypatch.setattr("trials.services.notifications.SLOW_S", -1.0)
    monkeypatch.setattr("trials.services.notifications.REST_FACTOR", 1e9)
    jobs_run_inline()
    assert calls == [receiver.url]
    assert JobItem.objects.filter(state="running", attempts=1).count() == 2
    monkeypatch.undo()
    Webhook.objects.filter(id=made["id"]).update(resting_until=timezone.now())
    JobItem.objects.update(lease_until=timezone.now() - timedelta(days=1))
    jobs_run_inline()
    assert [json.loads(body)["data"]["state"] for _, body in receiver.received] == ["paused", "open"]
    assert Webhook.objects.get().resting_until is None


def test_message_is_not_given_up_unsent_while_its_address_rests(receiver):
    world = factory.open_world()
    made = hooked(world, receiver.url, kinds=["trial.state_changed"])
    world.act(TrialAction.PAUSE)
    notifications_queue()
    Webhook.objects.filter(id=made["id"]).update(resting_until=timezone.now() + timedelta(hours=1))
    for attempt in range(1, ATTEMPTS + 1):
        assert receiver.received == []
        assert JobItem.objects.get().attempts == attempt - 1
        jobs_run_inline()
        JobItem.objects.filter(state="running").update(lease_until=timezone.now() - timedelta(days=1))
    assert [json.loads(body)["data"]["state"] for _, body in receiver.received] == ["paused"]
    assert JobItem.objects.get().result == {"outcome": "delivered"}


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "http://hooks.example/",
        "https://169.254.169.254/latest/",
        "ftp://x/",
        "https://a@b/",
    ],
)
def test_addresses_inside_the_network_are_refused(url):
    world = factory.open_world()
    body = {"url": url, "kinds": ["job.finished"]}
    client = signed_in(world.administrator)
    refused = send(client, "post", f"/trials/{world.trial.id}/webhooks", body, status=422)
    assert "/url" in refused["data"]["fields"]
    assert Webhook.objects.count() == 0


def test_events_by_command(monkeypatch):
    monkeypatch.setattr(trial_shared, "start", lambda: None)
    world = factory.open_world()
    run = CliRunner().invoke(command.app, ["events", world.trial.slug, "--as", world.administrator.email])
    assert run.exit_code == 0, run.output
    told = [json.loads(line) for line in run.output.splitlines()]
    assert [one["data"]["state"] for one in told] == ["locked", "open"]
