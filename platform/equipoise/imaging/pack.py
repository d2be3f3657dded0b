"""Packs: all frames of an image in one file, each compressed by itself, so that one frame is one read.

Layout of ``EQPK1`` (little-endian, never changed; a new layout takes a new magic)::

    0    5 bytes  magic "EQPK1"
    5    u8       version of the encoding: 1
    6    u8       type of a pixel: 1 = int16
    7    u8       0
    8    3 x u32  shape (frames, rows, columns)
    20   u32      0
    24   3 x f64  spacing in mm (between frames, rows, columns)
    48   n rows   u64 offset, u32 length, u32 0, 32 bytes SHA-256 of the stored bytes of each frame
    ...  frames   each a gzip stream of rows x columns pixels, row by row

Frames are axial slices the usual way round (see :func:`equipoise.imaging.volume.turn_for_display`), feet
first. gzip, and not a codec of images, because every browser inflates it by itself (``Content-Encoding:
gzip``).
"""

import struct
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

import numpy as np
from isal import igzip, igzip_lib, isal_zlib
from numpy.typing import NDArray

from equipoise.imaging.geometry import Triple, triple

MAGIC = b"EQPK1"
"""First bytes of a pack."""

ENCODING_VERSION = 1
INT16 = 1
"""Code of the one pixel type that packs hold so far."""

GZIP_LEVEL = 3
"""Of ISA-L, whose levels are 0 to 3. Tried on thoracic CT slices of 512 x 512: level 3 takes 1.2 ms and gives 248 KiB,
1 takes 1.1 ms and gives 255; zlib takes 5 ms at level 1 for 246 KiB, 8 ms at 3 for 241, 34 ms at 9 for 240."""

ReadFrame = Callable[[], NDArray[np.int16]]
"""Reads one frame, (y, x); called once, in any thread."""

MAX_FRAMES = 1 << 20
_AHEAD_PER_THREAD = 2
"""Frames in work or waiting to be written, per thread: all that is in memory of an image read frame by frame."""

_GZIP_WBITS = 31
_HEADER = struct.Struct("<5sBBB3II3d")
_ROW = struct.Struct("<QII32s")


@dataclass(frozen=True, slots=True)
class FrameEntry:
    """Where a frame's bytes lie in the pack."""

    offset: int
    length: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class PackIndex:
    """The header of a pack."""

    shape_zyx: tuple[int, int, int]
    spacing_mm_zyx: Triple
    frames: tuple[FrameEntry, ...]

    @property
    def size_bytes(self) -> int:
        """Length of the whole pack."""
        last = self.frames[-1]
        return last.offset + last.length


def compress_frame(frame: NDArray[np.int16]) -> bytes:
    """Return one frame as a gzip stream; on one machine equal frames give equal bytes (no time, no name)."""
    return igzip.compress(np.ascontiguousarray(frame, dtype="<i2").data, GZIP_LEVEL, mtime=0)


def write_pack(
    sink: BinaryIO,
    frames: Iterable[ReadFrame | NDArray[np.int16]],
    *,
    shape_zyx: tuple[int, int, int],
    spacing_mm_zyx: Triple,
    threads: int = 1,
    on_frame: Callable[[NDArray[np.int16]], object] | None = None,
) -> PackIndex:
    """Write a pack to a seekable file, frame by frame.

    Parameters
    ----------
    sink : binary file
        At its beginning; seekable.
    frames : iterable of int16 arrays, (y, x), or of functions that each return one
        As many as the shape says. A function reads its frame when it is called; only a few are held at a time.
    threads : int
        In how many threads frames are read and compressed; the bytes do not depend on it.
    on_frame : callable, optional
        Called with every frame, in order, in the caller's thread.

    Raises
    ------
    ValueError
        If a frame has another shape or type, or their number is another.
    """
    count, rows, columns = shape_zyx
    entries: list[FrameEntry] = []
    offset = _HEADER.size + count * _ROW.size
    sink.seek(offset)
    with closing(_packed_frames(frames, threads)) as packed:
        for frame, stored, digest in packed:
            if frame.shape != (rows, columns) or frame.dtype != np.int16:
                raise ValueError(
                    f"Frame {len(entries)} is {frame.dtype} {frame.shape}, expected int16 {(rows, columns)}."
                )
            sink.write(stored)
            entries.append(FrameEntry(offset, len(stored), digest))
            offset += len(stored)
            if on_frame is not None:
                on_frame(frame)
    if len(entries) != count:
        raise ValueError(f"The pack was announced with {count} frames and got {len(entries)}.")
    sink.seek(0)
    sink.write(_HEADER.pack(MAGIC, ENCODING_VERSION, INT16, 0, *shape_zyx, 0, *spacing_mm_zyx))
    sink.writelines(_ROW.pack(entry.offset, entry.length, 0, entry.sha256) for entry in entries)
    return PackIndex(shape_zyx, spacing_mm_zyx, tuple(entries))


_PackedFrame = tuple[NDArray[np.int16], bytes, bytes]


def _packed_frames(
    frames: Iterable[ReadFrame | NDArray[np.int16]], threads: int
) -> Generator[_PackedFrame, None, None]:
    """Yield every frame with its stored bytes and their SHA-256, in order."""
    if threads == 1:
        yield from map(_packed_frame, frames)
        return
    waiting: deque[Future[_PackedFrame]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="pack") as pool:
        try:
            for read in frames:
                waiting.append(pool.submit(_packed_frame, read))
                if len(waiting) >= threads * _AHEAD_PER_THREAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _packed_frame(read: ReadFrame | NDArray[np.int16]) -> _PackedFrame:
    frame = read() if callable(read) else read
    stored = compress_frame(frame)
    return frame, stored, sha256(stored).digest()


def read_index(source: BinaryIO) -> PackIndex:
    """Read a pack's header.

    Raises
    ------
    ValueError
        If the file is not a pack of a version this code reads.
    """
    head = source.read(_HEADER.size)
    if len(head) < _HEADER.size or head[:5] != MAGIC:
        raise ValueError("Not an EQPK1 pack: magic or header is missing.")
    _, version, pixel_type, _, count, rows, columns, _, *spacing = _HEADER.unpack(head)
    if (version, pixel_type) != (ENCODING_VERSION, INT16):
        raise ValueError(f"EQPK1 version {version} with pixel type {pixel_type} is unknown to this code.")
    if not 1 <= count <= MAX_FRAMES:
        raise ValueError(f"The pack claims {count} frames; at most {MAX_FRAMES} are read.")
    table = source.read(count * _ROW.size)
    if len(table) < count * _ROW.size:
        raise ValueError("The EQPK1 pack ends inside its table of frames.")
    frames = tuple(
        FrameEntry(offset, length, digest) for offset, length, _, digest in _ROW.iter_unpack(table)
    )
    return PackIndex((count, rows, columns), triple(spacing), frames)


def decompress_frame(stored: bytes, index: PackIndex) -> NDArray[np.int16]:
    """Return a frame's pixels, (y, x).

    Raises
    ------
    ValueError
        If the bytes are damaged or of another size.
    """
    _, rows, columns = index.shape_zyx
    try:
        pixels = isal_zlib.decompress(stored, wbits=_GZIP_WBITS)
    except igzip_lib.IsalError as error:  # type: ignore[misc]  # the stub has it as a function
        raise ValueError(f"A frame of the pack is damaged: {error}.") from error
    return np.frombuffer(pixels, dtype="<i2").reshape(rows, columns).astype(np.int16, copy=False)


class PackReader:
    """A pack file open for reading; a context manager."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            self.index = read_index(self._file)
        except ValueError:
            self._file.close()
            raise

    def __enter__(self) -> "PackReader":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def stored_frame(self, number: int) -> bytes:
        """Return the compressed bytes of frame ``number`` (from 0)."""
        entry = self.index.frames[number]
        self._file.seek(entry.offset)
        return self._file.read(entry.length)

    def frame(self, number: int) -> NDArray[np.int16]:
        """Return the pixels of frame ``number`` (from 0), (y, x)."""
        return decompress_frame(self.stored_frame(number), self.index)

    def array(self) -> NDArray[np.int16]:
        """Return all frames, (z, y, x)."""
        result = np.empty(self.index.shape_zyx, dtype=np.int16)
        for number in range(len(result)):
            result[number] = self.frame(number)
        return result

    def damaged_frames(self) -> Iterator[int]:
        """Yield the numbers of frames whose bytes no longer have their SHA-256."""
        for number, entry in enumerate(self.index.frames):
            if sha256(self.stored_frame(number)).digest() != entry.sha256:
                yield number
