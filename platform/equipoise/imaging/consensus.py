"""One contour out of several observers': STAPLE. (The majority vote needs no imaging and lives in
``equipoise.metrics``.)"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK

from equipoise.imaging.errors import EmptyMaskError
from equipoise.imaging.mask import Mask, bounding_box

MARGIN_VOXELS = 2
"""Background kept around the union of the masks. The estimate depends on how much background it sees; a whole
scan would make every observer's specificity 1 and the consensus the union."""

MAX_ITERATIONS = 200


@dataclass(frozen=True, slots=True)
class StapleConsensus:
    """The estimated true contour, and how well each observer meets it."""

    mask: Mask
    sensitivity: dict[str, float]
    specificity: dict[str, float]
    iterations: int


def staple(masks: Mapping[str, Mask], *, threshold: float = 0.5) -> StapleConsensus:
    """Estimate the common contour of several observers (simultaneous truth and performance level estimation).

    Parameters
    ----------
    masks : mapping of name to Mask
        At least two, all on one grid, at least one not empty.
    threshold : float
        Probability from which a voxel belongs to the consensus, in (0, 1).

    Returns
    -------
    StapleConsensus

    Raises
    ------
    ValueError
        If there are fewer than two masks, their grids differ, or the threshold is outside (0, 1).
    EmptyMaskError
        If all masks are empty.

    Notes
    -----
    Computed in the box around the union of the masks plus :data:`MARGIN_VOXELS`. An empty mask among the
    others is an observer like any other, with sensitivity 0.

    References
    ----------
    .. [1] Warfield SK, Zou KH, Wells WM. Simultaneous truth and performance level estimation (STAPLE): an
    algorithm for
       the validation of image segmentation. IEEE Trans Med Imaging 2004; 23: 903-921.
    """
    if len(masks) < 2:
        raise ValueError(f"masks must hold at least two observers, got {len(masks)}.")
    if not 0 < threshold < 1:
        raise ValueError(f"threshold must lie between 0 and 1, got {threshold}.")
    first = next(iter(masks.values()))
    for name, mask in masks.items():
        if not mask.grid.matches(first.grid):
            raise ValueError(f"Mask '{name}' is on another grid: {first.grid.difference(mask.grid)}.")
    union = np.logical_or.reduce([mask.array for mask in masks.values()])
    box = bounding_box(union)
    if box is None:
        raise EmptyMaskError("All masks are empty: there is nothing to agree on.")
    region = tuple(
        slice(max(s.start - MARGIN_VOXELS, 0), min(s.stop + MARGIN_VOXELS, n))
        for s, n in zip(box.slices, union.shape, strict=True)
    )
    estimator = SimpleITK.STAPLEImageFilter()
    estimator.SetForegroundValue(1.0)
    estimator.SetMaximumIterations(MAX_ITERATIONS)
    probability = estimator.Execute(
        [SimpleITK.GetImageFromArray(m.array[region].astype(np.uint8)) for m in masks.values()]
    )
    array = np.zeros(union.shape, dtype=bool)
    array[region] = SimpleITK.GetArrayFromImage(probability) >= threshold
    return StapleConsensus(
        mask=Mask(array, first.grid),
        sensitivity=dict(zip(masks, map(float, estimator.GetSensitivity()), strict=True)),
        specificity=dict(zip(masks, map(float, estimator.GetSpecificity()), strict=True)),
        iterations=int(estimator.GetElapsedIterations()),
    )
