"""A site with a name of its own, as its visitors and Django's own inspection see it."""

import os
import re
import secrets
import subprocess
import sys

import httpx
import pytest

from equipoise.config.settings import base
from tests.conftest import REPOSITORY
from tests.factories.accounts import PASSWORD, AccountFactory
from tests.faults.real_server import RealServer

HOST = "trials.example"
PRODUCTION = "equipoise.config.settings.production"


def environment(folder):
    return {
        "DJANGO_SETTINGS_MODULE": PRODUCTION,
        "EQUIPOISE_DATA_DIR": str(folder),
        "EQUIPOISE_PUBLIC_URL": f"https://{HOST}",
        "EQUIPOISE_ALLOWED_HOSTS": "127.0.0.1",
        "EQUIPOISE_SECRET_KEY": secrets.token_hex(32),
    }


def test_djangos_inspection_for_deployment_has_nothing_to_say(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EQUIPOISE_")}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=REPOSITORY,
        env={**kept, **environment(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def attributes(answer, name):
    """Return the attributes of a cookie that an answer sets, as browsers read them."""
    [line] = [line for line in answer.headers.get_list("set-cookie") if line.startswith(f"{name}=")]
    return {part.strip().lower() for part in line.split(";")[1:]}


@pytest.mark.django_db(transaction=True)
@pytest.mark.db
@pytest.mark.usefixtures("flushing_db")
def test_real_answers_carry_policy_and_safe_cookies(tmp_path, settings):
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    account = AccountFactory.create(email="ada@example.org")
    server = RealServer(log=tmp_path / "web.log", settings=PRODUCTION, environment=environment(tmp_path))
    try:
        server.wait()
        with httpx.Client(base_url=server.url, headers={"Host": HOST}, timeout=30) as plain:
            moved = plain.get("/trials?page=2")
            assert (moved.status_code, moved.headers["location"]) == (301, f"https://{HOST}/trials?page=2")
            assert plain.get("/healthz", headers={"Host": "evil.example"}).status_code == 400
        https = {"Host": HOST, "X-Forwarded-Proto": "https", "Origin": f"https://{HOST}"}
        with httpx.Client(base_url=server.url, headers=https, timeout=30) as client:
            asked = client.get("/api/v1/session")
            told = {"X-CSRFToken": asked.json()["csrf_token"], "Cookie": cookies_of(asked)}
            signed_in = client.post(
                "/api/v1/session", json={"email": account.email, "password": PASSWORD}, headers=told
            )
            page, absent = client.get("/"), client.get("/api/v1/nothing")
        assert signed_in.status_code == 200, signed_in.text
        for answer, name in ((asked, "equipoise_csrf"), (signed_in, "equipoise_session")):
            assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes(answer, name)
            assert not any(part.startswith("domain") for part in attributes(answer, name))
        for answer in (asked, signed_in, page, absent):
            headers = answer.headers
            assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
            assert headers["x-frame-options"] == "DENY"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            policy = headers["content-security-policy"]
            assert re.search(r"(^|; )default-src 'self'(;|$)", policy)
            assert "frame-ancestors 'none'" in policy
            assert "unsafe-inline" not in policy
            assert "unsafe-eval" not in policy.replace("'wasm-unsafe-eval'", "")
    finally:
        server.kill()


def cookies_of(answer):
    """Return what a browser sends back; the client here keeps secure cookies from an address that is not https."""
    return "; ".join(line.split(";")[0] for line in answer.headers.get_list("set-cookie"))
