"""Volumes in one DICOM file: enhanced CT, MR and PET, and reconstructed SPECT. Every frame to its own slice.

The checks that a stack has no hole are those of classic series; here each frame only gets its place.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from equipoise.imaging.dicom_header import DAMAGE, DicomHeader, quiet_pydicom
from equipoise.imaging.errors import NotAnImageError
from equipoise.imaging.slices import SliceHeader, rescale_of
from equipoise.imaging.volume import SeriesDescription, known_units


def frames_of(header: DicomHeader) -> list[SliceHeader]:
    """Return the slices that a file's frames are, in the file's order.

    Raises
    ------
    NotAnImageError
        If a frame's place cannot be read, or there are more or fewer places than frames.
    """
    try:
        with quiet_pydicom():
            frames = _nuclear_frames(header) if header.text("Modality") == "NM" else _enhanced_frames(header)
    except (*DAMAGE, IndexError) as error:
        raise NotAnImageError(
            f"{header.path.name} does not say where each of its frames lies; export it again.",
            file=header.path.name,
        ) from error
    return frames


def frames_description(header: DicomHeader) -> SeriesDescription:
    """Return the technical facts that stand in a file's shared groups, or in its first frame's."""
    measures = _find(header, "PixelMeasuresSequence")
    kernel = _value(_find(header, "CTReconstructionSequence"), "ConvolutionKernel")
    if kernel is not None and not isinstance(kernel, str):
        kernel = "/".join(str(part) for part in kernel)
    return SeriesDescription(
        slice_thickness_mm=_number(_value(measures, "SliceThickness")) or header.number("SliceThickness"),
        kernel=str(kernel).strip() or None if kernel else None,
        tube_voltage_kv=_number(_value(_find(header, "CTXRayDetailsSequence"), "KVP")),
        manufacturer=header.text("Manufacturer") or None,
        model=header.text("ManufacturerModelName") or None,
        units=known_units(header.text("Units")),
        exposure_mas=_number(_value(_find(header, "CTExposureSequence"), "ExposureInmAs")),
        rescale_stated=_rescale_is_stated(header),
    )


def _rescale_is_stated(header: DicomHeader) -> bool | None:
    """Say whether the file's frames state slope and intercept; None for kinds of image that need none."""
    if header.text("Modality") not in ("CT", "PT"):
        return None
    found = _find(header, "PixelValueTransformationSequence")
    return all(_value(found, keyword) is not None for keyword in ("RescaleSlope", "RescaleIntercept"))


def _enhanced_frames(header: DicomHeader) -> list[SliceHeader]:
    groups = list(header.value("PerFrameFunctionalGroupsSequence") or ())
    shared = list(header.value("SharedFunctionalGroupsSequence") or ())
    count = int(header.number("NumberOfFrames", 1.0) or 1)
    if len(groups) != count:
        raise ValueError("The number of frames is not that of their descriptions.")
    rows, columns = (int(header.numbers(keyword, 1)[0]) for keyword in ("Rows", "Columns"))
    frames = []
    for number, group in enumerate(groups):
        measures = _item(group, shared, "PixelMeasuresSequence")
        row_mm, column_mm = _floats(measures.PixelSpacing, 2)
        transformation = _optional(group, shared, "PixelValueTransformationSequence")
        slope, intercept = rescale_of(header)
        if transformation is not None:
            slope, intercept = float(transformation.RescaleSlope), float(transformation.RescaleIntercept)
        place = _item(group, shared, "PlanePositionSequence").ImagePositionPatient
        orientation = _item(group, shared, "PlaneOrientationSequence").ImageOrientationPatient
        frames.append(
            SliceHeader(
                path=header.path,
                instance_uid=header.text("SOPInstanceUID") or str(header.path),
                position_mm_xyz=_floats(place, 3),
                orientation=_floats(orientation, 6),
                shape_yx=(rows, columns),
                spacing_mm_yx=(row_mm, column_mm),
                slope=slope,
                intercept=intercept,
                frame=number,
            )
        )
    return frames


def _nuclear_frames(header: DicomHeader) -> list[SliceHeader]:
    """Place the slices of a reconstruction one step apart along the normal (DICOM PS3.3 C.8.4.15)."""
    detector = header.value("DetectorInformationSequence")[0]
    position = np.array(_floats(detector.ImagePositionPatient, 3))
    orientation = _floats(detector.ImageOrientationPatient, 6)
    normal = np.cross(orientation[:3], orientation[3:])
    step_mm = header.number("SpacingBetweenSlices") or header.number("SliceThickness")
    if step_mm is None:
        raise ValueError("Neither a spacing nor a thickness of the slices is given.")
    count = max(int(header.number("NumberOfFrames", 1.0) or 1), 1)
    order = _floats(header.value("SliceVector") or list(range(1, count + 1)), count)
    rows, columns = (int(header.numbers(keyword, 1)[0]) for keyword in ("Rows", "Columns"))
    row_mm, column_mm = header.numbers("PixelSpacing", 2)
    slope, intercept = rescale_of(header)
    return [
        SliceHeader(
            path=header.path,
            instance_uid=header.text("SOPInstanceUID") or str(header.path),
            position_mm_xyz=tuple(float(v) for v in position + normal * step_mm * (order[number] - 1)),
            orientation=orientation,
            shape_yx=(rows, columns),
            spacing_mm_yx=(row_mm, column_mm),
            slope=slope,
            intercept=intercept,
            frame=number,
        )
        for number in range(count)
    ]


def _item(group: Any, shared: Sequence[Any], keyword: str) -> Any:
    found = _optional(group, shared, keyword)
    if found is None:
        raise KeyError(keyword)
    return found


def _optional(group: Any, shared: Sequence[Any], keyword: str) -> Any | None:
    """Return the first item of a functional group: the frame's own, otherwise the shared one."""
    for holder in (group, *shared[:1]):
        items = holder.get(keyword)
        if items:
            return items[0]
    return None


def _find(header: DicomHeader, keyword: str) -> Any | None:
    groups = list(header.value("PerFrameFunctionalGroupsSequence") or ())
    shared = list(header.value("SharedFunctionalGroupsSequence") or ())
    try:
        return _optional(groups[0], shared, keyword) if groups else None
    except DAMAGE:
        return None


def _value(item: Any | None, keyword: str) -> Any | None:
    try:
        return None if item is None else item.get(keyword)
    except DAMAGE:
        return None


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _floats(values: Any, count: int) -> tuple[float, ...]:
    listed = [values] if isinstance(values, int | float) else values
    numbers = tuple(float(v) for v in listed)
    if len(numbers) != count:
        raise ValueError(f"{count} numbers are needed, {len(numbers)} are there.")
    return numbers
