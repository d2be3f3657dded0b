"""From the scanner's pixels to the network's plane and back: nearest neighbour, then crop or pad."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLANE = 512
"""Rows and columns of the plane that the networks see."""

AIR_HU = -1000
"""What lies outside the image."""


@dataclass(frozen=True, slots=True)
class AxisMap:
    """How one axis of the plane samples one axis of the image.

    Attributes
    ----------
    source : ndarray of int, shape (resampled,)
        Source index of every resampled index.
    back : ndarray of int, shape (source length,)
        Resampled index of every source index.
    crop : int
        First resampled index that the plane shows.
    pad : int
        Plane index at which the resampled image begins.
    """

    source: NDArray[np.int64]
    back: NDArray[np.int64]
    crop: int
    pad: int
    size: int = PLANE

    @property
    def shown(self) -> int:
        """How many resampled indices the plane shows."""
        return min(len(self.source) - self.crop, self.size - self.pad)

    def source_on_plane(self) -> NDArray[np.int64]:
        """Source index of each index that the plane shows, from :attr:`pad` on."""
        return self.source[self.crop : self.crop + self.shown]

    def plane_of_source(self) -> NDArray[np.int64]:
        """Plane index of every source index; -1 where the plane does not show it."""
        at = self.back - self.crop + self.pad
        seen = (self.back >= self.crop) & (self.back < self.crop + self.shown)
        return np.where(seen, at, -1)


@dataclass(frozen=True, slots=True)
class PlaneMap:
    """How the plane samples the slices of an image."""

    rows: AxisMap
    columns: AxisMap

    def to_plane(self, volume: NDArray[np.int16], *, outside: int = AIR_HU) -> NDArray[np.int16]:
        """Return the slices on the plane."""
        plane = np.full((len(volume), self.rows.size, self.columns.size), outside, np.int16)
        y, x = self.rows.source_on_plane(), self.columns.source_on_plane()
        target = plane[:, self.rows.pad :, self.columns.pad :][:, : len(y), : len(x)]
        for source, shown in zip(volume, target, strict=True):
            _copy_columns(source[_as_slice(y)], shown, x)
        return plane

    def to_image(self, plane: NDArray[Any], shape_yx: tuple[int, int]) -> NDArray[Any]:
        """Return slices of the plane on the image's pixels, 0 where the plane does not show them."""
        y, x = self.rows.plane_of_source(), self.columns.plane_of_source()
        image = np.zeros((len(plane), *shape_yx), plane.dtype)
        rows, columns = np.flatnonzero(y >= 0), np.flatnonzero(x >= 0)
        if len(rows) and len(columns):
            image[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = plane[:, _as_slice(y[rows])][
                :, :, _as_slice(x[columns])
            ]
        return image


def _copy_columns(source: NDArray[np.int16], target: NDArray[np.int16], index: NDArray[np.int64]) -> None:
    """Copy columns by stretches of neighbours: few, where the scanner's pixels are nearly of 1 mm."""
    breaks = np.flatnonzero(np.diff(index) != 1) + 1
    if len(breaks) > len(index) // 8:
        np.take(source, index, axis=1, out=target)
        return
    ends = [0, *breaks.tolist(), len(index)]
    for begin, end in pairwise(ends):
        first = int(index[begin])
        target[:, begin:end] = source[:, first : first + end - begin]


def _as_slice(index: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """Return a slice for consecutive indices: it copies nothing."""
    if len(index) and index[-1] - index[0] == len(index) - 1 and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def nearest_index(source: int, target: int) -> NDArray[np.int64]:
    """Return OpenCV's source index of every target index for nearest-neighbour resizing.

    ``floor(i * source / target)`` with the ratio rounded to a double first, as OpenCV does: in exact arithmetic
    some indices would be one higher.
    """
    ratio = 1.0 / (target / source)
    return np.asarray(np.minimum(np.floor(np.arange(target) * ratio), source - 1), np.int64)


def centre_index(source: int, target: int) -> NDArray[np.int64]:
    """Return the source pixel that each target pixel's centre lies in; both cover the same length."""
    index: NDArray[np.int64] = (np.arange(target, dtype=np.int64) * 2 + 1) * source // (2 * target)
    return np.asarray(np.minimum(index, source - 1), np.int64)
