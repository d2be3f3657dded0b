"""A mask cropped to a common box, with the work that each of its pairs needs done once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from equipoise.metrics._box import foreground_box, padded_crop, union_box
from equipoise.metrics._validation import Mask, Spacing
from equipoise.metrics.path_length import in_plane_contour
from equipoise.metrics.surface_elements import SurfaceElements, surface_elements


@dataclass(frozen=True)
class MeasuredMask:
    """One mask on the common grid.

    Attributes
    ----------
    padded
        The crop ``(z, y, x)`` with a margin of background.
    n_voxels
        Foreground voxels.
    contour
        In-plane contour pixels.
    surface
        Surface elements.
    """

    padded: Mask
    n_voxels: int
    contour: Mask
    surface: SurfaceElements


def measured_masks(masks: Mapping[str, Mask], *, spacing_mm: Spacing) -> dict[str, MeasuredMask]:
    """Crop masks of one shape to the smallest box that holds them all; nothing if they are all empty."""
    boxes = [box for box in (foreground_box(mask) for mask in masks.values()) if box is not None]
    if not boxes:
        return {}
    box = union_box(boxes)
    return {name: _measured(padded_crop(mask, box), spacing_mm=spacing_mm) for name, mask in masks.items()}


def _measured(padded: Mask, *, spacing_mm: Spacing) -> MeasuredMask:
    return MeasuredMask(
        padded=padded,
        n_voxels=int(np.count_nonzero(padded)),
        contour=in_plane_contour(padded),
        surface=surface_elements(padded, spacing_mm=spacing_mm),
    )
