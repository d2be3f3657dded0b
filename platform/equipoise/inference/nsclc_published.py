"""`nsclc-published`: preprocessing as the published code really does it, faults included.

Its published weights give what they gave only behind these steps. Step numbers are those of the published
sequence; where code and paper differ, the code is followed: lungs are isolated before windowing, the couch leaves
last and by its centroid, the midline is one column for all slices ("quick"), the last lung slice is dropped.

References
----------
Primakov et al. Automated detection and segmentation of non-small cell lung cancer computed tomography images.
Nat Commun 13, 3423 (2022).
"""

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.errors import LungsNotFoundError, UnusableScanError
from equipoise.inference.packed import KERNEL_11, close, dilate, erode, pack, unpack
from equipoise.inference.plane import PLANE, AxisMap, PlaneMap, nearest_index
from equipoise.inference.prepared import PreparedScan, binned
from equipoise.inference.runs import (
    PLANE_4,
    PLANE_8,
    SPACE_26,
    Runs,
    box_of,
    filled,
    label_runs,
    paint,
    runs_of,
    shifted,
    voxels_per_label,
)
from equipoise.inference.scan import validated_scan

BoolArray = NDArray[np.bool_]

LUNG_HU = -320
"""Below it a voxel is air or lung."""

SMALLEST_AREA = 0.0069
"""Share of the plane below which a region of a slice is trachea or gas."""

COUCH_ROW = 0.75
"""Share of the rows behind which a region's centroid makes it couch."""

SECOND_LUNG = 0.6
"""Smallest size of the second lung as a share of the first."""

BONE_HU = 100
BONE_SHARE = 0.15
"""Share of the slice's fullest column from which a column counts as bone."""

MORPHOLOGY_MARGIN = 48
"""Pixels that closing by seven and dilating by two and one elements of radius 4 may reach, and some."""

EXTRA_SLICES = 2
"""Slices beyond either end that the end's mask is copied to."""


def prepare_nsclc_published(hu: NDArray[np.number], spacing_mm: tuple[float, float, float]) -> PreparedScan:
    """Prepare a chest CT as the published code does.

    Parameters
    ----------
    hu : array, shape (z, y, x)
        Hounsfield units; rows and columns of one number and one spacing (the code takes no others).
    spacing_mm : tuple of float
        (z, y, x).

    Returns
    -------
    PreparedScan

    Raises
    ------
    UnusableScanError
        If the plane is not square or there are fewer than two slices: the code fails there.
    LungsNotFoundError
        If nothing is left as lung.
    """
    started = perf_counter()
    volume = validated_scan(hu, spacing_mm)
    plane_map = _plane_map(volume.shape, spacing_mm)
    plane = plane_map.to_plane(volume)
    placed = perf_counter()
    lungs = _lungs(plane < LUNG_HU)
    mask, box, midline = _isolated(plane, lungs)
    # Half-open: the published code drops the last slice of the mask.
    mask = mask[:-1]
    if len(mask) == 0:
        raise LungsNotFoundError(
            "Lungs were found on one slice only, and the published code drops the last one."
        )
    box = (slice(box[0].start, box[0].stop - 1), box[1], box[2])
    isolated = perf_counter()
    kept = range(box[0].start, box[0].stop)
    bins = np.zeros((len(kept), PLANE, PLANE), np.uint8)
    bins[:, box[1], box[2]] = binned(plane[box], mask)
    whole = np.zeros(bins.shape, np.bool_)
    whole[:, box[1], box[2]] = mask
    done = perf_counter()
    return PreparedScan(
        bins=bins,
        lung_mask=whole,
        first_slice=kept.start,
        slices=len(volume),
        plane=plane_map,
        image_shape_yx=(volume.shape[1], volume.shape[2]),
        midline_x=np.full(len(kept), float(midline)),
        seconds={"resample": placed - started, "lungs": isolated - placed, "bin": done - isolated},
    )


def _plane_map(shape_zyx: tuple[int, ...], spacing_mm: tuple[float, float, float]) -> PlaneMap:
    """Steps 1 and 2. The published code takes the other axis's spacing, harmless where both are equal."""
    slices, rows, columns = shape_zyx
    _, y_mm, x_mm = spacing_mm
    new_rows, new_columns = int(x_mm * rows), int(y_mm * columns)
    if slices < 2:
        raise UnusableScanError("The published pipeline takes no volume of one slice; use `nsclc`.")
    if new_rows != new_columns:
        raise UnusableScanError(
            f"The published pipeline takes square planes only; this one is {rows} x {columns} pixels of "
            f"{y_mm:g} x {x_mm:g} mm. Use `nsclc`."
        )
    if new_rows < 1:
        raise UnusableScanError(f"The plane is {x_mm * rows:.2f} mm wide; that is no chest.")
    return PlaneMap(_axis_map(rows, new_rows), _axis_map(columns, new_columns))


def _axis_map(source: int, target: int) -> AxisMap:
    crop = max(int((target - PLANE) / 2), 0)
    pad = max(int((PLANE - target) / 2), 0)
    return AxisMap(nearest_index(source, target), nearest_index(target, source), crop, pad)


def _lungs(air: BoolArray) -> Runs:
    """Steps 3 and 4: the runs of one or two lungs."""
    candidates = _third_largest_and_up(runs_of(air))
    if len(candidates) == 0:
        raise LungsNotFoundError("No air was found that the body encloses; this is no chest CT.")
    box = box_of(candidates, margin=1)
    solid = filled(_roberts_edges(paint(shifted(candidates, box))))
    _, rows, columns = air.shape
    regions = _replaced(runs_of(solid), box, air.shape)
    labels, count = label_runs(regions, PLANE_4)
    large = voxels_per_label(regions, labels, count) / (rows * columns) >= SMALLEST_AREA
    return _one_or_two_lungs(regions.chosen(large[labels]))


def _third_largest_and_up(runs: Runs) -> Runs:
    """Drop what touches the plane's edge, then keep the regions of each slice as large as its third largest."""
    labels, count = label_runs(runs, PLANE_8)
    inner = np.ones(count, np.bool_)
    inner[labels[runs.at_plane_edge()]] = False
    runs, labels = runs.chosen(inner[labels]), labels[inner[labels]]
    area = voxels_per_label(runs, labels, count)
    slice_of = np.zeros(count, np.int64)
    slice_of[labels] = runs.z
    present = np.flatnonzero(area)
    order = present[np.lexsort((-area[present], slice_of[present]))]
    first_of_slice = np.searchsorted(slice_of[order], slice_of[order])
    third = np.minimum(first_of_slice + 2, len(order) - 1)
    has_third = slice_of[order[third]] == slice_of[order] if len(order) else np.zeros(0, np.bool_)
    keep = np.zeros(count, np.bool_)
    keep[order] = ~has_third | (area[order] >= area[order[third]])
    return runs.chosen(keep[labels])


def _roberts_edges(mask: BoolArray) -> BoolArray:
    """Mark pixels where a diagonal of the 2 x 2 pixels to their lower right is uneven."""
    padded = np.pad(mask, ((0, 0), (0, 1), (0, 1)), mode="edge")
    edges: BoolArray = padded[:, :-1, :-1] != padded[:, 1:, 1:]
    edges |= padded[:, :-1, 1:] != padded[:, 1:, :-1]
    return edges


def _replaced(runs: Runs, box: tuple[slice, slice, slice], shape: tuple[int, ...]) -> Runs:
    """Return runs of a box in the coordinates of the whole stack."""
    row = (runs.z + box[0].start) * shape[1] + runs.y + box[1].start
    x = box[2].start
    return Runs(row, runs.start + x, runs.stop + x, (shape[0], shape[1], shape[2]))


def _one_or_two_lungs(regions: Runs) -> Runs:
    labels, count = label_runs(regions, SPACE_26)
    size = voxels_per_label(regions, labels, count)
    rows = regions.shape_zyx[1]
    centroid_row = np.bincount(labels, weights=regions.y * regions.length, minlength=count) / np.maximum(
        size, 1
    )
    size = np.where(centroid_row > COUCH_ROW * rows, 0, size)
    if count == 0 or size.max() == 0:
        raise LungsNotFoundError("No region large enough for a lung was found; this is no chest CT.")
    largest = int(size.argmax())
    keep = np.zeros(count, np.bool_)
    keep[largest] = True
    second = np.flatnonzero((size > SECOND_LUNG * size[largest]) & (size < size[largest]))
    if len(second) == 1:
        keep[second] = True
    return regions.chosen(keep[labels])


def _isolated(plane: NDArray[np.int16], lungs: Runs) -> tuple[BoolArray, tuple[slice, slice, slice], int]:
    """Steps 5 to 7: mirrored, closed, widened; with the box that holds the mask, and the midline."""
    depth = box_of(lungs)[0]
    midline = _quick_midline(plane[depth])
    shown = (depth, slice(0, PLANE), slice(0, PLANE))
    packed = _mirrored(pack(paint(shifted(lungs, shown))), midline)
    packed, rows, columns = _cropped(packed)
    packed = close(packed, KERNEL_11, times=7)
    packed = erode(dilate(packed, KERNEL_11, times=2), KERNEL_11)
    mask = unpack(packed, depth.stop - depth.start)
    first, last = depth.start, depth.stop - 1
    if first > EXTRA_SLICES and last < len(plane) - EXTRA_SLICES:
        mask = np.concatenate([mask[:1]] * EXTRA_SLICES + [mask] + [mask[-1:]] * EXTRA_SLICES)
        first, last = first - EXTRA_SLICES, last + EXTRA_SLICES
    return mask, (slice(first, last + 1), rows, columns), midline


def _quick_midline(plane: NDArray[np.int16]) -> int:
    """Step 5: the mean over slices of the middle between the first and last bony column."""
    counts = (plane > BONE_HU).sum(axis=1, dtype=np.uint16)
    bony = counts > BONE_SHARE * counts.max(axis=1, keepdims=True)
    bony = bony[bony.any(axis=1)]
    if len(bony) == 0:
        raise LungsNotFoundError("No bone was found beside the lungs: there is no midline to mirror about.")
    first = bony.argmax(axis=1)
    last = bony.shape[1] - 1 - bony[:, ::-1].argmax(axis=1)
    return int(np.mean((first + last) / 2))


def _mirrored(packed: NDArray[np.uint8], midline: int) -> NDArray[np.uint8]:
    """Step 6: each half, widened once, is laid over the other."""
    columns = packed.shape[2]
    if midline * 2 == columns:
        return packed | packed[:, :, ::-1]
    half = max(midline, columns - midline)
    left = np.pad(packed[:, :, :midline], ((0, 0), (0, 0), (half - midline, 0)))
    right = np.pad(packed[:, :, midline:], ((0, 0), (0, 0), (0, half - (columns - midline))))
    to_left, to_right = (dilate(part, KERNEL_11)[:, :, ::-1] for part in (right, left))
    result = packed.copy()
    result[:, :, :midline] |= to_left[:, :, half - midline :]
    result[:, :, midline:] |= to_right[:, :, : columns - midline]
    return result


def _cropped(packed: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], slice, slice]:
    """Cut to the columns and rows that the morphology can reach."""
    seen: BoolArray = np.any(packed, axis=0)
    parts = []
    for axis in (1, 0):
        on = np.flatnonzero(np.any(seen, axis=axis))
        low, high = int(on[0]) - MORPHOLOGY_MARGIN, int(on[-1]) + 1 + MORPHOLOGY_MARGIN
        parts.append(slice(max(low, 0), min(high, seen.shape[1 - axis])))
    return np.ascontiguousarray(packed[:, parts[0], parts[1]]), parts[0], parts[1]
