"""The RECIST longest diameter of a structure, read off its mask."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import find_objects, label

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.metrics._box import foreground_box
from equipoise.metrics._validation import Mask, validated_mask, validated_spacing

EIGHT_CONNECTED = np.ones((3, 3), dtype=np.int8)
"""Pixels that touch at an edge or a corner belong to one lesion."""


@dataclass(frozen=True)
class LongestAxialDiameter:
    """A longest in-plane diameter.

    Attributes
    ----------
    length_mm
        Its length; ``nan`` for an empty mask. ``float()`` of the result is this value.
    slice_index
        The slice it lies in, counted from 0; None for an empty mask.
    start_yx, end_yx
        Its end points in that slice, in pixels (row, column), 0 at the first pixel's centre; the start comes
        first in row order. None for an empty mask.
    """

    length_mm: float
    slice_index: int | None
    start_yx: tuple[float, float] | None
    end_yx: tuple[float, float] | None

    def __float__(self) -> float:
        return self.length_mm


def longest_axial_diameter_mm(mask: npt.ArrayLike, spacing_mm: Sequence[float]) -> LongestAxialDiameter:
    """Find the longest in-plane diameter of a lesion over all axial slices.

    Parameters
    ----------
    mask
        ``(z, y, x)``, booleans or 0 and 1; z is axial.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.

    Returns
    -------
    LongestAxialDiameter
        Length, slice and end points; of equal lengths the first slice's.

    Warns
    -----
    DegenerateDataWarning
        If the mask is empty: the length is ``nan``.

    Raises
    ------
    TypeError, ValueError
        If the mask is not three-dimensional and binary, or the spacing is not positive.

    Notes
    -----
    The diameter runs from outer edge to outer edge: between the midpoints of pixel edges on the contour (the
    marching squares contour), so that a row of n pixels is n pixels long; between pixel centres it would be
    one pixel shorter. A diameter stays within one lesion: pieces that do not touch in the slice are measured
    apart.

    References
    ----------
    .. [1] Eisenhauer et al. New response evaluation criteria in solid tumours: revised RECIST guideline
       (version 1.1). Eur J Cancer 45(2), 2009.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((2, 5, 5), bool)
    >>> mask[1, 2, 1:4] = True
    >>> longest_axial_diameter_mm(mask, (3, 1, 2))
    LongestAxialDiameter(length_mm=6.0, slice_index=1, start_yx=(2.0, 0.5), end_yx=(2.0, 3.5))
    """
    checked = validated_mask(mask, name="mask")
    _, row_mm, column_mm = validated_spacing(spacing_mm)
    box = foreground_box(checked)
    if box is None:
        warnings.warn("The mask is empty: it has no diameter.", DegenerateDataWarning, stacklevel=2)
        return LongestAxialDiameter(math.nan, None, None, None)
    best = LongestAxialDiameter(0.0, None, None, None)
    for z in range(box[0].start, box[0].stop):
        pieces, _ = label(checked[z], structure=EIGHT_CONNECTED)
        for number, place in enumerate(find_objects(pieces), start=1):
            if place is None:
                continue
            points = _edge_midpoints(pieces[place] == number) + np.array([place[0].start, place[1].start])
            length_mm, start, end = _farthest(points, row_mm=row_mm, column_mm=column_mm)
            if length_mm > best.length_mm:
                best = LongestAxialDiameter(length_mm, z, start, end)
    return best


def _edge_midpoints(piece: Mask) -> npt.NDArray[np.float64]:
    """Return the midpoints (row, column) of the outermost pixel edges of every row and column.

    The farthest two points of a contour lie on its convex hull, and every hull point is such an outermost
    one.
    """
    padded = np.pad(piece, 1).astype(np.int8)
    rows_y, rows_x = np.nonzero(np.diff(padded, axis=1))
    columns_y, columns_x = np.nonzero(np.diff(padded, axis=0))
    on_vertical_edges = np.column_stack([rows_y - 1.0, rows_x - 0.5])
    on_horizontal_edges = np.column_stack([columns_y - 0.5, columns_x - 1.0])
    return np.concatenate((_extremes(on_vertical_edges, 0), _extremes(on_horizontal_edges, 1)))


def _extremes(points: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    """Return, for every line along the other axis, its first and last point."""
    ordered = points[np.lexsort((points[:, 1 - axis], points[:, axis]))]
    starts = np.flatnonzero(np.diff(ordered[:, axis], prepend=-np.inf))
    ends = np.append(starts[1:], len(ordered)) - 1
    return np.concatenate([ordered[starts], ordered[ends]])


def _farthest(
    points: npt.NDArray[np.float64], *, row_mm: float, column_mm: float
) -> tuple[float, tuple[float, float], tuple[float, float]]:
    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]
    rows_mm, columns_mm = ordered[:, 0] * row_mm, ordered[:, 1] * column_mm
    squares = (rows_mm[:, None] - rows_mm) ** 2 + (columns_mm[:, None] - columns_mm) ** 2
    first, second = sorted(divmod(int(squares.argmax()), len(ordered)))
    start = float(ordered[first, 0]), float(ordered[first, 1])
    end = float(ordered[second, 0]), float(ordered[second, 1])
    return math.hypot((end[0] - start[0]) * row_mm, (end[1] - start[1]) * column_mm), start, end
