"""`equipoise ingest --check-only` says what would happen, and nothing happens."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from equipoise.archive.check import folder_check
from equipoise.archive.models import IngestRun, StoredVolume
from equipoise.cli.ingest import app
from equipoise.cli.problems import BadInputError

SERIES = "series 1: CT, 6 x 20 x 24, slices every 5 mm, kernel B30f"


def test_archives_are_checked_like_folders(sent: Path, tmp_path: Path):
    packed = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", sent))
    for source in (sent, packed):
        found = folder_check(source)
        assert found.accepted
        assert [one.summary for one in found.series] == [SERIES.removeprefix("series 1: ")]
        assert len(found.reports) == 7


@pytest.fixture
def command(monkeypatch, db):
    from tests.factories.trials import preference_world

    monkeypatch.setattr("equipoise.config.start.database_prepare", lambda: None)
    world = preference_world(cases=0, practice=0, quality={})

    def run(folder: Path, *arguments: str):
        return CliRunner().invoke(
            app, ["contours", str(folder), "--as", world.administrator.email, *arguments]
        )

    return run


@pytest.mark.db
def test_check_only_prints_and_stores_nothing(command, sent: Path):
    done = command(sent, "--check-only", "--modality", "CT", "--kernel", "B3*", "--min-slices", "6")
    assert done.exit_code == 0
    assert done.output.splitlines()[-5:] == [
        SERIES,
        "  passed     The modality is CT; accepted: CT.",
        "  passed     The number of slices is 6; accepted: at least 6.",
        "  passed     The reconstruction kernel is B30f; accepted: B3*.",
        "0 files failed, 0 checks did not pass. Nothing was stored.",
    ]
    (sent / "a" / "broken.dcm").write_bytes(b"")
    done = command(sent, "--check-only", "--min-slices", "7")
    assert done.exit_code == 1
    assert done.output.splitlines()[-3:] == [
        SERIES,
        "  failed     The number of slices is 6; accepted: at least 7.",
        "1 files failed, 1 checks did not pass. Nothing was stored.",
    ]
    assert (IngestRun.objects.count(), StoredVolume.objects.count()) == (0, 0)


@pytest.mark.db
def test_check_only_takes_the_limits_of_the_protocol(monkeypatch, db, sent: Path):
    from tests.factories.trials import preference_world

    monkeypatch.setattr("equipoise.config.start.database_prepare", lambda: None)
    quality = {"modalities": ["MR"], "slices": {"low": "6"}, "even_thickness": True, "rescale_stated": True}
    world = preference_world(cases=0, practice=0, quality=quality)
    asked = ["contours", str(sent), "--as", world.administrator.email, "--check-only"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1
    assert done.output.splitlines()[-5:] == [
        "  failed     The modality is CT; accepted: MR.",
        "  passed     The number of slices is 6; accepted: at least 6.",
        "  passed     The slice thickness is 5 mm; accepted: anything, if it is stated.",
        "  passed     The header states rescale slope and intercept.",
        "0 files failed, 1 checks did not pass. Nothing was stored.",
    ]
    assert CliRunner().invoke(app, [*asked, "--modality", "CT"]).exit_code == 0


@pytest.mark.db
def test_limits_without_check_only_are_refused(command, sent: Path):
    done = command(sent, "--kernel", "B3*")
    assert isinstance(done.exception, BadInputError)
    assert done.exception.problems == (
        "--kernel is a limit of --check-only; add it, or leave the limit out.",
    )
    assert IngestRun.objects.count() == 0
