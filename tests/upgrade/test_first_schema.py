"""A site of the first schema, with trials in it, becomes one of the newest and goes on."""

import contextlib
import json
import os
import subprocess
import sys

import pytest
from django.db import connection

from tests.conftest import REPOSITORY
from tests.databases import postgresql_database
from tests.jobs.real_worker import database_url

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def test_a_site_of_the_first_schema_is_brought_up_and_read_on(tmp_path):
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{tmp_path / 'site.sqlite3'}"
        if connection.vendor == "postgresql":
            url = stack.enter_context(postgresql_database(database_url(), "upgraded"))
        own = {"EQUIPOISE_DATABASE_URL": url, "EQUIPOISE_DATA_DIR": str(tmp_path / "var")}
        done = subprocess.run(
            [sys.executable, "-m", "tests.upgrade.from_first_schema"],
            cwd=REPOSITORY,
            env={**os.environ, **own, "PYTEST_XDIST_WORKER": ""},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["chains"]) == 2
    assert found == {
        "rows": 296,
        "chains": {chain: [] for chain in found["chains"]},
        "guards": [],
        "sound": True,
        "readings_kept": True,
        "readings": 12,
        "same_reading": True,
        "answered": 1,
    }
