"""A scan as a segmentation network takes it: binned intensities on the plane, and the way back to the voxels."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.errors import InferenceWarning
from equipoise.inference.plane import AIR_HU, PlaneMap

UPPER_HU = 150
"""Upper end of the lung window, width 1500 at -600 HU; its lower end, -1350, lies below air."""

BIN_HU = 25
"""Width of an intensity bin."""

BINS = 46
"""Bins from air to the window's upper end, 0 to 45."""


@dataclass(frozen=True, eq=False)
class PreparedScan:
    """What preprocessing hands to the network.

    Attributes
    ----------
    bins : ndarray of uint8, shape (slices, 512, 512)
        Intensity bins of the slices that show lung, 0 outside the lung mask.
    lung_mask : ndarray of bool, same shape
        What was kept: both lungs, what was mirrored and the rim around them.
    first_slice : int
        Slice of the image that ``bins[0]`` is.
    slices : int
        Slices of the image.
    plane : PlaneMap
        How the plane samples the image.
    image_shape_yx : tuple of int
    midline_x : ndarray of float, shape (slices,)
        Column of the plane that divides left from right, per slice.
    warnings : tuple of InferenceWarning
    seconds : dict of str to float
        Wall time per step.
    """

    bins: NDArray[np.uint8]
    lung_mask: NDArray[np.bool_]
    first_slice: int
    slices: int
    plane: PlaneMap
    image_shape_yx: tuple[int, int]
    midline_x: NDArray[np.float64]
    warnings: tuple[InferenceWarning, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def last_slice(self) -> int:
        """Slice of the image behind the last one of ``bins``."""
        return self.first_slice + len(self.bins)

    def to_image(self, on_plane: NDArray[Any]) -> NDArray[Any]:
        """Return values of the slices of ``bins`` on the voxels of the image, 0 elsewhere."""
        shown = self.plane.to_image(on_plane, self.image_shape_yx)
        whole = np.zeros((self.slices, *self.image_shape_yx), on_plane.dtype)
        whole[self.first_slice : self.last_slice] = shown
        return whole


def binned(hu: NDArray[np.int16], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Cut to the lung window, make the outside of the mask air, and sort into bins of 25 HU.

    The bin is ``min((HU + 1000) // 25, ceil(max / 25) - 1)`` where ``max`` is the volume's highest value above
    air: the highest value never opens a bin of its own.
    """
    above = np.clip(hu, AIR_HU, UPPER_HU) + np.int16(-AIR_HU)
    above *= mask
    highest = int(above.max(initial=0))
    last = max(-(-highest // BIN_HU) - 1, 0)
    table = np.minimum(np.arange(UPPER_HU - AIR_HU + 1) // BIN_HU, last).astype(np.uint8)
    return np.asarray(table[above])
