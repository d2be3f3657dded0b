"""`equipoise admin` and `equipoise audit`, run as a person runs them."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys

import pytest

PASSWORD = "a long password for tests"


@pytest.fixture
def site(tmp_path):
    """Return a function that runs a command on an embedded site of its own."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("EQUIPOISE_") and k != "DJANGO_SETTINGS_MODULE"
    }
    environment = {**kept, "EQUIPOISE_DATA_DIR": str(tmp_path / "var")}

    def run(*arguments, stdin=""):
        command = [sys.executable, "-m", "equipoise.cli.main", *arguments]
        return subprocess.run(
            command, env=environment, input=stdin, capture_output=True, text=True, check=False
        )

    run.database = tmp_path / "var" / "db.sqlite3"
    return run


def test_accounts_are_made_and_recovered_and_bad_input_is_refused_in_a_sentence(site, tmp_path):
    made = site("admin", "create-account", "ada@example.org", "--institute", "Klinik", stdin=PASSWORD)
    assert (made.returncode, made.stdout) == (0, "Account ada@example.org was made.\n")

    again = site("admin", "create-account", "ADA@example.org", stdin=PASSWORD)
    assert (again.returncode, again.stderr) == (
        2,
        "/email: An account with this e-mail address exists already.\n",
    )

    unknown = site("admin", "recover", "bob@example.org", "--reason", "Locked out", stdin=PASSWORD)
    assert (unknown.returncode, unknown.stderr) == (2, "There is no account with this e-mail address.\n")

    secret = tmp_path / "password"
    secret.write_text("a brand new password\n")
    recovered = site(
        "admin", "recover", "ada@example.org", "--reason", "Locked out", "--password-file", str(secret)
    )
    assert recovered.returncode == 0
    with contextlib.closing(sqlite3.connect(site.database)) as database:
        assert database.execute(
            "SELECT is_site_administrator, is_active FROM accounts_account"
        ).fetchall() == [(1, 1)]
        assert database.execute("SELECT text FROM audit_auditreason").fetchall() == [("Locked out",)]

    reset = site("admin", "second-factors-reset", "ada@example.org", "--reason", "Lost the phone")
    assert (reset.returncode, reset.stdout) == (
        0,
        "Account ada@example.org has no second factor now; the password is as it was.\n",
    )
    audited = site("audit", "verify")
    assert audited.stdout.startswith("site: 4 entries, intact, head ")


def test_audit_trail_is_verified_and_exported_and_tampering_by_the_files_owner_is_shown(site, tmp_path):
    site("admin", "create-account", "ada@example.org", stdin=PASSWORD)
    site("admin", "create-account", "bob@example.org", stdin=PASSWORD)
    intact = site("audit", "verify")
    assert intact.returncode == 0
    assert intact.stdout.startswith("site: 2 entries, intact, head ")

    output = tmp_path / "trail.jsonl"
    assert site("audit", "export", str(output)).stdout == f"2 entries were written to {output}.\n"
    for name in ("trail.csv", "trail.json"):
        told = site("audit", "export", str(tmp_path / name), "--what", "account:created").stdout
        assert told == f"2 entries were written to {tmp_path / name}.\n"
    assert (tmp_path / "trail.csv").read_text().splitlines()[1].startswith("site,1,20")
    assert [row["kind"] for row in json.loads((tmp_path / "trail.json").read_text())] == [
        "account:created"
    ] * 2
    entries = [json.loads(line) for line in output.read_text().splitlines()]
    assert [entry["kind"] for entry in entries] == ["account:created"] * 2
    assert entries[1]["previous_hash"] == entries[0]["hash"]
    assert "example.org" not in output.read_text()

    with contextlib.closing(sqlite3.connect(site.database)) as database, database:
        database.execute("DROP TRIGGER eq_guard_audit_auditentry_update")
        database.execute("UPDATE audit_auditentry SET subject = 'account:x' WHERE sequence = 1")

    tampered = site("audit", "verify")
    assert tampered.returncode == 1
    assert tampered.stderr.splitlines() == [
        "Guard eq_guard_audit_auditentry_update is not installed.",
        "site/1: its content does not give its hash; it was altered.",
    ]
