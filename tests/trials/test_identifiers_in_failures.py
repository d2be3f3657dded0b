"""Whatever fails while patients' names are in hand, neither logs nor answers, rows nor reported faults tell them."""

import io
import logging

import pytest
import sentry_sdk
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError
from django.test import Client
from sentry_sdk.transport import Transport

from equipoise.config.error_reports import error_reports_start
from equipoise.config.logs import JsonFormatter
from equipoise.jobs.inline import jobs_run_inline
from equipoise.jobs.models import JobItem
from equipoise.jobs.registry import Outcome, RetryLaterError, job_handler
from equipoise.jobs.services import job_create
from equipoise.jobs.tasks import work
from tests.factories.trials import preference_world
from tests.trials import stuffed
from tests.trials.test_identifier_search import RULES, everything_in_the_database, without_file_names
from trials.models import Upload

pytestmark = [pytest.mark.django_db, pytest.mark.db]

API = "/api/v1"


@job_handler("tests.names")
def names(payload, context):
    """Fail with a patient's name in the words, in the way that the payload says."""

    def write():
        raise IntegrityError(stuffed.SENTENCE)

    if payload["how"] == "effect":
        return Outcome(effect=write)
    try:
        raise ValueError(stuffed.SENTENCE)
    except ValueError as error:
        if payload["how"] == "later":
            raise RetryLaterError("Something is in the way.") from error
        raise


@pytest.fixture
def lines():
    """What a site writes into its log, at the most talkative level."""
    sink = io.StringIO()
    handler = logging.StreamHandler(sink)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield sink
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def reported():
    """The faults that leave the machine."""
    events = []

    class Kept(Transport):
        def capture_envelope(self, envelope):
            events.extend(item.payload.json for item in envelope.items)

    error_reports_start("https://key@errors.example/1", release="1.2.3", transport=Kept)
    yield events
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


@pytest.fixture
def world(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "var"
    settings.STORAGE_URL = f"file:{tmp_path / 'var' / 'store'}"
    return preference_world(cases=2, practice=1, **{"items.selection.count": 2})


def client_of(account):
    client = Client(raise_request_exception=False)
    client.force_login(account)
    return client


def nothing_told(lines, reported=()):
    """Assert that neither log nor database nor reports hold a word of the patient."""
    text = lines.getvalue()
    assert "equipoise.access" in text or "equipoise.jobs" in text
    assert stuffed.words_in(text.encode()) == set()
    assert stuffed.words_in(repr(list(reported)).encode()) == set()
    told = [(table, row) for table, row in everything_in_the_database() if stuffed.words_in(row)]
    assert told == []


def test_bad_archives_and_refused_files(world, tmp_path, lines, reported):
    stuffed.write_failures(tmp_path / "files")
    archive = stuffed.packed_zip(tmp_path / "files", tmp_path / "Quetzal.zip").read_bytes()
    climbing = archive.replace(b"19571203-broken/Quetzal.dcm", b"19571203-broken/../../../.d")
    assert len(climbing) == len(archive)
    sent = {
        "Quetzal cut.zip": archive[: len(archive) // 2],
        "Quetzal torn.zip": archive[:200] + b"\0" * 200 + archive[400:],
        "Quetzal climbs.zip": climbing,
        "Quetzal.tar.gz": b"\x1f\x8b\x08\0" + stuffed.SENTENCE.encode(),
        "Quetzal.dcm": b"\0" * 128 + b"DICM" + stuffed.SENTENCE.encode(),
        "Quetzal.nrrd": b"NRRD0005\n# " + stuffed.SENTENCE.encode(),
        "Quetzal.png": b"\x89PNG\r\n\x1a\n" + stuffed.SENTENCE.encode(),
        "Quetzal.nii.gz": stuffed.gzip.compress(stuffed.SENTENCE.encode() * 20),
    }
    client = client_of(world.administrator)
    uploads = f"{API}/trials/{world.trial.id}/uploads"
    upload = client.post(uploads, content_type="application/json").json()["id"]
    files = [SimpleUploadedFile(name, content) for name, content in sent.items()]
    folder = f"{stuffed.FOLDER}/"
    put = client.post(
        f"{uploads}/{upload}/files", {"file": files, "path": [f"{folder}{name}" for name in sent]}
    )
    assert put.status_code == 200, put.content
    outside = client.post(f"{uploads}/{upload}/files", {"file": files[:1], "path": ["../Quetzal.dcm"]})
    assert outside.status_code == 422
    assert stuffed.words_in(outside.content) == set()
    asked = client.post(f"{uploads}/{upload}/ingest", {"rules": RULES}, content_type="application/json")
    assert asked.status_code in (200, 201, 202), asked.content
    jobs_run_inline()

    run = Upload.objects.get(id=upload).ingest_run_id
    report = client.get(f"{API}/trials/{world.trial.id}/ingests/{run}")
    assert report.status_code == 200
    assert report.json()["failed"] >= len(sent) - 1
    assert stuffed.words_in(report.content), "files are named to the data manager, and there alone"
    assert stuffed.words_in(without_file_names(report.content)) == set()
    job = JobItem.objects.get(key=str(upload)).job_id
    for address in (f"jobs/{job}", f"trials/{world.trial.id}/audit", f"trials/{world.trial.id}/ingests"):
        assert stuffed.words_in(client.get(f"{API}/{address}").content) == set()
    nothing_told(lines, reported)


@pytest.mark.parametrize(
    "address",
    [
        f"{API}/trials/{stuffed.NUMBER}",
        f"{API}/nothing/{stuffed.NAME}?name={stuffed.NAME}",
        f"/frames/{stuffed.ACCESSION}/0",
        f"/assets/{stuffed.NAME}.js",
        f"/static/{stuffed.FOLDER}.css",
    ],
)
def test_absent_addresses_are_not_repeated(world, lines, reported, address):
    client = client_of(world.administrator)
    answer = client.get(address)
    assert answer.status_code == 404
    assert stuffed.words_in(answer.content + repr(dict(answer.headers)).encode()) == set()
    client.get(f"{API}/trials")
    nothing_told(lines, reported)


@pytest.mark.parametrize("kind", [ValueError, IntegrityError, KeyError, FileNotFoundError])
def test_faults_of_the_server(world, lines, reported, monkeypatch, kind):
    def fail(*_):
        try:
            raise kind(stuffed.SENTENCE)
        except kind as error:
            raise RuntimeError(stuffed.NAME) from error

    monkeypatch.setattr("trials.api.views.notifications.webhooks_document", fail)
    client = client_of(world.administrator)
    answer = client.get(f"{API}/trials/{world.trial.id}/webhooks?name={stuffed.NAME}")
    assert answer.status_code == 500
    assert stuffed.words_in(answer.content + repr(dict(answer.headers)).encode()) == set()
    assert "builtins.RuntimeError" in lines.getvalue(), "what kind of fault it was is logged"
    assert f"in {fail.__name__}" in lines.getvalue(), "and where"
    assert [event["exception"]["values"][-1]["type"] for event in reported] == ["RuntimeError"]
    nothing_told(lines, reported)


def test_faults_of_a_worker(world, lines, reported, monkeypatch):
    client = client_of(world.administrator)
    items = [(how, {"how": how}) for how in ("handler", "effect", "later")]
    job = job_create(kind="tests.names", trial_id=world.trial.id, created_by_id=None, items=items)
    jobs_run_inline()
    assert set(JobItem.objects.filter(job=job).values_list("key", "state")) == {
        ("handler", "failed"),
        ("effect", "failed"),
        ("later", "running"),
    }

    def fail(*_args, **_kwargs):
        raise ValueError(stuffed.SENTENCE)

    monkeypatch.setattr("equipoise.jobs.tasks.work_next_item", fail)
    assert work.apply(args=[str(job.pk)]).failed()
    assert "celery.app.trace" in lines.getvalue()
    for address in (f"jobs/{job.pk}", f"jobs/{job.pk}/items", f"trials/{world.trial.id}/audit"):
        assert stuffed.words_in(client.get(f"{API}/{address}").content) == set()
    assert len(reported) >= 2
    nothing_told(lines, reported)
