"""What kind of DICOM image a file holds: a slice, a volume of frames, or views without a place in the patient."""

from enum import StrEnum

from equipoise.imaging.dicom_header import DicomHeader
from equipoise.imaging.errors import UnsupportedImageError

STACK_MODALITIES = ("CT", "MR", "PT")
"""Modalities whose single-frame files are slices of a volume."""

RADIOGRAPH_MODALITIES = ("CR", "DX", "MG")
"""Modalities whose files are projections."""

MULTI_FRAME_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
    "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
    "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
    "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
    "1.2.840.10008.5.1.4.1.1.130",  # Enhanced PET
    "1.2.840.10008.5.1.4.1.1.128.1",  # Legacy Converted Enhanced PET
)
"""Objects whose frames each carry their own place (DICOM PS3.3 A.38, A.36, A.56, A.70 to A.72)."""

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
UNNAMED_MODALITY = "OT"
"""DICOM's own word for "other"; stands where a secondary capture does not say."""


class ImageForm(StrEnum):
    """How a file's frames lie."""

    SLICE = "slice"
    FRAMES = "frames"
    """A volume in one file."""
    PLANAR = "planar"


def image_form(header: DicomHeader) -> ImageForm | None:
    """Return how a file's frames lie, None for a kind of image that is not read.

    Raises
    ------
    UnsupportedImageError
        For tomography of nuclear medicine that is not reconstructed, or is gated.
    """
    modality, sop_class = header.text("Modality"), header.text("SOPClassUID")
    if sop_class in MULTI_FRAME_CLASSES:
        return ImageForm.FRAMES
    if sop_class == _SECONDARY_CAPTURE or sop_class.startswith(f"{_SECONDARY_CAPTURE}."):
        is_slice = modality in STACK_MODALITIES and header.text("ImagePositionPatient")
        return ImageForm.SLICE if is_slice else ImageForm.PLANAR
    if modality == "NM":
        return _nuclear_form(header)
    if modality in RADIOGRAPH_MODALITIES:
        return ImageForm.PLANAR
    return ImageForm.SLICE if modality in STACK_MODALITIES else None


def modality_of(header: DicomHeader) -> str:
    """Return the modality's code."""
    return header.text("Modality") or UNNAMED_MODALITY


def _nuclear_form(header: DicomHeader) -> ImageForm:
    kind = header.text("ImageType").upper()
    if "TOMO" not in kind:
        return ImageForm.PLANAR
    if "RECON TOMO" in kind:
        return ImageForm.FRAMES
    raise UnsupportedImageError(
        f"{header.path.name} holds projections or gated phases of a tomography; send the reconstructed volume.",
        file=header.path.name,
    )
