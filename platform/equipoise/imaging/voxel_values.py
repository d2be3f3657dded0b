"""From what a file stores to 16-bit voxels: exactly where 16 bits hold it, on a stated scale where they do not.

CT is in Hounsfield units and stays so. Any other image may have values that 16 bits do not hold (activity
in Bq/ml, radiographs of 16 unsigned bits, slopes that differ from slice to slice); its voxels then stand on
a :class:`ValueScale`, with which the values are got back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

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


@dataclass(frozen=True, slots=True)
class VoxelRule:
    """How the stored numbers of one image other than CT become voxels, and what these mean.

    With one slope and intercept throughout the image, the values are exact. With several, or more than 16 bits of
    range, they are spread evenly over 16 bits, and a value differs by at most half the slope.
    """

    scale: ValueScale
    """Of the voxels."""
    linear: tuple[int, int] | None = None
    """Factor and summand that give the voxel from the stored number; None where values are spread."""
    spread: ValueScale = field(default_factory=ValueScale)
    """On which values are spread, before they are mirrored."""
    mirrored_about: int | None = None
    """Sum of the lowest and highest voxel, where the lowest value is shown white."""

    def voxels(self, stored: NDArray[np.integer], header: SliceHeader) -> NDArray[np.int16]:
        """Return the voxels of one slice, (y, x)."""
        result: NDArray[np.int16]
        if self.linear is not None:
            factor, summand = self.linear
            result = (stored.astype(np.int64) * factor + summand).astype(np.int16)
        else:
            values = stored * header.slope + header.intercept
            result = np.rint((values - self.spread.intercept) / self.spread.slope).astype(np.int16)
        if self.mirrored_about is None:
            return result
        return (self.mirrored_about - result.astype(np.int32)).astype(np.int16)


def voxel_rule(ends: Sequence[tuple[int, int]], headers: Sequence[SliceHeader]) -> VoxelRule:
    """Return how the stored numbers of an image become voxels.

    Parameters
    ----------
    ends : sequence of (int, int)
        Lowest and highest stored number of every slice, in the order of ``headers``.
    """
    slopes = {(header.slope, header.intercept) for header in headers}
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if len(slopes) == 1 and high - low <= INT16_MAX - INT16_MIN:
        rule = _linear_rule(low, high, *slopes.pop())
    else:
        rule = _spread_rule(ends, headers)
    return _shown_white(rule, ends, headers) if headers[0].inverted else rule


def scaled_voxels(
    stored: Sequence[NDArray[np.integer]], headers: Sequence[SliceHeader]
) -> tuple[NDArray[np.int16], ValueScale]:
    """Return the voxels of an image other than CT, (z, y, x), and their scale; see :class:`VoxelRule`.

    Parameters
    ----------
    stored : sequence of integer arrays, each (y, x)
        In the order of ``headers``.
    """
    rule = voxel_rule([(int(pixels.min()), int(pixels.max())) for pixels in stored], headers)
    return np.stack([rule.voxels(p, h) for p, h in zip(stored, headers, strict=True)]), rule.scale


def _linear_rule(low: int, high: int, slope: float, intercept: float) -> VoxelRule:
    """Keep the stored numbers, moved into the range of int16; whole rescaled values where these fit."""
    if slope == int(slope) and intercept == int(intercept):
        ends = sorted((low * int(slope) + int(intercept), high * int(slope) + int(intercept)))
        if ends[0] >= INT16_MIN and ends[1] <= INT16_MAX:
            return VoxelRule(ValueScale(), linear=(int(slope), int(intercept)))
    offset = 0
    if low < INT16_MIN or high > INT16_MAX:
        offset = -INT16_MIN if low >= 0 and high <= INT16_MAX - INT16_MIN else low - INT16_MIN
    return VoxelRule(ValueScale(slope, intercept + slope * offset), linear=(1, -offset))


def _spread_rule(ends: Sequence[tuple[int, int]], headers: Sequence[SliceHeader]) -> VoxelRule:
    pairs = zip(ends, headers, strict=True)
    values = [float(end) * h.slope + h.intercept for both, h in pairs for end in both]
    low, high = min(values), max(values)
    if low >= 0:  # activity and the like: nought stays nought
        scale = ValueScale(high / INT16_MAX or 1.0, 0.0)
    else:
        scale = ValueScale((high - low) / (INT16_MAX - INT16_MIN - 1) or 1.0, (high + low) / 2)
    return VoxelRule(scale, spread=scale)


def _shown_white(
    rule: VoxelRule, ends: Sequence[tuple[int, int]], headers: Sequence[SliceHeader]
) -> VoxelRule:
    """Mirror the voxels within their own range, so that the lowest value becomes the brightest voxel."""
    # a voxel grows or falls with the stored number all along, so that the ends of the one are those of the other
    voxels = [rule.voxels(np.array(both), header) for both, header in zip(ends, headers, strict=True)]
    total = min(int(v.min()) for v in voxels) + max(int(v.max()) for v in voxels)
    scale = ValueScale(-rule.scale.slope, rule.scale.intercept + rule.scale.slope * total)
    return replace(rule, scale=scale, mirrored_about=total)


def _clipped(
    values: NDArray[np.int64] | NDArray[np.float64],
) -> tuple[NDArray[np.int16], int]:
    beyond = int(np.count_nonzero((values < INT16_MIN) | (values > INT16_MAX)))
    return np.clip(values, INT16_MIN, INT16_MAX).astype(np.int16), beyond
