"""Volumes and masks as DICOM files: CT series (phantoms) and structure sets (phantoms and exports).

UIDs come from the caller's namespace by name, so that writing twice gives the same files.
"""

import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, RTStructureSetStorage

from equipoise.imaging.geometry import Grid
from equipoise.imaging.mask import Mask
from equipoise.imaging.outline import boundary_loops
from equipoise.imaging.volume import ImageVolume

IMPLEMENTATION_CLASS_UID = "2.25.113283146027365842915716349120874563201"
"""Names this writer in every file's meta header."""

MANUFACTURER = "Equipoise"
_DECIMAL_STRING_CHARACTERS = 16
_RESCALE_INTERCEPT = -1024
_DATE, _TIME = "20000101", "000000"
"""Written where DICOM demands a date: the files tell no real one."""


def uid_from(namespace: uuid.UUID, name: str) -> str:
    """Return the UID of a name within a namespace (2.25 form, DICOM PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(namespace, name).int}"


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
    paths = []
    for z, pixels in enumerate(volume.array):
        dataset = _new_file(CTImageStorage, slice_uid(namespace, patient_code, z))
        _put_patient(dataset, patient_code, namespace)
        dataset.Modality = "CT"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        _put_place(dataset, volume, z, patient_code=patient_code, namespace=namespace)
        dataset.InstanceNumber = z + 1
        if volume.description.kernel:
            dataset.ConvolutionKernel = volume.description.kernel
        _put_pixels(dataset, pixels)
        path = folder / f"ct-{z:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


EXPORTED_CLASSES = {"CT": CTImageStorage, "MR": MRImageStorage}
"""Modalities whose volumes are written as DICOM series, and the classes of their slices."""


def write_image_series(
    volume: ImageVolume, folder: Path, *, patient_code: str, namespace: uuid.UUID
) -> list[Path]:
    """Write a CT or MR volume as one file per slice, every voxel exactly, and return the files, feet first.

    The files carry the same UIDs that :func:`write_ct_series` gives, so structure sets fit either.

    Raises
    ------
    ValueError
        If the modality is neither.
    """
    if volume.modality not in EXPORTED_CLASSES:
        raise ValueError(f"A volume of modality {volume.modality} is not written as a DICOM series.")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for z, pixels in enumerate(volume.array):
        dataset = _new_file(EXPORTED_CLASSES[volume.modality], slice_uid(namespace, patient_code, z))
        _put_patient(dataset, patient_code, namespace)
        _put_place(dataset, volume, z, patient_code=patient_code, namespace=namespace)
        dataset.Modality, dataset.InstanceNumber = volume.modality, z + 1
        dataset.ImageType = ["DERIVED", "PRIMARY", "AXIAL" if volume.modality == "CT" else "OTHER"]
        dataset.AcquisitionNumber = None
        _put_acquisition(dataset, volume)
        _put_exact_pixels(dataset, pixels, volume)
        path = folder / f"{volume.modality.lower()}-{z:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _put_place(
    dataset: Dataset, volume: ImageVolume, z: int, *, patient_code: str, namespace: uuid.UUID
) -> None:
    """Write which series a slice belongs to and where it lies."""
    grid = volume.grid
    dataset.SeriesInstanceUID = series_uid(namespace, patient_code)
    dataset.FrameOfReferenceUID = frame_of_reference_uid(namespace, patient_code)
    dataset.ImagePositionPatient = [_decimal(v) for v in grid.index_to_patient(np.array([0, 0, z]))]
    dataset.ImageOrientationPatient = [_decimal(v) for v in (*grid.direction[:, 0], *grid.direction[:, 1])]
    dataset.PixelSpacing = [_decimal(v) for v in grid.spacing_mm_zyx[1:]]
    dataset.SliceThickness = _decimal(volume.description.slice_thickness_mm or grid.spacing_mm_zyx[0])


def _put_acquisition(dataset: Dataset, volume: ImageVolume) -> None:
    """Write what the image's module demands, as far as it was kept."""
    if volume.modality == "CT":
        dataset.KVP = volume.description.tube_voltage_kv
        dataset.RescaleType = "HU"
        if volume.description.kernel:
            dataset.ConvolutionKernel = volume.description.kernel
        return
    dataset.ScanningSequence, dataset.SequenceVariant = "RM", "NONE"
    dataset.ScanOptions = dataset.MRAcquisitionType = ""
    dataset.RepetitionTime = dataset.EchoTime = dataset.EchoTrainLength = None


def _put_exact_pixels(dataset: Dataset, pixels: NDArray[np.int16], volume: ImageVolume) -> None:
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.RescaleSlope = _decimal(volume.description.value_slope)
    dataset.RescaleIntercept = _decimal(volume.description.value_intercept)
    dataset.PixelData = pixels.astype("<i2").tobytes()


def write_structure_set(
    masks: Mapping[str, Mask],
    path: Path,
    *,
    patient_code: str,
    namespace: uuid.UUID,
    label: str = "EQUIPOISE",
    image_class: str = CTImageStorage,
) -> None:
    """Write masks as one structure set on the series that :func:`write_ct_series` writes for the same code.

    Contours run half way between voxel centres, so reading the file back gives the same voxels.

    Parameters
    ----------
    image_class : str
        SOP class of the slices that the contours lie on.
    """
    dataset = _new_file(RTStructureSetStorage, uid_from(namespace, f"{patient_code}/{path.name}"))
    _put_patient(dataset, patient_code, namespace)
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesInstanceUID = uid_from(namespace, f"{patient_code}/{path.name}/series")
    dataset.StructureSetLabel = label
    dataset.StructureSetDate, dataset.StructureSetTime = _DATE, _TIME
    frame_uid = frame_of_reference_uid(namespace, patient_code)
    slice_count = max((mask.array.shape[0] for mask in masks.values()), default=0)
    slices = [
        _image_reference(image_class, slice_uid(namespace, patient_code, z)) for z in range(slice_count)
    ]
    dataset.ReferencedFrameOfReferenceSequence = [_reference(patient_code, namespace, frame_uid, slices)]
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [], []
    dataset.RTROIObservationsSequence = []
    for number, (name, mask) in enumerate(masks.items(), start=1):
        roi = Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, name, ""
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
    dataset.save_as(path, enforce_file_format=True)


def series_uid(namespace: uuid.UUID, patient_code: str) -> str:
    """Return the UID of the patient's CT series."""
    return uid_from(namespace, f"{patient_code}/ct")


def frame_of_reference_uid(namespace: uuid.UUID, patient_code: str) -> str:
    """Return the UID of the patient's coordinates."""
    return uid_from(namespace, f"{patient_code}/frame-of-reference")


def slice_uid(namespace: uuid.UUID, patient_code: str, z: int) -> str:
    """Return the UID of a slice of the patient's series."""
    return uid_from(namespace, f"{patient_code}/ct/{z}")


def put_neutral_dates(dataset: Dataset) -> None:
    """Replace the dates and times on which a file was made: equal content then gives equal files."""
    for element in dataset.iterall():
        if element.VR == "DA" and element.value:
            element.value = _DATE
        elif element.VR == "TM" and element.value:
            element.value = _TIME
        elif element.VR == "DT" and element.value:
            element.value = _DATE + _TIME


def _image_reference(sop_class: str, instance_uid: str) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = sop_class, instance_uid
    return reference


def _reference(patient_code: str, namespace: uuid.UUID, frame_uid: str, slices: list[Dataset]) -> Dataset:
    series, study, frame = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = series_uid(namespace, patient_code)
    series.ContourImageSequence = slices
    study.ReferencedSOPClassUID = "1.2.840.10008.3.1.2.3.1"
    study.ReferencedSOPInstanceUID = uid_from(namespace, f"{patient_code}/study")
    study.RTReferencedSeriesSequence = [series]
    frame.FrameOfReferenceUID = frame_uid
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
            contour.ContourData = [_decimal(v) for v in points_mm.ravel()]
            contours.append(contour)
    return contours


def _new_file(sop_class: str, instance_uid: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, instance_uid
    return dataset


def _put_patient(dataset: Dataset, patient_code: str, namespace: uuid.UUID) -> None:
    dataset.PatientName = dataset.PatientID = patient_code
    dataset.PatientBirthDate = dataset.PatientSex = ""
    dataset.StudyInstanceUID = uid_from(namespace, f"{patient_code}/study")
    dataset.StudyDate, dataset.StudyTime = _DATE, _TIME
    dataset.StudyID = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
    dataset.SeriesNumber = None
    dataset.Manufacturer = MANUFACTURER
    dataset.PatientPosition = "HFS"
    dataset.PositionReferenceIndicator = ""


def _put_pixels(dataset: Dataset, pixels: NDArray[np.int16]) -> None:
    stored = np.clip(pixels.astype(np.int32) - _RESCALE_INTERCEPT, 0, None).astype("<u2")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = _RESCALE_INTERCEPT, 1, "HU"
    dataset.PixelData = stored.tobytes()


def _decimal(value: float) -> str:
    """Return a number in DICOM's decimal string: as many digits as sixteen characters hold."""
    text = repr(round(float(value), 12) + 0.0)
    digits = 12
    while len(text) > _DECIMAL_STRING_CHARACTERS:
        digits -= 1
        text = f"{value:.{digits}g}"
    return text
