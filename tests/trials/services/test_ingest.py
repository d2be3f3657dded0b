"""A patient's images, contours and case come in together, or none of them does."""

import uuid
from pathlib import Path

import numpy as np
import pytest

from equipoise.archive.models import StoredMask, StoredVolume
from equipoise.archive.roi_rules import RoiRule
from equipoise.archive.storage import default_store
from equipoise.archive.verify import verify
from equipoise.audit.kinds import Origin
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import ErrorCode, StateConflictError
from equipoise.imaging.dicom_write import write_ct_series, write_structure_set
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import ImageVolume
from tests.trials.dicomweb_world import empty_world
from trials.models import Case, CasePurpose, Contour, Trial
from trials.services import ingest
from trials.services.acts import Actor
from trials.services.ingest import trial_ingest_folder

pytestmark = [pytest.mark.django_db, pytest.mark.db]

GRID = Grid((4, 16, 18), (5.0, 0.8, 0.75))
NAMESPACE = uuid.UUID("00000000-0000-4000-8000-000000000003")
RULES = (RoiRule(source="expert", pattern="GTV-1", required=False),)


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, settings) -> None:
    settings.DATA_DIR = tmp_path / "var"
    settings.STORAGE_URL = f"file:{tmp_path / 'var' / 'store'}"


def write_patient(folder: Path, code: str, *, seed: int = 1, high: int | None = None) -> Path:
    array = np.random.default_rng(seed).integers(-1000, 1500, GRID.shape_zyx).astype(np.int16)
    write_ct_series(ImageVolume(array, GRID), folder, patient_code=code, namespace=NAMESPACE)
    if high is not None:
        inside = np.zeros(GRID.shape_zyx, dtype=bool)
        inside[1:3, 4:high, 3:12] = True
        write_structure_set(
            {"GTV-1": Mask(inside, GRID)}, folder / "rs.dcm", patient_code=code, namespace=NAMESPACE
        )
    return folder


def send(trial: Trial, folder: Path):
    return trial_ingest_folder(
        trial, folder, rules=RULES, purpose=CasePurpose.TRIAL, actor=Actor(account_id=None, origin=Origin.CLI)
    )


@pytest.fixture
def trial() -> Trial:
    return empty_world().trial


def counted() -> tuple[int, ...]:
    models = (Case, Contour, StoredVolume, StoredMask)
    return (*(model.objects.count() for model in models), len(list(default_store().keys())))


def test_a_second_image_of_a_case_is_refused_and_not_kept(trial, tmp_path: Path):
    send(trial, write_patient(tmp_path / "one", "P1", high=9))
    before = counted()
    report = send(trial, write_patient(tmp_path / "two", "P1", seed=2))
    (problem,) = report.outcome.problems
    assert problem.code is ErrorCode.INGEST_SEVERAL_SERIES
    assert "has an image already" in problem.sentence
    assert report.cases == ()
    assert counted() == (*before[:4], before[4] + 2)  # the run's log and its list of what was removed


def test_another_contour_of_the_same_source_is_refused_and_not_kept(trial, tmp_path: Path):
    send(trial, write_patient(tmp_path / "one", "P1", high=9))
    before, stored = counted(), Contour.objects.get().mask_id
    report = send(trial, write_patient(tmp_path / "two", "P1", high=11))
    (problem,) = report.outcome.problems
    assert problem.code is ErrorCode.INGEST_ROI_AMBIGUOUS
    assert counted() == (*before[:4], before[4] + 2)
    assert Contour.objects.get().mask_id == stored
    assert verify().sound


def test_the_same_folder_again_changes_nothing(trial, tmp_path: Path):
    folder = write_patient(tmp_path / "one", "P1", high=9)
    first = send(trial, folder)
    before, entries = counted(), AuditEntry.objects.count()
    second = send(trial, folder)
    assert (first.cases[0].is_new, second.cases[0].is_new) == (True, False)
    assert counted() == (*before[:4], before[4] + 2)
    assert AuditEntry.objects.count() == entries


def test_a_trial_that_is_locked_meanwhile_takes_no_image(trial, tmp_path: Path, monkeypatch):
    folder = write_patient(tmp_path / "one", "P1", high=9)
    calls: list[Trial] = []

    def lock_before_the_second(trial: Trial) -> None:
        calls.append(trial)
        if len(calls) == 2:
            raise StateConflictError("locked")

    monkeypatch.setattr(ingest, "require_draft", lock_before_the_second)
    with pytest.raises(StateConflictError):
        send(trial, folder)
    assert counted() == (0, 0, 0, 0, 0)
