"""Cases leave as de-identified studies for those who may, exactly, and for nobody else."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from django.core.cache import cache
from django.test import Client
from pydicom._dicom_dict import DicomDictionary

from equipoise.archive.dicomweb.errors import DicomwebSyntaxError, NotAcceptableError
from equipoise.archive.dicomweb.media import (
    BYTES,
    DICOM_FILE,
    DICOM_JSON,
    JPEG,
    JSON,
    PARTS_OF_BYTES,
    PARTS_OF_DICOM,
    PNG,
    chosen,
)
from equipoise.archive.dicomweb.query import search_of
from equipoise.archive.selectors import stored_mask_array, stored_volume_array
from equipoise.archive.services import patient_store
from equipoise.audit.models import AuditEntry
from equipoise.common.permissions import Role
from equipoise.imaging.reading import read_folder, read_mask
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from tests.trials.dicomweb_world import base_of, token_client
from tests.unit.imaging.test_dicom_image import IMAGES
from trials.models import Case, CaseImage
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, settings) -> None:
    settings.DATA_DIR = tmp_path / "var"
    settings.STORAGE_URL = f"file:{tmp_path / 'var' / 'store'}"
    cache.clear()


@pytest.fixture
def world(own_store):
    return factory.preference_world(cases=3, practice=0)


@pytest.fixture
def client(world) -> Client:
    return token_client(world.trial)


def parts(response) -> list[bytes]:
    """Return the parts of an answer, by the standard library's reader of mail."""
    from email.parser import BytesParser
    from email.policy import HTTP

    body = b"".join(response.streaming_content)
    head = f"Content-Type: {response['Content-Type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    boundary = message.get_boundary()
    found = body.split(f"--{boundary}\r\n".encode())[1:]
    assert message.is_multipart()
    assert len(found) == len(message.get_payload())
    ends = (b"\r\n", f"\r\n--{boundary}--\r\n".encode())
    return [one.partition(b"\r\n\r\n")[2].removesuffix(ends[1]).removesuffix(ends[0]) for one in found]


def listed(client: Client, address: str, **query) -> list[dict[str, Any]]:
    answer = client.get(address, query)
    assert (answer.status_code, answer["Content-Type"]) == (200, DICOM_JSON), answer.content
    return list(json.loads(answer.content))


def values(row: dict[str, Any], keyword: str) -> list[Any]:
    """Return what a row says of an attribute."""
    return list(row[f"{pydicom.datadict.tag_for_keyword(keyword):08X}"].get("Value", []))


def case_of(world, code: str = "C-001") -> Case:
    """Return a case by its code."""
    return Case.objects.get(trial=world.trial, code=code)


def add_case(trial, image, code: str) -> Case:
    """Store another image as a case."""
    stored = patient_store(
        image, {}, trial_id=trial.id, institute_id=trial.institute_id, patient_key=code.rjust(64, "0")
    )
    case = Case.objects.create(
        trial=trial,
        code=code,
        patient_key=code.rjust(64, "0"),
        pixel_sha256=stored.volume.pixel_hash,
        created_at=trial.created_at,
    )
    CaseImage.objects.create(case=case, volume=stored.volume)
    return case


def test_studies_are_the_cases_under_their_codes_and_mapped_uids(world, client):
    rows = listed(client, f"{base_of(world.trial)}/studies")
    assert [values(row, "PatientID") for row in rows] == [["C-001"], ["C-002"], ["C-003"]]
    volume = case_of(world).images.get().volume
    first = rows[0]
    assert values(first, "StudyInstanceUID") == [volume.study_uid]
    assert values(first, "ModalitiesInStudy") == ["CT", "RTSTRUCT", "SEG"]
    assert values(first, "NumberOfStudyRelatedSeries") == [4]
    assert values(first, "NumberOfStudyRelatedInstances") == [15]
    assert values(first, "PatientName") == [{"Alphabetic": "C-001"}]
    assert values(first, "PatientBirthDate") == []


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ({"PatientID": "C-002"}, ["C-002"]),
        ({"00100020": "c-002"}, ["C-002"]),
        ({"PatientID": "C-00?"}, ["C-001", "C-002", "C-003"]),
        ({"PatientName": "*3"}, ["C-003"]),
        ({"PatientID": "C-[0]01"}, []),
        ({"ModalitiesInStudy": "NM"}, ["C-900"]),
        ({"ModalitiesInStudy": "NM,SEG"}, ["C-001", "C-002", "C-003", "C-900"]),
        ({"StudyInstanceUID": "1.2.3"}, []),
        ({"AccessionNumber": "4711"}, []),
        ({"AccessionNumber": ""}, ["C-001", "C-002", "C-003", "C-900"]),
        ({"StudyDate": "20000101-20001231"}, ["C-001", "C-002", "C-003", "C-900"]),
        ({"StudyDate": "20200101-"}, []),
        ({"limit": "2", "offset": "1"}, ["C-002", "C-003"]),
        ({"limit": "0"}, []),
        ({"includefield": "all", "fuzzymatching": "true", "limit": "1"}, ["C-001"]),
    ],
)
def test_searches_find_what_they_ask_for(world, client, query, codes):
    add_case(world.trial, IMAGES["NM views"], "C-900")
    rows = listed(client, f"{base_of(world.trial)}/studies", **query)
    assert [values(row, "PatientID")[0] for row in rows] == codes


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=x", "Nonsense=1", "99999999=1", "offset=1e9", "0010002=1"]
)
def test_search_that_makes_no_sense_is_refused(world, client, query):
    answer = client.get(f"{base_of(world.trial)}/studies?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")


def test_search_with_too_many_attributes_is_refused():
    with pytest.raises(DicomwebSyntaxError, match="at most 50"):
        search_of((entry[4], "x") for entry in list(DicomDictionary.values())[:60] if entry[4])


def test_series_and_instances_are_listed_without_reading_a_file(world, client, monkeypatch):
    volume = case_of(world).images.get().volume
    monkeypatch.setattr("equipoise.archive.storage.LocalPackStore.open", None)
    monkeypatch.setattr("equipoise.archive.storage.LocalPackStore.read_range", None)
    base = f"{base_of(world.trial)}/studies/{volume.study_uid}"
    series = listed(client, f"{base}/series")
    assert [(values(row, "Modality"), values(row, "SeriesNumber")) for row in series] == [
        (["CT"], [1]),
        (["RTSTRUCT"], [90]),
        (["SEG"], [100]),
        (["SEG"], [101]),
    ]
    assert [values(row, "SeriesDescription") for row in series[2:]] == [
        ["Segmentation: algorithm"],
        ["Segmentation: expert"],
    ]
    instances = listed(client, f"{base}/series/{volume.series_uid}/instances")
    assert [values(row, "InstanceNumber") for row in instances] == [[n] for n in range(1, 13)]
    assert (values(instances[0], "Rows"), values(instances[0], "Columns")) == ([48], [48])
    assert len(listed(client, f"{base}/instances")) == 15
    assert len(listed(client, f"{base_of(world.trial)}/series", Modality="CT")) == 3
    assert len(listed(client, f"{base_of(world.trial)}/instances", Modality="CT", PatientID="C-003")) == 12
    assert listed(client, f"{base_of(world.trial)}/studies/1.2.3/series") == []


def test_retrieved_study_is_the_stored_one_to_the_bit(world, client, tmp_path):
    case = case_of(world)
    volume = case.images.get().volume
    answer = client.get(f"{base_of(world.trial)}/studies/{volume.study_uid}")
    assert answer["Content-Type"].startswith('multipart/related; type="application/dicom"; boundary=')
    folder = tmp_path / "study"
    folder.mkdir()
    datasets = []
    for number, part in enumerate(parts(answer)):
        (folder / f"{number:03d}.dcm").write_bytes(part)
        datasets.append(pydicom.dcmread(BytesIO(part)))
    assert [one.Modality for one in datasets] == ["CT"] * 12 + ["RTSTRUCT", "SEG", "SEG"]
    assert {one.StudyInstanceUID for one in datasets} == {volume.study_uid}
    assert {str(one.PatientID) for one in datasets} == {"C-001"}
    assert {one.FrameOfReferenceUID for one in datasets} == {volume.frame_of_reference_uid}
    pixels = np.stack([one.pixel_array for one in datasets[:12]])
    np.testing.assert_array_equal(pixels, stored_volume_array(volume))
    for contour in case.contours.select_related("mask__volume"):
        wanted = stored_mask_array(contour.mask)
        number = {"algorithm": 13, "expert": 14}[contour.source]
        for name in ("012.dcm", f"{number:03d}.dcm"):
            mask = read_mask(folder / name, roi=contour.source, image=folder)
            np.testing.assert_array_equal(mask.array, wanted)
    assert read_folder(folder).failures() == []


def test_instances_series_headers_frames_and_pictures(world, client):
    volume = case_of(world).images.get().volume
    base = f"{base_of(world.trial)}/studies/{volume.study_uid}/series/{volume.series_uid}"
    uid = values(listed(client, f"{base}/instances")[5], "SOPInstanceUID")[0]
    assert len(parts(client.get(base))) == 12
    [content] = parts(client.get(f"{base}/instances/{uid}"))
    dataset = pydicom.dcmread(BytesIO(content))
    assert dataset.SOPInstanceUID == uid
    single = client.get(f"{base}/instances/{uid}", headers={"accept": "application/dicom"})
    assert (single["Content-Type"], single.content) == ("application/dicom", content)
    [header] = json.loads(b"".join(client.get(f"{base}/instances/{uid}/metadata").streaming_content))
    told = pydicom.Dataset.from_json(header)
    del dataset.PixelData
    assert {element.tag: element.value for element in told} == {
        element.tag: element.value for element in dataset
    }
    headers = json.loads(b"".join(client.get(f"{base}/metadata").streaming_content))
    assert len(headers) == 12
    [frame] = parts(client.get(f"{base}/instances/{uid}/frames/1"))
    np.testing.assert_array_equal(np.frombuffer(frame, "<i2").reshape(48, 48), stored_volume_array(volume)[5])
    picture = client.get(f"{base}/instances/{uid}/rendered")
    assert (picture["Content-Type"], picture.content[:8]) == (PNG, b"\x89PNG\r\n\x1a\n")
    picture = client.get(f"{base}/instances/{uid}/frames/1/rendered", headers={"accept": "image/jpeg"})
    assert (picture["Content-Type"], picture.content[:3]) == (JPEG, b"\xff\xd8\xff")


def test_frames_of_a_multi_frame_object_come_in_the_order_asked(world, client):
    case = add_case(world.trial, IMAGES["NM views"], "C-900")
    volume = case.images.get().volume
    base = f"{base_of(world.trial)}/studies/{volume.study_uid}/series/{volume.series_uid}"
    [row] = listed(client, f"{base}/instances")
    assert values(row, "NumberOfFrames") == [2]
    address = f"{base}/instances/{values(row, 'SOPInstanceUID')[0]}"
    back, front = parts(client.get(f"{address}/frames/2,1"))
    array = stored_volume_array(volume)
    np.testing.assert_array_equal(np.frombuffer(back, "<i2").reshape(12, 16), array[1])
    np.testing.assert_array_equal(np.frombuffer(front, "<i2").reshape(12, 16), array[0])
    for frames, status in (("3", 404), ("0", 404), ("x", 400), ("1,,2", 400), ("1," * 1001 + "1", 400)):
        assert client.get(f"{address}/frames/{frames}").status_code == status
    assert client.get(f"{address}/frames/1,2/rendered").status_code == 400


def test_what_is_not_there_is_not_found(world, client):
    volume = case_of(world).images.get().volume
    base = f"{base_of(world.trial)}/studies"
    study = f"{base}/{volume.study_uid}"
    for address in (
        f"{base}/1.2.3",
        f"{base}/nonsense/metadata",
        f"{study}/series/1.2.3",
        f"{study}/series/{volume.series_uid}/instances/1.2.3",
        f"{study}/series/{volume.series_uid}/instances/1.2.3/frames/1",
    ):
        assert client.get(address).status_code == 404, address
    [structures] = [
        row for row in listed(client, f"{study}/instances") if values(row, "Modality") == ["RTSTRUCT"]
    ]
    series, instance = values(structures, "SeriesInstanceUID")[0], values(structures, "SOPInstanceUID")[0]
    assert client.get(f"{study}/series/{series}/instances/{instance}/frames/1").status_code == 404
    assert client.get(f"{study}/series/{series}/instances/{instance}/metadata").status_code == 200


def test_only_administrators_and_data_managers_get_anything(world, client):
    volume = case_of(world).images.get().volume
    base = base_of(world.trial)
    study = f"{base}/studies/{volume.study_uid}"
    series = f"{study}/series/{volume.series_uid}"
    uid = values(listed(client, f"{series}/instances")[0], "SOPInstanceUID")[0]
    addresses = [
        *(f"{base}/studies", f"{base}/series", f"{base}/instances"),
        *(study, f"{study}/metadata", f"{study}/series", f"{study}/instances"),
        *(series, f"{series}/metadata", f"{series}/instances"),
        f"{series}/instances/{uid}",
        *(
            f"{series}/instances/{uid}/{one}"
            for one in ("metadata", "rendered", "frames/1", "frames/1/rendered")
        ),
    ]
    other = factory.preference_world(slug="other", cases=0, practice=0)
    people = {Role.READER: 404, Role.BLINDED_MONITOR: 403, Role.UNBLINDED_STATISTICIAN: 403}
    callers = [
        (Client(), 401),
        (token_client(world.trial, Role.ALGORITHM), 404),
        (token_client(other.trial), 404),
    ]
    for role, status in people.items():
        account = AccountFactory.create(institute=world.trial.institute)
        membership_create(world.trial, account, role, actor=world.actor)
        signed_in = Client()
        signed_in.force_login(account)
        callers.append((signed_in, status))
    administrator = Client()
    administrator.force_login(world.administrator)
    callers.append((administrator, 200))
    for caller, status in callers:
        assert {caller.get(address).status_code for address in addresses} == {status}


def test_retrieval_is_written_down_once_and_listing_is_not(world, client):
    volume = case_of(world).images.get().volume
    base = f"{base_of(world.trial)}/studies"
    listed(client, base)
    entries = AuditEntry.objects.filter(kind="export:downloaded")
    assert entries.count() == 0
    for _ in range(3):
        client.get(f"{base}/{volume.study_uid}/metadata")
        parts(client.get(f"{base}/{volume.study_uid}"))
    assert [entry.subject for entry in entries] == ["export:dicomweb:C-001"]


def test_contours_of_an_image_without_slices_stay(world, client):
    case = add_case(world.trial, IMAGES["OT"], "C-901")
    rows = listed(client, f"{base_of(world.trial)}/series", PatientID=case.code)
    assert [values(row, "Modality") for row in rows] == [["OT"]]


def test_no_source_is_told_to_one_who_may_not_see_it(world, client, monkeypatch):
    monkeypatch.setattr("trials.selectors.dicomweb.caller_may_see", lambda *_: False)
    rows = listed(client, f"{base_of(world.trial)}/instances")
    assert {values(row, "Modality")[0] for row in rows} == {"CT"}
    volume = case_of(world).images.get().volume
    assert len(parts(client.get(f"{base_of(world.trial)}/studies/{volume.study_uid}"))) == 12
    assert "expert" not in json.dumps(rows)


def test_radiograph_headers_and_pixels_agree(world, client):
    case = add_case(world.trial, IMAGES["DX white"], "C-902")
    volume = case.images.get().volume
    base = f"{base_of(world.trial)}/studies/{volume.study_uid}/series/{volume.series_uid}"
    headers = json.loads(b"".join(client.get(f"{base}/metadata").streaming_content))
    for header, part in zip(headers, parts(client.get(base)), strict=True):
        dataset = pydicom.dcmread(BytesIO(part))
        assert values(header, "PhotometricInterpretation") == [dataset.PhotometricInterpretation]
        assert values(header, "PixelRepresentation") == [dataset.PixelRepresentation] == [0]
        np.testing.assert_array_equal(
            dataset.pixel_array, 4095 - stored_volume_array(volume)[dataset.InstanceNumber - 1]
        )


@pytest.mark.parametrize(
    ("accept", "offers", "form"),
    [
        ("", [DICOM_JSON, JSON], DICOM_JSON),
        ("*/*", [PARTS_OF_DICOM, DICOM_FILE], PARTS_OF_DICOM),
        ("application/dicom", [PARTS_OF_DICOM, DICOM_FILE], DICOM_FILE),
        ("application/json", [DICOM_JSON, JSON], JSON),
        ("text/html, application/dicom+json;q=0.5", [DICOM_JSON, JSON], DICOM_JSON),
        ('multipart/related; type="application/dicom"; transfer-syntax=*', [PARTS_OF_DICOM], PARTS_OF_DICOM),
        ("multipart/related; type=application/dicom", [PARTS_OF_DICOM], PARTS_OF_DICOM),
        ("multipart/related", [PARTS_OF_BYTES, BYTES], PARTS_OF_BYTES),
        (
            'multipart/related; type="image/jls", multipart/related; type="*/*"',
            [PARTS_OF_BYTES],
            PARTS_OF_BYTES,
        ),
        ("image/*", [PNG, JPEG], PNG),
        ("image/jpeg, image/png", [PNG, JPEG], JPEG),
    ],
)
def test_form_is_the_callers_choice(accept, offers, form):
    assert chosen(accept, offers) == form


@pytest.mark.parametrize(
    ("accept", "offers"),
    [
        ("text/html", [DICOM_JSON]),
        (
            'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.4.90',
            [PARTS_OF_DICOM],
        ),
        ('multipart/related; type="image/jp2"', [PARTS_OF_BYTES]),
        (";;;,,,", [PNG]),
        ("[a-z]*/dicom", [DICOM_FILE]),
    ],
)
def test_form_that_is_not_given_is_refused(accept, offers):
    with pytest.raises(NotAcceptableError):
        chosen(accept, offers)
