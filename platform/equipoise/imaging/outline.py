"""The outline that a reader sees: one pipeline for every source, one length for both panes.

A mask, whoever drew it and however it was delivered, is on the image grid; its slice goes through marching
squares at 0.5, and every loop is resampled to equal vertex spacing. An expert's polygon and a network's
probability map thus leave the same kind of line, and nothing in the bytes but the drawn coordinates tells
them apart.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

LEVEL = 0.5
"""Half way between outside (0) and inside (1): the line runs along pixel edges, cutting corners."""

VERTEX_SPACING_PX = 1.0
"""Distance between neighbouring vertices along every loop, in pixels."""

MIN_VERTICES = 8
"""Fewest vertices of a loop; smaller loops have closer vertices instead."""

SMALLEST_CAPACITY = 256
"""Vertices of the smallest packet; larger ones double, so that sizes say little about the outline."""

MAGIC = b"EQOL"
"""First bytes of an outline packet."""

ENCODING_VERSION = 1
_HEADER = struct.Struct("<4sHHII")

Loop = NDArray[np.float32]
"""Vertices (x, y) of a closed loop in pixels, integers at pixel centres, shape (n, 2), the first not
repeated."""


def outline_of_slice(
    mask_2d: NDArray[np.bool_], *, vertex_spacing_px: float = VERTEX_SPACING_PX
) -> list[Loop]:
    """Return the closed loops around the true pixels of a slice.

    Parameters
    ----------
    mask_2d : bool array, shape (y, x)
    vertex_spacing_px : float
        Wanted distance between vertices along the loop; each loop's own spacing is its length divided by the
        nearest whole number of vertices.

    Returns
    -------
    list of float32 arrays, each (n, 2)
        Vertices (x, y); holes are loops of their own; an empty mask gives an empty list. Pixels that touch at
        a corner only are separate.
    """
    return [resample_loop(loop, spacing_px=vertex_spacing_px) for loop in boundary_loops(mask_2d)]


def boundary_loops(mask_2d: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the marching-squares loops themselves, (x, y), the first vertex not repeated.

    They cross half way between pixel centres, so rasterising them returns exactly the mask.
    """
    if mask_2d.ndim != 2:
        raise ValueError(f"mask_2d must have two axes, got shape {mask_2d.shape}.")
    rows, columns = np.flatnonzero(mask_2d.any(axis=1)), np.flatnonzero(mask_2d.any(axis=0))
    if rows.size == 0:
        return []
    box = mask_2d[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    padded = np.pad(box.astype(np.float64), 1)  # so that loops close at the image's border
    first_xy = np.array([columns[0] - 1, rows[0] - 1], dtype=float)
    return [loop_yx[:-1, ::-1] + first_xy for loop_yx in find_contours(padded, LEVEL, fully_connected="low")]


def resample_loop(loop_xy: NDArray[np.floating], *, spacing_px: float) -> Loop:
    """Return a closed loop with vertices equally spaced along it, starting at its first vertex."""
    if spacing_px <= 0:
        raise ValueError(f"spacing_px must be positive, got {spacing_px}.")
    closed = np.vstack([loop_xy, loop_xy[:1]])
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))))
    count = max(MIN_VERTICES, round(along[-1] / spacing_px))
    places = np.arange(count) * (along[-1] / count)
    vertices = np.column_stack([np.interp(places, along, closed[:, axis]) for axis in (0, 1)])
    return vertices.astype(np.float32)


def packet_capacity(outlines: Iterable[Sequence[Loop]]) -> int:
    """Return the vertices of the smallest packet that each of the outlines fits: 256, 512, 1024, ..."""
    needed = max((_vertices_needed(loops) for loops in outlines), default=0)
    capacity = SMALLEST_CAPACITY
    while capacity < needed:
        capacity *= 2
    return capacity


@dataclass(frozen=True, slots=True)
class OutlinePacket:
    """An outline as bytes of a length that depends on the capacity alone.

    Layout, little-endian: 4 bytes ``EQOL``, u16 version (1), u16 0, u32 capacity, u32 0, then ``capacity``
    pairs of float32 (x, y). A pair of NaN ends a loop and the next pair begins another; after the last loop
    its first vertex is repeated up to the capacity, which draws nothing. A packet without a loop is NaN
    throughout.
    """

    capacity: int
    loops: tuple[Loop, ...]

    def encode(self) -> bytes:
        """Return the packet's bytes.

        Raises
        ------
        ValueError
            If the loops do not fit.
        """
        needed = _vertices_needed(self.loops)
        if needed > self.capacity:
            raise ValueError(f"The outline needs {needed} vertices, the packet has {self.capacity}.")
        pairs = np.full((self.capacity, 2), np.nan, dtype="<f4")
        place = 0
        for loop in self.loops:
            pairs[place : place + len(loop)] = loop
            place += len(loop) + 1
        if self.loops:
            pairs[place - 1 :] = self.loops[-1][0]
        return _HEADER.pack(MAGIC, ENCODING_VERSION, 0, self.capacity, 0) + pairs.tobytes()

    @classmethod
    def decode(cls, encoded: bytes) -> "OutlinePacket":
        """Return the packet of bytes; the repeated closing vertex is dropped.

        Raises
        ------
        ValueError
            If the bytes are no outline packet.
        """
        if len(encoded) < _HEADER.size:
            raise ValueError("Not an outline packet: too short.")
        magic, version, _, capacity, _ = _HEADER.unpack_from(encoded)
        if magic != MAGIC or version != ENCODING_VERSION or len(encoded) != _HEADER.size + 8 * capacity:
            raise ValueError("Not an outline packet: magic, version or length does not fit.")
        pairs = np.frombuffer(encoded, dtype="<f4", offset=_HEADER.size).reshape(capacity, 2)
        ends = np.flatnonzero(np.isnan(pairs[:, 0]))
        pieces = [piece[~np.isnan(piece[:, 0])] for piece in np.split(pairs, ends)]
        loops = [piece for piece in pieces if len(piece)]
        if loops:
            last = loops[-1]
            repeats = np.all(last == last[0], axis=1)
            repeats[0] = False
            loops[-1] = last[: np.flatnonzero(repeats)[0]] if repeats.any() else last
        return cls(capacity, tuple(loops))


def encode_outlines(outlines: Sequence[Sequence[Loop]]) -> list[bytes]:
    """Return one packet per outline, all of the same length: the pair, or set, that one reading shows."""
    capacity = packet_capacity(outlines)
    return [OutlinePacket(capacity, tuple(loops)).encode() for loops in outlines]


def _vertices_needed(loops: Sequence[Loop]) -> int:
    """Vertices of all loops, the breaks between them, and one closing vertex."""
    return sum(len(loop) for loop in loops) + len(loops)
