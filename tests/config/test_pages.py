"""The site's own addresses: pages, health, security headers, logs."""

import json
import logging
import re

import pytest
from django.db import DatabaseError, connection

from equipoise.config.logs import JsonFormatter

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def dist(settings, tmp_path):
    settings.FRONTEND_DIST = tmp_path
    (tmp_path / "index.html").write_text(
        '<meta property="csp-nonce" nonce="__CSP_NONCE__"><div id="root"></div>'
    )
    return tmp_path


def test_healthz_answers_and_readyz_asks_the_database(client, monkeypatch):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200

    def fail(*_args, **_kwargs):
        raise DatabaseError

    monkeypatch.setattr(connection, "cursor", fail)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/", "/trials", "/read/some-trial/deep", "/invitation/abc"])
def test_every_other_address_gives_the_frontends_page(client, dist, path):
    answer = client.get(path)
    assert answer.status_code == 200
    assert '<div id="root">' in answer.content.decode()
    assert "no-cache" in answer.headers["Cache-Control"]


def test_unknown_api_address_is_json_not_a_page(client, dist):
    for method in (client.get, client.post):
        answer = method("/api/v1/nothing")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_unknown_asset_is_absent_not_a_page(client, dist):
    assert client.get("/assets/old-build.js").status_code == 404


def test_unbuilt_frontend_says_so(client, settings, tmp_path):
    settings.FRONTEND_DIST = tmp_path
    assert client.get("/").status_code == 503


def test_page_and_policy_share_a_nonce_that_is_never_used_twice(client, dist):
    nonces = []
    for _ in range(2):
        answer = client.get("/")
        nonce = re.search(r'nonce="([\w-]{22})"', answer.content.decode())[1]
        assert f"style-src 'self' 'nonce-{nonce}'" in answer.headers["Content-Security-Policy"]
        nonces.append(nonce)
    assert nonces[0] != nonces[1]


def test_policy_allows_no_inline_script_or_style_and_no_framing(client):
    policy = client.get("/api/v1/session").headers["Content-Security-Policy"]
    directives = {part.split()[0]: part.split()[1:] for part in policy.split("; ")}
    assert directives["default-src"] == ["'self'"]
    assert directives["script-src"] == ["'self'", "'wasm-unsafe-eval'"]
    assert directives["style-src"] == ["'self'"]
    assert directives["img-src"] == ["'self'", "data:", "blob:"]
    assert directives["frame-ancestors"] == ["'none'"]
    assert "unsafe-inline" not in policy


def test_documentation_page_loads(client):
    answer = client.get("/api/v1/docs/")
    assert answer.status_code == 200
    assert "<script>" not in answer.content.decode()


def test_security_headers(client):
    headers = client.get("/healthz").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_answer_carries_the_requests_id(client):
    assert (
        client.get("/healthz", headers={"X-Request-Id": "abcdef-123456"}).headers["X-Request-Id"]
        == "abcdef-123456"
    )
    made = client.get("/healthz", headers={"X-Request-Id": "bad\x01id"}).headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{32}", made)


def test_log_lines_are_json_and_hold_no_personal_data(client, caplog):
    with caplog.at_level(logging.INFO, logger="equipoise.access"):
        client.get("/api/v1/session?email=ada@example.org", headers={"User-Agent": "Ada's browser"})
    record = next(r for r in caplog.records if r.name == "equipoise.access")
    line = json.loads(JsonFormatter().format(record))
    assert (line["method"], line["route"], line["status"]) == ("GET", "api/v1/session", 200)
    assert "example.org" not in json.dumps(line)
    assert "browser" not in json.dumps(line)


def test_personal_extras_are_left_out_of_the_log():
    record = logging.makeLogRecord({"msg": "x", "email": "ada@example.org", "job_id": "7", "user": "ada"})
    assert json.loads(JsonFormatter().format(record)).keys() == {
        "time",
        "level",
        "logger",
        "message",
        "job_id",
    }
