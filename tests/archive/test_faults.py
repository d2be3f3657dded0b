"""Whatever fails, and wherever the process is killed: no row without its file, no file that nobody will delete."""

import contextlib
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from equipoise.archive import ingest as ingest_module
from equipoise.archive import new_files, services
from equipoise.archive.ingest import ingest_folder
from equipoise.archive.models import (
    IngestRun,
    IngestState,
    PendingKey,
    StoredMask,
    StoredVolume,
)
from equipoise.archive.new_files import NewFiles, new_files_sweep
from equipoise.archive.roi_rules import RoiRule
from equipoise.archive.services import volume_store
from equipoise.archive.storage import LocalPackStore, StoreKind, incoming_folder
from equipoise.archive.verify import verify
from equipoise.imaging import pack
from tests.archive.conftest import INSTITUTE, TRIAL
from tests.conftest import REPOSITORY
from tests.databases import postgresql_database

pytestmark = [pytest.mark.django_db, pytest.mark.db]

RULE = RoiRule(source="expert", pattern="GTV-1")


class InjectedError(Exception):
    """Stands for a full disk, a lost connection, a cancelled job."""


def failing(original, *, at_call: int = 1):
    """Return a function that does what the original does until its nth call, which fails."""
    calls = 0

    def call(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == at_call:
            raise InjectedError
        return original(*arguments, **named)

    return call


STEPS = {
    "unpacking place": (ingest_module, "read_folder", 1),
    "first frame": (pack, "compress_frame", 1),
    "fourth frame": (pack, "compress_frame", 4),
    "hash of the pack": (services, "PixelHash", 1),
    "noting the pack": (QuerySet, "create", 2),
    "noting the mask": (QuerySet, "create", 3),
    "row of the volume": (QuerySet, "create", 4),
    "row of the mask": (QuerySet, "create", 5),
    "syncing the pack": (os, "fsync", 1),
    "publishing the pack": (LocalPackStore, "_publish", 1),
    "publishing the mask": (LocalPackStore, "_publish", 2),
    "keeping the files": (NewFiles, "keep", 1),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_fault_before_the_rows_leaves_nothing(sent, policy, store, monkeypatch, step):
    owner, name, at_call = STEPS[step]
    monkeypatch.setattr(owner, name, failing(getattr(owner, name), at_call=at_call))
    with pytest.raises(InjectedError):
        ingest_folder(trial_id=TRIAL, institute_id=INSTITUTE, folder=sent, policy=policy, roi_rules=(RULE,))
    assert StoredVolume.objects.count() == StoredMask.objects.count() == PendingKey.objects.count() == 0
    assert list(store.keys()) == []
    assert list(incoming_folder().iterdir()) == []
    assert IngestRun.objects.get().state == IngestState.FAILED


@pytest.mark.parametrize("step, at_call", [("_publish", 3), ("keep", 2)])
def test_a_fault_in_the_report_keeps_the_patients_and_no_log(sent, policy, store, monkeypatch, step, at_call):
    owner = LocalPackStore if step == "_publish" else NewFiles
    monkeypatch.setattr(owner, step, failing(getattr(owner, step), at_call=at_call))
    with pytest.raises(InjectedError):
        ingest_folder(trial_id=TRIAL, institute_id=INSTITUTE, folder=sent, policy=policy, roi_rules=(RULE,))
    assert StoredVolume.objects.count() == StoredMask.objects.count() == 1
    assert sorted(key.split("/")[2] for key in list(store.keys())) == ["masks", "packs"]
    assert verify().sound
    assert PendingKey.objects.count() == 0


def test_what_is_attached_stands_or_falls_with_the_patient(sent, policy, store):
    def attach(patient) -> None:
        assert StoredVolume.objects.get() == patient.volume
        raise InjectedError

    with pytest.raises(InjectedError):
        ingest_folder(
            trial_id=TRIAL,
            institute_id=INSTITUTE,
            folder=sent,
            policy=policy,
            roi_rules=(RULE,),
            attach=attach,
        )
    assert StoredVolume.objects.count() == 0
    assert list(store.keys()) == []


def test_a_file_that_cannot_be_deleted_does_not_keep_the_others(store, monkeypatch):
    delete = LocalPackStore.delete
    monkeypatch.setattr(LocalPackStore, "delete", failing(delete))
    files = NewFiles(store, institute_id=INSTITUTE, trial_id=TRIAL)
    files.write(lambda sink: sink.write(b"1"), StoreKind.MASKS)
    files.write(lambda sink: sink.write(b"2"), StoreKind.MASKS)
    with pytest.raises(InjectedError):
        files.__exit__(None, None, None)
    (left,) = list(store.keys())
    assert PendingKey.objects.get().key == left  # the sweeper knows it


def test_only_files_of_killed_processes_are_swept(store, volume, monkeypatch):
    stored = volume_store(volume, trial_id=TRIAL, institute_id=INSTITUTE)
    unknown = store.write(
        lambda sink: sink.write(b"x"), institute_id=INSTITUTE, trial_id=TRIAL, kind=StoreKind.PACKS
    )
    files = NewFiles(store, institute_id=INSTITUTE, trial_id=TRIAL)
    killed = files.write(lambda sink: sink.write(b"x"), StoreKind.PACKS)
    run = IngestRun.objects.create(trial_id=TRIAL, institute_id=INSTITUTE)
    assert new_files_sweep(store) == 0
    later = timezone.now() + new_files.GIVEN_UP_AFTER + timedelta(minutes=1)
    assert new_files_sweep(store, now=later) == 1
    assert sorted(store.keys()) == sorted([stored.key, unknown.key])
    assert killed.key not in list(store.keys())
    assert verify().files_without_rows == [unknown.key]  # told, and left for somebody to decide
    run.refresh_from_db()
    assert run.state == IngestState.FAILED


@pytest.mark.timeout(600)
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_an_ingest_killed_at_any_step_leaves_nothing_for_good(sent, tmp_path: Path, every: int):
    command = [sys.executable, "-m", "tests.archive.killed_ingest", sent, tmp_path / "site", str(every)]
    with contextlib.ExitStack() as stack:
        environment = dict(os.environ)
        if url := environment.get("EQUIPOISE_DATABASE_URL"):
            own = stack.enter_context(postgresql_database(url, "killed"))
            environment["EQUIPOISE_DATABASE_URL"] = own
        answer = subprocess.run(
            command, cwd=REPOSITORY, env=environment, check=True, capture_output=True, text=True
        )
    seen = json.loads(answer.stdout.splitlines()[-1])
    assert seen["complaints"] == []
    assert seen["steps"] > 30
    assert seen["files_left"] > 0  # files were left, and swept
