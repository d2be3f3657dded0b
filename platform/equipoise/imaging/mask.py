"""Masks in memory and as bytes: a box around the voxels and run lengths inside it.

Layout of ``EQMK1`` (little-endian, never changed; a new layout takes a new magic)::

    0    5 bytes   magic "EQMK1"
    5    u8        version of the encoding: 1
    6    u16       0
    8    3 x u32   shape of the whole grid (z, y, x)
    20   3 x u32   first voxel of the box (z, y, x)
    32   3 x u32   shape of the box (z, y, x); zeros for an empty mask
    44   3 x f64   spacing in mm (z, y, x)
    68   3 x f64   origin in mm (x, y, z)
    92   9 x f64   directions, row by row
    164  u32       number of runs
    168  n x u32   run lengths inside the box in C order, alternately of voxels outside and inside, the first
    outside end  u32       CRC-32 of all bytes before
"""

import math
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.imaging.geometry import AxisTransform, Grid, matrix3, triple

MAGIC = b"EQMK1"
"""First bytes of an encoded mask."""

ENCODING_VERSION = 1
_HEADER = struct.Struct("<5sBH3I3I3I3d3d9dI")
_CHECKSUM = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Box:
    """A box of voxels: first index and shape, both (z, y, x)."""

    start_zyx: tuple[int, int, int]
    shape_zyx: tuple[int, int, int]

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box as an index into an array."""
        z, y, x = (slice(a, a + n) for a, n in zip(self.start_zyx, self.shape_zyx, strict=True))
        return (z, y, x)


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A set of voxels.

    Parameters
    ----------
    array : bool array, shape (z, y, x)
        True inside.
    grid : Grid
        Where the voxels lie.
    """

    array: NDArray[np.bool_]
    grid: Grid

    def __post_init__(self) -> None:
        if self.array.dtype != np.bool_:
            raise TypeError(f"array must be bool, got {self.array.dtype}.")
        if self.array.shape != self.grid.shape_zyx:
            raise ValueError(f"array has shape {self.array.shape}, its grid {self.grid.shape_zyx}.")

    @property
    def voxel_count(self) -> int:
        """Number of voxels inside."""
        return int(np.count_nonzero(self.array))

    @property
    def volume_ml(self) -> float:
        """Volume in millilitres: voxels inside times voxel volume."""
        return self.voxel_count * self.grid.voxel_volume_ml

    def box(self) -> Box | None:
        """Return the smallest box around the voxels inside; None for an empty mask."""
        return bounding_box(self.array)

    def turned(self, transform: AxisTransform) -> "Mask":
        """Return the mask with its axes reordered and mirrored, as its image was."""
        return Mask(np.ascontiguousarray(transform.apply(self.array)), transform.apply_to_grid(self.grid))


def bounding_box(array: NDArray[np.bool_]) -> Box | None:
    """Return the smallest box around the true voxels of a (z, y, x) array; None if there are none."""
    planes = np.flatnonzero(array.any(axis=(1, 2)))
    if planes.size == 0:
        return None
    z0, z1 = int(planes[0]), int(planes[-1]) + 1
    rows = np.flatnonzero(array[z0:z1].any(axis=(0, 2)))
    columns = np.flatnonzero(array[z0:z1].any(axis=(0, 1)))
    y0, y1, x0, x1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    return Box((z0, y0, x0), (z1 - z0, y1 - y0, x1 - x0))


def encode_mask(mask: Mask) -> bytes:
    """Return the mask as ``EQMK1`` bytes; equal masks give equal bytes."""
    box = mask.box() or Box((0, 0, 0), (0, 0, 0))
    runs = _run_lengths(mask.array[box.slices].ravel())
    grid = mask.grid
    body = _HEADER.pack(
        MAGIC,
        ENCODING_VERSION,
        0,
        *grid.shape_zyx,
        *box.start_zyx,
        *box.shape_zyx,
        *grid.spacing_mm_zyx,
        *grid.origin_mm_xyz,
        *(cosine for row in grid.direction_3x3 for cosine in row),
        len(runs),
    )
    body += runs.astype("<u4").tobytes()
    return body + _CHECKSUM.pack(zlib.crc32(body))


def decode_mask(encoded: bytes, *, wanted: Grid | None = None) -> Mask:
    """Return the mask of ``EQMK1`` bytes.

    Parameters
    ----------
    encoded : bytes
        They may come from anywhere: nothing is made in memory before the header is known to be sound.
    wanted : Grid or None
        The grid that the mask must lie on. Without one the header says how much memory is taken, so bytes from
        outside are decoded with one.

    Raises
    ------
    ValueError
        If the bytes are not an undamaged ``EQMK1`` mask, or the mask lies on another grid.
    """
    if len(encoded) < _HEADER.size + _CHECKSUM.size or encoded[:5] != MAGIC:
        raise ValueError("Not an EQMK1 mask: magic or header is missing.")
    body = encoded[: -_CHECKSUM.size]
    if _CHECKSUM.unpack(encoded[-_CHECKSUM.size :]) != (zlib.crc32(body),):
        raise ValueError("The EQMK1 mask is damaged: its checksum does not fit.")
    fields = _HEADER.unpack_from(body)
    if fields[1] != ENCODING_VERSION:
        raise ValueError(
            f"EQMK1 encoding version {fields[1]} is unknown; this code reads {ENCODING_VERSION}."
        )
    grid = Grid(
        fields[3:6], triple(fields[12:15]), triple(fields[15:18]), matrix3(np.reshape(fields[18:27], (3, 3)))
    )
    if wanted is not None and not wanted.matches(grid):
        raise ValueError(f"The EQMK1 mask lies on another grid: {wanted.difference(grid)}.")
    box = Box(fields[6:9], fields[9:12])
    if len(body) != _HEADER.size + 4 * fields[27]:
        raise ValueError(f"The EQMK1 mask announces {fields[27]} runs, but its length does not fit.")
    runs = np.frombuffer(body, dtype="<u4", count=fields[27], offset=_HEADER.size)
    fits = all(a + n <= size for a, n, size in zip(box.start_zyx, box.shape_zyx, grid.shape_zyx, strict=True))
    if not fits or int(runs.sum(dtype=np.uint64)) != math.prod(box.shape_zyx):
        raise ValueError("The EQMK1 mask's runs do not fill its box.")
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    array = np.zeros(grid.shape_zyx, dtype=bool)
    array[box.slices] = inside.reshape(box.shape_zyx)
    return Mask(array, grid if wanted is None else wanted)


def _run_lengths(flat: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return alternate run lengths, the first of false values (perhaps 0)."""
    if flat.size == 0:
        return np.zeros(0, dtype=np.int64)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate(([0], changes, [flat.size]))
    runs = np.diff(edges)
    return np.concatenate(([0], runs)) if flat[0] else runs
