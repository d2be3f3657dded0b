"""Images from files as they are stored, and results as files."""

import json
import uuid
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from equipoise.imaging import Grid, ImageVolume, read_folder, read_image
from equipoise.imaging.dicom_write import write_structure_set
from equipoise.imaging.export import write_mask_nrrd
from equipoise.imaging.series import load_series
from equipoise.imaging.volume_files import is_volume_file, load_image, read_volume_header
from equipoise.inference.run import ClassificationResult, SegmentationResult

NAMESPACE = uuid.UUID("5f0a6f53-2f0b-5d5a-9a75-0c4f7a1f5a11")
"""Names the instances of the structure sets written here."""

Result = SegmentationResult | ClassificationResult


def load_as_stored(path: Path, *, modality: str = "CT") -> ImageVolume:
    """Read one image without turning it, so that masks go back to its own voxels.

    Raises
    ------
    IngestError
        Of the class that says what is wrong.
    """
    if path.is_file() and is_volume_file(path):
        return load_image(read_volume_header(path), modality=modality)
    if path.is_dir():
        contents = read_folder(path)
        if len(contents.series) == 1 and not contents.images:
            return load_series(contents.series[0]).volume
        if len(contents.images) == 1 and not contents.series:
            return load_image(contents.images[0], modality=modality)
    return read_image(path)  # says what is wrong, and reads archives and single files


def write_result(result: Result, grid: Grid, folder: Path, *, code: str) -> list[str]:
    """Write one input's result and return the names of its files.

    Parameters
    ----------
    code : str
        Stands in the structure set where a patient's name would.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    if isinstance(result, SegmentationResult):
        for name, mask in chain(result.lesions.items(), [("lungs-looked-at", result.lung_mask)]):
            write_mask_nrrd(mask, folder / f"{name}.nrrd")
            names.append(f"{name}.nrrd")
        write_structure_set(
            result.lesions, folder / "rtstruct.dcm", patient_code=code, namespace=NAMESPACE, label="ALGORITHM"
        )
        write_map_nrrd(result.probability, grid, folder / "probability.nrrd")
        names += ["rtstruct.dcm", "probability.nrrd"]
    else:
        shape = (2, result.heat.shape[1], result.heat.shape[2])
        write_map_nrrd(result.heat, Grid(shape, grid.spacing_mm_zyx), folder / "heat-map.nrrd")
        names.append("heat-map.nrrd")
    write_report({**result.report, "files": names}, folder)
    return [*names, "result.json"]


def write_report(report: dict[str, Any], folder: Path) -> None:
    """Write a report, of a result or of the reason why there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / "result.json").write_text(text, encoding="utf-8")


def write_map_nrrd(values: NDArray[np.float32], grid: Grid, path: Path) -> None:
    """Write a map of probabilities or heat as compressed NRRD on a grid."""
    image = SimpleITK.GetImageFromArray(np.asarray(values, np.float32))
    image.SetSpacing(grid.spacing_mm_xyz)
    image.SetOrigin(grid.origin_mm_xyz)
    image.SetDirection(grid.direction.ravel().tolist())
    SimpleITK.WriteImage(image, str(path), useCompression=True)
