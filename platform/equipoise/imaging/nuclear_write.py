"""Planar scintigraphy as one DICOM file with a frame per view, as gamma cameras write whole-body scans (phantoms)."""

import uuid
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging.dicom_image import DicomIdentity, DicomImage
from equipoise.imaging.geometry import Grid
from equipoise.imaging.planar import ANTERIOR, POSTERIOR
from equipoise.imaging.volume import ImageVolume, SeriesDescription

MOST_COUNTS = 32767
"""In one pixel: images are kept in signed 16 bits."""


def write_whole_body_scan(
    anterior: NDArray[np.uint16],
    posterior: NDArray[np.uint16],
    path: Path,
    *,
    spacing_mm: tuple[float, float],
    patient_code: str,
    namespace: uuid.UUID,
) -> None:
    """Write both views of a bone scan as one Nuclear Medicine Image (DICOM PS3.3 A.5), anterior first.

    Parameters
    ----------
    anterior, posterior : ndarray of uint16, shape (rows, columns)
        Counts, as shown on screens.
    spacing_mm : tuple of float
        (y, x).
    patient_code : str
        Written as patient name and id: a neutral code.
    namespace : UUID
        Study, series and instance are named within it and the patient code, so that writing twice gives one file.

    Raises
    ------
    ValueError
        If the views are not two planes of one size with counts up to 32767.
    """
    views = {ANTERIOR: anterior, POSTERIOR: posterior}
    for name, view in views.items():
        if view.ndim != 2 or view.shape != anterior.shape or view.dtype != np.uint16:
            raise ValueError(
                f"The {name} view must be a plane of uint16 as large as the anterior one, got {view.dtype} of shape "
                f"{view.shape}."
            )
        if view.max() > MOST_COUNTS:
            raise ValueError(f"The {name} view holds {view.max()} counts; a pixel holds up to {MOST_COUNTS}.")
    counts = np.stack(list(views.values())).astype(np.int16)
    grid = Grid((2, *anterior.shape), (1.0, *spacing_mm))
    volume = ImageVolume(counts, grid, modality="NM", description=SeriesDescription(views=tuple(views)))
    image = DicomImage.of(volume, DicomIdentity.named(namespace, patient_code))
    dataset = image.dataset(0, list(counts))
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"]
    dataset.CountsAccumulated, dataset.WholeBodyTechnique = int(counts.sum(dtype=np.int64)), "1PS"
    dataset.save_as(path, enforce_file_format=True)
