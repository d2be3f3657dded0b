"""Which part of a plane a network must see: the lungs with a margin, on the grid of its poolings."""

import numpy as np
from numpy.typing import NDArray

MARGIN = 48
"""Pixels around the lungs. What is cut off changes the last feature map by about 0.001 of its spread at full width,
by some hundredths in very narrow networks, and from 128 pixels on not at all."""

SIZE_MULTIPLE = 32
"""Sizes are multiples of it: few shapes to compile or plan for."""

START_MULTIPLE = 16
"""Starts are multiples of it: four poolings by two must fall on the same pixels as on the whole plane."""


def network_box(mask: NDArray[np.bool_], *, margin: int = MARGIN) -> tuple[slice, slice] | None:
    """Return the part of a slice that the network must see, or None where the mask is empty.

    Rows and columns of the mask must be multiples of 32.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows) == 0:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    return (
        _reach(int(rows[0]), int(rows[-1]), mask.shape[0], margin),
        _reach(int(columns[0]), int(columns[-1]), mask.shape[1], margin),
    )


def _reach(first: int, last: int, length: int, margin: int) -> slice:
    start = max(first - margin, 0) // START_MULTIPLE * START_MULTIPLE
    size = min(-(-(last + 1 + margin - start) // SIZE_MULTIPLE) * SIZE_MULTIPLE, length)
    start = min(start, length - size)
    return slice(start, start + size)
