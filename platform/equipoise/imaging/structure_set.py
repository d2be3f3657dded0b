"""DICOM structure sets (RTSTRUCT) to masks on the voxels of the image they were drawn on.

Segmentation objects (SEG) go the same way: their segments are regions, and ``segmentation_object`` reads their voxels.

Conventions
-----------
- A contour belongs to the slice whose centre plane it lies in; one that lies between slices is refused, never
  moved.
- On a slice, contours are combined by the even-odd rule (:mod:`equipoise.imaging.rasterise`): a loop inside a
  loop is a hole. A voxel is inside if its centre is; the half pixel to each side of a centre belongs to it.
- Slices that the observer skipped stay empty: nothing is interpolated.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement

from equipoise.imaging.dicom_header import DAMAGE, DicomHeader, open_dataset, quiet_pydicom
from equipoise.imaging.errors import (
    EmptyMaskError,
    FrameOfReferenceError,
    GridMismatchError,
    ImageTooLargeError,
    NotAnImageError,
    RoiAbsentError,
    RoiAmbiguousError,
    UnsupportedImageError,
)
from equipoise.imaging.geometry import Grid
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits
from equipoise.imaging.mask import Mask
from equipoise.imaging.rasterise import rasterise_polygons
from equipoise.imaging.segmentation_object import segment_counts, segment_mask
from equipoise.imaging.series import DicomSeries

PLANE_TOLERANCE = 0.1
"""How far a contour may lie from a slice's centre plane, as a fraction of the slice spacing."""

MIN_POINTS = 3
"""Fewest points that enclose an area."""

_CONTOUR_DATA = 0x3006_0050
_AREA_TYPES = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")


@dataclass(frozen=True, slots=True)
class Roi:
    """One region of a structure set."""

    number: int
    name: str
    frame_of_reference_uid: str = field(repr=False)
    contour_count: int
    """Closed planar contours (points and open lines enclose nothing and do not count), or frames of a segment."""


@dataclass(frozen=True, slots=True)
class StructureSet:
    """The regions of a structure set or segmentation object; voxels, and most contours, are still in the file."""

    path: Path
    rois: tuple[Roi, ...]
    referenced_series_uids: frozenset[str] = field(repr=False)
    patient_id: str = field(repr=False)
    is_segmentation: bool = False
    contours: Mapping[int, tuple[bytes, ...]] | None = field(default=None, repr=False, compare=False)
    """By region number, the coordinates of its closed contours as they are written, so that the file need not be read
    again; None: they are in the file alone."""

    @property
    def contour_bytes(self) -> int:
        """Memory that held contours take."""
        return sum(len(data) for contours in (self.contours or {}).values() for data in contours)

    @property
    def roi_names(self) -> list[str]:
        """Names of the regions that enclose something."""
        return [roi.name for roi in self.rois if roi.contour_count]


def read_structure_set(header: DicomHeader) -> StructureSet:
    """Read the list of regions of a structure set.

    Raises
    ------
    NotAnImageError
        If the list cannot be read.
    """
    try:
        with quiet_pydicom():
            return _structure_set(header)
    except DAMAGE as error:
        raise NotAnImageError(
            f"{header.path.name} is a damaged structure set: its list of regions cannot be read; export it "
            "again.",
            file=header.path.name,
        ) from error


def read_segmentation(header: DicomHeader) -> StructureSet:
    """Read the list of segments of a segmentation object.

    Raises
    ------
    NotAnImageError
        If the list cannot be read.
    """
    uid = header.text("FrameOfReferenceUID")
    try:
        with quiet_pydicom():
            segments = segment_counts(header.dataset)
            referenced = header.dataset.get("ReferencedSeriesSequence") or ()
            series_uids = frozenset(str(s.get("SeriesInstanceUID") or "").strip() for s in referenced)
    except DAMAGE as error:
        raise NotAnImageError(
            f"{header.path.name} is a damaged segmentation: its list of segments cannot be read; export it again.",
            file=header.path.name,
        ) from error
    return StructureSet(
        path=header.path,
        rois=tuple(Roi(number, label, uid, frames) for number, label, frames in segments),
        referenced_series_uids=series_uids,
        patient_id=header.text("PatientID"),
        is_segmentation=True,
    )


def choose_roi(structures: StructureSet, wanted: str | None) -> Roi:
    """Return the one region of that name, or that matches the pattern (``*``, ``?``); case does not matter.

    An exact name goes before a pattern. Without a name the structure set must have exactly one region.

    Raises
    ------
    RoiAbsentError, RoiAmbiguousError
        If none or several answer; the sentence lists the names there are.
    """
    candidates = [roi for roi in structures.rois if roi.contour_count]
    name, listed = structures.path.name, ", ".join(structures.roi_names) or "none"
    if wanted is not None:
        key = wanted.strip().casefold()
        exact = [roi for roi in candidates if roi.name.strip().casefold() == key]
        candidates = exact or [roi for roi in candidates if fnmatchcase(roi.name.strip().casefold(), key)]
    if len(candidates) == 1:
        return candidates[0]
    asked = f"'{wanted}'" if wanted is not None else "the only region"
    if not candidates:
        raise RoiAbsentError(
            f"{name} has no region {asked} that encloses anything; it has: {listed}.",
            file=name,
            data={"rois": listed},
        )
    raise RoiAmbiguousError(
        f"{name} has {len(candidates)} regions that answer to {asked}: "
        f"{', '.join(r.name for r in candidates)}. "
        "Name one of them exactly.",
        file=name,
        data={"rois": listed},
    )


def series_of(structures: StructureSet, roi: Roi, series: Sequence[DicomSeries]) -> DicomSeries:
    """Return the series that a region was drawn on: the referenced one, otherwise the only one in its
    coordinates.

    Raises
    ------
    FrameOfReferenceError
        If no series lies in the region's frame of reference, or several do and none is referenced.
    """
    together = [s for s in series if s.frame_of_reference_uid == roi.frame_of_reference_uid]
    referenced = [s for s in together if s.series_uid in structures.referenced_series_uids]
    if len(referenced) == 1:
        return referenced[0]
    if len(together) == 1:
        return together[0]
    if together:
        raise FrameOfReferenceError(
            f"{structures.path.name} names none of the {len(together)} image series in its frame of "
            "reference; keep the "
            "one it was drawn on.",
            file=structures.path.name,
        )
    raise FrameOfReferenceError(
        f"{structures.path.name} was drawn in another frame of reference than the {len(series)} image series "
        "beside it; "
        "send the images it was drawn on.",
        file=structures.path.name,
    )


def roi_mask(structures: StructureSet, roi: Roi, grid: Grid, *, limits: ReadLimits = DEFAULT_LIMITS) -> Mask:
    """Rasterise a region on an image's grid, as acquired (slices along the first axis).

    Raises
    ------
    GridMismatchError
        If contours lie between or beside the slices.
    EmptyMaskError
        If no voxel centre is inside.
    ImageTooLargeError, NotAnImageError
        If the region has too many points or cannot be read.
    """
    if structures.is_segmentation:
        return segment_mask(structures.path, roi.number, roi.name, grid)
    name = structures.path.name
    by_slice: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
    points = 0
    for contour_mm in _contours_mm(structures, roi):
        points += len(contour_mm)
        if points > limits.max_contour_points:
            raise ImageTooLargeError(
                f"Region '{roi.name}' of {name} has more than {limits.max_contour_points:,} points.",
                file=name,
            )
        if len(contour_mm) >= MIN_POINTS:
            index_xyz = grid.patient_to_index(contour_mm)
            by_slice[_slice_of(index_xyz, grid, roi, name)].append(index_xyz[:, :2])
    array = np.zeros(grid.shape_zyx, dtype=bool)
    for z, polygons in by_slice.items():
        array[z] = rasterise_polygons(polygons, grid.shape_zyx[1:])
    if not array.any():
        raise EmptyMaskError(
            f"Region '{roi.name}' of {name} encloses no voxel centre of the image; it cannot serve as a "
            "contour.",
            file=name,
        )
    return Mask(array, grid)


def contour_areas_mm2(structures: StructureSet, roi: Roi) -> float:
    """Return the summed absolute areas of a region's contours by the shoelace formula: a check on
    rasterising.

    Holes count as added, so the sum is the region's area only where it has none.
    """
    total = 0.0
    for contour in _contours_mm(structures, roi):
        x, y = contour[:, 0], contour[:, 1]
        total += abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
    return total


def _structure_set(header: DicomHeader) -> StructureSet:
    dataset = header.dataset
    counts: dict[int, int] = {}
    written: dict[int, list[Any]] = defaultdict(list)
    for item in dataset.get("ROIContourSequence") or ():
        number = int(item.ReferencedROINumber)
        enclosing = [contour for contour in item.get("ContourSequence") or () if _encloses(contour)]
        counts[number] = len(enclosing)
        written[number] += [contour.get_item(_CONTOUR_DATA) for contour in enclosing]
    are_bytes = all(_is_written(element) for elements in written.values() for element in elements)
    rois = []
    for item in dataset.get("StructureSetROISequence") or ():
        number = int(item.ROINumber)
        uid = str(item.get("ReferencedFrameOfReferenceUID") or "").strip()
        rois.append(Roi(number, str(item.get("ROIName") or number).strip(), uid, counts.get(number, 0)))
    return StructureSet(
        path=header.path,
        rois=tuple(rois),
        referenced_series_uids=frozenset(_referenced_series(dataset)),
        patient_id=header.text("PatientID"),
        contours={n: tuple(e.value for e in elements) for n, elements in written.items()}
        if are_bytes
        else None,
    )


def _is_written(element: Any) -> bool:
    """Say whether an element is still the bytes of its file."""
    return isinstance(element, RawDataElement) and isinstance(element.value, bytes)


def _encloses(contour: Any) -> bool:
    return str(contour.get("ContourGeometricType", "")) in _AREA_TYPES


def _referenced_series(dataset: Any) -> Iterable[str]:
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            for series in study.get("RTReferencedSeriesSequence") or ():
                yield str(series.get("SeriesInstanceUID") or "").strip()


def _contours_mm(structures: StructureSet, roi: Roi) -> list[NDArray[np.float64]]:
    """Read the closed contours of a region, each (n, 3) in patient coordinates."""
    name = structures.path.name
    try:
        if structures.contours is not None:
            return [_points_of(data) for data in structures.contours.get(roi.number, ())]
        with quiet_pydicom():
            dataset = open_dataset(structures.path)
            items = [i for i in dataset.ROIContourSequence if int(i.ReferencedROINumber) == roi.number]
            contours = [c for item in items for c in (item.get("ContourSequence") or ()) if _encloses(c)]
            return [_points_mm(contour) for contour in contours]
    except (*DAMAGE, OSError) as error:
        raise NotAnImageError(
            f"The contours of region '{roi.name}' in {name} cannot be read: the file is damaged; export it "
            "again.",
            file=name,
        ) from error


def _points_mm(contour: Any) -> NDArray[np.float64]:
    element = contour.get_item(_CONTOUR_DATA)
    if isinstance(element, RawDataElement):
        return _points_of(element.value or b"")
    return _checked_points(np.array([float(v) for v in element.value], dtype=float))


def _points_of(data: bytes) -> NDArray[np.float64]:
    """Return the points of coordinates as they are written: a tenth of the time of pydicom's decimal strings."""
    return _checked_points(np.array(data.strip(b" \0").split(b"\\"), dtype=float))


def _checked_points(values: NDArray[np.float64]) -> NDArray[np.float64]:
    points = values.reshape(-1, 3)
    if not np.isfinite(points).all():
        raise ValueError("A contour has points that are not finite.")
    return points


def _slice_of(index_xyz: NDArray[np.float64], grid: Grid, roi: Roi, name: str) -> int:
    depth = index_xyz[:, 2]
    z = round(float(depth.mean()))
    if float(np.abs(depth - z).max()) > PLANE_TOLERANCE:
        if np.ptp(depth) > PLANE_TOLERANCE:
            raise UnsupportedImageError(
                f"Region '{roi.name}' of {name} has contours that are not parallel to the image's slices.",
                file=name,
            )
        raise GridMismatchError(
            f"Region '{roi.name}' of {name} has a contour "
            f"{abs(depth.mean() - z) * grid.spacing_mm_zyx[0]:.2f} mm from the "
            f"nearest slice (slices lie {grid.spacing_mm_zyx[0]:g} mm apart); send the images it was drawn "
            "on.",
            file=name,
        )
    if not 0 <= z < grid.shape_zyx[0]:
        raise GridMismatchError(
            f"Region '{roi.name}' of {name} reaches beyond the image's {grid.shape_zyx[0]} slices; send the "
            "complete "
            "series it was drawn on.",
            file=name,
        )
    return z
