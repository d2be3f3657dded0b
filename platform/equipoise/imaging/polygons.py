"""Polygons in patient coordinates to masks: contours that a program sends as points instead of a file.

The conventions are those of structure sets: a polygon belongs to the slice whose centre plane it lies in, loops of one
slice are combined by the even-odd rule, and nothing is moved or interpolated.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging.errors import EmptyMaskError, GridMismatchError, ImageTooLargeError
from equipoise.imaging.geometry import Grid
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits
from equipoise.imaging.mask import Mask
from equipoise.imaging.rasterise import rasterise_polygons
from equipoise.imaging.structure_set import PLANE_TOLERANCE

FARTHEST_INDEX = 1e6
"""Vertices further from the image than this, in voxels, are no contour of it, and would overflow its indices."""


def mask_of_polygons(
    polygons_mm: Sequence[NDArray[np.floating]], grid: Grid, *, limits: ReadLimits = DEFAULT_LIMITS
) -> Mask:
    """Rasterise polygons on an image's grid.

    Parameters
    ----------
    polygons_mm : sequence of arrays, each (n, 3)
        Vertices (x, y, z) in mm, LPS; finite; at least three of them; the last joins the first.
    grid : Grid
        As acquired, slices along the first axis.

    Returns
    -------
    Mask
        On ``grid``; a voxel is inside if its centre is.

    Raises
    ------
    ValueError
        If an array has another shape or a value that is not finite.
    GridMismatchError
        If a polygon lies between or beside the slices, or is not parallel to them.
    EmptyMaskError
        If no voxel centre is inside.
    ImageTooLargeError
        If there are too many points.

    Examples
    --------
    >>> square = np.array([[0.5, 0.5, 2.0], [2.5, 0.5, 2.0], [2.5, 2.5, 2.0], [0.5, 2.5, 2.0]])
    >>> mask_of_polygons([square], Grid((3, 4, 4), (2.0, 1.0, 1.0))).array[1].astype(int)
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    points = sum(len(polygon) for polygon in polygons_mm)
    if points > limits.max_contour_points:
        raise ImageTooLargeError(
            f"The polygons have {points:,} points; {limits.max_contour_points:,} are read."
        )
    by_slice: dict[int, list[NDArray[np.float64]]] = defaultdict(list)
    for number, polygon in enumerate(polygons_mm, start=1):
        index_xyz = _index_of(_validated(polygon, number), grid, number)
        by_slice[_slice_of(index_xyz, grid, number)].append(index_xyz[:, :2])
    array = np.zeros(grid.shape_zyx, dtype=bool)
    for z, loops_xy in by_slice.items():
        array[z] = rasterise_polygons(loops_xy, grid.shape_zyx[1:])
    if not array.any():
        raise EmptyMaskError(
            "The polygons enclose no voxel centre of the image; they cannot serve as a contour."
        )
    return Mask(array, grid)


def _validated(polygon: NDArray[np.floating], number: int) -> NDArray[np.float64]:
    vertices = np.asarray(polygon, dtype=float)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or len(vertices) < 3:
        raise ValueError(f"Polygon {number} must have shape (n, 3) with n >= 3, got {vertices.shape}.")
    if not np.isfinite(vertices).all():
        raise ValueError(f"Polygon {number} has coordinates that are not finite.")
    return vertices


def _index_of(points_mm: NDArray[np.float64], grid: Grid, number: int) -> NDArray[np.float64]:
    farthest_mm = FARTHEST_INDEX * min(grid.spacing_mm_zyx)
    if float(np.abs(points_mm).max()) <= farthest_mm:
        index_xyz = grid.patient_to_index(points_mm)
        if float(np.abs(index_xyz).max()) <= FARTHEST_INDEX:
            return index_xyz
    raise GridMismatchError(f"Polygon {number} lies far outside the image; coordinates are mm, LPS.")


def _slice_of(index_xyz: NDArray[np.float64], grid: Grid, number: int) -> int:
    depth = index_xyz[:, 2]
    if not 0 <= round(float(depth.mean())) < grid.shape_zyx[0]:
        raise GridMismatchError(
            f"Polygon {number} lies beyond the image's {grid.shape_zyx[0]} slices; coordinates are mm, LPS."
        )
    z = round(float(depth.mean()))
    if np.ptp(depth) > PLANE_TOLERANCE:
        raise GridMismatchError(f"Polygon {number} is not parallel to the image's slices.")
    if float(np.abs(depth - z).max()) > PLANE_TOLERANCE:
        distance_mm = abs(float(depth.mean()) - z) * grid.spacing_mm_zyx[0]
        raise GridMismatchError(
            f"Polygon {number} lies {distance_mm:.2f} mm from the nearest slice "
            f"(slices lie {grid.spacing_mm_zyx[0]:g} mm apart); draw it on the image's slices."
        )
    return z
