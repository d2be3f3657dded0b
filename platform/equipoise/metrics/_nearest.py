"""The distance from points of a grid to the nearest element of a surface, exact.

Surfaces of one structure lie close together, so a search within a band of a few pixels around each point
mostly finds the nearest element; only where it does not, the distance transform of the whole grid is made.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from equipoise.metrics._validation import Mask, Spacing
from equipoise.metrics.surface_elements import SurfaceElements

BANDS_PIXELS = (8, 32)
"""In-plane half-widths tried one after the other; squared distances within the last fit 16 bits."""

CHUNK_POINTS = 65536
"""Points worked on together in plane: their numbers stay in the processor's cache."""

FEW_POINTS = 4
"""Fewer points than one in so many of the grid are cheaper looked at one by one."""

Floats = npt.NDArray[np.float64]
Points = npt.NDArray[np.intp]
Pixels = npt.NDArray[np.uint16]


def nearest_distances_mm(
    surface: SurfaceElements, points: Sequence[SurfaceElements], *, spacing_mm: Spacing
) -> list[Floats]:
    """Return, for each of several surfaces on one grid, the distances of its elements to the nearest of `surface`.

    Infinite where `surface` has no element.
    """
    queries = [other.flat_indices for other in points]
    if surface.flat_indices.size == 0:
        return [np.full(query.size, np.inf) for query in queries]
    asked = np.concatenate(queries) if queries else np.empty(0, dtype=np.intp)
    if asked.size == 0:
        return [np.empty(0) for _ in queries]
    distances = _banded_mm(surface.is_surface, asked, spacing_mm=spacing_mm)
    if distances is None:
        distances = _transformed_mm(surface.is_surface, asked, spacing_mm=spacing_mm)
    return np.split(distances, np.cumsum([query.size for query in queries])[:-1])


def _transformed_mm(is_surface: Mask, asked: Points, *, spacing_mm: Spacing) -> Floats:
    """Look the nearest elements up in the distance transform of the whole grid."""
    nearest = distance_transform_edt(
        ~is_surface, sampling=spacing_mm, return_distances=False, return_indices=True
    ).reshape(3, -1)
    points = np.unravel_index(asked, is_surface.shape)
    squares = np.zeros(asked.size)
    for axis in range(3):
        step_mm = (nearest[axis, asked] - points[axis]) * spacing_mm[axis]
        squares += step_mm * step_mm
    distances: Floats = np.sqrt(squares)
    return distances


def _banded_mm(is_surface: Mask, asked: Points, *, spacing_mm: Spacing) -> Floats | None:
    """Search in-plane bands, then slices outwards; None where pixels are not square or no band is wide enough."""
    z_mm, y_mm, x_mm = spacing_mm
    if y_mm != x_mm:
        return None
    across = _across_everywhere if asked.size * FEW_POINTS > is_surface.size else _across_at_points
    for band in BANDS_PIXELS:
        reach_mm2 = (band * y_mm) ** 2
        pixels = _in_plane_squares(is_surface, band=band)
        table_mm2 = _squares_table_mm2(band, y_mm)
        squares = across(pixels, asked, table_mm2=table_mm2, z_mm=z_mm, reach_mm2=reach_mm2)
        # whatever lies outside the band is farther away than its half-width
        if squares.max() <= reach_mm2:
            distances: Floats = np.sqrt(squares)
            return distances
    return None


def _in_plane_squares(is_surface: Mask, *, band: int) -> Pixels:
    """Return each point's squared distance in pixels to the nearest element of its slice within the band.

    ``2 band^2 + 1`` where there is none. Whole numbers, 16 bits wide, first along rows and then along columns:
    the bulk of the work is done on the smallest numbers.
    """
    beyond = np.uint16(2 * band * band + 1)
    squares = np.empty(is_surface.shape, dtype=np.uint16)
    n_slices, n_rows, n_columns = is_surface.shape
    n_together = max(1, CHUNK_POINTS // (n_rows * n_columns))
    for first in range(0, n_slices, n_together):
        part = slice(first, first + n_together)
        rows = np.where(is_surface[part], np.uint16(0), beyond)
        along_rows = _lower_by_neighbours(rows, axis=2, band=band)
        squares[part] = _lower_by_neighbours(along_rows, axis=1, band=band)
    return squares


def _lower_by_neighbours(squares: Pixels, *, axis: int, band: int) -> Pixels:
    """Return ``min over k of squares[i + k] + k^2`` along an axis, k within the band."""
    lowest = squares.copy()
    shifted = np.empty_like(squares)
    for step in range(1, min(band, squares.shape[axis] - 1) + 1):
        ahead, behind = _halves(axis, step)
        np.add(squares, np.uint16(step * step), out=shifted)
        np.minimum(lowest[behind], shifted[ahead], out=lowest[behind])
        np.minimum(lowest[ahead], shifted[behind], out=lowest[ahead])
    return lowest


def _across_everywhere(
    pixels: Pixels, asked: Points, *, table_mm2: Floats, z_mm: float, reach_mm2: float
) -> Floats:
    """Return ``min over k of squares[z + k] + (k z_mm)^2`` at the points asked for, worked out for all points.

    Slices that cannot be nearer than what is found, or lie beyond the band's reach, are left out.
    """
    squares_mm2 = table_mm2[pixels]
    lowest = squares_mm2.copy()
    shifted = np.empty_like(squares_mm2)
    answer: Floats = lowest.reshape(-1)[asked]
    for step in range(1, pixels.shape[0]):
        depth_mm2 = (step * z_mm) * (step * z_mm)
        if depth_mm2 > reach_mm2 or depth_mm2 >= answer.max():
            break
        ahead, behind = _halves(0, step)
        np.add(squares_mm2, depth_mm2, out=shifted)
        np.minimum(lowest[behind], shifted[ahead], out=lowest[behind])
        np.minimum(lowest[ahead], shifted[behind], out=lowest[ahead])
        answer = lowest.reshape(-1)[asked]
    return answer


def _across_at_points(
    pixels: Pixels, asked: Points, *, table_mm2: Floats, z_mm: float, reach_mm2: float
) -> Floats:
    """Return the same as :func:`_across_everywhere`, looking at the points asked for alone."""
    flat = pixels.reshape(-1)
    per_slice = pixels.shape[1] * pixels.shape[2]
    answer: Floats = table_mm2[flat[asked]]
    for step in range(1, pixels.shape[0]):
        depth_mm2 = (step * z_mm) * (step * z_mm)
        if depth_mm2 > reach_mm2 or depth_mm2 >= answer.max():
            break
        for places in (asked + step * per_slice, asked - step * per_slice):
            found = table_mm2[flat.take(places, mode="clip")] + depth_mm2
            found[(places < 0) | (places >= flat.size)] = np.inf
            np.minimum(answer, found, out=answer)
    return answer


def _halves(axis: int, step: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the index of all but the first, and of all but the last `step` planes of an axis."""
    before = (slice(None),) * axis
    return (*before, slice(step, None)), (*before, slice(None, -step))


@lru_cache(maxsize=64)
def _squares_table_mm2(band: int, pixel_mm: float) -> Floats:
    """Return squared mm by squared pixels, infinite for what is no sum of two squares within the band.

    Rounded as the sum of two squared steps in mm, so that a distance along an axis is exactly its steps'
    length and compares with a tolerance as one expects.
    """
    table = np.full(2 * band * band + 2, np.inf)
    for second in range(band, -1, -1):  # steps along one axis are written last
        for first in range(second, band + 1):
            steps_mm = first * pixel_mm, second * pixel_mm
            table[first * first + second * second] = steps_mm[0] * steps_mm[0] + steps_mm[1] * steps_mm[1]
    table.flags.writeable = False
    return table
