"""Where a mask's surface runs, and how large each of its elements is.

A surface element belongs to a corner where eight voxels meet. Which of the eight are foreground is an 8-bit
neighbour code; the element's area is the area of the marching-cubes patch for that code.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from equipoise.metrics._validation import Mask, Spacing, validated_spacing

CORNERS: tuple[tuple[int, ...], ...] = tuple(product((0, 1), repeat=3))
"""The eight voxels ``(z, y, x)`` around a corner; the first has the code's highest bit, 128."""

N_CODES = 256
INNER_CODE = 255
"""All eight voxels are foreground: no surface. Code 0 has none either."""

MAX_PATCHES = 4
"""No code needs more flat patches than this."""

Normal = tuple[float, float, float]
"""Absolute components of a patch's vector area, in voxel faces normal to ``(z, y, x)``."""


@dataclass(frozen=True)
class SurfaceElements:
    """The surface elements of one mask on the grid of its padded crop's corners.

    Attributes
    ----------
    is_surface
        Corner grid ``(z, y, x)``, True where an element lies.
    flat_indices
        Positions of the elements in the raveled corner grid, ascending.
    areas_mm2
        Area of each element, in the same order.
    """

    is_surface: Mask
    flat_indices: npt.NDArray[np.intp]
    areas_mm2: npt.NDArray[np.float64]


def surface_elements(padded: Mask, *, spacing_mm: Spacing) -> SurfaceElements:
    """Return the surface elements of a mask that has a margin of background on every side."""
    codes = _neighbour_codes(padded.view(np.uint8))
    # 0 wraps to 255: one comparison excludes both "all background" (0) and "all foreground" (255)
    is_surface = (codes - np.uint8(1)) < np.uint8(INNER_CODE - 1)
    flat_indices = np.flatnonzero(is_surface)
    areas_mm2 = _area_table_mm2(spacing_mm)[codes.ravel()[flat_indices]]
    return SurfaceElements(is_surface, flat_indices, areas_mm2)


def surface_element_areas_mm2(spacing_mm: Spacing) -> npt.NDArray[np.float64]:
    """Return the area of the surface element of each of the 256 neighbour codes.

    Parameters
    ----------
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.

    Returns
    -------
    numpy.ndarray
        Shape (256,), in mm2. The code's bits, from 128 to 1, are the voxels ``(0,0,0), (0,0,1), (0,1,0), ...,
        (1,1,1)`` around the corner.

    Notes
    -----
    The table is generated from geometry, not copied. A code and its complement have the same surface. Of the
    smaller set, foreground voxels that share no face are kept apart, and each group of face-connected voxels
    is cut off by the patch through the midpoints of the cube edges that leave it:

    * one voxel: a triangle; two: a rectangle; four in a face: a square; one with its three neighbours: a
      regular hexagon. All are flat.
    * three in an L: the triangle parallel to their face, and a flat trapezoid.
    * four in a chain along three different axes: two flat ends, each spanning the chain's middle axis and one
      end axis, and two flat triangles of equal direction between.

    The areas equal those of google-deepmind/surface-distance for all codes and any spacing.

    References
    ----------
    .. [1] Lorensen, Cline. Marching cubes. Computer Graphics 21(4), 1987.
    .. [2] Nikolov et al. Clinically applicable segmentation of head and neck anatomy for radiotherapy. J Med
       Internet Res 23(7), 2021 (surface elements weighted by area).

    Examples
    --------
    >>> float(surface_element_areas_mm2((1.0, 1.0, 1.0))[0b11110000])  # a flat wall: one voxel face
    1.0
    """
    return _area_table_mm2(validated_spacing(spacing_mm)).copy()


def _neighbour_codes(padded: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    columns = np.left_shift(padded[:, :, :-1], 1) | padded[:, :, 1:]
    rows = np.left_shift(columns[:, :-1], 2) | columns[:, 1:]
    codes: npt.NDArray[np.uint8] = np.left_shift(rows[:-1], 4) | rows[1:]
    return codes


@lru_cache(maxsize=256)
def _area_table_mm2(spacing_mm: Spacing) -> npt.NDArray[np.float64]:
    z_mm, y_mm, x_mm = spacing_mm
    face_mm2 = np.array([y_mm * x_mm, z_mm * x_mm, z_mm * y_mm])
    table: npt.NDArray[np.float64] = np.linalg.norm(_patch_normals() * face_mm2, axis=2).sum(axis=1)
    table.flags.writeable = False
    return table


@cache
def _patch_normals() -> npt.NDArray[np.float64]:
    """Return the absolute vector areas ``(code, patch, axis)`` of every code's patches."""
    normals = np.zeros((N_CODES, MAX_PATCHES, 3))
    for code in range(1, INNER_CODE):
        corners = [corner for bit, corner in enumerate(CORNERS) if code >> (7 - bit) & 1]
        if len(corners) > len(CORNERS) // 2:
            corners = [corner for corner in CORNERS if corner not in corners]
        patches = [normal for group in _face_connected(corners) for normal in _patches_around(group)]
        normals[code, : len(patches)] = patches
    return normals


def _face_connected(
    corners: list[tuple[int, ...]] | list[tuple[int, int, int]],
) -> list[list[tuple[int, ...]]]:
    """Split voxels into groups connected through shared faces."""
    waiting = list(corners)
    groups = []
    while waiting:
        group = [waiting.pop()]
        for corner in group:  # the group grows while it is walked
            near = [other for other in waiting if _n_steps(corner, other) == 1]
            group.extend(near)
            waiting = [other for other in waiting if other not in near]
        groups.append(group)
    return groups


def _patches_around(group: list[tuple[int, ...]]) -> list[Normal]:
    """Return the flat patches that cut a face-connected group of one to four voxels off the cube."""
    degrees = {corner: sum(_n_steps(corner, other) == 1 for other in group) for corner in group}
    spanned = [axis for axis in range(3) if len({corner[axis] for corner in group}) == 2]
    match len(group), len(spanned):
        case 1, _:
            return [(1 / 8, 1 / 8, 1 / 8)]
        case 2, _:
            return [_across({axis: 1 / 2 for axis in range(3) if axis not in spanned})]
        case 3, _:
            return [_across(dict.fromkeys(set(range(3)) - set(spanned), 1 / 2)), (3 / 8, 3 / 8, 3 / 8)]
        case _, 2:
            return [_across(dict.fromkeys(set(range(3)) - set(spanned), 1.0))]
    if max(degrees.values()) == 3:
        return [(3 / 4, 3 / 4, 3 / 4)]
    first, second = (corner for corner, degree in degrees.items() if degree == 2)
    middle = next(axis for axis in range(3) if first[axis] != second[axis])
    ends = [_across({middle: 1 / 4, axis: 1 / 4}) for axis in range(3) if axis != middle]
    return [(1 / 2, 1 / 2, 1 / 2), *ends]


def _across(components: dict[int, float]) -> Normal:
    return components.get(0, 0.0), components.get(1, 0.0), components.get(2, 0.0)


def _n_steps(first: tuple[int, ...], second: tuple[int, ...]) -> int:
    return sum(a != b for a, b in zip(first, second, strict=True))
