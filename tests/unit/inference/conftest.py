"""Scans that several tests look at."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from equipoise.imaging.reading import read_folder
from equipoise.imaging.series import load_series
from equipoise.imaging.structure_set import choose_roi, roi_mask, series_of
from equipoise.simulation import ThoraxPhantom, TumourSpec, thorax_phantom


@dataclass(frozen=True)
class RealScan:
    hu: np.ndarray
    spacing_mm: tuple[float, float, float]
    masks: dict[str, np.ndarray]


@pytest.fixture(scope="session")
def real_scans(patients_folder: Path) -> list[RealScan]:
    contents = read_folder(patients_folder)
    scans = []
    for structures in contents.structure_sets:
        series = series_of(structures, choose_roi(structures, "GTV-1"), contents.series)
        masks = {
            name: roi_mask(structures, choose_roi(structures, name), series.grid).array
            for name in ("Lung L", "Lung R", "GTV-1", "Patient")
        }
        scans.append(RealScan(load_series(series).volume.array, series.grid.spacing_mm_zyx, masks))
    return scans


@pytest.fixture(scope="session")
def phantom() -> ThoraxPhantom:
    return thorax_phantom(
        np.random.default_rng(3), shape=(36, 128, 128), spacing_mm=(10.0, 3.2, 3.2), tumour=TumourSpec()
    )
