"""From probabilities to lesions: threshold, components, and what is reported of each."""

import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.imaging import Grid, Mask
from equipoise.imaging.geometry import triple
from equipoise.inference.runs import (
    SPACE_26,
    IntArray,
    Runs,
    label_runs,
    paint_values,
    runs_of,
    voxels_per_label,
)
from equipoise.metrics.axial_diameter import longest_axial_diameter_mm

BoolArray = NDArray[np.bool_]
Box = tuple[slice, slice, slice]

SOLID_HU = -300
"""At and above it a voxel of a lesion is solid, below it ground glass."""

MOST_LESIONS = 10
"""Further components are counted, not kept: a network that finds more finds noise."""


@dataclass(frozen=True, eq=False)
class Components:
    """The components of a thresholded map that are kept.

    Attributes
    ----------
    labels : ndarray of uint8, shape (z, y, x)
        1 for the chosen component, 2 and up for further ones by size, 0 elsewhere.
    kept, count : int
        How many have a label, at most :data:`MOST_LESIONS`, and how many there were.
    """

    labels: NDArray[np.uint8]
    kept: int
    count: int

    def boxes(self) -> list[Box]:
        """Return the smallest box around each kept component."""
        return [box for box in boxes_of(self.labels, self.kept) if box is not None]


class LesionMasks(Mapping[str, Mask]):
    """Each lesion's mask by name, ``GTV-1`` and up, on the image's grid; made when asked for.

    Ten masks of a CT would take ten times the memory of its labels.
    """

    def __init__(self, labels: NDArray[np.uint8], kept: int, grid: Grid) -> None:
        self._labels = labels
        self._grid = grid
        self._numbers = {f"GTV-{number}": number for number in range(1, kept + 1)}

    def __getitem__(self, name: str) -> Mask:
        return Mask(self._labels == self._numbers[name], self._grid)

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


def boxes_of(labels: NDArray[np.uint8], count: int) -> list[Box | None]:
    """Return the smallest box around each label from 1 on; None for one that no voxel has."""
    if count == 0:
        return []
    found: list[Any] = find_objects(labels, max_label=count)  # its stub knows of no absent label
    return [None if box is None else (box[0], box[1], box[2]) for box in found]


def components_by_size(above: BoolArray) -> Components:
    """Return the 26-connected components, largest first; single-slice ones stay."""
    runs = runs_of(above)
    labels, count = label_runs(runs, SPACE_26)
    size = voxels_per_label(runs, labels, count)
    return _kept(runs, labels, np.argsort(-size, kind="stable")[:MOST_LESIONS], count)


def published_component(above: BoolArray) -> Components:
    """Return the one component that the published code keeps.

    Its score is the number of its voxels that have a foreground voxel at the same place in an adjacent slice, so
    components of one slice always vanish.
    """
    runs = runs_of(above)
    labels, count = label_runs(runs, SPACE_26)
    if count == 0:
        return _kept(runs, labels, np.zeros(0, np.int64), 0)
    stacked = np.zeros(above.shape, np.bool_)
    stacked[1:] |= above[1:] & above[:-1]
    stacked[:-1] |= above[:-1] & above[1:]
    before = np.concatenate([[0], np.cumsum(stacked.ravel(), dtype=np.int64)])
    at = runs.row * runs.shape_zyx[2]
    score = np.bincount(labels, weights=before[at + runs.stop] - before[at + runs.start], minlength=count)
    best = int(score.argmax())
    return _kept(runs, labels, np.array([best] if score[best] else [], np.int64), count)


def _kept(runs: Runs, labels: IntArray, order: IntArray, count: int) -> Components:
    rank = np.zeros(count, np.uint8)
    rank[order] = np.arange(1, len(order) + 1)
    return Components(paint_values(runs, rank[labels]), len(order), count)


def describe_lesion(
    mask: BoolArray, hu: NDArray[np.int16], grid: Grid, *, name: str, probability: float, side: str
) -> dict[str, Any]:
    """Return what is reported of one lesion on the image's voxels, as plain values.

    Parameters
    ----------
    mask, hu : array, shape (z, y, x)
        A part of the image that holds the lesion.
    grid : Grid
        Of that part; the end points of the diameter are given in patient coordinates (mm, LPS).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # an empty mask has no diameter: None says so
        diameter = longest_axial_diameter_mm(mask, grid.spacing_mm_zyx)
    solid = int(np.count_nonzero(hu[mask] >= SOLID_HU))
    voxels = int(np.count_nonzero(mask))
    ends = None
    if diameter.slice_index is not None and diameter.start_yx and diameter.end_yx:
        index = [(x, y, diameter.slice_index) for y, x in (diameter.start_yx, diameter.end_yx)]
        ends = [[round(float(v), 3) for v in point] for point in grid.index_to_patient(np.array(index))]
    return {
        "name": name,
        "side": side,
        "voxels": voxels,
        "volume_ml": voxels * grid.voxel_volume_ml,
        "longest_diameter_mm": float(diameter) if math.isfinite(float(diameter)) else None,
        "longest_diameter_slice": diameter.slice_index,
        "longest_diameter_ends_mm_xyz": ends,
        "solid_ml": solid * grid.voxel_volume_ml,
        "ground_glass_ml": (voxels - solid) * grid.voxel_volume_ml,
        "solid_threshold_hu": SOLID_HU,
        "highest_probability": probability,
    }


def part_of_grid(grid: Grid, box: Box) -> Grid:
    """Return the grid of a part of an image."""
    start_zyx = [part.start for part in box]
    origin = grid.index_to_patient(np.array(start_zyx[::-1]))
    depth, rows, columns = (part.stop - part.start for part in box)
    return Grid((depth, rows, columns), grid.spacing_mm_zyx, triple(origin), grid.direction_3x3)
