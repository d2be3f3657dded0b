"""A store of its own for every test, and a small scan to put into it."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from equipoise.archive import frame_server
from equipoise.archive.deidentification import DeidentificationPolicy
from equipoise.archive.storage import PackStore, default_store
from equipoise.imaging.dicom_write import write_ct_series, write_structure_set
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.volume import ImageVolume, SeriesDescription

NAMESPACE = uuid.UUID("00000000-0000-4000-8000-000000000002")
TRIAL = uuid.UUID("01900000-0000-7000-8000-0000000000a1")
OTHER_TRIAL = uuid.UUID("01900000-0000-7000-8000-0000000000a2")
INSTITUTE = uuid.UUID("01900000-0000-7000-8000-0000000000b1")
GRID = Grid((6, 20, 24), (5.0, 0.8, 0.75), (-10.5, 20.25, -300.0))


@pytest.fixture(autouse=True)
def store(tmp_path: Path, settings) -> Iterator[PackStore]:
    settings.DATA_DIR = tmp_path / "var"
    settings.STORAGE_URL = f"file:{tmp_path / 'var' / 'store'}"
    frame_server._SERVER.cache.clear()
    yield default_store()
    frame_server._SERVER.cache.clear()


@pytest.fixture
def store_folder(tmp_path: Path) -> Path:
    return tmp_path / "var" / "store"


def make_volume(seed: int = 1, grid: Grid = GRID) -> ImageVolume:
    rng = np.random.default_rng(seed)
    description = SeriesDescription(
        slice_thickness_mm=5.0, kernel="B30f", manufacturer="SIEMENS", model="Biograph 40"
    )
    return ImageVolume(
        rng.integers(-1000, 1500, grid.shape_zyx).astype(np.int16), grid, description=description
    )


def make_mask(grid: Grid = GRID, low: int = 4, high: int = 15) -> Mask:
    array = np.zeros(grid.shape_zyx, dtype=bool)
    array[1:5, low:high, 3:18] = True
    array[2:4, 8:11, 8:12] = False
    return Mask(array, grid)


@pytest.fixture
def volume() -> ImageVolume:
    return make_volume()


@pytest.fixture
def mask() -> Mask:
    return make_mask()


@pytest.fixture
def policy() -> DeidentificationPolicy:
    return DeidentificationPolicy(patient_secret=b"sixteen bytes or more")


def write_patient(folder: Path, code: str, seed: int = 1, **masks: Mask) -> Path:
    """Write a DICOM scan with a structure set; region names use underscores for hyphens."""
    write_ct_series(make_volume(seed), folder, patient_code=code, namespace=NAMESPACE)
    named = {name.replace("_", "-"): mask for name, mask in (masks or {"GTV_1": make_mask()}).items()}
    write_structure_set(named, folder / "rs.dcm", patient_code=code, namespace=NAMESPACE)
    return folder


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A folder with one patient."""
    folder = tmp_path / "sent"
    write_patient(folder / "a", "Secret^Person")
    return folder
