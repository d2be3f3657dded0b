"""Masks as DICOM segmentation objects (SEG), by highdicom.

A binary object says where each segment's voxels are, bit by bit: reading it back gives the masks exactly. What
a segment is and how it was drawn the archive does not know beyond its name, so the codes stay general.
"""

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import highdicom
import numpy as np
import pydicom
from highdicom.seg import Segmentation, SegmentationTypeValues, SegmentDescription
from pydicom.sr.codedict import codes

from equipoise.imaging.dicom_header import quiet_pydicom
from equipoise.imaging.dicom_write import MANUFACTURER, put_neutral_dates, uid_from
from equipoise.imaging.mask import Mask

ALGORITHM_TYPE = "SEMIAUTOMATIC"
"""DICOM knows manual, semi-automatic and automatic; the archive knows none of it, and the middle claims least."""

_SERIES_NUMBER = 100


def write_segmentation(
    masks: Mapping[str, Mask],
    path: Path,
    *,
    image_files: Sequence[Path],
    patient_code: str,
    namespace: uuid.UUID,
) -> None:
    """Write masks as one binary segmentation object on the slices of an image.

    Parameters
    ----------
    masks : mapping of name to Mask
        At least one, all on the image's grid, none empty; the names become segment labels. Masks may overlap.
    image_files : sequence of Path
        The image's slices as :func:`equipoise.imaging.dicom_write.write_image_series` wrote them, first to last.

    Raises
    ------
    ValueError
        If there is no mask, one is empty, or the files are not one per slice.
    """
    if not masks or not all(mask.array.any() for mask in masks.values()):
        raise ValueError("masks must hold at least one mask, and none that is empty.")
    slice_count = next(iter(masks.values())).grid.shape_zyx[0]
    if len(image_files) != slice_count:
        raise ValueError(f"image_files has {len(image_files)} files; the masks have {slice_count} slices.")
    voxels = np.stack([mask.array for mask in masks.values()], axis=-1)
    with quiet_pydicom():
        dataset = Segmentation(
            source_images=[pydicom.dcmread(file, stop_before_pixels=True) for file in image_files],
            pixel_array=voxels.astype(np.uint8),
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[_description(number, name) for number, name in enumerate(masks, start=1)],
            series_instance_uid=uid_from(namespace, f"{patient_code}/{path.name}/series"),
            series_number=_SERIES_NUMBER,
            sop_instance_uid=uid_from(namespace, f"{patient_code}/{path.name}"),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MANUFACTURER,
            software_versions="1",
            device_serial_number="0",
            content_label="EQUIPOISE",
        )
        put_neutral_dates(dataset)
        _name_dimensions(dataset, uid_from(namespace, f"{patient_code}/{path.name}/dimensions"))
        dataset.save_as(path, enforce_file_format=True)


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
