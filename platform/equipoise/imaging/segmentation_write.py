"""Masks as DICOM segmentation objects (SEG), by highdicom.

A binary object says where each segment's voxels are, bit by bit: reading it back gives the masks exactly. What
a segment is and how it was drawn the archive does not know beyond its name, so the codes stay general.
"""

from collections.abc import Mapping, Sequence

import highdicom
import numpy as np
import pydicom
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.sr.codedict import codes

from equipoise.imaging.dicom_header import quiet_pydicom
from equipoise.imaging.dicom_image import MANUFACTURER, DicomIdentity
from equipoise.imaging.dicom_write import put_neutral_dates
from equipoise.imaging.mask import Mask

ALGORITHM_TYPE = "SEMIAUTOMATIC"
"""DICOM knows manual, semi-automatic and automatic; the archive knows none of it, and the middle claims least."""

SEGMENTATION_NUMBER = 100
"""Of the first series of segmentations in its study."""


def segmentation(
    masks: Mapping[str, Mask],
    *,
    slices: Sequence[pydicom.Dataset],
    first_slice: int = 0,
    identity: DicomIdentity,
    name: str = "seg",
    label: str = "EQUIPOISE",
    number: int = SEGMENTATION_NUMBER,
) -> Segmentation:
    """Return masks as one binary segmentation object on slices of an image.

    Parameters
    ----------
    masks : mapping of name to Mask
        At least one, all on the image's grid, none empty; the names become segment labels. Masks may overlap.
    slices : sequence of Dataset
        Consecutive slices of the image, without pixels, outside which no mask has a voxel.
    first_slice : int
        Which slice of the grid the first of them is.
    identity : DicomIdentity
        Of the image.
    name : str
        Tells the segmentation objects of one image apart.

    Raises
    ------
    ValueError
        If there is no mask, one is empty, or one reaches beyond the slices.
    """
    if not masks or not all(mask.array.any() for mask in masks.values()):
        raise ValueError("masks must hold at least one mask, and none that is empty.")
    last = first_slice + len(slices)
    voxels = np.stack([mask.array[first_slice:last] for mask in masks.values()], axis=-1)
    if np.count_nonzero(voxels) != sum(mask.voxel_count for mask in masks.values()) or len(voxels) != len(
        slices
    ):
        raise ValueError(
            f"The masks are not all within the {len(slices)} slices from {first_slice} that are given."
        )
    with quiet_pydicom():
        dataset = Segmentation(
            source_images=list(slices),
            pixel_array=voxels.astype(np.uint8),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[
                _description(number, source) for number, source in enumerate(masks, start=1)
            ],
            series_instance_uid=identity.uid(f"{name}/series"),
            series_number=number,
            sop_instance_uid=identity.uid(name),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MANUFACTURER,
            software_versions="1",
            device_serial_number="0",
            content_label=label,
        )
        put_neutral_dates(dataset)
        _name_dimensions(dataset, identity.uid(f"{name}/dimensions"))
    return dataset


def _name_dimensions(dataset: pydicom.Dataset, uid: str) -> None:
    """Replace the random UID that highdicom gives the frames' dimensions, so that equal masks give equal files."""
    for element in dataset.iterall():
        if element.keyword == "DimensionOrganizationUID":
            element.value = uid


def _description(number: int, name: str) -> SegmentDescription:
    return SegmentDescription(
        segment_number=number,
        segment_label=name,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.AnatomicalStructure,
        algorithm_type=ALGORITHM_TYPE,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name="not recorded", family=codes.DCM.ArtificialIntelligence, version="not recorded"
        ),
    )
