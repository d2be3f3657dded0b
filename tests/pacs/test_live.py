"""The whole site behind a real server, a real Orthanc, and dicomweb-client: what one sends the others read."""

import os
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pydicom
import pytest
import requests
import SimpleITK
from dicomweb_client import DICOMwebClient

from equipoise.archive.dicomweb.pacs import PullBy
from equipoise.archive.models import StoredVolume
from equipoise.archive.selectors import stored_mask_array, stored_volume_array
from equipoise.common.permissions import Role
from equipoise.imaging.reading import read_folder, read_mask
from equipoise.imaging.series import load_series
from equipoise.imaging.volume import turn_for_display
from equipoise.jobs.inline import jobs_run_inline
from equipoise.jobs.models import JobState
from tests.conftest import REPOSITORY
from tests.factories.accounts import create_token
from tests.factories.trials import PreferenceWorld
from tests.faults.real_server import RealServer
from tests.pacs.orthanc import Orthanc
from tests.trials.dicomweb_world import RULES, base_of, empty_world, patient_files
from trials.models import CasePurpose, Delivery, DicomInbox
from trials.services.ingest import rule_of
from trials.services.pull import PullPlan, pull_request

pytestmark = [pytest.mark.usefixtures("flushing_db"), pytest.mark.db, pytest.mark.timeout(600)]


class Site:
    """A trial's DICOMweb as other programs see it."""

    def __init__(self, server: RealServer, world: PreferenceWorld, secret: str) -> None:
        self.world, self.trial, self.secret = world, world.trial, secret
        self.base = f"{server.url}{base_of(world.trial)}"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {secret}"

    def client(self, **options: Any) -> DICOMwebClient:
        """Return a client with the trial's token."""
        return DICOMwebClient(self.base, session=self.session, **options)

    def complete(self) -> None:
        """Say that everything was sent, and ingest it."""
        self.session.post(f"{self.base}/inbox/complete").raise_for_status()
        assert [job.state for job in jobs_run_inline()] == [JobState.SUCCEEDED]


@pytest.fixture
def site(flushing_db, tmp_path: Path, settings, monkeypatch) -> Iterator[Site]:
    settings.DATA_DIR = tmp_path / f"var{os.environ.get('PYTEST_XDIST_WORKER', '')}"
    settings.STORAGE_URL = f"file:{settings.DATA_DIR / 'store'}"
    monkeypatch.setenv("EQUIPOISE_DATA_DIR", str(settings.DATA_DIR))
    world = empty_world()
    DicomInbox.objects.create(trial=world.trial, rules=RULES)
    _, secret = create_token(trial_id=world.trial.id, role=Role.DATA_MANAGER.value)
    server = RealServer(log=tmp_path / "server.log")
    server.wait()
    site = Site(server, world, secret)
    yield site
    site.session.close()
    server.kill()


@pytest.fixture
def peer(site: Site, orthanc: Orthanc) -> Callable[[str, Any], Any]:
    """Make the site a DICOMweb server that Orthanc knows, and return what calls Orthanc's client."""
    body = {
        "Url": f"{site.base}/",
        "HttpHeaders": {"Authorization": f"Bearer {site.secret}"},
        "HasDelete": "0",
    }
    orthanc.http.put("/dicom-web/servers/equipoise", json=body).raise_for_status()

    def call(action: str, what: Any) -> Any:
        answer = orthanc.http.post(f"/dicom-web/servers/equipoise/{action}", json=what)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return call


def simpleitk_volume(folder: Path) -> SimpleITK.Image:
    """Read the CT slices of a folder as SimpleITK does."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image: SimpleITK.Image = reader.Execute()
    return image


def orthanc_study(orthanc: Orthanc, folder: Path) -> Path:
    """Unpack the one study that Orthanc has, its CT and its other objects apart."""
    [study] = orthanc.http.get("/studies").json()
    archive = zipfile.ZipFile(BytesIO(orthanc.http.get(f"/studies/{study}/archive").content))
    for name in ("images", "others"):
        (folder / name).mkdir(parents=True)
    for number, member in enumerate(archive.namelist()):
        content = archive.read(member)
        dataset = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
        place = "images" if dataset.Modality == "CT" else "others"
        (folder / place / f"{dataset.Modality}-{number:04d}.dcm").write_bytes(content)
    return folder


def test_what_a_client_stores_in_chunks_becomes_a_case_and_is_read_back_to_the_bit(site, tmp_path):
    files = patient_files(tmp_path / "sent", "Doe^Jane")
    datasets = [pydicom.dcmread(BytesIO(content)) for content in files]
    answer = site.client(chunk_size=1000).store_instances(datasets)
    assert len(answer.ReferencedSOPSequence) == 7
    assert "FailedSOPSequence" not in answer
    assert Delivery.objects.get().instance_count == 7
    site.complete()
    volume = StoredVolume.objects.get()
    client = site.client()
    [study] = client.search_for_studies(search_filters={"PatientID": "C-001"})
    assert study["0020000D"]["Value"] == [volume.study_uid]
    assert len(client.search_for_series(volume.study_uid)) == 3
    read = list(client.iter_study(volume.study_uid))
    assert [one.Modality for one in read] == ["CT"] * 6 + ["RTSTRUCT", "SEG"]
    array = stored_volume_array(volume)
    np.testing.assert_array_equal(np.stack([one.pixel_array for one in read[:6]]), array)
    uid = str(read[3].SOPInstanceUID)
    [frame] = client.retrieve_instance_frames(volume.study_uid, volume.series_uid, uid, [1])
    np.testing.assert_array_equal(np.frombuffer(frame, "<i2").reshape(20, 24), array[3])
    headers = client.retrieve_series_metadata(volume.study_uid, volume.series_uid)
    assert [header["00080018"]["Value"][0] for header in headers] == [
        str(one.SOPInstanceUID) for one in read[:6]
    ]
    picture = client.retrieve_instance_rendered(
        volume.study_uid, volume.series_uid, uid, media_types=("image/png",)
    )
    assert picture[:4] == b"\x89PNG"


def test_documented_example_sends_a_patient(site, tmp_path):
    text = (REPOSITORY / "docs" / "dicomweb.md").read_text()
    start = text.index("    import pydicom\n")
    block = dedent(text[start : text.index("\n\nAn Orthanc sends", start)])
    paths = []
    for number, content in enumerate(patient_files(tmp_path / "sent", "Doe^Joan", 5)):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(content)
    url = site.base.partition("/api/")[0]
    names: dict[str, Any] = {"token": site.secret, "site": url, "trial": site.trial.id, "paths": paths}
    exec(block, names)
    names["session"].close()
    assert [job.state for job in jobs_run_inline()] == [JobState.SUCCEEDED]
    assert site.trial.cases.count() == 1


def test_orthanc_stores_a_study_into_the_trial(site, orthanc, peer, tmp_path):
    for content in patient_files(tmp_path / "sent", "Doe^John", 3):
        orthanc.store(content)
    [study] = orthanc.http.get("/studies").json()
    peer("stow", {"Resources": [study], "Synchronous": True})
    assert Delivery.objects.get().instance_count == 7
    site.complete()
    case = site.trial.cases.get()
    assert [contour.source for contour in case.contours.all()] == ["expert"]


def test_orthanc_finds_and_retrieves_a_case_and_simpleitk_reads_it_from_there(site, orthanc, peer, tmp_path):
    for content in patient_files(tmp_path / "sent", "Doe^Jim", 4):
        orthanc.store(content)
    [study] = orthanc.http.get("/studies").json()
    peer("stow", {"Resources": [study], "Synchronous": True})
    site.complete()
    orthanc.empty()
    volume = StoredVolume.objects.get()
    found = peer("qido", {"Uri": "/studies", "Arguments": {"00100020": "C-001"}})
    assert [one["Value"] for row in found for one in row.values() if one["Name"] == "StudyInstanceUID"] == [
        volume.study_uid
    ]
    peer("retrieve", {"Resources": [{"Study": volume.study_uid}], "Synchronous": True})
    assert orthanc.http.get("/statistics").json()["CountInstances"] == 8
    folder = orthanc_study(orthanc, tmp_path / "back")
    image = simpleitk_volume(folder / "images")
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), stored_volume_array(volume))
    np.testing.assert_allclose(image.GetSpacing(), volume.grid.spacing_mm_xyz)
    np.testing.assert_allclose(image.GetOrigin(), volume.grid.origin_mm_xyz)
    wanted = stored_mask_array(site.trial.cases.get().contours.get().mask)
    for path in (folder / "others").iterdir():
        mask = read_mask(path, roi="expert", image=folder / "images")
        np.testing.assert_array_equal(mask.array, wanted)
    told = orthanc.http.get("/patients?expand").json()
    assert [patient["MainDicomTags"]["PatientID"] for patient in told] == ["C-001"]


@pytest.mark.slow
@pytest.mark.shared
def test_real_patients_go_from_orthanc_into_cases_and_back_to_the_bit(
    site, orthanc, peer, patients_folder, tmp_path
):
    for path in sorted(patients_folder.rglob("*.dcm")):
        orthanc.store(path.read_bytes())
    originals = read_folder(patients_folder)
    identifiers = sorted({series.patient_id for series in originals.series})
    plan = PullPlan(
        "hospital",
        PullBy.PATIENT,
        frozenset(),
        [rule_of({"source": "expert", "pattern": "GTV-1"})],
        CasePurpose.TRIAL,
    )
    pull_request(site.trial, plan, identifiers, actor=site.world.actor)
    [job] = jobs_run_inline()
    assert [(item.state, item.error_detail) for item in job.items.all()] == [("succeeded", "")] * 2
    wanted = {
        series.grid.shape_zyx[0]: turn_for_display(load_series(series).volume)[0].array
        for series in originals.series
    }
    orthanc.empty()
    for case in site.trial.cases.all():
        volume = case.images.get().volume
        peer("retrieve", {"Resources": [{"Study": volume.study_uid}], "Synchronous": True})
        folder = orthanc_study(orthanc, tmp_path / case.code)
        image = simpleitk_volume(folder / "images")
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), wanted[volume.frame_count])
        contour = case.contours.get()
        for path in (folder / "others").iterdir():
            mask = read_mask(path, roi="expert", image=folder / "images")
            np.testing.assert_array_equal(mask.array, stored_mask_array(contour.mask))
        text = b"".join(path.read_bytes()[:20_000] for path in folder.rglob("*.dcm"))
        assert not [one for one in identifiers if one.encode() in text]
        orthanc.empty()
    assert len(wanted) == site.trial.cases.count() == 2
