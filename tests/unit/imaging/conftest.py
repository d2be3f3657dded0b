"""A small anisotropic scan, written as DICOM, that the tests of reading damage in turn."""

import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from equipoise.imaging.dicom_write import write_ct_series, write_structure_set
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import ImageVolume, SeriesDescription

NAMESPACE = uuid.UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture
def grid() -> Grid:
    return Grid((6, 20, 24), (5.0, 0.8, 0.75), (-10.5, 20.25, -300.0))


@pytest.fixture
def volume(grid: Grid) -> ImageVolume:
    rng = np.random.default_rng(20260101)
    array = rng.integers(-1000, 1500, grid.shape_zyx).astype(np.int16)
    return ImageVolume(array, grid, description=SeriesDescription(slice_thickness_mm=5.0, kernel="B30f"))


@pytest.fixture
def mask(grid: Grid) -> Mask:
    """A block with a hole, on slices 1 to 4."""
    array = np.zeros(grid.shape_zyx, dtype=bool)
    array[1:5, 4:15, 3:18] = True
    array[2:4, 8:11, 8:12] = False
    return Mask(array, grid)


@pytest.fixture
def scan(tmp_path: Path, volume: ImageVolume, mask: Mask) -> Path:
    """A DICOM folder: six slices and a structure set with GTV-1 and Lung."""
    folder = tmp_path / "scan"
    write_ct_series(volume, folder, patient_code="P1", namespace=NAMESPACE)
    lung = Mask(np.roll(mask.array, 3, axis=2), mask.grid)
    write_structure_set(
        {"GTV-1": mask, "Lung": lung}, folder / "rs.dcm", patient_code="P1", namespace=NAMESPACE
    )
    return folder


@pytest.fixture
def edit() -> Callable[..., None]:
    """Change attributes of a DICOM file in place."""

    def change(path: Path, **attributes: object) -> None:
        dataset = pydicom.dcmread(path)
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        dataset.save_as(path, enforce_file_format=True)

    return change
