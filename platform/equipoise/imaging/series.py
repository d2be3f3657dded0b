"""DICOM slices into volumes: sorted by where they lie, refused where the stack has a hole.

A series is assembled from headers alone; pixels are read when it is loaded, one slice at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray

from equipoise.imaging.dicom_header import DAMAGE, DicomHeader, check_pixels, quiet_pydicom
from equipoise.imaging.errors import (
    DuplicateSlicesError,
    ImageTooLargeError,
    MissingSlicesError,
    TruncatedFileError,
    UnevenSpacingError,
    UnsupportedImageError,
)
from equipoise.imaging.geometry import UNIT_TOLERANCE, Grid, matrix3, triple
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits
from equipoise.imaging.volume import ImageVolume, SeriesDescription, default_windows

STACK_MODALITIES = ("CT", "MR")
"""Modalities whose single-frame files are slices of a volume."""

PLANAR_MODALITIES = ("NM",)
"""Modalities whose frames are views (bone scintigraphy)."""

DUPLICATE_TOLERANCE_MM = 1e-3
"""Slices closer than this lie at the same place."""

SPACING_TOLERANCE = 0.02
"""Largest departure of a slice from its place in an even stack, as a fraction of the spacing: well above what
rounded headers cause (below 0.005 for 0.6 mm slices), well below anything that would move a contour."""

GAP_FACTOR = 1.5
"""A step this many times the usual one is a hole; smaller departures are uneven spacing."""

TILT_TOLERANCE = 2e-3
"""Largest sideways shift from slice to slice as a fraction of the spacing (0.1 degrees of gantry tilt)."""

INT16_MIN, INT16_MAX = -32768, 32767


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One slice of a series, or the one file of a planar image."""

    path: Path
    instance_uid: str
    position_mm_xyz: tuple[float, ...]
    orientation: tuple[float, ...]
    shape_yx: tuple[int, int]
    spacing_mm_yx: tuple[float, float]
    slope: float
    intercept: float


@dataclass(frozen=True, slots=True)
class DicomSeries:
    """An image series whose headers fit together; the pixels are still in its files.

    ``patient_id`` and the UIDs are kept in memory alone, to tell what belongs together.
    """

    modality: str
    slices: tuple[SliceHeader, ...]
    grid: Grid
    description: SeriesDescription
    series_uid: str = field(repr=False)
    frame_of_reference_uid: str = field(repr=False)
    patient_id: str = field(repr=False)
    burned_in_annotation: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in the order of the slices."""
        return tuple(s.path for s in self.slices)

    def summary(self) -> str:
        """Describe the series by technical facts, for a list to choose from."""
        z, y, x = self.grid.shape_zyx
        kernel = f", kernel {self.description.kernel}" if self.description.kernel else ""
        return f"{self.modality}, {z} x {y} x {x}, slices every {self.grid.spacing_mm_zyx[0]:g} mm{kernel}"


@dataclass(frozen=True, slots=True)
class LoadedSeries:
    """A volume and what was done to its values."""

    volume: ImageVolume
    clipped_voxels: int
    """Voxels beyond the range of int16 (metal on an extended scale) that were set to its end."""


def assemble_series(headers: Sequence[DicomHeader], *, limits: ReadLimits = DEFAULT_LIMITS) -> DicomSeries:
    """Check that the headers of one series make an even stack, and return it.

    Copies of one instance count once.

    Raises
    ------
    MissingSlicesError, UnevenSpacingError, DuplicateSlicesError
        If the slices do not lie one spacing apart.
    ImageTooLargeError, TruncatedFileError
        If a file, or the stack, claims more than the limit, or is shorter than its claim.
    UnsupportedImageError
        If the slices differ in size or orientation or the gantry was tilted.
    """
    for header in headers:
        check_pixels(header, limits)
    first = headers[0]
    if first.text("Modality") in PLANAR_MODALITIES:
        return _planar_series(headers)
    distinct = list({_slice_header(header).instance_uid: header for header in headers}.values())
    slices = [_slice_header(header) for header in distinct]
    _check_uniform(slices)
    rows, columns = slices[0].shape_yx
    if rows * columns * len(slices) * 2 > limits.max_image_bytes:
        raise ImageTooLargeError(
            f"The series of {slices[0].path.name} has {len(slices)} slices of {rows} x {columns}; "
            f"at most {limits.max_image_bytes:,} bytes are read as one image.",
            file=slices[0].path.name,
        )
    ordered, grid = _stack(slices, first.number("SliceThickness"))
    return DicomSeries(
        modality=first.text("Modality"),
        slices=tuple(ordered),
        grid=grid,
        description=_description(first),
        series_uid=first.text("SeriesInstanceUID"),
        frame_of_reference_uid=first.text("FrameOfReferenceUID"),
        patient_id=first.text("PatientID"),
        burned_in_annotation=any(h.text("BurnedInAnnotation").upper() == "YES" for h in headers),
    )


def load_series(series: DicomSeries) -> LoadedSeries:
    """Read the pixels of a series, rescale them and return the volume as acquired.

    Raises
    ------
    TruncatedFileError
        If a file's pixels cannot be decoded.
    """
    array = np.empty(series.grid.shape_zyx, dtype=np.int16)
    clipped = 0
    if series.modality in PLANAR_MODALITIES:
        frames = _stored_pixels(series.slices[0])
        array[...], clipped = _rescaled(frames.reshape(array.shape), series.slices[0])
    else:
        for place, header in enumerate(series.slices):
            array[place], beyond = _rescaled(_stored_pixels(header), header)
            clipped += beyond
    windows = default_windows(array, modality=series.modality)
    return LoadedSeries(
        ImageVolume(array, series.grid, series.modality, windows, series.description), clipped
    )


def _slice_header(header: DicomHeader) -> SliceHeader:
    rows, columns = header.numbers("Rows", 1)[0], header.numbers("Columns", 1)[0]
    row_spacing, column_spacing = header.numbers("PixelSpacing", 2)
    if (header.number("NumberOfFrames", 1.0) or 1) > 1:
        raise UnsupportedImageError(
            f"{header.path.name} is a multi-frame volume; send the classic form, one file per slice.",
            file=header.path.name,
        )
    return SliceHeader(
        path=header.path,
        instance_uid=header.text("SOPInstanceUID") or str(header.path),
        position_mm_xyz=header.numbers("ImagePositionPatient", 3),
        orientation=header.numbers("ImageOrientationPatient", 6),
        shape_yx=(int(rows), int(columns)),
        spacing_mm_yx=(row_spacing, column_spacing),
        slope=_rescale(header, "RescaleSlope", 1.0),
        intercept=_rescale(header, "RescaleIntercept", 0.0),
    )


def _rescale(header: DicomHeader, keyword: str, default: float) -> float:
    value = header.number(keyword)
    return default if value is None else value


def _check_uniform(slices: Sequence[SliceHeader]) -> None:
    first = slices[0]
    values = np.array([(*s.orientation, *s.position_mm_xyz, *s.spacing_mm_yx) for s in slices])
    if not np.isfinite(values).all() or (values[:, -2:] <= 0).any():
        raise UnsupportedImageError(
            f"The series of {first.path.name} has positions or pixel spacings that are not usable numbers.",
            file=first.path.name,
        )
    for other in slices[1:]:
        same_size = other.shape_yx == first.shape_yx and np.allclose(
            other.spacing_mm_yx, first.spacing_mm_yx, rtol=1e-4
        )
        if not same_size or not np.allclose(other.orientation, first.orientation, atol=UNIT_TOLERANCE):
            raise UnsupportedImageError(
                f"{other.path.name} has another size, pixel spacing or orientation than {first.path.name} of "
                "the same "
                "series; send series whose slices are alike.",
                file=other.path.name,
            )


def _stack(slices: list[SliceHeader], thickness_mm: float | None) -> tuple[list[SliceHeader], Grid]:
    """Sort the slices along their normal and check that they lie evenly."""
    first = slices[0]
    row_direction, column_direction = np.reshape(first.orientation, (2, 3))
    normal = np.cross(row_direction, column_direction)
    if abs(np.linalg.norm(normal) - 1) > 1e-2:
        raise UnsupportedImageError(
            f"{first.path.name} has row and column directions that are not at right angles."
        )
    ordered = sorted(slices, key=lambda s: float(np.dot(s.position_mm_xyz, normal)))
    positions = np.array([s.position_mm_xyz for s in ordered])
    spacing_mm = _even_spacing_mm(ordered, positions @ normal, thickness_mm)
    if len(ordered) > 1:
        along = (positions[-1] - positions[0]) / (len(ordered) - 1)
        sideways = np.linalg.norm(along - normal * np.dot(along, normal))
        if sideways > TILT_TOLERANCE * spacing_mm:
            raise UnsupportedImageError(
                f"The series of {first.path.name} was made with a tilted gantry; send an untilted "
                "reconstruction.",
                file=first.path.name,
            )
    row_mm, column_mm = first.spacing_mm_yx
    grid = Grid(
        shape_zyx=(len(ordered), *first.shape_yx),
        spacing_mm_zyx=(spacing_mm, row_mm, column_mm),
        origin_mm_xyz=triple(positions[0]),
        direction_3x3=matrix3(np.stack([row_direction, column_direction, normal], axis=1)),
    )
    return ordered, grid


def _even_spacing_mm(
    ordered: Sequence[SliceHeader], depth_mm: NDArray[np.float64], thickness_mm: float | None
) -> float:
    if len(ordered) == 1:
        return thickness_mm if thickness_mm and thickness_mm > 0 else 1.0
    steps = np.diff(depth_mm)
    series = f"The series of {ordered[0].path.name}"
    for place in map(int, np.flatnonzero(steps < DUPLICATE_TOLERANCE_MM)):
        one, other = ordered[place].path.name, ordered[place + 1].path.name
        raise DuplicateSlicesError(
            f"{one} and {other} are different slices at the same position; send one reconstruction.",
            file=other,
        )
    usual = float(np.median(steps))
    gaps = np.flatnonzero(steps > GAP_FACTOR * usual)
    if gaps.size:
        missing = int(np.sum(np.rint(steps[gaps] / usual) - 1))
        before, after = ordered[gaps[0]].path.name, ordered[gaps[0] + 1].path.name
        raise MissingSlicesError(
            f"{series} misses about {missing} slice(s): between {before} and {after} lie "
            f"{steps[gaps[0]]:.2f} mm instead of {usual:.2f} mm. Send the complete series.",
            file=after,
            data={"missing": missing},
        )
    spacing = float((depth_mm[-1] - depth_mm[0]) / (len(ordered) - 1))
    departure = np.abs(depth_mm - (depth_mm[0] + spacing * np.arange(len(ordered))))
    if departure.max() > SPACING_TOLERANCE * spacing:
        raise UnevenSpacingError(
            f"{series} is unevenly spaced: its steps run from {steps.min():.3f} to {steps.max():.3f} mm. "
            "Send one "
            "reconstruction with one increment.",
            file=ordered[int(departure.argmax())].path.name,
        )
    return round(spacing, 6)


def _planar_series(headers: Sequence[DicomHeader]) -> DicomSeries:
    """Take one multi-frame planar file: its frames are views, in the file's order."""
    first = headers[0]
    if len(headers) > 1:
        raise UnsupportedImageError(
            f"{first.path.name} and {len(headers) - 1} more file(s) share one planar series; send one file "
            "whose frames "
            "are the views.",
            file=first.path.name,
        )
    frames = max(int(first.number("NumberOfFrames", 1.0) or 1), 1)
    rows, columns = int(first.numbers("Rows", 1)[0]), int(first.numbers("Columns", 1)[0])
    row_mm, column_mm = first.numbers("PixelSpacing", 2) if first.text("PixelSpacing") else (1.0, 1.0)
    grid = Grid((frames, rows, columns), (1.0, row_mm, column_mm))
    header = SliceHeader(
        path=first.path,
        instance_uid=first.text("SOPInstanceUID"),
        position_mm_xyz=(0.0, 0.0, 0.0),
        orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        shape_yx=(rows, columns),
        spacing_mm_yx=(row_mm, column_mm),
        slope=_rescale(first, "RescaleSlope", 1.0),
        intercept=_rescale(first, "RescaleIntercept", 0.0),
    )
    views = _view_names(first, frames)
    return DicomSeries(
        modality=first.text("Modality"),
        slices=(header,),
        grid=grid,
        description=SeriesDescription(
            manufacturer=first.text("Manufacturer") or None,
            model=first.text("ManufacturerModelName") or None,
            views=views,
        ),
        series_uid=first.text("SeriesInstanceUID"),
        frame_of_reference_uid=first.text("FrameOfReferenceUID"),
        patient_id=first.text("PatientID"),
        burned_in_annotation=first.text("BurnedInAnnotation").upper() == "YES",
    )


def _view_names(header: DicomHeader, frames: int) -> tuple[str, ...]:
    """Name the frames by their coded view; by place where the file has no code for each."""
    known = {"anterior": "anterior", "posterior": "posterior"}
    names = []
    for detector in header.value("DetectorInformationSequence") or ():
        try:
            codes = detector.get("ViewCodeSequence") or ()
            names.append(known.get(str(codes[0].get("CodeMeaning", "")).strip().lower(), "") if codes else "")
        except DAMAGE:
            return _views_by_place(frames)
    if len(names) == frames and all(names):
        return tuple(names)
    return _views_by_place(frames)


def _views_by_place(frames: int) -> tuple[str, ...]:
    return ("anterior", "posterior") if frames == 2 else tuple(f"view {n + 1}" for n in range(frames))


def _description(header: DicomHeader) -> SeriesDescription:
    kernel = header.value("ConvolutionKernel")
    if isinstance(kernel, pydicom.multival.MultiValue):
        kernel = "/".join(str(part) for part in kernel)
    return SeriesDescription(
        slice_thickness_mm=header.number("SliceThickness"),
        kernel=str(kernel).strip() or None if kernel is not None else None,
        tube_voltage_kv=header.number("KVP"),
        manufacturer=header.text("Manufacturer") or None,
        model=header.text("ManufacturerModelName") or None,
    )


def _stored_pixels(header: SliceHeader) -> NDArray[np.integer]:
    name = header.path.name
    try:
        with quiet_pydicom():
            pixels: NDArray[np.integer] = pydicom.dcmread(header.path, force=True).pixel_array
    except (*DAMAGE, OSError, RuntimeError) as error:
        raise TruncatedFileError(
            f"The pixels of {name} cannot be decoded: the file is damaged or ends early; copy it again.",
            file=name,
        ) from error
    if pixels.shape[-2:] != header.shape_yx:
        raise TruncatedFileError(f"{name} holds another number of pixels than its header says.", file=name)
    return pixels


def _rescaled(stored: NDArray[np.integer], header: SliceHeader) -> tuple[NDArray[np.int16], int]:
    """Return slope x stored + intercept as int16, and how many values had to be cut to its range."""
    if header.slope == int(header.slope) and header.intercept == int(header.intercept):
        values: NDArray[np.int64] | NDArray[np.float64] = stored.astype(np.int64) * int(header.slope)
        values = values + int(header.intercept)
    else:
        values = np.rint(stored * header.slope + header.intercept)
    beyond = int(np.count_nonzero((values < INT16_MIN) | (values > INT16_MAX)))
    return np.clip(values, INT16_MIN, INT16_MAX).astype(np.int16), beyond
