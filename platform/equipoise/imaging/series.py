"""DICOM slices into volumes: sorted by where they lie, refused where the stack has a hole.

A series is assembled from headers alone; pixels are read when it is loaded, one slice at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from equipoise.imaging.confidentiality import texts_about_the_patient
from equipoise.imaging.dicom_header import DicomHeader, check_pixels, quiet_pydicom
from equipoise.imaging.errors import (
    DuplicateSlicesError,
    ImageTooLargeError,
    MissingSlicesError,
    UnevenSpacingError,
    UnsupportedImageError,
)
from equipoise.imaging.geometry import UNIT_TOLERANCE, Grid, matrix3, triple
from equipoise.imaging.header_facts import header_facts
from equipoise.imaging.image_form import ImageForm, image_form, modality_of
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits
from equipoise.imaging.multi_frame import frames_description, frames_of
from equipoise.imaging.plain_text import KnownIdentifiers
from equipoise.imaging.planar import ANTERIOR, POSTERIOR, planar_views
from equipoise.imaging.series_voxels import SeriesVoxels
from equipoise.imaging.slices import SliceHeader, plain_pixels_of, rescale_of
from equipoise.imaging.volume import ImageVolume, SeriesDescription, known_units

DUPLICATE_TOLERANCE_MM = 1e-3
"""Slices closer than this lie at the same place."""

SPACING_TOLERANCE = 0.02
"""Largest departure of a slice from its place in an even stack, as a fraction of the spacing: well above what
rounded headers cause (below 0.005 for 0.6 mm slices), well below anything that would move a contour."""

GAP_FACTOR = 1.5
"""A step this many times the usual one is a hole; smaller departures are uneven spacing."""

TILT_TOLERANCE = 2e-3
"""Largest sideways shift from slice to slice as a fraction of the spacing (0.1 degrees of gantry tilt)."""

THICKNESS_TOLERANCE_MM = 1e-3
"""By how much the stated thicknesses of a series' slices may differ and still be one."""

RESCALED_MODALITIES = frozenset({"CT", "PT"})
"""Modalities whose stored numbers mean something only with rescale slope and intercept."""


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
    study_uid: str = field(default="", repr=False)
    burned_in_annotation: bool = False
    recognisable_features: bool = False
    """Whether the header says that a face or the like can be recognised."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in the order of their first slices."""
        return tuple(dict.fromkeys(s.path for s in self.slices))

    def summary(self) -> str:
        """Describe the series by technical facts, for a list to choose from."""
        z, y, x = self.grid.shape_zyx
        if self.description.views:
            return f"{self.modality}, {z} view(s) of {y} x {x}"
        kernel = f", kernel {self.description.kernel}" if self.description.kernel else ""
        return f"{self.modality}, {z} x {y} x {x}, slices every {self.grid.spacing_mm_zyx[0]:g} mm{kernel}"


@dataclass(frozen=True, slots=True)
class LoadedSeries:
    """A volume and what was done to its values."""

    volume: ImageVolume
    clipped_voxels: int
    """Voxels beyond the range of int16 (metal on an extended scale) that were set to its end."""


def assemble_series(headers: Sequence[DicomHeader], *, limits: ReadLimits = DEFAULT_LIMITS) -> DicomSeries:
    """Check that the headers of one series make an even stack, or views that are alike, and return it.

    Copies of one instance count once. The headers must be of one form (:func:`image_form`).

    Raises
    ------
    MissingSlicesError, UnevenSpacingError, DuplicateSlicesError
        If the slices do not lie one spacing apart.
    ImageTooLargeError, TruncatedFileError
        If a file, or the stack, claims more than the limit, or is shorter than its claim.
    UnsupportedImageError
        If the slices differ in size or orientation or the gantry was tilted.
    """
    with quiet_pydicom():
        return _assembled(headers, limits)


def _assembled(headers: Sequence[DicomHeader], limits: ReadLimits) -> DicomSeries:
    first = headers[0]
    form = image_form(first)
    grey = ("MONOCHROME2", "MONOCHROME1") if form is ImageForm.PLANAR else ("MONOCHROME2",)
    for header in headers:
        check_pixels(header, limits, photometric=grey)
    distinct = list(
        {header.text("SOPInstanceUID") or str(header.path): header for header in headers}.values()
    )
    if form is ImageForm.PLANAR:
        return _planar_series(distinct, limits=limits)
    if form is ImageForm.FRAMES:
        slices = [frame for header in distinct for frame in frames_of(header)]
        description = frames_description(first)
    else:
        slices, description = [_slice_header(header) for header in distinct], _description(distinct)
    _check_uniform(slices)
    _check_size(slices, limits.max_series_bytes)
    ordered, grid = _stack(slices, description.slice_thickness_mm)
    return DicomSeries(
        modality=first.text("Modality"),
        slices=tuple(ordered),
        grid=grid,
        description=_without_names(replace(description, **header_facts(first)), first),
        **_identity(headers),
    )


def join_views(series: Sequence[DicomSeries]) -> list[DicomSeries]:
    """Return the series with the anterior and posterior view of one study, sent as two series, made one image.

    Only where the study has exactly one of each, of one size, and says by code which is which.
    """
    joined = list(series)
    for front in series:
        backs = [other for other in series if _is_other_side(front, other)]
        fronts = [other for back in backs for other in series if _is_other_side(other, back)]
        if len(backs) != 1 or len(fronts) != 1:
            continue
        back = backs[0]
        joined[joined.index(front)] = replace(
            front,
            slices=(*front.slices, *back.slices),
            grid=replace(front.grid, shape_zyx=(2, *front.grid.shape_zyx[1:])),
            description=replace(front.description, views=(ANTERIOR, POSTERIOR)),
            burned_in_annotation=front.burned_in_annotation or back.burned_in_annotation,
            recognisable_features=front.recognisable_features or back.recognisable_features,
        )
        joined.remove(back)
    return joined


def _is_other_side(front: DicomSeries, back: DicomSeries) -> bool:
    same = all(
        getattr(front, name) == getattr(back, name)
        for name in ("modality", "patient_id", "study_uid", "grid")
    )
    return bool(
        same
        and front.study_uid
        and front.modality == "NM"
        and front.description.views == (ANTERIOR,)
        and back.description.views == (POSTERIOR,)
    )


def load_series(series: DicomSeries, *, limits: ReadLimits = DEFAULT_LIMITS) -> LoadedSeries:
    """Read the pixels of a series, rescale them and return the volume as acquired.

    Raises
    ------
    TruncatedFileError
        If a file's pixels cannot be decoded.
    ImageTooLargeError
        If the series is too long to be held in memory whole.
    """
    _check_size(series.slices, limits.max_image_bytes)
    voxels = voxels_of(series, limits=limits)
    array = np.empty(series.grid.shape_zyx, dtype=np.int16)
    for place, slice_voxels in voxels.each():
        array[place] = slice_voxels
    volume = ImageVolume(array, series.grid, series.modality, voxels.windows, voxels.description)
    return LoadedSeries(volume, voxels.clipped)


def voxels_of(series: DicomSeries, *, limits: ReadLimits = DEFAULT_LIMITS) -> SeriesVoxels:
    """Return what reads the voxels of a series, slice by slice."""
    return SeriesVoxels(series.slices, series.modality, series.description, limits=limits)


def _slice_header(header: DicomHeader) -> SliceHeader:
    rows, columns = header.numbers("Rows", 1)[0], header.numbers("Columns", 1)[0]
    row_spacing, column_spacing = header.numbers("PixelSpacing", 2)
    slope, intercept = rescale_of(header)
    if (header.number("NumberOfFrames", 1.0) or 1) > 1:
        raise UnsupportedImageError(
            f"{header.path.name} is a multi-frame volume; send it as an enhanced object or one file per slice.",
            file=header.path.name,
        )
    return SliceHeader(
        path=header.path,
        instance_uid=header.text("SOPInstanceUID") or str(header.path),
        position_mm_xyz=header.numbers("ImagePositionPatient", 3),
        orientation=header.numbers("ImageOrientationPatient", 6),
        shape_yx=(int(rows), int(columns)),
        spacing_mm_yx=(row_spacing, column_spacing),
        slope=slope,
        intercept=intercept,
        plain=plain_pixels_of(header),
    )


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


def _planar_series(headers: Sequence[DicomHeader], *, limits: ReadLimits) -> DicomSeries:
    """Make one image of the views of one series."""
    first = headers[0]
    slices, grid, description = planar_views(headers)
    _check_size(slices, limits.max_series_bytes)
    return DicomSeries(
        modality=modality_of(first),
        slices=tuple(slices),
        grid=grid,
        description=_without_names(replace(description, **header_facts(first)), first),
        **_identity(headers),
    )


def _without_names(description: SeriesDescription, header: DicomHeader) -> SeriesDescription:
    """Drop technical text that names whom the header is about: somebody typed it into the wrong field."""
    known = KnownIdentifiers(texts_about_the_patient(header.dataset))
    kernel, manufacturer, model, label = (
        None if text and known.named_in(text) else text
        for text in (description.kernel, description.manufacturer, description.model, description.label)
    )
    return replace(description, kernel=kernel, manufacturer=manufacturer, model=model, label=label)


def _identity(headers: Sequence[DicomHeader]) -> dict[str, Any]:
    """Return what tells whose a series is and what it belongs to."""
    first = headers[0]
    return {
        "series_uid": first.text("SeriesInstanceUID"),
        "study_uid": first.text("StudyInstanceUID"),
        "frame_of_reference_uid": first.text("FrameOfReferenceUID"),
        "patient_id": first.text("PatientID"),
        "burned_in_annotation": any(h.text("BurnedInAnnotation").upper() == "YES" for h in headers),
        "recognisable_features": any(h.text("RecognizableVisualFeatures").upper() == "YES" for h in headers),
    }


def _check_size(slices: Sequence[SliceHeader], most_bytes: int) -> None:
    rows, columns = slices[0].shape_yx
    if rows * columns * len(slices) * 2 > most_bytes:
        raise ImageTooLargeError(
            f"The series of {slices[0].path.name} has {len(slices)} slices of {rows} x {columns}; "
            f"at most {most_bytes:,} bytes are read as one image.",
            file=slices[0].path.name,
        )


def _description(headers: Sequence[DicomHeader]) -> SeriesDescription:
    header = headers[0]
    kernel = header.value("ConvolutionKernel")
    if isinstance(kernel, pydicom.multival.MultiValue):
        kernel = "/".join(str(part) for part in kernel)
    thicknesses = [mm for one in headers if (mm := one.number("SliceThickness")) is not None]
    return SeriesDescription(
        slice_thickness_mm=header.number("SliceThickness"),
        kernel=str(kernel).strip() or None if kernel is not None else None,
        tube_voltage_kv=header.number("KVP"),
        manufacturer=header.text("Manufacturer") or None,
        model=header.text("ManufacturerModelName") or None,
        units=known_units(header.text("Units")),
        exposure_mas=exposure_mas_of(header),
        uneven_thickness=bool(thicknesses) and max(thicknesses) - min(thicknesses) > THICKNESS_TOLERANCE_MM,
        rescale_stated=rescale_is_stated(headers),
    )


def exposure_mas_of(header: DicomHeader) -> float | None:
    """Return the exposure in mAs: as stated, from its finer form in microampere seconds, or as current times time."""
    stated, fine_uas = header.number("Exposure"), header.number("ExposureInuAs")
    if fine_uas is not None:
        return fine_uas / 1000
    if stated is not None:
        return stated
    current_ma, time_ms = header.number("XRayTubeCurrent"), header.number("ExposureTime")
    return None if current_ma is None or time_ms is None else current_ma * time_ms / 1000


def rescale_is_stated(headers: Sequence[DicomHeader]) -> bool | None:
    """Say whether every slice states slope and intercept; None for kinds of image that need none."""
    if headers[0].text("Modality") not in RESCALED_MODALITIES:
        return None
    return all(
        header.value(keyword) is not None
        for header in headers
        for keyword in ("RescaleSlope", "RescaleIntercept")
    )
