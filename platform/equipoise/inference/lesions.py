"""From probabilities to lesions: threshold, components, and what is reported of each."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.imaging import Grid
from equipoise.inference.runs import SPACE_26, label_runs, paint, runs_of, voxels_per_label
from equipoise.metrics.axial_diameter import longest_axial_diameter_mm

BoolArray = NDArray[np.bool_]

SOLID_HU = -300
"""At and above it a voxel of a lesion is solid, below it ground glass."""

MOST_LESIONS = 20
"""Further components are counted, not kept: a network that finds more finds noise."""


@dataclass(frozen=True, eq=False)
class Components:
    """The components of a thresholded map, the chosen first.

    Attributes
    ----------
    masks : tuple of ndarray of bool
        Largest first; at most :data:`MOST_LESIONS`.
    count : int
        How many there were.
    """

    masks: tuple[BoolArray, ...]
    count: int


def components_by_size(above: BoolArray) -> Components:
    """Return the 26-connected components, largest first; single-slice ones stay."""
    runs = runs_of(above)
    labels, count = label_runs(runs, SPACE_26)
    size = voxels_per_label(runs, labels, count)
    order = np.argsort(-size, kind="stable")[:MOST_LESIONS]
    return Components(tuple(paint(runs.chosen(labels == label)) for label in order), count)


def published_component(above: BoolArray) -> Components:
    """Return the one component that the published code keeps.

    Its score is the number of its voxels that have a foreground voxel at the same place in an adjacent slice, so
    components of one slice always vanish.
    """
    runs = runs_of(above)
    labels, count = label_runs(runs, SPACE_26)
    if count == 0:
        return Components((), 0)
    stacked = np.zeros(above.shape, np.bool_)
    stacked[1:] |= above[1:] & above[:-1]
    stacked[:-1] |= above[:-1] & above[1:]
    before = np.concatenate([[0], np.cumsum(stacked.ravel(), dtype=np.int64)])
    at = runs.row * runs.shape_zyx[2]
    score = np.bincount(labels, weights=before[at + runs.stop] - before[at + runs.start], minlength=count)
    best = int(score.argmax())
    if score[best] == 0:
        return Components((), count)
    return Components((paint(runs.chosen(labels == best)),), count)


def describe_lesion(
    mask: BoolArray, hu: NDArray[np.int16], grid: Grid, *, name: str, probability: float, side: str
) -> dict[str, Any]:
    """Return what is reported of one lesion on the image's voxels, as plain values.

    Parameters
    ----------
    mask, hu : array, shape (z, y, x)
    grid : Grid
        Of both; the end points of the diameter are given in patient coordinates (mm, LPS).
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
