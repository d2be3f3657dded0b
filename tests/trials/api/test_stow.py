"""Instances come by STOW-RS and become cases by the way of every folder; nothing hostile gets further."""

import json
import logging
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from django.test import Client
from django.utils import timezone

from equipoise.archive.dicomweb import spool
from equipoise.archive.models import IngestFileReport, StoredVolume
from equipoise.archive.storage import INCOMING_KEPT, incoming_folder, incoming_sweep
from equipoise.common.errors import TooLargeError
from equipoise.common.permissions import Role
from equipoise.config.logs import JsonFormatter
from equipoise.jobs.inline import jobs_run_inline
from equipoise.jobs.models import JobState
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from tests.trials.dicomweb_world import (
    BOUNDARY,
    RULES,
    base_of,
    changed,
    empty_world,
    patient_files,
    related,
    send,
    token_client,
)
from trials.domain.states import TrialAction
from trials.models import Case, Delivery, DeliveryBatch, DicomInbox
from trials.services.delivery import deliveries_close_quiet, deliveries_sweep
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, settings) -> None:
    settings.DATA_DIR = tmp_path / "var"
    settings.STORAGE_URL = f"file:{tmp_path / 'var' / 'store'}"


@pytest.fixture
def world(own_store):
    return empty_world()


@pytest.fixture
def files(tmp_path: Path) -> list[bytes]:
    return patient_files(tmp_path / "sent", "Doe^Jane")


def waiting_files() -> list[str]:
    return [path.name for path in incoming_folder().rglob("*") if path.is_file()]


def reasons(answer, tag: str, reason_tag: str) -> list[int]:
    return [item[reason_tag]["Value"][0] for item in answer.json().get(tag, {}).get("Value", [])]


def complete(client: Client, trial) -> list[str]:
    answer = client.post(f"{base_of(trial)}/inbox/complete")
    assert answer.status_code == 202, answer.content
    return list(answer.json()["job_ids"])


def test_instances_of_several_requests_become_one_case_with_its_contour(world, files):
    client = token_client(world.trial)
    answer = client.put(
        f"{base_of(world.trial)}/inbox", {"rules": RULES, "quiet_s": 60}, content_type="application/json"
    )
    assert answer.status_code == 200, answer.content
    for part in (files[:3], files[3:5], files[5:]):
        answer = send(client, f"{base_of(world.trial)}/studies", part)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/dicom+json")
        sent = {pydicom.dcmread(BytesIO(one)).SOPInstanceUID for one in part}
        told = {item["00081155"]["Value"][0] for item in answer.json()["00081199"]["Value"]}
        assert told == sent
    assert not world.trial.cases.exists()
    inbox = client.get(f"{base_of(world.trial)}/inbox").json()
    assert [(one["instance_count"], one["job_id"]) for one in inbox["deliveries"]] == [(7, None)]
    assert len(complete(client, world.trial)) == 1
    assert [job.state for job in jobs_run_inline()] == [JobState.SUCCEEDED]
    case = world.trial.cases.get()
    assert (case.code, [contour.source for contour in case.contours.all()]) == ("C-001", ["expert"])
    assert StoredVolume.objects.get().shape_zyx == (6, 20, 24)
    assert (waiting_files(), DeliveryBatch.objects.count()) == ([], 0)
    assert client.get(f"{base_of(world.trial)}/inbox").json()["deliveries"] == []


def test_delivery_is_ingested_by_itself_once_it_is_quiet(world, files):
    client = token_client(world.trial)
    DicomInbox.objects.create(trial=world.trial, quiet_s=60)
    send(client, f"{base_of(world.trial)}/studies", files)
    assert deliveries_close_quiet() == 0
    Delivery.objects.update(received_at=timezone.now() - timedelta(seconds=61))
    assert deliveries_close_quiet() == 1
    jobs_run_inline()
    assert world.trial.cases.count() == 1


def test_patients_are_told_apart_and_one_that_fails_keeps_none_out(world, tmp_path):
    client = token_client(world.trial)
    good, bad = patient_files(tmp_path / "a", "A", 1), patient_files(tmp_path / "b", "B", 2)
    send(client, f"{base_of(world.trial)}/studies", [*bad[:2], *good, *bad[3:]])  # B lacks a slice
    assert Delivery.objects.count() == 2
    complete(client, world.trial)
    items = [job.items.get() for job in jobs_run_inline()]
    assert sorted((item.state, item.error_code) for item in items) == [
        ("failed", "ingest_missing_slices"),
        ("succeeded", ""),
    ]
    assert world.trial.cases.count() == 1


def test_what_comes_after_the_end_is_a_delivery_of_its_own(world, files):
    client = token_client(world.trial)
    send(client, f"{base_of(world.trial)}/studies", files[:6])
    complete(client, world.trial)
    send(client, f"{base_of(world.trial)}/studies", files[6:])
    assert Delivery.objects.filter(closed_at=None).count() == 1
    assert Delivery.objects.count() == 2


def test_two_senders_do_not_mix(world, files):
    first, second = token_client(world.trial), token_client(world.trial)
    send(first, f"{base_of(world.trial)}/studies", files[:3])
    send(second, f"{base_of(world.trial)}/studies", files[3:])
    assert len(complete(first, world.trial)) == 1
    assert Delivery.objects.filter(closed_at=None).count() == 1


def test_instances_of_another_study_and_other_content_are_refused_one_by_one(world, files):
    client = token_client(world.trial)
    study = str(pydicom.dcmread(BytesIO(files[0])).StudyInstanceUID)
    other = changed(files[1], StudyInstanceUID="1.2.3")
    nameless = changed(files[2], SOPInstanceUID="not a uid, but a Name^Person")
    answer = send(client, f"{base_of(world.trial)}/studies/{study}", [files[0], other, b"no DICOM", nameless])
    assert answer.status_code == 202
    assert reasons(answer, "00081198", "00081197") == [0xA901]
    assert reasons(answer, "0008119A", "00081197") == [0xC000, 0xC000]
    assert len(answer.json()["00081199"]["Value"]) == 1
    assert b"Person" not in answer.content
    assert len(waiting_files()) == 1
    answer = send(client, f"{base_of(world.trial)}/studies", [b"no DICOM", b""])
    assert (answer.status_code, "00081199" in answer.json()) == (409, False)
    assert Delivery.objects.count() == 1


def test_objects_that_are_not_read_are_taken_with_a_warning_and_reported_as_ignored(world, files):
    client = token_client(world.trial)
    report = changed(
        files[0], SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", SOPInstanceUID="1.2.9"
    )
    answer = send(client, f"{base_of(world.trial)}/studies", [*files, report])
    assert answer.status_code == 202
    warned = [one for one in answer.json()["00081199"]["Value"] if "00081196" in one]
    assert [(one["00081155"]["Value"], one["00081196"]["Value"]) for one in warned] == [(["1.2.9"], [0xB006])]
    complete(client, world.trial)
    jobs_run_inline()
    assert world.trial.cases.count() == 1
    assert [row.kind for row in IngestFileReport.objects.filter(outcome="ignored")] == ["SR"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/dicom", b"x", 415),
        ("application/json", b"{}", 415),
        ('multipart/related; type="application/dicom+json"; boundary=b', b"--b--", 415),
        ('multipart/related; type="application/dicom"', b"--b--", 400),
        ('multipart/related; type="application/dicom"; boundary=b', b"\r\n", 400),
        ('multipart/related; type="application/dicom"; boundary=b', b"hello", 400),
        ('multipart/related; type="application/dicom"; boundary=b', b"--b\r\nA: b\r\n\r\nhalf", 400),
        (
            'multipart/related; type="application/dicom"; boundary=b',
            b"--b\r\n\x00\xff: b\r\n\r\n\r\n--b--",
            400,
        ),
        (f'multipart/related; boundary="{"b" * 5000}"', b"--b--", 400),
    ],
)
def test_body_that_cannot_be_read_is_refused_and_leaves_nothing(world, content_type, body, status):
    answer = token_client(world.trial).post(
        f"{base_of(world.trial)}/studies", data=body, content_type=content_type
    )
    assert answer.status_code == status, answer.content
    assert (waiting_files(), Delivery.objects.count()) == ([], 0)


def test_body_that_breaks_off_leaves_nothing_of_its_whole_instances(world, files):
    body = related(files)[:-2000]
    answer = token_client(world.trial).post(
        f"{base_of(world.trial)}/studies",
        data=body,
        content_type=f'multipart/related; type="application/dicom"; boundary="{BOUNDARY}"',
    )
    assert answer.status_code == 400
    assert (waiting_files(), list(incoming_folder().iterdir())) == ([], [])


@pytest.mark.parametrize(
    "limits", [{"max_instances": 2}, {"max_instance_bytes": 1000}, {"max_request_bytes": 3000}]
)
def test_request_over_a_limit_is_refused_and_leaves_nothing(files, limits, own_store):
    with pytest.raises(TooLargeError):
        spool.instances_spool(
            iter([related(files)]), content_type=f"multipart/related; boundary={BOUNDARY}", **limits
        )
    assert list(incoming_folder().iterdir()) == []


@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_body_is_read_alike_however_it_is_cut(files, size, own_store):
    body = related(files[:1] if size == 1 else files[:3])
    chunks = (body[start : start + size] for start in range(0, len(body), size))
    spooled = spool.instances_spool(chunks, content_type=f"multipart/related; boundary={BOUNDARY}")
    stored = [path.read_bytes() for path in sorted(incoming_folder().rglob("*.dcm"))]
    assert sorted(stored) == sorted(files[:1] if size == 1 else files[:3])
    assert [one.failure for one in spooled.instances] == [None] * len(stored)


def test_only_those_who_may_ingest_may_store(world, files):
    address = f"{base_of(world.trial)}/studies"
    other = factory.preference_world(slug="other", cases=0, practice=0)
    assert send(Client(), address, files).status_code == 401
    assert send(token_client(world.trial, Role.ALGORITHM), address, files).status_code == 404
    assert send(token_client(other.trial), address, files).status_code == 404
    reader = Client()
    reader.force_login(
        factory.account_of(
            membership_create(
                world.trial, AccountFactory.create(), Role.READER, actor=world.actor
            ).participant
        )
    )
    assert send(reader, address, files).status_code == 404
    statistician = Client()
    statistician.force_login(world.statistician)
    assert send(statistician, address, files).status_code == 403
    assert (waiting_files(), Delivery.objects.count()) == ([], 0)


def test_locked_trial_takes_nothing(tmp_path, own_store, files):
    world = factory.preference_world()
    client = token_client(world.trial)
    world.act(TrialAction.LOCK)
    answer = send(client, f"{base_of(world.trial)}/studies", files)
    assert (answer.status_code, answer.json()["code"]) == (409, "state_conflict")
    assert (waiting_files(), Delivery.objects.count()) == ([], 0)


def test_names_stay_out_of_database_logs_and_answers(world, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    client = token_client(world.trial)
    files = patient_files(tmp_path / "sent", "Zwielicht^Gundula")
    study = str(pydicom.dcmread(BytesIO(files[0])).StudyInstanceUID)
    answers = [send(client, f"{base_of(world.trial)}/studies/{study}", [*files, b"junk Zwielicht"])]
    complete(client, world.trial)
    jobs_run_inline()
    answers.append(client.get(f"{base_of(world.trial)}/inbox"))
    answers.append(client.get(f"/api/v1/trials/{world.trial.id}/ingests"))
    assert world.trial.cases.count() == 1
    told = b"".join(answer.content for answer in answers).decode() + caplog.text
    for model in (Delivery, DeliveryBatch, Case, StoredVolume, IngestFileReport):
        told += str(list(model.objects.values()))
    assert "zwielicht" not in told.casefold()
    assert study not in told
    assert answers[0].json()["00081199"]["Value"][0].keys() == {"00081150", "00081155", "00081190"}


def test_study_that_a_refused_address_names_stays_out_of_the_log(world, caplog):
    token_client(world.trial).post(f"{base_of(world.trial)}/studies/1.2.840.99999", content_type="text/plain")
    lines = [JsonFormatter().format(record) for record in caplog.records if record.name == "django.request"]
    assert len(lines) == 1
    assert json.loads(lines[0])["message"] == (
        "Unsupported Media Type: /api/v1/trials/<uuid:trial_id>/dicomweb/studies/<str:study_uid>"
    )


def test_forgotten_deliveries_are_swept(world, files):
    client = token_client(world.trial)
    send(client, f"{base_of(world.trial)}/studies", files)
    complete(client, world.trial)
    later = timezone.now() + INCOMING_KEPT + timedelta(minutes=1)
    assert incoming_sweep(now=later) == 1
    assert [job.state for job in jobs_run_inline()] == [JobState.FAILED]
    assert deliveries_sweep() == 0
    Delivery.objects.update(closed_at=timezone.now() - INCOMING_KEPT - timedelta(minutes=1))
    assert deliveries_sweep() == 1
    assert Delivery.objects.get().finished_at is not None
    assert (waiting_files(), DeliveryBatch.objects.count()) == ([], 0)


def test_inbox_refuses_rules_that_are_none(world):
    client = token_client(world.trial)
    for body in ({"rules": "x"}, {"rules": [{"source": "a b"}]}, {"rules": [], "quiet_s": 1}, {}):
        answer = client.put(f"{base_of(world.trial)}/inbox", body, content_type="application/json")
        assert answer.status_code == 400, body
    assert not DicomInbox.objects.exists()
