"""A stored image with its masks as files for other software: NRRD, NIfTI, DICOM structure set and segmentation.

What leaves is what was stored, the usual way round: voxels and places are exact, names are the caller's code and the
sources of the masks. DICOM objects have the image's own UIDs, which were mapped within its trial.
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
    from equipoise.imaging.dicom_image import DicomIdentity
    from equipoise.imaging.mask import Mask
    from equipoise.imaging.volume import ImageVolume

_UNSAFE = re.compile(r"[^\w.-]+")


class ExportFormat(StrEnum):
    """What a patient can leave as."""

    NRRD = "nrrd"
    NIFTI = "nifti"
    RTSTRUCT = "rtstruct"
    SEG = "seg"
    ORIGINAL = "original"
    """The sender's own DICOM files, cleaned: there only if the trial kept them."""


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
        If a DICOM format is asked of an image that has no slices, or originals of one that has none.
    ValueError
        If two sources would be files of the same name, or a file is there already.
    """
    from equipoise.imaging.dicom_image import has_slices

    wanted = frozenset(formats)
    if wanted & DICOM_FORMATS and not has_slices(volume.modality, volume.series_description):
        raise ExportImpossibleError(
            f"Case {code} is an image of modality {volume.modality} without slices; DICOM structure sets and "
            "segmentations lie on slices. Export it as nrrd or nifti."
        )
    if ExportFormat.ORIGINAL in wanted and not volume.originals.exists():
        raise ExportImpossibleError(
            f"No originals of case {code} were kept; the protocol's part deidentification says whether they are."
        )
    names = {source: _file_name(source) for source in masks}
    if len({name.casefold() for name in names.values()} | {"image"}) <= len(names):
        raise ValueError(f"Two sources of case {code} would be files of the same name: {', '.join(masks)}.")
    target = folder / _file_name(code)
    target.mkdir(parents=True)
    store = store or default_store()
    files: list[Path] = []
    if ExportFormat.ORIGINAL in wanted:
        files += _write_originals(volume, target / "original", code=code, store=store)
    if wanted == {ExportFormat.ORIGINAL}:
        return files
    image = stored_volume_image(volume, store=store)
    contours = {source: stored_mask(mask, store=store) for source, mask in masks.items()}
    if ExportFormat.NRRD in wanted:
        files += _write_nrrd(image, contours, names, target)
    if ExportFormat.NIFTI in wanted:
        files += _write_nifti(image, contours, names, target)
    if wanted & DICOM_FORMATS:
        files += _write_dicom(volume, image, contours, target, code=code, formats=wanted)
    return files


def _write_originals(volume: StoredVolume, folder: Path, *, code: str, store: PackStore) -> list[Path]:
    """Write the cleaned originals, with the case's code where the patient's name was."""
    import pydicom

    folder.mkdir()
    files = []
    for original in volume.originals.order_by("number"):
        path = folder / f"{original.kind.replace(' ', '-')}-{original.number:04d}.dcm"
        with store.open(original.key) as source:
            dataset = pydicom.dcmread(source)
            dataset.PatientName = dataset.PatientID = code
            dataset.save_as(path, enforce_file_format=True)
        files.append(path)
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
    """Write the series and, where there are masks, the objects that refer to it."""
    from equipoise.imaging.dicom_write import write_image_series

    identity = dicom_identity(volume, code)
    files = write_image_series(image, folder / "dicom", identity=identity)
    if masks:
        files += _write_objects(image, masks, folder / "dicom", identity=identity, formats=formats)
    return files


def masks_export(volume: StoredVolume, masks: Mapping[str, "Mask"], folder: Path, *, code: str) -> list[Path]:
    """Write masks on a stored volume's grid into a new folder: NRRD each; structure set and segmentation of all.

    The two DICOM objects refer to the image's series, which is not written; an image without slices has none.
    """
    from equipoise.imaging.dicom_image import has_slices
    from equipoise.imaging.export import write_mask_nrrd

    folder.mkdir(parents=True)
    names = {source: _file_name(source) for source in masks}
    if len({name.casefold() for name in names.values()}) < len(names):
        raise ValueError(f"Two masks of case {code} would be files of the same name: {', '.join(masks)}.")
    files = []
    for source, mask in masks.items():
        files.append(folder / f"{names[source]}.nrrd")
        write_mask_nrrd(mask, files[-1])
    if has_slices(volume.modality, volume.series_description):
        identity = dicom_identity(volume, code)
        files += _write_objects(
            stored_volume_image(volume), masks, folder, identity=identity, formats=DICOM_FORMATS
        )
    return files


def _write_objects(
    image: "ImageVolume",
    masks: Mapping[str, "Mask"],
    folder: Path,
    *,
    identity: "DicomIdentity",
    formats: Collection[ExportFormat],
) -> list[Path]:
    """Write the DICOM objects that hold masks on an image's series."""
    from equipoise.imaging.dicom_image import DicomImage, image_class
    from equipoise.imaging.dicom_write import structure_set

    files = []
    if ExportFormat.RTSTRUCT in formats:
        path = folder / "rtstruct.dcm"
        structures = structure_set(
            masks, identity=identity, image_class=image_class(image.modality), facts=image.description
        )
        structures.save_as(path, enforce_file_format=True)
        files.append(path)
    if ExportFormat.SEG in formats:
        from equipoise.imaging.segmentation_write import segmentation

        path = folder / "seg.dcm"
        outgoing = DicomImage.of(image, identity)
        slices = [outgoing.dataset(number) for number in range(outgoing.instance_count)]
        segmentation(masks, slices=slices, identity=identity).save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def dicom_identity(volume: StoredVolume, code: str) -> "DicomIdentity":
    """Return under which names a stored image leaves as DICOM."""
    from equipoise.imaging.dicom_image import DicomIdentity

    return DicomIdentity(code, volume.study_uid, volume.series_uid, volume.frame_of_reference_uid)


def _file_name(word: str) -> str:
    """Return a word as a file's name: letters, digits, dots, hyphens and underscores."""
    return _UNSAFE.sub("_", word).strip(".") or "_"
