"""`equipoise serve` as a person starts it: everything comes up, what dies comes back, and it ends when told."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.conftest import REPOSITORY
from tests.databases import postgresql_database

POSTGRESQL = os.environ.get("TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/equipoise")
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
EMAIL, PASSWORD = "ada@example.org", "a long password for tests"


def answers(url):
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=2).close()
    except OSError:
        return False
    return True


@pytest.fixture
def embedded(tmp_path):
    """The environment of an embedded site, and a way to ask its database."""

    def ask(sql):
        with contextlib.closing(sqlite3.connect(tmp_path / "var" / "db.sqlite3")) as database:
            return database.execute(sql).fetchall()

    return {"EQUIPOISE_DATA_DIR": str(tmp_path / "var")}, ask


@pytest.fixture
def production(tmp_path):
    """The environment of a site on PostgreSQL and Redis with a database of its own."""
    for url in (POSTGRESQL, REDIS):
        if not answers(url):
            pytest.skip(f"Nothing answers at {urlsplit(url).hostname}:{urlsplit(url).port}.")
    with postgresql_database(POSTGRESQL, "smoke") as url:

        def ask(sql):
            with psycopg.connect(url) as database:
                return database.execute(sql).fetchall()

        environment = {
            "EQUIPOISE_DATA_DIR": str(tmp_path / "var"),
            "EQUIPOISE_DATABASE_URL": url,
            "EQUIPOISE_BROKER_URL": REDIS,
            "EQUIPOISE_CACHE_URL": REDIS,
        }
        yield environment, ask


class Site:
    """A running `equipoise serve`."""

    def __init__(self, environment, log):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith("EQUIPOISE_") and k != "DJANGO_SETTINGS_MODULE"
        }
        self.environment = {**kept, **environment, "EQUIPOISE_PUBLIC_URL": f"http://localhost:{self.port}"}
        self.log = log
        self.command("admin", "create-account", EMAIL, "--site-administrator", stdin=PASSWORD)
        self._stream = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "equipoise.cli.main", "serve", "--port", str(self.port)],
            cwd=REPOSITORY,
            env=self.environment,
            stdout=self._stream,
            stderr=self._stream,
            start_new_session=True,
        )
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def command(self, *arguments, stdin="", code=0):
        done = subprocess.run(
            [sys.executable, "-m", "equipoise.cli.main", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    def request(self, path, body=None, **headers):
        request = urllib.request.Request(
            f"http://localhost:{self.port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            with self.browser.open(request, timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def wait(self, condition, what, seconds=40):
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, sqlite3.OperationalError, psycopg.Error):
                if condition():
                    return
            words = self.log.read_text()[-3000:]
            assert self.process.poll() is None, f"The site ended.\n{words}"
            assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s.\n{words}"
            time.sleep(0.1)

    def is_ready(self):
        return self.request("/readyz")[0] == 200

    def children(self):
        """Return the newest process id per child, from the supervisor's log."""
        found = {}
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                facts = json.loads(line)
                if facts.get("message") == "started" and "child" in facts:
                    found[facts["child"]] = facts["pid"]
        return found

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        self._stream.close()
        return self.process.returncode


@pytest.fixture
def start(tmp_path):
    sites = []

    def begin(environment):
        sites.append(Site(environment, tmp_path / "serve.log"))
        return sites[-1]

    yield begin
    for site in sites:
        site.end()


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def sign_in(site):
    status, _, body = site.request("/api/v1/session")
    assert status == 200
    return site.request(
        "/api/v1/session",
        {"email": EMAIL, "password": PASSWORD},
        **{"X-CSRFToken": json.loads(body)["csrf_token"], "Origin": f"http://localhost:{site.port}"},
    )


def check_site(site, ask):
    """Sign in, meet the refusals, and see the worker's tick and the audit trail."""
    site.wait(site.is_ready, "the start")
    status, headers, body = sign_in(site)
    assert (status, json.loads(body)["account"]["is_site_administrator"]) == (200, True)
    assert "Secure" not in headers["Set-Cookie"]  # localhost
    assert site.request("/frames/AAAAAAAAAAAAAAAA/0")[0] == 404
    assert site.request("/api/v1/nothing")[0] == 404
    site.wait(
        lambda: ask("SELECT 1 FROM jobs_lease WHERE name = 'tick' AND holder <> ''"), "the worker's tick"
    )
    assert ask("SELECT kind FROM audit_auditentry ORDER BY sequence") == [
        ("account:created",),
        ("session:signed_in",),
    ]
    verified = site.command("audit", "verify")
    assert verified.stdout.startswith("site: 2 entries, intact, head ")


def test_embedded_site_comes_up_comes_back_and_ends(start, embedded):
    environment, ask = embedded
    site = start(environment)
    check_site(site, ask)

    first = site.children()
    assert set(first) == {"web", "worker"}
    for name in ("worker", "web"):
        os.kill(first[name], signal.SIGKILL)
        site.wait(lambda name=name: site.children()[name] != first[name], f"a new {name}")
    site.wait(site.is_ready, "the return")
    assert json.loads(site.request("/api/v1/session")[2])["signed_in"] is True

    last = site.children()
    assert site.end() == 0
    assert [name for name, pid in {**last}.items() if is_alive(pid)] == []
    assert not any(is_alive(pid) for pid in first.values())


@pytest.mark.smoke
def test_production_site_on_postgresql_and_redis(start, production):
    environment, ask = production
    site = start(environment)
    check_site(site, ask)
    assert site.end() == 0


def test_bad_environment_is_refused_with_every_problem(embedded):
    environment, _ = embedded
    done = subprocess.run(
        [sys.executable, "-m", "equipoise.cli.main", "serve"],
        env={**os.environ, **environment, "EQUIPOISE_ROLE": "boss", "EQUIPOISE_THREADS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "EQUIPOISE_ROLE must be one of all, web, worker, frames, not 'boss'.",
        "EQUIPOISE_THREADS must be a whole number from 1 to 256, not '0'.",
    ]
