"""Volumes and masks as DICOM files: CT series (phantoms), image series and structure sets (exports).

UIDs come from the image's identity by name, so that writing twice gives the same files.
"""

import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import CTImageStorage, RTStructureSetStorage

from equipoise.imaging.dicom_image import (
    MANUFACTURER,
    NEUTRAL_DATE,
    NEUTRAL_TIME,
    DicomIdentity,
    DicomImage,
    decimal_string,
    new_file,
    put_patient_and_study,
)
from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.outline import boundary_loops
from equipoise.imaging.volume import ImageVolume, SeriesDescription

_RESCALE_INTERCEPT = -1024
STRUCTURE_SET_NUMBER = 90
"""Of the series of contours in its study; the image's is 1."""


def write_ct_series(
    volume: ImageVolume, folder: Path, *, patient_code: str, namespace: uuid.UUID
) -> list[Path]:
    """Write a CT volume as one file per slice, explicit VR, and return the files.

    Parameters
    ----------
    volume : ImageVolume
        Values from -1024 HU up; lower ones are cut to it.
    patient_code : str
        Written as patient name and id: a neutral code.
    namespace : UUID
        Series, study, frame of reference and instances are named within it and the patient code.
    """
    folder.mkdir(parents=True, exist_ok=True)
    identity = DicomIdentity.named(namespace, patient_code)
    paths = []
    for z, pixels in enumerate(volume.array):
        dataset = new_file(CTImageStorage, identity.instance_uid(z))
        put_patient_and_study(dataset, identity)
        dataset.Manufacturer = MANUFACTURER
        dataset.PatientPosition, dataset.PositionReferenceIndicator = "HFS", ""
        dataset.SeriesNumber = None
        dataset.Modality = "CT"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        _put_place(dataset, volume, z, identity)
        dataset.InstanceNumber = z + 1
        if volume.description.kernel:
            dataset.ConvolutionKernel = volume.description.kernel
        _put_pixels(dataset, pixels)
        path = folder / f"ct-{z:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_image_series(volume: ImageVolume, folder: Path, *, identity: DicomIdentity) -> list[Path]:
    """Write an image as the instances of one series, every voxel exactly, and return the files, feet first."""
    folder.mkdir(parents=True, exist_ok=True)
    image = DicomImage.of(volume, identity)
    paths = []
    for number in range(image.instance_count):
        path = folder / f"{volume.modality.lower()}-{number:04d}.dcm"
        frames = [volume.array[frame] for frame in image.frames_of(number)]
        image.dataset(number, frames).save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _put_place(dataset: Dataset, volume: ImageVolume, z: int, identity: DicomIdentity) -> None:
    """Write which series a slice belongs to and where it lies."""
    grid = volume.grid
    dataset.SeriesInstanceUID = identity.series_uid
    dataset.FrameOfReferenceUID = identity.frame_of_reference_uid
    dataset.ImagePositionPatient = [decimal_string(v) for v in grid.index_to_patient(np.array([0, 0, z]))]
    dataset.ImageOrientationPatient = [
        decimal_string(v) for v in (*grid.direction[:, 0], *grid.direction[:, 1])
    ]
    dataset.PixelSpacing = [decimal_string(v) for v in grid.spacing_mm_zyx[1:]]
    dataset.SliceThickness = decimal_string(volume.description.slice_thickness_mm or grid.spacing_mm_zyx[0])


def write_structure_set(
    masks: Mapping[str, Mask],
    path: Path,
    *,
    patient_code: str,
    namespace: uuid.UUID,
    label: str = "EQUIPOISE",
) -> None:
    """Write masks as one structure set on the series that :func:`write_ct_series` writes for the same code."""
    identity = DicomIdentity.named(namespace, patient_code)
    dataset = structure_set(masks, identity=identity, name=path.name, label=label)
    dataset.save_as(path, enforce_file_format=True)


def structure_set(
    masks: Mapping[str, Mask],
    *,
    identity: DicomIdentity,
    name: str = "rtstruct",
    label: str = "EQUIPOISE",
    image_class: str = CTImageStorage,
    facts: SeriesDescription | None = None,
) -> FileDataset:
    """Return masks as one structure set on an image's series.

    Contours run half way between voxel centres, so reading the file back gives the same voxels.

    Parameters
    ----------
    identity : DicomIdentity
        Of the image, whose slices are instances of their own.
    name : str
        Tells the structure sets of one image apart.
    image_class : str
        SOP class of the slices that the contours lie on.
    facts : SeriesDescription, optional
        The image's, whose patient and day are this object's too.
    """
    dataset = new_file(RTStructureSetStorage, identity.uid(name))
    put_patient_and_study(dataset, identity, facts)
    dataset.Manufacturer, dataset.Modality = MANUFACTURER, "RTSTRUCT"
    dataset.SeriesInstanceUID, dataset.SeriesNumber = identity.uid(f"{name}/series"), STRUCTURE_SET_NUMBER
    dataset.OperatorsName = ""
    dataset.StructureSetLabel = label
    dataset.StructureSetDate, dataset.StructureSetTime = NEUTRAL_DATE, NEUTRAL_TIME
    frame_uid = identity.frame_of_reference_uid
    slice_count = max((mask.array.shape[0] for mask in masks.values()), default=0)
    slices = [_image_reference(image_class, identity.instance_uid(z)) for z in range(slice_count)]
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = frame_uid, ""
    dataset.ReferencedFrameOfReferenceSequence = [_reference(identity, slices)]
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [], []
    dataset.RTROIObservationsSequence = []
    for number, (source, mask) in enumerate(masks.items(), start=1):
        roi = Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, source, ""
        roi.ReferencedFrameOfReferenceUID = frame_uid
        dataset.StructureSetROISequence.append(roi)
        contours = Dataset()
        contours.ReferencedROINumber = number
        contours.ContourSequence = _contours(mask.array, mask.grid, slices)
        dataset.ROIContourSequence.append(contours)
        observation = Dataset()
        observation.ObservationNumber = observation.ReferencedROINumber = number
        observation.RTROIInterpretedType, observation.ROIInterpreter = "", ""
        dataset.RTROIObservationsSequence.append(observation)
    return dataset


def put_neutral_dates(dataset: Dataset) -> None:
    """Replace the dates and times on which a file was made: equal content then gives equal files."""
    for element in dataset.iterall():
        if element.VR == "DA" and element.value:
            element.value = NEUTRAL_DATE
        elif element.VR == "TM" and element.value:
            element.value = NEUTRAL_TIME
        elif element.VR == "DT" and element.value:
            element.value = NEUTRAL_DATE + NEUTRAL_TIME


def _image_reference(sop_class: str, instance_uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, instance_uid
    return reference


def _reference(identity: DicomIdentity, slices: list[Dataset]) -> Dataset:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = identity.series_uid
    series.ContourImageSequence = slices
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    study.ReferencedSOPInstanceUID = identity.study_uid
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = identity.frame_of_reference_uid
    frame.RTReferencedStudySequence = [study]
    return frame


def _contours(array: NDArray[np.bool_], grid: Grid, slices: list[Dataset]) -> list[Dataset]:
    contours = []
    for z in np.flatnonzero(array.any(axis=(1, 2))):
        for loop_xy in boundary_loops(array[z]):
            index_xyz = np.column_stack([loop_xy, np.full(len(loop_xy), float(z))])
            points_mm = grid.index_to_patient(index_xyz)
            contour = Dataset()
            contour.ContourImageSequence = [slices[z]]
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(points_mm)
            contour.ContourData = [decimal_string(v) for v in points_mm.ravel()]
            contours.append(contour)
    return contours


def _put_pixels(dataset: Dataset, pixels: NDArray[np.int16]) -> None:
    stored = np.clip(pixels.astype(np.int32) - _RESCALE_INTERCEPT, 0, None).astype("<u2")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = _RESCALE_INTERCEPT, 1, "HU"
    dataset.PixelData = stored.tobytes()
