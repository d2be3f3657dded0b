"""Morphology on every slice at once: eight slices to a byte, so that one OR moves eight of them.

A structuring element is given by its rows: element ``k`` of ``half_widths`` is the half width of the rows ``k``
above and below its centre. The outside of the plane never takes part, as in OpenCV: it is background to a dilation
and foreground to an erosion.
"""

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
Packed = NDArray[np.uint8]

KERNEL_11 = (4, 4, 3, 2, 1)
"""The published code's 11 x 11 element: a disc of radius 4 and the eight pixels (4|6, 1|9) and (1|9, 4|6)."""

DISC_5 = (5, 4, 4, 4, 3, 0)
"""A disc of radius 5: pixels whose centre is at most 5 pixels away."""


def pack(mask: BoolArray) -> Packed:
    """Pack a mask, shape (z, y, x), along its slices."""
    return np.packbits(mask, axis=0)


def unpack(packed: Packed, slices: int) -> BoolArray:
    """Return the mask of so many slices."""
    return np.unpackbits(packed, axis=0, count=slices).view(np.bool_)


def dilate(packed: Packed, half_widths: tuple[int, ...], *, times: int = 1) -> Packed:
    """Dilate every slice, outside taken as background."""
    for _ in range(times):
        packed = _dilated(packed, half_widths)
    return packed


def erode(packed: Packed, half_widths: tuple[int, ...], *, times: int = 1) -> Packed:
    """Erode every slice, outside taken as foreground."""
    return ~dilate(~packed, half_widths, times=times)


def close(packed: Packed, half_widths: tuple[int, ...], *, times: int = 1) -> Packed:
    """Dilate so many times, then erode as often."""
    return erode(dilate(packed, half_widths, times=times), half_widths, times=times)


def _dilated(packed: Packed, half_widths: tuple[int, ...]) -> Packed:
    wide = packed.copy()
    width = 0
    result = np.zeros_like(packed)
    columns, rows = packed.shape[2], packed.shape[1]
    for distance, half_width in sorted(enumerate(half_widths), key=lambda pair: pair[1]):
        while width < half_width:
            width += 1
            if width < columns:
                wide[:, :, width:] |= packed[:, :, :-width]
                wide[:, :, :-width] |= packed[:, :, width:]
        if distance == 0:
            result |= wide
        elif distance < rows:
            result[:, distance:] |= wide[:, :-distance]
            result[:, :-distance] |= wide[:, distance:]
    return result
