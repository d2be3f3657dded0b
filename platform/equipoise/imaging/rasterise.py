"""Polygons to pixels, by one rule everywhere.

Convention: pixel (row, column) has its *centre* at y = row, x = column, so the pixel covers half a unit to
each side. A pixel is inside if its centre is inside by the even-odd rule; a centre exactly on an edge belongs
to the polygon whose edge is to the left of or above it (``left <= centre < right``, ``top <= centre <
bottom``), so that polygons that share an edge neither overlap nor leave a gap. Loops inside loops are
therefore holes, keyholes work, and the order and direction of vertices do not matter.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def rasterise_polygon(polygon_xy: NDArray[np.floating], shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels inside one closed polygon. See :func:`rasterise_polygons`."""
    return rasterise_polygons([polygon_xy], shape_yx)


def rasterise_polygons(
    polygons_xy: Sequence[NDArray[np.floating]], shape_yx: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return the pixels that lie inside an odd number of closed polygons.

    Parameters
    ----------
    polygons_xy : sequence of arrays, each (n, 2)
        Vertices (x, y) in pixels, integers at pixel centres; the last vertex joins the first. Parts outside
        the image are cut off.
    shape_yx : tuple of two int
        Rows and columns of the result.

    Returns
    -------
    bool array, shape ``shape_yx``

    Notes
    -----
    Every edge that crosses a row's centre line toggles that row from the crossing to its right end; the
    parity of the toggles, accumulated along the row, is the even-odd rule.

    Examples
    --------
    >>> import numpy as np
    >>> rasterise_polygons([np.array([[0.5, -0.5], [2.5, -0.5], [2.5, 0.5], [0.5, 0.5]])], (2, 4)).astype(int)
    array([[0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    inside = np.zeros(shape_yx, dtype=bool)
    polygons = [vertices for vertices in map(_validated, polygons_xy) if len(vertices)]
    if not polygons:
        return inside
    # Nothing beyond the polygons' bounding box is inside: most of a slice is not looked at.
    (left, top), (right, bottom) = _box_xy(polygons, shape_yx)
    if left >= right or top >= bottom:
        return inside
    toggles = np.zeros((bottom - top, right - left + 1), dtype=np.int32)
    for vertices in polygons:
        _toggle_crossings(toggles, vertices, np.roll(vertices, -1, axis=0), left=left, top=top)
    np.cumsum(toggles, axis=1, out=toggles)
    inside[top:bottom, left:right] = toggles[:, :-1] & 1
    return inside


def _box_xy(
    polygons: Sequence[NDArray[np.float64]], shape_yx: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first column and row, and those beyond the last, whose pixels may be inside."""
    lowest = np.min([vertices.min(axis=0) for vertices in polygons], axis=0)
    highest = np.max([vertices.max(axis=0) for vertices in polygons], axis=0)
    size_xy = np.array(shape_yx[::-1], dtype=float)
    first, beyond = (np.clip(np.ceil(corner), 0, size_xy).astype(int) for corner in (lowest, highest))
    return (int(first[0]), int(first[1])), (int(beyond[0]), int(beyond[1]))


def _validated(polygon: NDArray[np.floating]) -> NDArray[np.float64]:
    vertices = np.asarray(polygon, dtype=float)
    if vertices.ndim != 2 or vertices.shape[1] != 2:
        raise ValueError(f"A polygon must have shape (n, 2), got {vertices.shape}.")
    if not np.isfinite(vertices).all():
        raise ValueError("A polygon's vertices must be finite.")
    return vertices


def _toggle_crossings(
    toggles: NDArray[np.int32],
    starts_xy: NDArray[np.float64],
    ends_xy: NDArray[np.float64],
    *,
    left: int,
    top: int,
) -> None:
    """Count the crossings of each row's centre line in a part of the image that begins at column and row given.

    Crossings are computed in the image's coordinates, so that an edge crosses in the same place in whatever part.
    """
    beyond_row, last_column = top + toggles.shape[0], left + toggles.shape[1] - 1
    downward = ends_xy[:, 1] >= starts_xy[:, 1]
    # each edge is taken from top to bottom, so that both neighbours of an edge compute the same crossing
    upper = np.where(downward[:, None], starts_xy, ends_xy)
    lower = np.where(downward[:, None], ends_xy, starts_xy)
    first = np.maximum(np.ceil(upper[:, 1]), top).astype(np.int64)
    beyond = np.minimum(np.ceil(lower[:, 1]), beyond_row).astype(np.int64)
    counts = np.maximum(beyond - first, 0)
    edge = np.repeat(np.arange(len(counts)), counts)
    if edge.size == 0:
        return
    row = np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (lower[edge, 0] - upper[edge, 0]) / (lower[edge, 1] - upper[edge, 1])
    crossing_x = upper[edge, 0] + (row - upper[edge, 1]) * slope
    column = np.clip(np.ceil(crossing_x), left, last_column).astype(np.int64)
    np.add.at(toggles, (row - top, column - left), 1)
