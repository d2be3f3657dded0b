"""The disk is full for a while: a clear sentence, nothing half-written, and all is well once there is room."""

import contextlib
import errno
import io
import os
import sqlite3
import subprocess
import tempfile
import uuid
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from rest_framework.test import APIRequestFactory

from equipoise.api.errors import exception_handler
from equipoise.archive.models import StoredVolume
from equipoise.archive.storage import StoreKind, default_store
from equipoise.archive.verify import verify
from equipoise.common.errors import ErrorCode
from equipoise.jobs.inline import jobs_run_inline
from equipoise.jobs.models import JobItem
from equipoise.jobs.registry import job_handler
from equipoise.jobs.services import job_create, job_retry
from tests.factories import trials as factory
from tests.factories.contouring import drawn_answer, expert_mask, open_contouring_world, submit_drawing
from tests.factories.trials import open_reading
from tests.faults.real_server import RealServer
from tests.faults.test_server_killed import Browser
from tests.trials.dicomweb_world import empty_world
from tests.trials.services.test_ingest import write_patient
from trials.domain.states import TrialAction
from trials.models import Draft, Response, ResponseFile, StoredBundle
from trials.selectors.bundle import bundle_files
from trials.selectors.files import trial_file_digests
from trials.services.bundle import bundle_request

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def small_disk(tmp_path, settings):
    """Return the data folder on a file system of its own, of a few megabytes."""
    folder = tmp_path / "var"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("Only root can make a small file system.")
    settings.DATA_DIR = folder
    settings.STORAGE_URL = f"file:{folder / 'store'}"
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Fill a file system to the last byte; return the file that does it."""
    path = folder / "filler"
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as sink:
        while True:
            sink.write(b"x" * 4096)
    return path


def test_drawing_is_refused_whole_and_taken_when_there_is_room(small_disk):
    reader = open_contouring_world().enrol()
    opened = open_reading(reader)
    answer, key = drawn_answer(expert_mask(opened.reading)), uuid.uuid4()
    before = set(default_store().keys())
    filler = fill(small_disk)

    with pytest.raises(OSError, match="No space left") as refused:
        submit_drawing(reader, opened, answer, key=key)

    assert refused.value.errno == errno.ENOSPC
    assert not Response.objects.exists()
    assert not ResponseFile.objects.exists()
    assert set(default_store().keys()) == before
    assert list(small_disk.rglob("*.part")) == []
    filler.unlink()
    assert not submit_drawing(reader, opened, answer, key=key).repeated
    assert Response.objects.count() == 1
    assert submit_drawing(reader, opened, answer, key=key).repeated
    assert verify(others=trial_file_digests()).sound
    assert not Draft.objects.filter(reading=opened.reading).exists()


@pytest.fixture
def patient(tmp_path):
    """Return a patient's CT series and contours, once as files and once in a zip file."""
    folder = write_patient(tmp_path / "patient", "a", high=12)
    files = {path.name: path.read_bytes() for path in sorted(folder.rglob("*.dcm"))}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return {"files": files, "archive": {"patient.zip": packed.getvalue()}}


def upload(client, address, files):
    """Send files and return the answer."""
    sent = [SimpleUploadedFile(name, content) for name, content in files.items()]
    return client.post(f"{address}/files", {"file": sent, "path": list(files)})


@pytest.mark.parametrize("form", ["files", "archive"])
def test_series_comes_in_whole_or_not_at_all(small_disk, patient, form):
    """A zip file is unpacked on that disk as well: what finds no room there is no damaged file."""
    world = empty_world()
    client = Client()
    client.force_login(world.administrator)
    uploads = f"/api/v1/trials/{world.trial.id}/uploads"
    address = f"{uploads}/{client.post(uploads, content_type='application/json').json()['id']}"
    filler = fill(small_disk)

    refused = upload(client, address, patient[form])
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
    assert refused.json()["detail"].startswith("The site's disk is full: nothing of this was saved.")
    assert [path for path in small_disk.rglob("*") if path.is_file()] == [filler]
    filler.unlink()
    assert upload(client, address, patient[form]).status_code == 200

    filler = fill(small_disk)
    rules = [{"source": "expert", "pattern": "GTV-1"}]
    asked = client.post(f"{address}/ingest", {"rules": rules}, content_type="application/json")
    assert asked.status_code < 300, asked.content
    jobs_run_inline()
    item = JobItem.objects.get()
    assert (item.state, item.error_detail.split(".")[0]) == ("failed", "The disk is full")
    assert not StoredVolume.objects.exists()
    assert not world.trial.cases.exists()
    assert list(default_store().keys()) == []

    filler.unlink()
    job_retry(item.job_id)
    jobs_run_inline()
    item.refresh_from_db()
    assert (item.state, world.trial.cases.count(), StoredVolume.objects.count()) == ("succeeded", 1, 1)
    assert verify(others=trial_file_digests()).sound
    assert list((small_disk / "incoming").iterdir()) == []


@pytest.mark.parametrize("place", ["the store", "the folder that it is made in"])
def test_bundle_is_made_whole_or_not_at_all(small_disk, tmp_path, monkeypatch, place):
    world = factory.open_world(cases=3, **{"items.selection.count": 3})
    factory.read_everything(world.enrol())
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    made_in = (small_disk if place != "the store" else tmp_path) / "made"
    made_in.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made_in))
    before = set(default_store().keys())
    filler = fill(small_disk)
    job = bundle_request(world.trial, reason="To keep it.", actor=world.actor)
    jobs_run_inline()
    item = JobItem.objects.get(job=job)
    assert (item.state, item.error_detail.split(".")[0]) == ("failed", "The disk is full")
    assert not StoredBundle.objects.exists()
    assert set(default_store().keys()) == before
    assert list(made_in.iterdir()) == []
    assert list(small_disk.rglob("*.part")) == []

    filler.unlink()
    job_retry(job.pk)
    jobs_run_inline()
    bundle = StoredBundle.objects.get()
    assert set(default_store().keys()) == before | {bundle.files_key}
    with bundle_files(bundle) as archive:
        assert archive.testzip() is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "settings_module", ["equipoise.config.settings.test", "tests.faults.kept_connections"]
)
def test_reader_on_sqlite_goes_on_when_there_is_room(flushing_db, small_disk, tmp_path, settings_module):
    """The database lies on the full disk: draft and answer are refused in a sentence, and are there once afterwards."""
    if connection.vendor != "sqlite":
        pytest.skip("The disk of a database server is not the site's.")
    world = factory.open_world(cases=3, **{"items.selection.count": 3})
    reader = world.enrol()
    database = small_disk / "db.sqlite3"
    with contextlib.closing(sqlite3.connect(database)) as copy:
        connection.connection.backup(copy)
    server = RealServer(
        log=tmp_path / "server.log",
        settings=settings_module,
        environment={"EQUIPOISE_DATABASE_URL": f"sqlite:///{database}"},
    )
    browser = Browser(server.url, reader)
    try:
        server.wait()
        browser.sign_in()
        shown = browser.call("POST", f"{browser.path}/open", {"environment": {}}).json()
        here = {"reading": shown["reading"], "lease": shown["lease"]}
        answer = {
            **here,
            "key": str(uuid.uuid4()),
            "answer": {"choice": "left", "reason_code": None, "comment": ""},
            "events": [event.__dict__ for event in factory.events_of(seconds=2, choice="left")],
        }
        draft = {**here, "draft": {"choice": "left"}}
        filler = fill(small_disk)

        for method, path, body in (("PUT", "draft", draft), ("POST", "submit", answer)):
            body = body | {"draft": {"text": "x" * 500_000}} if path == "draft" else body
            # The server ends a connection on which it has left a body unread.
            headers = {"X-CSRFToken": browser.csrf, "Connection": "close"}
            refused = browser.client.request(method, f"{browser.path}/{path}", json=body, headers=headers)
            assert refused.status_code == 503, refused.text
            assert refused.json()["detail"].startswith("The site's disk is full: nothing of this was saved.")

        filler.unlink()
        assert (rows_of(database, "trials_response"), rows_of(database, "trials_draft")) == (0, 0)
        assert browser.call("PUT", f"{browser.path}/draft", draft).status_code in (200, 204)
        first, second = (browser.call("POST", f"{browser.path}/submit", answer) for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 200)
    finally:
        server.kill()
        browser.client.close()
    assert rows_of(database, "trials_response") == 1
    with contextlib.closing(sqlite3.connect(database)) as site:
        assert site.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def rows_of(database, table):
    """Count the rows of a table in another database."""
    with contextlib.closing(sqlite3.connect(database)) as site:
        (count,) = site.execute(f"SELECT count(*) FROM {table}").fetchone()
    return count


@job_handler("tests.writes")
def writes(payload, context):
    """Write a file of a megabyte into the store."""
    file = default_store().write(
        lambda sink: sink.write(b"x" * 1_000_000),
        institute_id=uuid.UUID(int=1),
        trial_id=uuid.UUID(int=2),
        kind=StoreKind.MASKS,
    )
    return {"key": file.key}


def test_job_says_so_leaves_nothing_and_is_retried_when_there_is_room(small_disk):
    filler = fill(small_disk)
    job = job_create(kind="tests.writes", trial_id=None, created_by_id=None, items=[("one", {})])
    jobs_run_inline()
    item = JobItem.objects.get(job=job)
    assert (item.state, item.error_code) == ("failed", ErrorCode.JOB_FAILED.value)
    assert item.error_detail.startswith("The disk is full.")
    assert list(default_store().keys()) == []
    assert list(small_disk.rglob("*.part")) == []
    filler.unlink()
    job_retry(job.pk)
    jobs_run_inline()
    item.refresh_from_db()
    assert (item.state, list(default_store().keys())) == ("succeeded", [item.result["key"]])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_page_is_told_in_a_sentence_that_names_no_path(number):
    error = OSError(number, os.strerror(number), "/data/store/secret")
    answer = exception_handler(error, {"request": APIRequestFactory().get("/")})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert "disk is full: nothing of this was saved" in answer.data["detail"]
    assert "secret" not in str(answer.data)


def test_other_faults_of_the_disk_stay_faults():
    assert exception_handler(PermissionError(errno.EACCES, "no"), {}) is None
