"""The two real patients: mixed folders as a clinic exports them, explicit and implicit VR."""

from pathlib import Path

import numpy as np
import pydicom
import pytest

from equipoise.imaging.reading import FileOutcome, FolderContents, read_folder
from equipoise.imaging.series import load_series
from equipoise.imaging.structure_set import choose_roi, contour_areas_mm2, roi_mask, series_of

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def contents(patients_folder: Path) -> FolderContents:
    return read_folder(patients_folder)


def test_every_file_is_accounted_for(contents: FolderContents):
    kinds: dict[tuple[str, str], int] = {}
    for report in contents.reports:
        kinds[(report.outcome.value, report.kind)] = kinds.get((report.outcome.value, report.kind), 0) + 1
    assert kinds == {
        ("used", "CT slice"): 134 + 111,
        ("used", "structure set"): 2,
        ("ignored", "RTPLAN"): 2,
        ("ignored", "RTDOSE"): 2,
        ("ignored", "file"): 1,
    }
    assert {report.outcome for report in contents.reports} == {FileOutcome.USED, FileOutcome.IGNORED}


def test_series_have_the_published_geometry(contents: FolderContents):
    found = {series.grid.shape_zyx: series.grid.spacing_mm_zyx for series in contents.series}
    assert found == {(134, 512, 512): (3.0, 0.9765625, 0.9765625), (111, 512, 512): (3.0, 0.977, 0.977)}


def test_voxels_are_byte_exact_against_pydicom(contents: FolderContents):
    for series in contents.series:
        array = load_series(series).volume.array
        for z in (0, 37, len(array) - 1):
            dataset = pydicom.dcmread(series.paths[z])
            expected = dataset.pixel_array.astype(np.int32) * int(dataset.RescaleSlope) + int(
                dataset.RescaleIntercept
            )
            np.testing.assert_array_equal(array[z], expected)
            assert dataset.ImagePositionPatient[2] == pytest.approx(
                series.grid.origin_mm_xyz[2] + z * series.grid.spacing_mm_zyx[0], abs=1e-4
            )


def test_tumour_volume_agrees_with_the_area_of_its_contours(contents: FolderContents):
    """Volumes in ml; shoelace areas times the slice spacing are independent of rasterising (no GTV here has a hole)."""
    volumes = {}
    for structures in contents.structure_sets:
        roi = choose_roi(structures, "GTV-1")
        series = series_of(structures, roi, contents.series)
        mask = roi_mask(structures, roi, series.grid)
        by_area_ml = contour_areas_mm2(structures, roi) * series.grid.spacing_mm_zyx[0] / 1000
        assert mask.volume_ml == pytest.approx(by_area_ml, rel=1e-3)
        assert np.count_nonzero(mask.array.any(axis=(1, 2))) == roi.contour_count
        volumes[roi.contour_count] = mask.volume_ml
    assert volumes == {21: pytest.approx(155.77984, abs=1e-4), 26: pytest.approx(358.53255, abs=1e-4)}
