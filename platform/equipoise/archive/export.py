"""A stored image with its masks as files for other software: NRRD, NIfTI, DICOM structure set and segmentation.

What leaves is what was stored, the usual way round: voxels and places are exact, names are the caller's code and the
sources of the masks. DICOM objects refer to a series that is written beside them, since the original's UIDs were
never kept.
"""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.archive.models import StoredMask, StoredVolume
from equipoise.archive.selectors import stored_mask, stored_volume_image
from equipoise.archive.storage import PackStore, default_store
from equipoise.common.errors import DomainError, ErrorCode

if TYPE_CHECKING:
    from equipoise.imaging.mask import Mask
    from equipoise.imaging.volume import ImageVolume

_UNSAFE = re.compile(r"[^\w.-]+")


class ExportFormat(StrEnum):
    """What a patient can leave as."""

    NRRD = "nrrd"
    NIFTI = "nifti"
    RTSTRUCT = "rtstruct"
    SEG = "seg"


DICOM_FORMATS = frozenset({ExportFormat.RTSTRUCT, ExportFormat.SEG})
"""Formats that need the image as a DICOM series beside them."""


class ExportImpossibleError(DomainError):
    """A volume that the format cannot hold."""

    code = ErrorCode.INGEST_UNSUPPORTED


def patient_export(
    volume: StoredVolume,
    masks: Mapping[str, StoredMask],
    folder: Path,
    *,
    code: str,
    formats: Collection[ExportFormat],
    store: PackStore | None = None,
) -> list[Path]:
    """Write a volume and its masks (by source) into ``folder / code`` and return the files.

    Raises
    ------
    ExportImpossibleError
        If a DICOM format is asked of an image that is neither CT nor MR.
    ValueError
        If two sources would be files of the same name, or a file is there already.
    """
    from equipoise.imaging.dicom_write import EXPORTED_CLASSES

    wanted = frozenset(formats)
    if wanted & DICOM_FORMATS and volume.modality not in EXPORTED_CLASSES:
        raise ExportImpossibleError(
            f"Case {code} is an image of modality {volume.modality}; DICOM structure sets and segmentations are "
            f"written for {' and '.join(EXPORTED_CLASSES)}. Export it as nrrd or nifti."
        )
    names = {source: _file_name(source) for source in masks}
    if len({name.casefold() for name in names.values()} | {"image"}) <= len(names):
        raise ValueError(f"Two sources of case {code} would be files of the same name: {', '.join(masks)}.")
    target = folder / _file_name(code)
    target.mkdir(parents=True)
    store = store or default_store()
    image = stored_volume_image(volume, store=store)
    contours = {source: stored_mask(mask, store=store) for source, mask in masks.items()}
    files: list[Path] = []
    if ExportFormat.NRRD in wanted:
        files += _write_nrrd(image, contours, names, target)
    if ExportFormat.NIFTI in wanted:
        files += _write_nifti(image, contours, names, target)
    if wanted & DICOM_FORMATS:
        files += _write_dicom(volume, image, contours, target, code=code, formats=wanted)
    return files


def _write_nrrd(
    image: "ImageVolume", masks: Mapping[str, "Mask"], names: Mapping[str, str], folder: Path
) -> list[Path]:
    from equipoise.imaging.export import write_image_nrrd, write_mask_nrrd

    write_image_nrrd(image, folder / "image.nrrd")
    for source, mask in masks.items():
        write_mask_nrrd(mask, folder / f"{names[source]}.nrrd")
    return [folder / f"{name}.nrrd" for name in ("image", *(names[source] for source in masks))]


def _write_nifti(
    image: "ImageVolume", masks: Mapping[str, "Mask"], names: Mapping[str, str], folder: Path
) -> list[Path]:
    from equipoise.imaging.export import write_image_nifti, write_mask_nifti

    write_image_nifti(image, folder / "image.nii.gz")
    for source, mask in masks.items():
        write_mask_nifti(mask, folder / f"{names[source]}.nii.gz")
    return [folder / f"{name}.nii.gz" for name in ("image", *(names[source] for source in masks))]


def _write_dicom(
    volume: StoredVolume,
    image: "ImageVolume",
    masks: Mapping[str, "Mask"],
    folder: Path,
    *,
    code: str,
    formats: Collection[ExportFormat],
) -> list[Path]:
    """Write the series and, where there are masks, the objects that refer to it. UIDs are named within the trial."""
    from equipoise.imaging.dicom_write import EXPORTED_CLASSES, write_image_series, write_structure_set

    files = write_image_series(image, folder / "dicom", patient_code=code, namespace=volume.trial_id)
    slices = list(files)
    if masks and ExportFormat.RTSTRUCT in formats:
        path = folder / "dicom" / "rtstruct.dcm"
        write_structure_set(
            masks,
            path,
            patient_code=code,
            namespace=volume.trial_id,
            image_class=EXPORTED_CLASSES[image.modality],
        )
        files.append(path)
    if masks and ExportFormat.SEG in formats:
        from equipoise.imaging.segmentation_write import write_segmentation

        path = folder / "dicom" / "seg.dcm"
        write_segmentation(masks, path, image_files=slices, patient_code=code, namespace=volume.trial_id)
        files.append(path)
    return files


def _file_name(word: str) -> str:
    """Return a word as a file's name: letters, digits, dots, hyphens and underscores."""
    return _UNSAFE.sub("_", word).strip(".") or "_"
