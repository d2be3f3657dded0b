"""Whole-body scans as one DICOM file: read back as the same counts with both views named."""

import uuid

import numpy as np
import pydicom
import pytest

from equipoise.imaging import read_image
from equipoise.imaging.nuclear_write import write_whole_body_scan
from equipoise.imaging.volume import SpacingSource

NAMESPACE = uuid.UUID("5f0a6f53-2f0b-5d5a-9a75-0c4f7a1f5a22")


@pytest.fixture
def views() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 32768, (2, 40, 12)).astype(np.uint16)


def written(path, views, **options):
    write_whole_body_scan(
        *views, path, **{"spacing_mm": (2.26, 2.3), "patient_code": "P-7", "namespace": NAMESPACE} | options
    )
    return path


def test_a_scan_is_read_back_with_its_counts_and_views(tmp_path, views):
    image = read_image(written(tmp_path / "scan.dcm", views))
    np.testing.assert_array_equal(image.values(), views)
    assert image.modality == "NM"
    assert image.planar
    assert image.description.views == ("anterior", "posterior")
    assert image.grid.spacing_mm_zyx == (1.0, 2.26, 2.3)
    assert image.description.spacing_source is SpacingSource.PATIENT


def test_the_file_is_what_gamma_cameras_write(tmp_path, views):
    dataset = pydicom.dcmread(written(tmp_path / "scan.dcm", views))
    assert dataset.SOPClassUID == pydicom.uid.NuclearMedicineImageStorage
    assert list(dataset.ImageType) == ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    assert dataset.NumberOfFrames == 2
    assert dataset.CountsAccumulated == views.sum()
    assert (dataset.PatientName, dataset.PatientID) == ("P-7", "P-7")
    assert [d.ViewCodeSequence[0].CodeMeaning for d in dataset.DetectorInformationSequence] == [
        "Anterior",
        "Posterior",
    ]


def test_writing_twice_gives_the_same_file(tmp_path, views):
    (tmp_path / "other").mkdir()
    one, other = written(tmp_path / "scan.dcm", views), written(tmp_path / "other" / "scan.dcm", views)
    assert one.read_bytes() == other.read_bytes()


def test_counts_that_a_pixel_does_not_hold_are_refused(tmp_path, views):
    views[1, 3, 4] = 32768
    with pytest.raises(
        ValueError, match=r"The posterior view holds 32768 counts; a pixel holds up to 32767\."
    ):
        written(tmp_path / "scan.dcm", views)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [lambda v: v[:20], lambda v: v.astype(float), lambda v: v[None]])
def test_views_that_do_not_match_are_refused_and_nothing_is_written(tmp_path, views, change):
    path = tmp_path / "scan.dcm"
    with pytest.raises(ValueError, match="The posterior view must be a plane of uint16"):
        write_whole_body_scan(
            views[0],
            change(views[1]),
            path,
            spacing_mm=(2.0, 2.0),
            patient_code="P",
            namespace=NAMESPACE,
        )
    assert not path.exists()
