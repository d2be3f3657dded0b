"""Old tokens and uploads go by themselves; signing out closes the session's frames."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from equipoise.accounts.sessions import session_sign_out
from equipoise.archive.models import AssetToken
from equipoise.archive.services import asset_token_issue, volume_store
from equipoise.archive.storage import incoming_folder, incoming_sweep
from equipoise.jobs import tick
from tests.archive.conftest import INSTITUTE, TRIAL, make_volume
from tests.factories.accounts import AccountFactory

pytestmark = [pytest.mark.django_db, pytest.mark.db]

NOW = timezone.now()


def token_of(session_key: str, *, hours: float = 1.0) -> AssetToken:
    volume = volume_store(make_volume(), trial_id=TRIAL, institute_id=INSTITUTE)
    return asset_token_issue(
        volume, first_frame=0, last_frame=2, session_key=session_key, expires_at=NOW + timedelta(hours=hours)
    )


def aged(path: Path, *, hours: float) -> Path:
    """Make a file or folder look last touched so long ago."""
    seconds = (NOW - timedelta(hours=hours)).timestamp()
    os.utime(path, (seconds, seconds), follow_symlinks=False)
    return path


def file_of(path: Path, *, hours: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return aged(path, hours=hours)


def test_untouched_leftovers_are_swept_after_a_day():
    folder = incoming_folder()
    outside = file_of(folder.parent / "outside" / "kept.dcm", hours=48)
    old_file = file_of(folder / "upload-1", hours=24.1)
    young_file = file_of(folder / "upload-2", hours=23.9)
    file_of(folder / "old-run" / "deep" / "a.dcm", hours=25)
    file_of(folder / "live-run" / "deep" / "a.dcm", hours=1)
    for name in ("old-run/deep", "old-run", "live-run/deep", "live-run"):
        aged(folder / name, hours=30)
    (folder / "old-link").symlink_to(outside.parent)
    aged(folder / "old-link", hours=30)
    assert incoming_sweep(now=NOW) == 3
    assert not old_file.exists()
    assert sorted(p.name for p in folder.iterdir()) == ["live-run", young_file.name]
    assert outside.exists()
    assert incoming_sweep(now=NOW) == 0


def test_a_store_outside_the_data_folder_is_swept_too(tmp_path, settings):
    settings.STORAGE_URL = f"file:{tmp_path / 'elsewhere'}"
    part = file_of(tmp_path / "elsewhere" / ".incoming" / "a.part", hours=25)
    stored = volume_store(make_volume(), trial_id=TRIAL, institute_id=INSTITUTE)
    pack = aged(tmp_path / "elsewhere" / stored.key, hours=1000)
    assert incoming_sweep(now=NOW) == 1
    assert not part.exists()
    assert pack.exists()


def test_the_tick_sweeps_expired_tokens_and_leftovers():
    expired, running = token_of("one", hours=-1), token_of("two")
    leftover = file_of(incoming_folder() / "upload-1", hours=25)
    tick._PERIODIC["archive.asset_tokens"].run()
    tick._PERIODIC["archive.incoming"].run()
    assert list(AssetToken.objects.values_list("pk", flat=True)) == [running.pk]
    assert not AssetToken.objects.filter(pk=expired.pk).exists()
    assert not leftover.exists()
    assert {tick._PERIODIC[f"archive.{name}"].every_s for name in ("asset_tokens", "incoming")} == {3600.0}


def test_signing_out_closes_the_frames_of_that_session_alone():
    account = AccountFactory.create()
    client, other = Client(), Client()
    client.force_login(account)
    other.force_login(account)
    mine, theirs = token_of(client.session.session_key), token_of(other.session.session_key)
    request = client.get("/").wsgi_request
    request.session, request.user = client.session, account
    session_sign_out(request)
    mine.refresh_from_db()
    theirs.refresh_from_db()
    assert mine.closed_at is not None
    assert theirs.closed_at is None
