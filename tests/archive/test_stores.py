"""A folder and an S3-compatible service keep the same promises: whole files or none, exact ranges, no loss unseen."""

import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from equipoise.archive.frame_server import FrameServer
from equipoise.archive.ingest import ingest_folder
from equipoise.archive.models import PendingKey, StoredVolume
from equipoise.archive.selectors import stored_mask_array, stored_volume_array
from equipoise.archive.services import asset_token_issue, patient_store
from equipoise.archive.storage import (
    LocalPackStore,
    OverlayStore,
    PackStore,
    StoredFileDamagedError,
    StoreKind,
    StoreUnavailableError,
    default_store,
    incoming_folder,
    incoming_sweep,
    new_key,
    store_instead,
)
from equipoise.archive.verify import verify
from tests.archive.conftest import INSTITUTE, TRIAL

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture(scope="session")
def s3_service() -> Iterator[str]:
    """Address of an object service that lives as long as the tests."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_service: str, settings, monkeypatch) -> Any:
    """Make the site store in a bucket of its own; the bucket as boto3 shows it."""
    boto3 = pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    name = f"packs-{uuid.uuid4().hex}"
    made = boto3.resource("s3", endpoint_url=s3_service, region_name="us-east-1").create_bucket(Bucket=name)
    settings.STORAGE_URL = f"s3://{name}/site-a?endpoint={s3_service}&region=us-east-1"
    return made


@pytest.fixture(params=["folder", "s3"])
def any_store(request) -> PackStore:
    """The site's store, of either kind."""
    if request.param == "s3":
        request.getfixturevalue("bucket")
    return default_store()


def put(store: PackStore, content: bytes = bytes(range(100)), kind: StoreKind = StoreKind.PACKS):
    return store.write(lambda sink: sink.write(content), institute_id=INSTITUTE, trial_id=TRIAL, kind=kind)


def test_what_was_written_comes_back_whole_and_by_range(any_store):
    file = put(any_store)
    assert (file.size_bytes, file.sha256) == (100, sha256(bytes(range(100))).hexdigest())
    assert any_store.read(file.key) == bytes(range(100))
    assert any_store.read_range(file.key, 10, 5) == bytes(range(10, 15))
    assert any_store.read_range(file.key, 99, 1) == b"\x63"
    assert any_store.sha256(file.key) == file.sha256
    assert list(any_store.keys()) == [file.key]
    assert list(incoming_folder().iterdir()) == []


def test_an_open_file_can_be_searched(any_store, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        bundle.writestr("one", b"1" * 5000)
        bundle.writestr("two", b"2" * 5000)
    file = put(any_store, (tmp_path / "a.zip").read_bytes(), StoreKind.EXPORTS)
    with any_store.open(file.key) as source, zipfile.ZipFile(source) as bundle:
        assert bundle.read("two") == b"2" * 5000
        assert bundle.namelist() == ["one", "two"]


def test_missing_and_short_files_are_noticed(any_store):
    file = put(any_store)
    with pytest.raises(StoredFileDamagedError):
        any_store.read_range(file.key, 95, 10)
    with pytest.raises(StoredFileDamagedError):
        any_store.read_range(file.key, 200, 10)
    any_store.delete(file.key)
    any_store.delete(file.key)
    for read in (
        lambda: any_store.read_range(file.key, 0, 1),
        lambda: any_store.read(file.key),
        lambda: any_store.sha256(file.key),
        lambda: any_store.open(file.key),
    ):
        with pytest.raises(StoredFileDamagedError, match="is missing"):
            read()


def test_a_disk_that_fills_leaves_nothing(any_store):
    def fill(sink) -> None:
        sink.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        any_store.write(fill, institute_id=INSTITUTE, trial_id=TRIAL, kind=StoreKind.PACKS)
    assert list(any_store.keys()) == []
    assert list(incoming_folder().iterdir()) == []


def test_nothing_is_visible_before_it_is_committed(any_store):
    with any_store.begin(institute_id=INSTITUTE, trial_id=TRIAL, kind=StoreKind.PACKS) as pending:
        pending.sink.write(b"x")
        assert list(any_store.keys()) == []
        file = pending.commit()
    assert list(any_store.keys()) == [file.key]


@pytest.mark.parametrize(
    "key", ["../db.sqlite3", "/etc/passwd", f"{INSTITUTE}/{TRIAL}/packs/../x", "a/b/packs/c", ""]
)
def test_keys_that_are_none_reach_no_file(any_store, key):
    for reach in (any_store.delete, any_store.read, lambda key: any_store.read_range(key, 0, 1)):
        with pytest.raises(ValueError, match="is not the key of a stored file"):
            reach(key)


def test_a_patient_goes_in_and_the_archive_is_sound(any_store, volume, mask):
    stored = patient_store(volume, {"expert": mask}, trial_id=TRIAL, institute_id=INSTITUTE)
    np.testing.assert_array_equal(stored_volume_array(stored.volume), volume.array)
    np.testing.assert_array_equal(stored_mask_array(stored.masks["expert"]), mask.array)
    report = verify()
    assert (report.sound, report.checked) == (True, 2)
    assert PendingKey.objects.count() == 0


def test_a_folder_is_ingested(any_store, sent, policy):
    outcome = ingest_folder(trial_id=TRIAL, institute_id=INSTITUTE, folder=sent, policy=policy)
    assert outcome.problems == ()
    assert sorted(key.split("/")[2] for key in list(any_store.keys())) == [
        "ingest-logs",
        "packs",
        "removal-logs",
    ]
    assert verify().sound


def test_verify_names_missing_altered_and_left_over_objects(bucket, volume, mask):
    stored = patient_store(volume, {"a": mask, "b": mask}, trial_id=TRIAL, institute_id=INSTITUTE)
    store = default_store()
    changed, lost = stored.masks["a"].key, stored.masks["b"].key
    content = bytearray(store.read(changed))
    content[-1] ^= 1
    bucket.put_object(Key=f"site-a/{changed}", Body=bytes(content))
    store.delete(lost)
    left = put(store).key
    bucket.put_object(Key="site-a/stray", Body=b"x")
    bucket.put_object(Key="other-site/stray", Body=b"x")
    report = verify()
    assert report.altered_files == [changed]
    assert report.rows_without_files == [lost]
    assert report.files_without_rows == sorted([left, "stray"])


def test_frames_are_read_by_range_from_the_bucket(bucket, volume, monkeypatch):
    stored = patient_store(volume, {}, trial_id=TRIAL, institute_id=INSTITUTE).volume
    token = asset_token_issue(
        stored, first_frame=1, last_frame=3, session_key="s", expires_at=timezone.now() + timedelta(hours=1)
    )
    fetched: list[str] = []
    store = default_store()
    get = store._get
    monkeypatch.setattr(
        store, "_get", lambda key, **o: fetched.append(o.get("Range", "all")) or get(key, **o)
    )
    server = FrameServer()
    answer = server.answer(path=f"/frames/{token.token}/2", session_key="s")
    assert answer.status == 200
    assert len(fetched) == 2  # the pack's header, then the frame alone
    assert "all" not in fetched
    assert server.answer(path=f"/frames/{token.token}/2", session_key="s").body == answer.body
    assert len(fetched) == 3


def test_a_service_that_does_not_answer_is_told_apart_from_a_missing_file(bucket, volume, settings):
    stored = patient_store(volume, {}, trial_id=TRIAL, institute_id=INSTITUTE).volume
    token = asset_token_issue(
        stored, first_frame=0, last_frame=3, session_key="s", expires_at=timezone.now() + timedelta(hours=1)
    )
    settings.STORAGE_URL = "s3://bucket/site-a?endpoint=http://127.0.0.1:9&region=us-east-1"
    with pytest.raises(StoreUnavailableError, match="cannot be reached"):
        default_store().read(stored.key)
    answer = FrameServer().answer(path=f"/frames/{token.token}/0", session_key="s")
    assert (answer.status, answer.body) == (503, b"")
    assert dict(answer.headers)["Cache-Control"] == "no-store"


def test_an_upload_that_fails_leaves_neither_object_nor_row(bucket, volume, mask, monkeypatch):
    store = default_store()
    upload = store._client.upload_file

    def fail_on_masks(path, bucket_name, name, **options):
        if "/masks/" in name:
            raise store_error()
        return upload(path, bucket_name, name, **options)

    def store_error():
        from botocore.exceptions import EndpointConnectionError

        return EndpointConnectionError(endpoint_url="http://gone")

    monkeypatch.setattr(store._client, "upload_file", fail_on_masks)
    with pytest.raises(StoreUnavailableError):
        patient_store(volume, {"expert": mask}, trial_id=TRIAL, institute_id=INSTITUTE)
    assert list(store.keys()) == []
    assert StoredVolume.objects.count() == PendingKey.objects.count() == 0


def test_uploads_in_parts_that_were_never_completed_are_ended_after_a_day(bucket):
    client = bucket.meta.client
    key = f"site-a/{new_key(institute_id=INSTITUTE, trial_id=TRIAL, kind=StoreKind.PACKS)}"
    client.create_multipart_upload(Bucket=bucket.name, Key=key)
    # the service of the tests dates every upload in parts 2010
    assert default_store().sweep(timezone.now() - timedelta(days=365 * 30)) == 0
    assert len(client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]) == 1
    assert incoming_sweep() == 1
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket.name)
    assert list(default_store().keys()) == []


@pytest.mark.parametrize(
    "url, words",
    [
        ("s3:///prefix", "it names no bucket"),
        ("s3://bucket?endpont=http://x", "the option 'endpont' is unknown"),
    ],
)
def test_addresses_that_cannot_be_used_are_explained(settings, url, words):
    settings.STORAGE_URL = url
    with pytest.raises(ImproperlyConfigured, match=words):
        default_store()


def test_boto3_is_loaded_only_where_it_is_needed():
    code = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'equipoise.config.settings.test';"
        "import django; django.setup(); import equipoise.archive.ingest;"
        "from equipoise.archive.storage import default_store; default_store();"
        "sys.exit('boto3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_store_over_another_reads_it_and_never_writes_or_deletes_in_it(tmp_path):
    beneath = default_store()
    lying = beneath.write(
        lambda sink: sink.write(b"beneath"), institute_id=INSTITUTE, trial_id=TRIAL, kind=StoreKind.MASKS
    )
    folder = tmp_path / "own"
    own = OverlayStore(LocalPackStore(folder, tmp_path / "part"), beneath, tmp_path / "part")
    with store_instead(own):
        assert default_store() is own
        new = own.write(
            lambda sink: sink.write(b"above"), institute_id=INSTITUTE, trial_id=TRIAL, kind=StoreKind.MASKS
        )
        assert (own.read(lying.key), own.read_range(new.key, 1, 3)) == (b"beneath", b"bov")
        assert list(own.keys()) == [new.key]
        own.delete(lying.key)
    assert default_store() is beneath
    assert beneath.read(lying.key) == b"beneath"
    assert list(beneath.keys()) == [lying.key]
    own.delete(new.key)
    assert not list(own.keys())
