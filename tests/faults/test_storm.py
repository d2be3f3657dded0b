"""Web, worker, database and broker are killed while many read on two machines each: nothing acknowledged is lost."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.faults.storm import JOB_ITEMS


@pytest.mark.parametrize(
    "readers, items, strikes",
    [
        pytest.param(100, 1, 5, marks=[pytest.mark.production, pytest.mark.timeout(1200)]),
        pytest.param(100, 4, 60, marks=[pytest.mark.slow, pytest.mark.timeout(7200)]),
    ],
)
def test_every_acknowledged_answer_is_there_once_after_the_storm(
    readers, items, strikes, tmp_path, record_property
):
    missing = [program for program in ("pg_config", "redis-server") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed.")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EQUIPOISE_")}
    numbers = [str(number) for number in (readers, items, strikes)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.faults.storm", tmp_path, *numbers],
        cwd=REPOSITORY,
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for name, value in found.items():
        record_property(name, value)
    assert (found["faults"], found["hung"]) == ([], False)
    assert found["acknowledged"] == found["expected"] == found["submitted"]
    assert (found["lost"], found["unknown"], found["doubled"], found["late_lost"]) == (0, 0, 0, 0)
    assert found["without_events"] == 0
    assert found["job_items"] == JOB_ITEMS
    assert (found["chain_problems"], found["guards"], found["archive_sound"]) == ([], [], True)
    assert set(found["struck"]) == {"broker", "database", "web0", "web1", "worker"}
    assert found["submitted_at_once"] > 0
    assert found["cut_in_the_answer"] > 0
    assert (found["speechless"], found["refused"].get("500")) == ([], None)
