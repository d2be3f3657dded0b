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
    rows, columns = shape_yx
    toggles = np.zeros((rows, columns + 1), dtype=np.int64)
    for polygon in polygons_xy:
        vertices = _validated(polygon)
        _toggle_crossings(toggles, vertices, np.roll(vertices, -1, axis=0))
    return np.asarray(np.cumsum(toggles[:, :columns], axis=1) % 2 == 1)


def _validated(polygon: NDArray[np.floating]) -> NDArray[np.float64]:
    vertices = np.asarray(polygon, dtype=float)
    if vertices.ndim != 2 or vertices.shape[1] != 2:
        raise ValueError(f"A polygon must have shape (n, 2), got {vertices.shape}.")
    if not np.isfinite(vertices).all():
        raise ValueError("A polygon's vertices must be finite.")
    return vertices


def _toggle_crossings(
    toggles: NDArray[np.int64], starts_xy: NDArray[np.float64], ends_xy: NDArray[np.float64]
) -> None:
    last_row, last_column = toggles.shape[0] - 1, toggles.shape[1] - 1
    downward = ends_xy[:, 1] >= starts_xy[:, 1]
    # each edge is taken from top to bottom, so that both neighbours of an edge compute the same crossing
    top = np.where(downward[:, None], starts_xy, ends_xy)
    bottom = np.where(downward[:, None], ends_xy, starts_xy)
    first = np.maximum(np.ceil(top[:, 1]), 0).astype(np.int64)
    beyond = np.minimum(np.ceil(bottom[:, 1]), last_row + 1).astype(np.int64)
    counts = np.maximum(beyond - first, 0)
    edge = np.repeat(np.arange(len(counts)), counts)
    if edge.size == 0:
        return
    row = np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (bottom[edge, 0] - top[edge, 0]) / (bottom[edge, 1] - top[edge, 1])
    crossing_x = top[edge, 0] + (row - top[edge, 1]) * slope
    column = np.clip(np.ceil(crossing_x), 0, last_column).astype(np.int64)
    np.add.at(toggles, (row, column), 1)
