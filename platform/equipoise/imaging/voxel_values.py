"""From what a file stores to 16-bit voxels: exactly where 16 bits hold it, on a stated scale where they do not.

CT is in Hounsfield units and stays so. Any other image may have values that 16 bits do not hold (activity
in Bq/ml, radiographs of 16 unsigned bits, slopes that differ from slice to slice); its voxels then stand on
a :class:`ValueScale`, with which the values are got back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging.slices import SliceHeader

INT16_MIN, INT16_MAX = -32768, 32767


@dataclass(frozen=True, slots=True)
class ValueScale:
    """``value = slope * voxel + intercept``; the slope is negative where low values are shown white."""

    slope: float = 1.0
    intercept: float = 0.0


def hounsfield_voxels(stored: NDArray[np.integer], header: SliceHeader) -> tuple[NDArray[np.int16], int]:
    """Return slope x stored + intercept within the range of int16, and how many values were cut to it."""
    slope, intercept = header.slope, header.intercept
    if slope != int(slope) or intercept != int(intercept):
        return _clipped(np.rint(stored * slope + intercept))
    if stored.dtype.itemsize <= 2 and slope == 1:
        low, high = int(stored.min()) + int(intercept), int(stored.max()) + int(intercept)
        if low >= INT16_MIN and high <= INT16_MAX and INT16_MIN <= intercept <= INT16_MAX:
            # the sum fits, so arithmetic modulo 2^16 gives it
            return stored.astype(np.int16) + np.int16(int(intercept)), 0
    return _clipped(stored.astype(np.int64) * int(slope) + int(intercept))


def scaled_voxels(
    stored: Sequence[NDArray[np.integer]], headers: Sequence[SliceHeader]
) -> tuple[NDArray[np.int16], ValueScale]:
    """Return the voxels of an image other than CT, and their scale.

    Parameters
    ----------
    stored : sequence of integer arrays, each (y, x)
        In the order of ``headers``.

    Returns
    -------
    voxels : int16 array, shape (z, y, x)
    scale : ValueScale
        With one slope and intercept throughout the image, the values are exact. With several, or more than
        16 bits of range, they are spread evenly over 16 bits, and a value differs by at most half the slope.
    """
    slopes = {(header.slope, header.intercept) for header in headers}
    low, high = min(int(p.min()) for p in stored), max(int(p.max()) for p in stored)
    if len(slopes) == 1 and high - low <= INT16_MAX - INT16_MIN:
        voxels, scale = _shifted(stored, low, high, *slopes.pop())
    else:
        voxels, scale = _spread(stored, headers)
    return _shown_white(voxels, scale) if headers[0].inverted else (voxels, scale)


def _shifted(
    stored: Sequence[NDArray[np.integer]], low: int, high: int, slope: float, intercept: float
) -> tuple[NDArray[np.int16], ValueScale]:
    """Keep the stored numbers, moved into the range of int16; whole rescaled values where these fit."""
    if slope == int(slope) and intercept == int(intercept):
        ends = sorted((low * int(slope) + int(intercept), high * int(slope) + int(intercept)))
        if ends[0] >= INT16_MIN and ends[1] <= INT16_MAX:
            return _linear(stored, int(slope), int(intercept)), ValueScale()
    offset = 0
    if low < INT16_MIN or high > INT16_MAX:
        offset = -INT16_MIN if low >= 0 and high <= INT16_MAX - INT16_MIN else low - INT16_MIN
    return _linear(stored, 1, -offset), ValueScale(slope, intercept + slope * offset)


def _linear(stored: Sequence[NDArray[np.integer]], factor: int, summand: int) -> NDArray[np.int16]:
    voxels = np.empty((len(stored), *stored[0].shape), dtype=np.int16)
    for place, pixels in enumerate(stored):
        voxels[place] = pixels.astype(np.int64) * factor + summand
    return voxels


def _spread(
    stored: Sequence[NDArray[np.integer]], headers: Sequence[SliceHeader]
) -> tuple[NDArray[np.int16], ValueScale]:
    pairs = list(zip(stored, headers, strict=True))
    ends = [float(end) * h.slope + h.intercept for p, h in pairs for end in (p.min(), p.max())]
    low, high = min(ends), max(ends)
    if low >= 0:  # activity and the like: nought stays nought
        scale = ValueScale(high / INT16_MAX or 1.0, 0.0)
    else:
        scale = ValueScale((high - low) / (INT16_MAX - INT16_MIN - 1) or 1.0, (high + low) / 2)
    voxels = np.empty((len(pairs), *stored[0].shape), dtype=np.int16)
    for place, (pixels, header) in enumerate(pairs):
        values = pixels * header.slope + header.intercept
        voxels[place] = np.rint((values - scale.intercept) / scale.slope)
    return voxels, scale


def _shown_white(voxels: NDArray[np.int16], scale: ValueScale) -> tuple[NDArray[np.int16], ValueScale]:
    """Mirror the voxels within their own range, so that the lowest value becomes the brightest voxel."""
    total = int(voxels.min()) + int(voxels.max())
    mirrored = (total - voxels.astype(np.int32)).astype(np.int16)
    return mirrored, ValueScale(-scale.slope, scale.intercept + scale.slope * total)


def _clipped(
    values: NDArray[np.int64] | NDArray[np.float64],
) -> tuple[NDArray[np.int16], int]:
    beyond = int(np.count_nonzero((values < INT16_MIN) | (values > INT16_MAX)))
    return np.clip(values, INT16_MIN, INT16_MAX).astype(np.int16), beyond
