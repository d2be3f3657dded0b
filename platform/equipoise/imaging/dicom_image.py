"""An image as DICOM instances: every voxel exactly, and of the header what was kept of it.

A header is made from facts alone, so that listing a series decodes nothing; pixels are added frame by frame. What the
archive does not know is empty where DICOM allows it, and otherwise the term that claims least.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    SecondaryCaptureImageStorage,
)

from equipoise.imaging.geometry import Grid
from equipoise.imaging.planar import ANTERIOR, POSTERIOR
from equipoise.imaging.volume import ImageVolume, SeriesDescription, SpacingSource, WindowPreset

IMPLEMENTATION_CLASS_UID = "2.25.113283146027365842915716349120874563201"
"""Names this writer in every file's meta header."""

MANUFACTURER = "Equipoise"
NEUTRAL_DATE, NEUTRAL_TIME = "20000101", "000000"
"""Written where DICOM demands a date and none was kept: the files tell no real one."""

_DECIMAL_STRING_CHARACTERS = 16
_UNSIGNED_SHIFT = 32768
_VIEW_CODES = {
    ANTERIOR: ("255549009", "SCT", "Anterior"),
    POSTERIOR: ("255551008", "SCT", "Posterior"),
}
_CLASSES = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
    "NM": NuclearMedicineImageStorage,
    "CR": ComputedRadiographyImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
}
_MULTI_FRAME = frozenset({"NM"})
"""Modalities whose frames are all in one instance."""


def uid_from(namespace: uuid.UUID, name: str) -> str:
    """Return the UID of a name within a namespace (2.25 form, DICOM PS3.5 B.2)."""
    return f"2.25.{uuid.uuid5(namespace, name).int}"


@dataclass(frozen=True, slots=True)
class DicomIdentity:
    """Under which names an image leaves: a neutral code and UIDs, never those it came with."""

    patient_code: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str

    @classmethod
    def named(cls, namespace: uuid.UUID, patient_code: str) -> "DicomIdentity":
        """Return the identity that a patient's code has within a namespace: always the same."""
        return cls(
            patient_code,
            study_uid=uid_from(namespace, f"{patient_code}/study"),
            series_uid=uid_from(namespace, f"{patient_code}/ct"),
            frame_of_reference_uid=uid_from(namespace, f"{patient_code}/frame-of-reference"),
        )

    def instance_uid(self, number: int) -> str:
        """Return the UID of the series' instance ``number`` (from 0)."""
        return self.uid(f"instance/{number}")

    def uid(self, name: str) -> str:
        """Return the UID of something that belongs to the series."""
        return uid_from(uuid.NAMESPACE_OID, f"{self.series_uid}/{name}")


def image_class(modality: str) -> str:
    """Return the SOP class of a modality's instances; secondary capture where DICOM's own class would claim more."""
    return str(_CLASSES.get(modality, SecondaryCaptureImageStorage))


def has_slices(modality: str, description: SeriesDescription) -> bool:
    """Say whether an image leaves as one instance per slice of a volume: what contours and segmentations refer to."""
    return not description.views and modality not in _MULTI_FRAME


@dataclass(frozen=True, slots=True)
class _PixelForm:
    """How 16-bit voxels become stored pixels: ``stored = factor * voxel + shift``, and what these mean."""

    signed: bool = True
    factor: int = 1
    shift: int = 0
    slope: float = 1.0
    intercept: float = 0.0
    white_low: bool = False

    def stored(self, voxels: NDArray[np.int16]) -> bytes:
        """Return a frame's pixels, little-endian."""
        if self.factor == 1 and self.shift == 0:
            return voxels.astype("<i2", copy=False).tobytes()
        stored = voxels.astype(np.int32) * self.factor + self.shift
        return stored.astype("<i2" if self.signed else "<u2").tobytes()


@dataclass(frozen=True, slots=True)
class DicomImage:
    """A volume, or the views of a planar image, as the instances of one series.

    Parameters
    ----------
    voxel_range : tuple of two int, optional
        Lowest and highest voxel. Only DX needs it: its pixels must be unsigned and stand for themselves, and with it
        they are the ones that were sent wherever 16 bits can say so.
    """

    modality: str
    grid: Grid
    description: SeriesDescription
    windows: tuple[WindowPreset, ...]
    identity: DicomIdentity
    voxel_range: tuple[int, int] | None = None

    @classmethod
    def of(cls, volume: ImageVolume, identity: DicomIdentity) -> "DicomImage":
        """Return a volume in memory as DICOM."""
        ends = (int(volume.array.min()), int(volume.array.max()))
        return cls(volume.modality, volume.grid, volume.description, volume.windows, identity, ends)

    @property
    def sop_class_uid(self) -> str:
        """Of every instance."""
        return image_class(self.modality)

    @property
    def is_planar(self) -> bool:
        """Whether the frames are views, without a place in the patient."""
        return bool(self.description.views)

    @property
    def instance_count(self) -> int:
        """Instances of the series."""
        return 1 if self.modality in _MULTI_FRAME else self.grid.shape_zyx[0]

    def frames_of(self, number: int) -> range:
        """Return which frames of the image instance ``number`` (from 0) holds."""
        return range(self.grid.shape_zyx[0]) if self.modality in _MULTI_FRAME else range(number, number + 1)

    def stored_frame(self, voxels: NDArray[np.int16]) -> bytes:
        """Return the pixels of a frame as an instance stores them."""
        return self._form().stored(voxels)

    def dataset(self, number: int, frames: Sequence[NDArray[np.int16]] | None = None) -> FileDataset:
        """Return instance ``number`` (from 0), without pixels unless all its frames are given."""
        dataset = new_file(self.sop_class_uid, self.identity.instance_uid(number))
        self._put_patient_and_study(dataset)
        self._put_series(dataset)
        dataset.InstanceNumber = number + 1
        kind = ["DERIVED", "PRIMARY"]
        if self.modality in ("CT", "MR"):
            kind.append("AXIAL" if self.modality == "CT" else "OTHER")
        dataset.ImageType = kind
        if self.is_planar:
            self._put_planar(dataset)
        else:
            self._put_place(dataset, number)
        _MODULES.get(self.modality, _put_secondary_capture)(self, dataset, number)
        self._put_pixel_description(dataset)
        if frames is not None:
            content = b"".join(self.stored_frame(frame) for frame in frames)
            dataset.PixelData = content + b"\0" * (len(content) % 2)
        return dataset

    def _form(self) -> _PixelForm:
        slope, intercept = self.description.value_slope, self.description.value_intercept
        if self.modality == "DX":
            return self._radiograph_form(slope, intercept)
        if self.modality == "PT" and slope and intercept == slope * _UNSIGNED_SHIFT:
            return _PixelForm(signed=False, shift=_UNSIGNED_SHIFT, slope=slope)
        if self.is_planar and slope < 0:
            return _PixelForm(factor=-1, shift=-1, slope=-slope, intercept=intercept - slope, white_low=True)
        return _PixelForm(slope=slope, intercept=intercept)

    def _radiograph_form(self, slope: float, intercept: float) -> _PixelForm:
        """Give back the pixels that were sent; where these are not whole numbers of 16 bits, the voxels' order."""
        white_low = slope < 0
        if self.voxel_range is not None and abs(slope) == 1 and intercept == int(intercept):
            ends = sorted(int(slope) * end + int(intercept) for end in self.voxel_range)
            if ends[0] >= 0 and ends[1] <= 2 * _UNSIGNED_SHIFT - 1:
                return _PixelForm(False, int(slope), int(intercept), white_low=white_low)
        if white_low:
            return _PixelForm(False, -1, _UNSIGNED_SHIFT - 1, white_low=True)
        return _PixelForm(False, 1, _UNSIGNED_SHIFT)

    # ------------------------------------------------------------ what every instance says

    def _put_patient_and_study(self, dataset: Dataset) -> None:
        facts = self.description
        put_patient_and_study(dataset, self.identity, facts)
        dataset.Manufacturer = facts.manufacturer or ""
        if facts.model:
            dataset.ManufacturerModelName = facts.model

    def _put_series(self, dataset: Dataset) -> None:
        dataset.Modality = self.modality
        dataset.SeriesInstanceUID = self.identity.series_uid
        dataset.SeriesNumber = 1
        dataset.BurnedInAnnotation = "NO"
        if self.modality != "DX":  # which has its own, per image
            dataset.Laterality = ""
        if not self.is_planar:
            dataset.FrameOfReferenceUID = self.identity.frame_of_reference_uid
            dataset.PositionReferenceIndicator = ""
        if self.modality in ("CT", "MR"):
            dataset.PatientPosition = ""

    def _put_planar(self, dataset: Dataset) -> None:
        dataset.PatientOrientation = ""
        spacing = [decimal_string(mm) for mm in self.grid.spacing_mm_zyx[1:]]
        source = self.description.spacing_source
        if source is SpacingSource.PATIENT:
            dataset.PixelSpacing = spacing
        elif source is SpacingSource.DETECTOR:
            scanned = self.sop_class_uid == SecondaryCaptureImageStorage
            setattr(dataset, "NominalScannedPixelSpacing" if scanned else "ImagerPixelSpacing", spacing)

    def _put_place(self, dataset: Dataset, number: int) -> None:
        grid = self.grid
        dataset.PixelSpacing = [decimal_string(mm) for mm in grid.spacing_mm_zyx[1:]]
        dataset.SpacingBetweenSlices = decimal_string(grid.spacing_mm_zyx[0])
        thickness = self.description.slice_thickness_mm
        dataset.SliceThickness = None if thickness is None else decimal_string(thickness)
        if self.modality not in _MULTI_FRAME:
            dataset.ImagePositionPatient = self._position(number)
            dataset.ImageOrientationPatient = self._orientation()

    def _position(self, number: int) -> list[str]:
        return [decimal_string(mm) for mm in self.grid.index_to_patient(np.array([0, 0, number]))]

    def _orientation(self) -> list[str]:
        direction = self.grid.direction
        return [decimal_string(cosine) for cosine in (*direction[:, 0], *direction[:, 1])]

    def _put_pixel_description(self, dataset: Dataset) -> None:
        form = self._form()
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME1" if form.white_low else "MONOCHROME2"
        _, dataset.Rows, dataset.Columns = self.grid.shape_zyx
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelRepresentation = int(form.signed)
        dataset.RescaleIntercept, dataset.RescaleSlope = (
            decimal_string(form.intercept),
            decimal_string(form.slope),
        )
        if self.modality != "PT":
            dataset.RescaleType = "HU" if self.modality == "CT" else "US"
        self._put_windows(dataset, form)

    def _put_windows(self, dataset: Dataset, form: _PixelForm) -> None:
        """Write the windows in the units of the rescaled pixels."""
        if not self.windows:
            return
        widths = [abs(form.slope) * window.width for window in self.windows]
        centres = [
            form.slope * (form.factor * window.centre + form.shift) + form.intercept
            for window in self.windows
        ]
        dataset.WindowCenter = [decimal_string(centre) for centre in centres]
        dataset.WindowWidth = [decimal_string(width) for width in widths]
        dataset.WindowCenterWidthExplanation = [window.name for window in self.windows]
        if min(widths) < 1:  # the usual function is not defined there (PS3.3 C.11.2.1.2)
            dataset.VOILUTFunction = "LINEAR_EXACT"

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views."""
        return self.description.views


# ---------------------------------------------------------------- what single modalities demand


def _put_ct(image: DicomImage, dataset: Dataset, _number: int) -> None:
    dataset.AcquisitionNumber = None
    voltage = image.description.tube_voltage_kv
    dataset.KVP = None if voltage is None else decimal_string(voltage)
    if image.description.kernel:
        dataset.ConvolutionKernel = image.description.kernel.split("/")


def _put_mr(_image: DicomImage, dataset: Dataset, _number: int) -> None:
    dataset.ScanningSequence, dataset.SequenceVariant = "RM", "NONE"
    dataset.ScanOptions = dataset.MRAcquisitionType = ""
    dataset.RepetitionTime = dataset.EchoTime = dataset.EchoTrainLength = None


def _put_pt(image: DicomImage, dataset: Dataset, number: int) -> None:
    dataset.SeriesDate, dataset.SeriesTime = dataset.StudyDate, NEUTRAL_TIME
    dataset.Units = image.description.units or "NONE"
    dataset.CountsSource, dataset.SeriesType = "EMISSION", ["STATIC", "IMAGE"]
    dataset.NumberOfSlices = image.grid.shape_zyx[0]
    dataset.CorrectedImage, dataset.DecayCorrection = "", "NONE"
    dataset.CollimatorType = ""
    dataset.RadiopharmaceuticalInformationSequence = []
    dataset.PatientOrientationCodeSequence = dataset.PatientGantryRelationshipCodeSequence = []
    dataset.AcquisitionDate = dataset.AcquisitionTime = ""
    dataset.FrameReferenceTime, dataset.ImageIndex = "0", number + 1
    dataset.ActualFrameDuration = None


def _put_nm(image: DicomImage, dataset: Dataset, _number: int) -> None:
    count = image.grid.shape_zyx[0]
    dataset.NumberOfFrames = count
    dataset.ImageType = ["DERIVED", "PRIMARY", "STATIC" if image.is_planar else "RECON TOMO", "EMISSION"]
    dataset.CountsAccumulated = None
    dataset.EnergyWindowInformationSequence = []
    dataset.RadiopharmaceuticalInformationSequence = []
    dataset.PatientOrientationCodeSequence = dataset.PatientGantryRelationshipCodeSequence = []
    dataset.NumberOfEnergyWindows = 1
    if image.is_planar:
        if "PixelSpacing" not in dataset:
            dataset.PixelSpacing = None
        dataset.ActualFrameDuration = None
        dataset.FrameIncrementPointer = [0x00540010, 0x00540020]
        dataset.EnergyWindowVector = [1] * count
        dataset.DetectorVector = list(range(1, count + 1))
        dataset.NumberOfDetectors = count
        dataset.DetectorInformationSequence = [_detector(view) for view in image.views]
        return
    dataset.FrameIncrementPointer = [0x00540080]
    dataset.SliceVector = list(range(1, count + 1))
    dataset.NumberOfSlices, dataset.NumberOfDetectors, dataset.NumberOfRotations = count, 1, 1
    dataset.RotationInformationSequence = []
    detector = _detector("")
    detector.ImagePositionPatient, detector.ImageOrientationPatient = image._position(0), image._orientation()
    dataset.DetectorInformationSequence = [detector]


def _detector(view: str) -> Dataset:
    detector = Dataset()
    detector.CollimatorType = ""
    detector.ImagePositionPatient = detector.ImageOrientationPatient = None
    if view in _VIEW_CODES:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = _VIEW_CODES[view]
        code.ViewModifierCodeSequence = []
        detector.ViewCodeSequence = [code]
    return detector


def _put_cr(image: DicomImage, dataset: Dataset, number: int) -> None:
    dataset.BodyPartExamined = ""
    dataset.ViewPosition = _view_position(image, number)


def _put_dx(image: DicomImage, dataset: Dataset, number: int) -> None:
    dataset.PresentationIntentType, dataset.ImageLaterality = "FOR PRESENTATION", "U"
    dataset.AnatomicRegionSequence, dataset.AcquisitionContextSequence = [], []
    view = _view_position(image, number)
    if view:
        dataset.ViewPosition = view
    dataset.DetectorType = dataset.PositionerType = ""
    if "ImagerPixelSpacing" not in dataset:
        dataset.ImagerPixelSpacing = [decimal_string(mm) for mm in image.grid.spacing_mm_zyx[1:]]
    white_low = image.description.value_slope < 0
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LOG", -1 if white_low else 1
    dataset.PresentationLUTShape = "INVERSE" if white_low else "IDENTITY"
    dataset.LossyImageCompression = "00"


def _put_secondary_capture(_image: DicomImage, dataset: Dataset, _number: int) -> None:
    dataset.ConversionType = "WSD"


def _view_position(image: DicomImage, number: int) -> str:
    name = image.views[number] if number < len(image.views) else ""
    return name if name.isupper() else ""


_MODULES: dict[str, Any] = {
    "CT": _put_ct,
    "MR": _put_mr,
    "PT": _put_pt,
    "NM": _put_nm,
    "CR": _put_cr,
    "DX": _put_dx,
}


# ---------------------------------------------------------------- what images and contours have in common


def put_patient_and_study(
    dataset: Dataset, identity: DicomIdentity, facts: SeriesDescription | None = None
) -> None:
    """Write whose an object is and what study it belongs to, with the facts that the trial keeps."""
    facts = facts or SeriesDescription()
    dataset.PatientName = dataset.PatientID = identity.patient_code
    dataset.PatientBirthDate, dataset.PatientSex = "", facts.patient_sex or ""
    if facts.patient_age_years is not None:
        dataset.PatientAge = f"{min(round(facts.patient_age_years), 999):03d}Y"
    if facts.patient_size_m is not None:
        dataset.PatientSize = decimal_string(facts.patient_size_m)
    if facts.patient_weight_kg is not None:
        dataset.PatientWeight = decimal_string(facts.patient_weight_kg)
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "Nothing kept but listed attributes"
    dataset.LongitudinalTemporalInformationModified = "MODIFIED" if facts.study_date else "REMOVED"
    dataset.StudyInstanceUID = identity.study_uid
    dataset.StudyDate = facts.study_date.strftime("%Y%m%d") if facts.study_date else NEUTRAL_DATE
    dataset.StudyTime = NEUTRAL_TIME
    dataset.StudyID = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""


def new_file(sop_class: str, instance_uid: str) -> FileDataset:
    """Return an empty instance with its meta header, explicit VR little endian."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID(instance_uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, instance_uid
    return dataset


def file_bytes(dataset: Dataset) -> bytes:
    """Return an instance as the bytes of a DICOM file."""
    sink = BytesIO()
    dataset.save_as(sink, enforce_file_format=True)
    return sink.getvalue()


def decimal_string(value: float) -> str:
    """Return a number in DICOM's decimal string: as many digits as sixteen characters hold."""
    text = repr(float(value) + 0.0)
    digits = _DECIMAL_STRING_CHARACTERS
    while len(text) > _DECIMAL_STRING_CHARACTERS:
        text = f"{value:.{digits}g}"
        digits -= 1
    return text
