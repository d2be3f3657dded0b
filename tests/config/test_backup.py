"""The site in one file and back: on both databases, while it is in use, and only into an empty site."""

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import zipfile

import psycopg
import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from equipoise.archive.storage import default_store
from equipoise.audit.models import AuditEntry
from equipoise.config.backup import make
from equipoise.config.backup.make import backup_make
from equipoise.config.backup.manifest import MEMBER, BackupRefusedError, manifest_of
from equipoise.config.backup.restore import backup_restore
from tests.databases import postgresql_database
from tests.factories import trials as factory
from tests.jobs.real_worker import database_url
from tests.trials.bundle.worlds import preference_finished
from trials.models import ReminderPlan, Response
from trials.reports.bundle import bundle_make
from trials.selectors.files import trial_file_digests

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.db]

SECRET = "the key of a site that was backed up and restored"
KEY = "the key under which backups of a test are encrypted"
ROWS = "SELECT reading_id, answer, submitted_at FROM trials_response ORDER BY id"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Give the test's site a data folder of its own, and name the folder of the site that is restored."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    monkeypatch.setattr(settings, "DATA_DIR", here)
    monkeypatch.setattr(settings, "STORAGE_URL", f"file:{here / 'store'}")
    return here, there


@pytest.fixture
def elsewhere(folders):
    """Run commands on an empty site on the same kind of database."""
    _, there = folders
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{there / 'db.sqlite3'}"
        if connection.vendor == "postgresql":
            url = stack.enter_context(postgresql_database(database_url(), "restored"))
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EQUIPOISE_")}
        own = {
            "DJANGO_SETTINGS_MODULE": "equipoise.config.settings.production",
            "EQUIPOISE_DATA_DIR": str(there),
            "EQUIPOISE_DATABASE_URL": url,
            "EQUIPOISE_SECRET_KEY": SECRET,
        }

        def run(*arguments):
            command = [sys.executable, "-m", "equipoise.cli.main", *map(str, arguments)]
            return subprocess.run(
                command, env={**kept, **own, **run.more}, capture_output=True, text=True, check=False
            )

        run.url, run.more = url, {}
        yield run


def rows_of(url):
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            return database.execute(ROWS).fetchall()
    with psycopg.connect(url) as database:
        return database.execute(ROWS).fetchall()


def test_a_site_comes_back_whole_and_only_into_an_empty_one(flushing_db, folders, elsewhere, tmp_path):
    here, there = folders
    world = preference_finished(readers=2)
    bundle_make(world.trial).keep()
    (here / "weights").mkdir()
    (here / "weights" / "own.json").write_text("{}")
    ReminderPlan.objects.create(trial=world.trial, after_days=3)
    Session.objects.create(session_key="a-live-key", session_data="x", expire_date=timezone.now())
    file = tmp_path / "site.backup"

    manifest = backup_make(file)
    assert manifest.sound
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(trial_file_digests()) < set(manifest.files) == set(default_store().keys())
    assert manifest.tables["trials_response"].rows == Response.objects.count() > 10
    with zipfile.ZipFile(file) as backup:
        assert manifest_of(backup.read(MEMBER)) == manifest
        held = b"".join(backup.read(name) for name in backup.namelist() if not name.startswith("store/"))
    assert b"a-live-key" not in held
    assert settings.SECRET_KEY.encode() not in held
    with pytest.raises(BackupRefusedError, match="exists already"):
        backup_make(file)
    with pytest.raises(BackupRefusedError, match="The database is not empty"):
        backup_restore(file)
    assert Response.objects.count() == manifest.tables["trials_response"].rows

    damaged = tmp_path / "damaged.backup"
    shutil.copyfile(file, damaged)
    last = sorted(manifest.files)[-1]
    with zipfile.ZipFile(file) as backup, damaged.open("r+b") as stream:
        info = backup.getinfo(f"store/{last}")
        stream.seek(info.header_offset + 400)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))
    refused = elsewhere("restore", damaged)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is not a whole backup" in refused.stderr
    assert not (there / "store" / last).exists()

    left_over = there / "incoming" / f"{last.rpartition('/')[2]}.part", there / "weights" / ".own.json.part"
    for part in left_over:
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(b"of a restore that was killed")
    (there / "restore-killed").mkdir()

    restored = elsewhere("restore", file)  # what the broken attempt brought in is taken over
    assert restored.returncode == 0, restored.stderr
    assert restored.stdout == (
        f"The site of {manifest.created_at} is back: {manifest.rows} rows of {len(manifest.tables)} tables compared, "
        f"{AuditEntry.objects.count() + 1} audit entries recomputed, {len(manifest.files)} files checked.\n"
        "Stopped, for this site may stand beside another: 0 webhooks, 1 plans of reminders, 0 reminders that waited.\n"
    )
    assert not any(part.exists() for part in (*left_over, there / "restore-killed"))
    assert "EQUIPOISE_SECRET_KEY is not that of the site" in restored.stderr
    assert rows_of(elsewhere.url) == rows_of(database_url())
    assert (there / "weights" / "own.json").read_text() == "{}"


def test_an_encrypted_backup_comes_back_under_its_key_alone(
    flushing_db, folders, elsewhere, tmp_path, monkeypatch
):
    here, there = folders
    factory.preference_world(cases=2, practice=0)
    monkeypatch.setattr(settings, "BACKUP_KEY", KEY)
    file = tmp_path / "site.backup"
    manifest = backup_make(file)
    assert manifest.sound
    assert not zipfile.is_zipfile(file)
    assert b"trials_trial" not in file.read_bytes()
    assert not list(here.glob(".equipoise-backup-*"))

    refused = elsewhere("restore", file)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is encrypted: give the key it was made with as EQUIPOISE_BACKUP_KEY" in refused.stderr
    elsewhere.more = {"EQUIPOISE_BACKUP_KEY": KEY[::-1]}
    assert (
        "was encrypted under another key than the one in EQUIPOISE_BACKUP_KEY"
        in elsewhere("restore", file).stderr
    )
    assert not (there / "store").exists() or not list((there / "store").rglob("*.*"))
    (tmp_path / "key").write_text(f"{KEY}\n")
    elsewhere.more = {"EQUIPOISE_BACKUP_KEY_FILE": str(tmp_path / "key")}
    restored = elsewhere("restore", file)
    assert restored.returncode == 0, restored.stderr
    assert f"{manifest.rows} rows of {len(manifest.tables)} tables compared" in restored.stdout


def test_a_backup_while_readers_submit_holds_a_moment_of_the_site(flushing_db, folders, tmp_path):
    world = factory.open_world()
    readers = [world.enrol() for _ in range(2)]
    opened = [factory.open_reading(reader) for reader in readers]
    faults = []

    def read():
        try:
            for reader, reading in zip(readers, opened, strict=True):
                factory.answer(reader, reading)
                factory.read_everything(reader)
        except BaseException as error:
            faults.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=read)
    thread.start()
    manifests = [backup_make(tmp_path / f"{number}.backup") for number in range(3)]
    thread.join()
    assert faults == []
    for manifest in manifests:
        assert manifest.sound
        # an answer, its events and its entry come in one transaction: no backup holds one without the others
        submitted = manifest.tables["trials_response"].rows
        assert manifest.tables["trials_readingevent"].rows == 4 * submitted
        assert manifest.tables["audit_auditentry"].rows == sum(
            entries for entries, _ in manifest.chains.values()
        )


def test_a_file_deleted_meanwhile_begins_the_backup_anew_and_a_lost_one_is_told(
    flushing_db, folders, tmp_path, monkeypatch
):
    world = factory.preference_world(cases=2, practice=0)
    key = world.trial.cases.first().images.get().volume.key
    attempts = []
    add_files = make._add_files

    def outrun(backup, named, progress):
        attempts.append(len(named))
        extra = {"no/such/key": None} if len(attempts) == 1 else {}
        return add_files(backup, {**named, **extra}, progress)

    monkeypatch.setattr(make, "_add_files", outrun)
    monkeypatch.setattr(make, "_add_file", _missing_when("no/such/key", make._add_file))
    assert backup_make(tmp_path / "1.backup").sound
    assert len(attempts) == 2
    default_store().delete(key)
    lost = backup_make(tmp_path / "2.backup")
    assert (lost.sound, lost.missing) == (False, (key,))
    assert list(tmp_path.glob(".*")) == []


def _missing_when(key, add_file):
    from equipoise.archive.storage import StoredFileDamagedError

    def add(backup, store, wanted):
        if wanted == key:
            raise StoredFileDamagedError(key)
        return add_file(backup, store, wanted)

    return add
