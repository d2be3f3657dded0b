"""Metrics and reports of faults: who may see them, and that neither tells of people, trials or arms."""

import asyncio
import re

import pytest
import sentry_sdk
from django.db import connection
from sentry_sdk.transport import Transport

from equipoise.config import env
from equipoise.config.endpoints.frames_health import with_health
from equipoise.config.error_reports import error_reports_start, without_values
from equipoise.config.logs import request_id
from equipoise.jobs.services import job_create
from tests.factories import trials as factory
from tests.jobs import handlers  # noqa: F401 - importing registers them

pytestmark = [pytest.mark.django_db, pytest.mark.db]

TOKEN = "a token of the monitoring system, or so".replace(" ", "-")


@pytest.mark.parametrize(
    "token, headers, allowed",
    [
        (None, {}, True),
        (None, {"HTTP_X_FORWARDED_FOR": "203.0.113.5"}, False),
        (None, {"HTTP_FORWARDED": "for=203.0.113.5"}, False),
        (None, {"REMOTE_ADDR": "203.0.113.5"}, False),
        (None, {"REMOTE_ADDR": ""}, False),
        (TOKEN, {}, False),
        (TOKEN, {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}x"}, False),
        (TOKEN, {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}", "REMOTE_ADDR": "203.0.113.5"}, True),
    ],
)
def test_metrics_are_for_the_machine_itself_or_for_the_token(client, settings, token, headers, allowed):
    settings.METRICS_TOKEN = token
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    answer = client.get("/metrics", **headers)
    assert answer.status_code == (200 if allowed else 404)
    assert (b"equipoise_build_info" in answer.content) is allowed


def test_metrics_count_by_route_and_queue_and_name_nothing_else(
    client, settings, django_capture_on_commit_callbacks
):
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    world = factory.open_world(cases=3, **{"items.selection.count": 3})
    participant = world.enrol()
    factory.answer(participant, factory.open_reading(participant))
    job_create(kind="tests.effect", trial_id=world.trial.id, created_by_id=None, items=[("a", {}), ("b", {})])
    client.get("/api/v1/session")
    client.get(f"/api/v1/trials/{world.trial.id}")
    client.generic("MADEUP", "/api/v1/session")
    text = client.get("/metrics").content.decode()

    assert re.search(
        r'^equipoise_http_requests_total\{method="GET",route="api/v1/session",status="200"\} [1-9]',
        text,
        re.M,
    )
    assert 'equipoise_http_requests_total{method="other",route="api/v1/session",status="405"}' in text
    assert 'equipoise_http_request_seconds_bucket{le="0.1",method="GET",route="api/v1/session"}' in text
    assert 'equipoise_job_items{queue="default",state="queued"} 2.0' in text
    assert "MADEUP" not in text
    labels = {name for found in re.findall(r"\{(.*)\}", text) for name in re.findall(r"(\w+)=", found)}
    assert labels == {"method", "route", "status", "le", "queue", "state", "version"}
    told = re.findall(r'="([^"]*)"', text)
    secret = [str(world.trial.id), world.trial.slug, participant.code, "expert", "algorithm", "example.org"]
    assert [word for word in secret for value in told if word in value.replace("algorithms", "")] == []


def test_readiness_needs_a_data_folder(client, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert client.get("/readyz").json() == {"status": "ok"}
    settings.DATA_DIR = tmp_path / "absent"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "data folder unavailable"})


def asked(application, path, headers=(), address="127.0.0.1"):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "client": (address, 1)}
    asyncio.run(application(scope, None, send))
    return sent[0]["status"], sent[-1].get("body", b"")


def test_the_frame_server_tells_its_health_and_counts_what_it_answers(flushing_db, settings, tmp_path):
    settings.DATA_DIR = tmp_path

    async def refusing(scope, receive, send):
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    application = with_health(refusing)
    assert asked(application, "/healthz") == (200, b"ok")
    assert asked(application, "/readyz") == (200, b"ok")
    assert asked(application, "/frames/AAAAAAAAAAAAAAAA/0")[0] == 404
    status, body = asked(application, "/metrics")
    counted = b'{method="GET",route="frames/<str:token>/<int:number>",status="404"}'
    assert (status, counted in body) == (200, True)
    assert asked(application, "/metrics", address="203.0.113.5")[0] == 404
    assert asked(application, "/metrics", headers=[(b"X-Forwarded-For", b"203.0.113.5")])[0] == 404
    connection.close()


def test_a_reported_fault_holds_its_place_and_no_value():
    events = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            events.extend(item.payload.json for item in envelope.items)

    error_reports_start("https://key@errors.example/1", release="1.2.3", transport=Kept)
    token = request_id.set("a-request-of-the-test")
    try:
        patient = "Doe, Jane"
        try:
            raise ValueError(f"{patient} cannot be read")
        except ValueError as error:
            sentry_sdk.set_user({"email": "ada@example.org"})
            sentry_sdk.set_context("trial", {"arm": "algorithm"})
            sentry_sdk.capture_exception(error)
        sentry_sdk.flush()
    finally:
        request_id.reset(token)
        sentry_sdk.get_client().close()
        sentry_sdk.get_global_scope().set_client(None)
    (event,) = events
    (shown,) = event["exception"]["values"]
    assert shown["type"] == "ValueError"
    assert (
        shown["stacktrace"]["frames"][-1]["function"] == "test_a_reported_fault_holds_its_place_and_no_value"
    )
    assert event["tags"] == {"request_id": "a-request-of-the-test"}
    assert not any(word in str(event) for word in ("Doe", "ada@", "algorithm", "patient'"))


@pytest.mark.parametrize(("source", "kept"), [("route", True), ("task", True), ("url", False)])
def test_address_without_a_template_is_not_reported(source, kept):
    event = {"transaction": "/some/address", "transaction_info": {"source": source}}
    assert ("transaction" in without_values(event)) is kept


def test_without_an_address_nothing_is_reported_and_a_bad_one_is_a_problem():
    assert not sentry_sdk.get_client().is_active()
    environment = env.read_environment(
        {"EQUIPOISE_SENTRY_DSN": "errors.example", "EQUIPOISE_METRICS_TOKEN": "short"}
    )
    assert environment.problems == (
        "EQUIPOISE_METRICS_TOKEN must have at least 32 printable ASCII characters and no space.",
        "EQUIPOISE_SENTRY_DSN must be https://key@host/project.",
    )
    assert environment["SENTRY_DSN"] is None
