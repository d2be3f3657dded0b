"""Lung isolation, our way: the body without its couch, the air inside it, the spine's axis, and both sides united.

Follows the published description with its code's faults mended: both lungs stay whatever their sizes, the axis is
followed slice by slice, the couch leaves first, and no slice is dropped.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.errors import InferenceWarning, WarningCode
from equipoise.inference.packed import DISC_5, KERNEL_11, close, dilate, erode, pack, unpack
from equipoise.inference.runs import (
    PLANE_8,
    SPACE_26,
    IntArray,
    Runs,
    filled,
    label_runs,
    paint,
    runs_of,
    voxels_per_label,
)

BoolArray = NDArray[np.bool_]

TISSUE_HU = -320
"""At and above it a voxel is tissue, below it air or lung."""

GAS_HU = -950
"""Below it a voxel is free gas: bowel, stomach, trachea, foam."""

LARGEST_GAS_SHARE = 0.7
"""A region with more gas than this is no lung; severe emphysema stays well below it."""

SMALLEST_LUNG_SHARE = 0.05
"""Smallest region kept, as a share of the largest: a lung that is mostly consolidated still has air."""

SMALLEST_LUNG_ML = 40.0
"""A volume with less air than this in its chest shows no lung."""

SMALLEST_LUNG_ML_PER_MM = 0.5
"""The same for scans that show a few slices only: 500 mm^2 of lung on every slice."""

BONE_WINDOW_HU = (-500, 1300)
"""The bone window, width 1800 at 400 HU."""

BONE_HU = 100
"""Above it a voxel counts as bone in the coronal projection."""

SPINE_SEARCH = 0.15
"""How far from the body's middle the spine is looked for, as a share of the body's width."""

SMOOTHING_TAPS = 7
SMOOTHING_ALPHA = 0.3
START_SLICES = 5
"""Moving average across the projection, exponential smoothing along the slices, and the slices it starts from."""

AIRWAY_COLUMNS = 45
"""Air that spans no more columns than this may be trachea alone; so slices end where the lungs do."""

CLOSINGS = 7
"""Closings by a disc of radius 4: what two lungs enclose, vessels and tumours at the mediastinum, becomes theirs."""


@dataclass(frozen=True, eq=False)
class LungIsolation:
    """Where the lungs are.

    Attributes
    ----------
    mask : ndarray of bool, shape (z, y, x)
        Both lungs, each united with the other's mirror image and widened by 5 pixels, inside the body.
    lungs : ndarray of bool, shape (z, y, x)
        The air of the lungs alone.
    axis_x : ndarray of float, shape (z,)
        Column of the spine on every slice; ``nan`` on slices without lung.
    warnings : tuple of InferenceWarning
    """

    mask: BoolArray
    lungs: BoolArray
    axis_x: NDArray[np.float64]
    warnings: tuple[InferenceWarning, ...]

    @property
    def found(self) -> bool:
        """Whether there are lungs at all."""
        return bool(np.isfinite(self.axis_x).any())


def isolate_lungs(hu: NDArray[np.int16], spacing_mm: tuple[float, float, float]) -> LungIsolation:
    """Find the lungs on slices whose pixels are about 1 mm wide.

    Parameters
    ----------
    hu : ndarray of int16, shape (z, y, x)
        Hounsfield units, turned the usual way round.
    spacing_mm : tuple of float
        (z, y, x); sizes in ml follow from it, the morphology counts pixels.

    Returns
    -------
    LungIsolation
        Empty, with a warning, where no lungs are found.
    """
    tissue = hu >= TISSUE_HU
    enclosed = _enclosed(runs_of(~tissue))
    if len(enclosed) == 0:
        return _none_found(hu.shape)
    body = _body_wall(tissue)
    lungs = _lung_regions(enclosed, hu, body, spacing_mm)
    if lungs is None:
        return _none_found(hu.shape)
    air = paint(lungs)
    depth = _depth_of_lungs(air)
    air[: depth.start], air[depth.stop :] = False, False
    region = filled(body[depth] | unpack(_closed(air[depth]), depth.stop - depth.start))
    axis, spine_found = _spine_axis(hu[depth], region, air[depth])
    mask = np.zeros(hu.shape, np.bool_)
    mask[depth] = _united(air[depth], axis) & region
    axis_x = np.full(len(hu), np.nan)
    axis_x[depth] = axis
    warnings = _remarks(air, depth, axis, spine_found=spine_found)
    return LungIsolation(mask, air, axis_x, tuple(warnings))


def _enclosed(air: Runs) -> Runs:
    """Drop the air that reaches the edge of its plane."""
    labels, count = label_runs(air, PLANE_8)
    inner = np.ones(count, np.bool_)
    inner[labels[air.at_plane_edge()]] = False
    return air.chosen(inner[labels])


def _body_wall(tissue: BoolArray) -> BoolArray:
    """Return the largest piece of tissue once thin things are gone: skin folds, sheets, the shell of the couch."""
    opened = runs_of(unpack(erode(pack(tissue), KERNEL_11), len(tissue)))
    if len(opened) == 0:
        return tissue
    labels, count = label_runs(opened, SPACE_26)
    largest = int(voxels_per_label(opened, labels, count).argmax())
    wall = paint(opened.chosen(labels == largest))
    return unpack(dilate(pack(wall), KERNEL_11), len(tissue)) & tissue


def _lung_regions(
    enclosed: Runs, hu: NDArray[np.int16], body: BoolArray, spacing_mm: tuple[float, float, float]
) -> Runs | None:
    """Choose the regions that are lung: inside the body, large enough and not mere gas."""
    enclosed = _in_front_of_back(enclosed, body)
    if len(enclosed) == 0:
        return None
    labels, count = label_runs(enclosed, SPACE_26)
    size = voxels_per_label(enclosed, labels, count)
    order = np.argsort(size)[::-1]
    gas = _gas_voxels(enclosed, hu)
    gas_share = np.bincount(labels, weights=gas, minlength=count) / np.maximum(size, 1)
    candidates = order[gas_share[order] <= LARGEST_GAS_SHARE]
    voxel_ml = float(np.prod(spacing_mm)) * 1e-3
    smallest_ml = min(SMALLEST_LUNG_ML, SMALLEST_LUNG_ML_PER_MM * spacing_mm[0] * len(hu))
    if len(candidates) == 0 or size[candidates[0]] * voxel_ml < smallest_ml:
        return None
    keep = np.zeros(count, np.bool_)
    keep[candidates] = size[candidates] >= SMALLEST_LUNG_SHARE * size[candidates[0]]
    return enclosed.chosen(keep[labels])


def _gas_voxels(runs: Runs, hu: NDArray[np.int16]) -> IntArray:
    """Return how many voxels of each run are free gas."""
    before = np.zeros(hu.size + 1, np.int32)
    np.cumsum((hu < GAS_HU).ravel(), out=before[1:])
    at = runs.row * runs.shape_zyx[2]
    return np.asarray(before[at + runs.stop] - before[at + runs.start], np.int64)


def _in_front_of_back(runs: Runs, body: BoolArray) -> Runs:
    """Drop what lies behind the body: foam in the couch, gaps in the table."""
    rows = body.shape[1]
    # Behind a column's last row of body there is nothing of the patient; a run is judged by its middle.
    last_row = rows - 1 - body[:, ::-1].argmax(axis=1)
    last_row[~body.any(axis=1)] = -1
    middle = (runs.start + runs.stop - 1) // 2
    inside = runs.y < last_row[runs.z, middle]
    return runs.chosen(inside)


def _depth_of_lungs(air: BoolArray) -> slice:
    """Return the slices of lung: beyond them the trachea goes on alone."""
    columns: BoolArray = np.any(air, axis=1)
    seen: BoolArray = np.any(columns, axis=1)
    span = air.shape[2] - columns[:, ::-1].argmax(axis=1) - columns.argmax(axis=1)
    places = np.flatnonzero(seen & (span > AIRWAY_COLUMNS))
    if len(places) == 0:
        places = np.flatnonzero(seen)
    return slice(int(places[0]), int(places[-1]) + 1)


def _closed(air: BoolArray) -> NDArray[np.uint8]:
    return close(pack(air), KERNEL_11)


def _spine_axis(hu: NDArray[np.int16], region: BoolArray, air: BoolArray) -> tuple[NDArray[np.float64], bool]:
    """Follow the spine along the slices by the coronal projection of the bone window."""
    columns = np.flatnonzero(region.any(axis=(0, 1)))
    rows = np.flatnonzero(air.any(axis=(0, 2)))
    middle = (columns[0] + columns[-1]) / 2
    reach = max(SPINE_SEARCH * (columns[-1] - columns[0] + 1), 1.0)
    left, right = max(int(middle - reach), 0), min(int(middle + reach) + 1, hu.shape[2])
    front = int(rows.mean())
    low, high = BONE_WINDOW_HU
    part = hu[:, front:, left:right]
    bone = np.clip(part, low, high).astype(np.float32) - BONE_HU
    projection = np.maximum(bone, 0).sum(axis=1, where=region[:, front:, left:right])
    half = SMOOTHING_TAPS // 2
    padded = np.pad(projection, ((0, 0), (half, half)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, SMOOTHING_TAPS, axis=1)
    smooth = windows.mean(axis=2)
    seen = smooth.max(axis=1) > 0
    if not seen.any():
        return np.full(len(hu), middle), False
    raw = np.where(seen, smooth.argmax(axis=1) + left, np.nan)
    position = float(np.nanmean(raw[seen][:START_SLICES]))
    axis = np.empty(len(hu))
    for z, value in enumerate(raw):
        if np.isfinite(value):
            position = SMOOTHING_ALPHA * float(value) + (1 - SMOOTHING_ALPHA) * position
        axis[z] = position
    return axis, True


def _united(air: BoolArray, axis: NDArray[np.float64]) -> BoolArray:
    """Unite each slice with its mirror image about the axis, close it and widen it by 5 pixels."""
    nz, _, columns = air.shape
    index = np.arange(columns)
    mirrored = np.zeros_like(air)
    for z in range(nz):
        source = np.rint(2 * axis[z]).astype(np.int64) - index
        valid = (source >= 0) & (source < columns)
        mirrored[z][:, valid] = air[z][:, source[valid]]
    packed = pack(air | mirrored)
    seen: BoolArray = np.any(packed, axis=0)
    margin = 4 * CLOSINGS + max(DISC_5) + 1
    y, x = (_reach(np.any(seen, axis=axis_), margin, seen.shape[1 - axis_]) for axis_ in (1, 0))
    part = dilate(close(np.ascontiguousarray(packed[:, y, x]), KERNEL_11, times=CLOSINGS), DISC_5)
    whole = np.zeros(air.shape, np.bool_)
    whole[:, y, x] = unpack(part, nz)
    return whole


def _reach(on: NDArray[Any], margin: int, length: int) -> slice:
    places = np.flatnonzero(on)
    return slice(max(int(places[0]) - margin, 0), min(int(places[-1]) + 1 + margin, length))


def _remarks(
    air: BoolArray, depth: slice, axis: NDArray[np.float64], *, spine_found: bool
) -> list[InferenceWarning]:
    remarks = []
    if not spine_found:
        remarks.append(
            InferenceWarning(
                WarningCode.NO_SPINE, "No bone was found behind the lungs; the body's middle serves as axis."
            )
        )
    middle = round(float(axis.mean()))
    left, right = int(air[:, :, middle:].sum()), int(air[:, :, :middle].sum())
    if min(left, right) < SMALLEST_LUNG_SHARE * max(left, right):
        side = "left" if left < right else "right"
        remarks.append(InferenceWarning(WarningCode.ONE_LUNG, f"Hardly any air was found on the {side}."))
    ends = [end for end, at in (("feet", depth.start == 0), ("head", depth.stop == len(air))) if at]
    if ends:
        remarks.append(
            InferenceWarning(
                WarningCode.LUNGS_CUT, f"The lungs reach the last slice towards the {' and the '.join(ends)}."
            )
        )
    return remarks


def _none_found(shape: tuple[int, ...]) -> LungIsolation:
    remark = InferenceWarning(WarningCode.LUNGS_NOT_FOUND, "No lungs were found: nothing was looked at.")
    empty = np.zeros(shape, np.bool_)
    return LungIsolation(empty, empty, np.full(shape[0], np.nan), (remark,))
