"""Where voxels lie in the patient: one grid class, one way round for display.

Conventions
-----------
- Patient coordinates are LPS in mm, as in DICOM: +x to the patient's left, +y to the back, +z to the head.
- Arrays and shapes are ``(z, y, x)``; points are ``(x, y, z)``.
- An index names the *centre* of a voxel, so index ``(0, 0, 0)`` lies at the grid's origin and the image's
  outer edge at index -0.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging.errors import UnsupportedImageError

CORNER_TOLERANCE_MM = 0.1
"""Two grids are the same if no outer corner of one is further than this from that of the other: a tenth of
the finest clinical CT voxel, and well above what rounding to four decimals costs over 512 voxels."""

UNIT_TOLERANCE = 1e-3
"""Largest departure of direction cosines from unit length and right angles."""

MAX_OBLIQUE_DEG = 30.0
"""Axes further than this from the patient's are refused: no way round is then the usual one."""

Triple = tuple[float, float, float]
Matrix3 = tuple[Triple, Triple, Triple]

IDENTITY: Matrix3 = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
"""Columns to the left, rows to the back, slices to the head: how every volume is stored and shown."""

_AXIS_NAMES = ("x", "y", "z")


@dataclass(frozen=True, slots=True)
class Grid:
    """The voxel grid of an image or mask.

    Parameters
    ----------
    shape_zyx : tuple of three int
        Number of slices, rows, columns.
    spacing_mm_zyx : tuple of three float
        Distance between voxel centres along slices, rows, columns; positive.
    origin_mm_xyz : tuple of three float
        Centre of voxel (0, 0, 0) in patient coordinates.
    direction_3x3 : 3 x 3 nested tuple
        Columns are the unit vectors, in patient coordinates, along which the column, row and slice index
        grow.

    Raises
    ------
    ValueError
        If the shape or spacing is not positive or the directions are not orthonormal.
    """

    shape_zyx: tuple[int, int, int]
    spacing_mm_zyx: Triple
    origin_mm_xyz: Triple = (0.0, 0.0, 0.0)
    direction_3x3: Matrix3 = IDENTITY

    def __post_init__(self) -> None:
        if any(n < 1 for n in self.shape_zyx):
            raise ValueError(f"shape_zyx must be three positive numbers, got {self.shape_zyx}.")
        if not all(np.isfinite(s) and s > 0 for s in self.spacing_mm_zyx):
            raise ValueError(f"spacing_mm_zyx must be three positive numbers, got {self.spacing_mm_zyx}.")
        if not all(np.isfinite(self.origin_mm_xyz)):
            raise ValueError(f"origin_mm_xyz must be three finite numbers, got {self.origin_mm_xyz}.")
        direction = self.direction
        if direction.shape != (3, 3) or not np.allclose(
            direction.T @ direction, np.eye(3), atol=UNIT_TOLERANCE
        ):
            raise ValueError(f"direction_3x3 must have orthogonal unit columns, got {self.direction_3x3}.")

    @property
    def direction(self) -> NDArray[np.float64]:
        """Directions as a 3 x 3 array; columns as in ``direction_3x3``."""
        return np.asarray(self.direction_3x3, dtype=float)

    @property
    def spacing_mm_xyz(self) -> Triple:
        """Spacing along columns, rows, slices."""
        z, y, x = self.spacing_mm_zyx
        return (x, y, z)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing_mm_zyx)) * 1e-3

    @property
    def voxel_count(self) -> int:
        """Number of voxels."""
        z, y, x = self.shape_zyx
        return z * y * x

    def index_to_patient(self, index_xyz: NDArray[np.floating] | NDArray[np.integer]) -> NDArray[np.float64]:
        """Return patient coordinates (mm, LPS) of indices.

        Parameters
        ----------
        index_xyz : array, shape (..., 3)
            Column, row, slice index; fractions allowed; integers name voxel centres.
        """
        scaled = np.asarray(index_xyz, dtype=float) * self.spacing_mm_xyz
        return np.asarray(self.origin_mm_xyz + scaled @ self.direction.T)

    def patient_to_index(self, point_mm_xyz: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return fractional (column, row, slice) indices of patient coordinates, shape (..., 3)."""
        offset = np.asarray(point_mm_xyz, dtype=float) - self.origin_mm_xyz
        # the inverse of an orthonormal matrix is its transpose: v @ D equals D.T @ v
        return np.asarray((offset @ self.direction) / self.spacing_mm_xyz)

    def corners_mm(self) -> NDArray[np.float64]:
        """Return the eight outer corners (voxel edges, not centres), shape (8, 3), ordered by index."""
        nx, ny, nz = self.shape_zyx[::-1]
        index = [(x, y, z) for z in (-0.5, nz - 0.5) for y in (-0.5, ny - 0.5) for x in (-0.5, nx - 0.5)]
        return self.index_to_patient(np.array(index))

    def matches(self, other: "Grid", *, tolerance_mm: float = CORNER_TOLERANCE_MM) -> bool:
        """Say whether both grids have the same voxels, to within a distance at every outer corner."""
        if self.shape_zyx != other.shape_zyx:
            return False
        distance = np.linalg.norm(self.corners_mm() - other.corners_mm(), axis=1)
        return bool(distance.max() <= tolerance_mm)

    def difference(self, other: "Grid") -> str:
        """Say in words where ``other`` departs from this grid; empty if they match."""
        if self.matches(other):
            return ""
        if self.shape_zyx != other.shape_zyx:
            found, wanted = _times(other.shape_zyx), _times(self.shape_zyx)
            return f"shape {found} instead of {wanted} (slices x rows x columns)"
        if not np.allclose(self.spacing_mm_zyx, other.spacing_mm_zyx, rtol=1e-4, atol=0):
            return f"spacing {_times(other.spacing_mm_zyx)} mm instead of {_times(self.spacing_mm_zyx)} mm"
        if not np.allclose(self.direction, other.direction, atol=UNIT_TOLERANCE):
            return "other axis directions"
        shift = np.linalg.norm(np.subtract(self.origin_mm_xyz, other.origin_mm_xyz))
        return f"origin {shift:.2f} mm away"

    def as_json(self) -> dict[str, Any]:
        """Return the grid as plain lists and numbers."""
        return {
            "shape_zyx": list(self.shape_zyx),
            "spacing_mm_zyx": list(self.spacing_mm_zyx),
            "origin_mm_xyz": list(self.origin_mm_xyz),
            "direction_3x3": [list(row) for row in self.direction_3x3],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Grid":
        """Read what :meth:`as_json` wrote."""
        z, y, x = document["shape_zyx"]
        return cls(
            shape_zyx=(int(z), int(y), int(x)),
            spacing_mm_zyx=triple(document["spacing_mm_zyx"]),
            origin_mm_xyz=triple(document["origin_mm_xyz"]),
            direction_3x3=matrix3(document["direction_3x3"]),
        )


@dataclass(frozen=True, slots=True)
class AxisTransform:
    """A reordering and mirroring of array axes: what turning a volume the usual way round did to it.

    Parameters
    ----------
    axes_zyx : tuple of three int
        Axis ``k`` of the result is axis ``axes_zyx[k]`` of the input.
    flips_zyx : tuple of three bool
        Whether axis ``k`` of the result runs the other way.
    """

    axes_zyx: tuple[int, int, int] = (0, 1, 2)
    flips_zyx: tuple[bool, bool, bool] = (False, False, False)

    def apply(self, array_zyx: NDArray[Any]) -> NDArray[Any]:
        """Return a view of the array with its axes reordered and mirrored."""
        turned = np.transpose(array_zyx, self.axes_zyx)
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips_zyx)]

    def undo(self, array_zyx: NDArray[Any]) -> NDArray[Any]:
        """Return a view of the array as it was before :meth:`apply`."""
        mirrored = array_zyx[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips_zyx)]
        return np.transpose(mirrored, np.argsort(self.axes_zyx))

    def apply_to_grid(self, grid: Grid) -> Grid:
        """Return the grid of what :meth:`apply` returns; every voxel keeps its place in the patient."""
        first_index_zyx = [0, 0, 0]
        for axis, flip in zip(self.axes_zyx, self.flips_zyx, strict=True):
            if flip:
                first_index_zyx[axis] = grid.shape_zyx[axis] - 1
        origin = grid.index_to_patient(np.array(first_index_zyx[::-1]))
        columns_zyx = [grid.direction[:, 2 - axis] * (-1 if flip else 1) for axis, flip in self._pairs()]
        direction = np.stack(columns_zyx[::-1], axis=1)
        shape = [grid.shape_zyx[axis] for axis in self.axes_zyx]
        spacing = [grid.spacing_mm_zyx[axis] for axis in self.axes_zyx]
        return Grid((shape[0], shape[1], shape[2]), triple(spacing), triple(origin), matrix3(direction))

    def _pairs(self) -> list[tuple[int, bool]]:
        return list(zip(self.axes_zyx, self.flips_zyx, strict=True))

    def as_json(self) -> dict[str, Any]:
        """Return the transform as plain lists."""
        return {"axes_zyx": list(self.axes_zyx), "flips_zyx": list(self.flips_zyx)}


def display_transform(grid: Grid) -> AxisTransform:
    """Return the transform that turns a grid the usual way round: columns to the patient's left, rows to the
    back.

    Slices then run from feet to head. No voxel is interpolated: axes are reordered and mirrored only, so a
    volume that is slightly oblique stays so.

    Raises
    ------
    UnsupportedImageError
        If an axis is more than :data:`MAX_OBLIQUE_DEG` from the patient's.
    """
    cosines = grid.direction  # row: patient axis x y z; column: index axis x y z
    axes, flips = [], []
    for patient_axis in (2, 1, 0):  # the result's axes z, y, x
        index_axis = int(np.argmax(np.abs(cosines[patient_axis])))
        cosine = float(cosines[patient_axis, index_axis])
        if abs(cosine) < np.cos(np.radians(MAX_OBLIQUE_DEG)):
            angle = np.degrees(np.arccos(min(abs(cosine), 1.0)))
            raise UnsupportedImageError(
                f"The image is oblique: its axes are {angle:.0f} degrees from the patient's "
                f"{_AXIS_NAMES[patient_axis]}"
                f" axis; at most {MAX_OBLIQUE_DEG:.0f} degrees are handled."
            )
        axes.append(2 - index_axis)
        flips.append(cosine < 0)
    return AxisTransform((axes[0], axes[1], axes[2]), (flips[0], flips[1], flips[2]))


def reorder_to(array_zyx: NDArray[Any], grid: Grid, target: Grid) -> NDArray[Any] | None:
    """Return the array on the target grid if both name the same voxels, in whatever order; else None."""
    if grid.matches(target):
        return array_zyx
    to_display, target_to_display = display_transform(grid), display_transform(target)
    if not to_display.apply_to_grid(grid).matches(target_to_display.apply_to_grid(target)):
        return None
    return target_to_display.undo(to_display.apply(array_zyx))


def triple(values: Any) -> Triple:
    """Return three numbers as plain floats."""
    a, b, c = (float(v) for v in values)
    return (a, b, c)


def matrix3(values: Any) -> Matrix3:
    """Return a 3 x 3 nesting of plain floats, with negative zeros made positive."""
    rows = [triple(np.asarray(row, dtype=float) + 0.0) for row in values]
    return (rows[0], rows[1], rows[2])


def _times(values: tuple[float, ...]) -> str:
    return " x ".join(f"{v:g}" for v in values)
