"""Files made to harm go through the whole ingest: no crash, no hang, no gigabytes, nothing left over."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.archive import fuzzing
from tests.archive.fuzzing import HOSTILE, MEMORY_ALLOWED, run_inputs, write_seeds
from tests.conftest import REPOSITORY, SHARED


@pytest.mark.django_db
@pytest.mark.db
def test_three_hundred_inputs_harm_nothing(tmp_path: Path):
    (tmp_path / "seeds").mkdir()
    (tmp_path / "scratch").mkdir()
    seeds = write_seeds(tmp_path / "seeds")
    outcome = run_inputs(range(300), seeds, tmp_path / "scratch")
    assert outcome.faults == []
    assert outcome.inputs == 300
    assert outcome.stored_patients >= 5
    assert {"ingest_not_an_image", "ingest_truncated", "ingest_unsupported", "ingest_archive_unsafe"} <= set(
        outcome.refused
    )


@pytest.mark.django_db
@pytest.mark.db
@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_material_made_to_harm_is_refused_or_set_aside(tmp_path: Path, kind: str, monkeypatch):
    def make(number: int, seeds: list[Path], folder: Path) -> str:
        HOSTILE[kind](folder, np.random.default_rng(number))
        return kind

    monkeypatch.setattr(fuzzing, "make_input", make)
    (tmp_path / "scratch").mkdir()
    outcome = run_inputs(range(1), [], tmp_path / "scratch")
    assert outcome.faults == []
    # what follows a sound image in its file is not read, whatever it inflates to
    assert outcome.stored_patients == (1 if kind == "gzip-bomb" else 0)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_twenty_thousand_inputs_harm_nothing(tmp_path: Path):
    command = [
        sys.executable,
        "-m",
        "tests.archive.fuzzing",
        "--count",
        "20000",
        "--folder",
        str(tmp_path / "fuzz"),
    ]
    if (SHARED / "data").is_dir():
        command += ["--patients", str(SHARED / "data")]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    summary = json.loads((tmp_path / "fuzz" / "summary.json").read_text())
    assert summary["faults"] == []
    assert summary["inputs"] == 20_000
    assert summary["peak_bytes"] < MEMORY_ALLOWED
