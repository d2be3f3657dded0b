"""The disk is full for a while: a clear sentence, nothing half-written, and all is well once there is room."""

import contextlib
import errno
import os
import subprocess
import uuid

import pytest
from rest_framework.test import APIRequestFactory

from equipoise.api.errors import exception_handler
from equipoise.archive.storage import StoreKind, default_store
from equipoise.archive.verify import verify
from equipoise.common.errors import ErrorCode
from equipoise.jobs.inline import jobs_run_inline
from equipoise.jobs.models import JobItem
from equipoise.jobs.registry import job_handler
from equipoise.jobs.services import job_create, job_retry
from tests.factories.contouring import drawn_answer, expert_mask, open_contouring_world, submit_drawing
from tests.factories.trials import open_reading
from trials.models import Draft, Response, ResponseFile
from trials.selectors.files import trial_file_digests

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def small_disk(tmp_path, settings):
    """Return the data folder on a file system of its own, of a few megabytes."""
    folder = tmp_path / "var"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]
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
