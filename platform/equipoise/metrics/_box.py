"""The smallest box around a mask, found without touching most of the volume twice."""

import numpy as np

from equipoise.metrics._validation import Mask

Box = tuple[slice, slice, slice]
"""Half-open index ranges ``(z, y, x)``."""

WORD_BYTES = 8
"""Voxels read in one step: eight one-byte booleans as one 64-bit word."""


def foreground_box(mask: Mask) -> Box | None:
    """Return the smallest box that holds all foreground, or None for an empty mask.

    Slices are scanned from both ends until foreground is met; the slices between are folded into one plane
    with a bitwise OR of 64-bit words, and rows and columns are read off that plane.
    """
    if mask.size == 0:
        return None
    planes = np.ascontiguousarray(mask)
    n_slices = planes.shape[0]
    first = next((z for z in range(n_slices) if planes[z].any()), None)
    if first is None:
        return None
    last = next(z for z in range(n_slices - 1, first - 1, -1) if planes[z].any())
    plane = _fold_slices(planes[first : last + 1])
    rows = np.flatnonzero(plane.any(axis=1))
    columns = np.flatnonzero(plane[rows[0] : rows[-1] + 1].any(axis=0))
    return (
        slice(first, last + 1),
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )


def union_box(boxes: list[Box]) -> Box:
    """Return the smallest box that holds all boxes; there must be at least one."""
    low = [min(box[axis].start for box in boxes) for axis in range(3)]
    high = [max(box[axis].stop for box in boxes) for axis in range(3)]
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])


def padded_crop(mask: Mask, box: Box) -> Mask:
    """Return the box of a mask with one voxel of background on every side: image borders become surface."""
    shape = tuple(axis.stop - axis.start + 2 for axis in box)
    crop = np.zeros(shape, dtype=np.bool_)
    crop[1:-1, 1:-1, 1:-1] = mask[box]
    return crop


def _fold_slices(planes: Mask) -> Mask:
    n_slices, n_rows, n_columns = planes.shape
    if n_rows * n_columns % WORD_BYTES:
        plane: Mask = np.logical_or.reduce(planes, axis=0)
        return plane
    words = planes.reshape(n_slices, -1).view(np.uint64)
    folded: Mask = np.bitwise_or.reduce(words, axis=0).view(np.bool_).reshape(n_rows, n_columns)
    return folded
