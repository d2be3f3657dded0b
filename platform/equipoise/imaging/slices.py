"""One slice or view of a series as its header tells it, and its stored pixels when they are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_modality_lut
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from equipoise.imaging.dicom_header import DAMAGE, DicomHeader, open_dataset, quiet_pydicom
from equipoise.imaging.errors import TruncatedFileError
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits

PLANAR_ORIENTATION = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""Stands where a view has no place in the patient."""

_DECODING_FAULTS = (*DAMAGE, OSError, RuntimeError)


_PIXEL_DATA_TAG = b"\xe0\x7f\x10\x00"
_LONG_FORM_VRS = (b"OW", b"OB")
_EXPLICIT_BYTES, _IMPLICIT_BYTES = 12, 8
"""Length of the head of the pixel element: tag, VR, two bytes, u32; or tag, u32."""


@dataclass(frozen=True, slots=True)
class PlainPixels:
    """Pixels that lie in the file as they are: 16 bits each, little-endian, nothing to decode."""

    offset: int
    signed: bool
    bits_stored: int


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One slice of a volume, or one view of a planar image."""

    path: Path
    instance_uid: str
    position_mm_xyz: tuple[float, ...]
    orientation: tuple[float, ...]
    shape_yx: tuple[int, int]
    spacing_mm_yx: tuple[float, float]
    slope: float
    intercept: float
    frame: int | None = None
    """Which frame of its file it is (from 0); None where the file is the slice."""
    inverted: bool = False
    """Whether the lowest value is shown white (MONOCHROME1)."""
    plain: PlainPixels | None = None
    """Where the pixels lie, if they need no decoding."""


def rescale_of(header: DicomHeader) -> tuple[float, float]:
    """Return slope and intercept of a header, 1 and 0 where it has none."""
    slope, intercept = header.number("RescaleSlope"), header.number("RescaleIntercept")
    return (1.0 if slope is None else slope, 0.0 if intercept is None else intercept)


def plain_pixels_of(header: DicomHeader) -> PlainPixels | None:
    """Return where a single-frame file's pixels lie, None where pydicom must decode them."""
    syntax = getattr(header.dataset, "file_meta", {}).get("TransferSyntaxUID")
    if (
        syntax not in (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
        or "ModalityLUTSequence" in header.dataset
    ):
        return None
    allocated, stored, high = (header.number(k) for k in ("BitsAllocated", "BitsStored", "HighBit"))
    rows, columns = header.number("Rows"), header.number("Columns")
    if (
        allocated != 16
        or stored is None
        or not 1 <= stored <= 16
        or high != stored - 1
        or not rows
        or not columns
    ):
        return None
    with header.path.open("rb") as source:
        source.seek(header.pixel_offset)
        head = source.read(_EXPLICIT_BYTES)
    length, start = head[4:8], _IMPLICIT_BYTES
    if syntax == ExplicitVRLittleEndian:
        if head[4:6] not in _LONG_FORM_VRS:
            return None
        length, start = head[8:12], _EXPLICIT_BYTES
    if head[:4] != _PIXEL_DATA_TAG or int.from_bytes(length, "little") != int(rows) * int(columns) * 2:
        return None
    signed = header.number("PixelRepresentation", 0.0) == 1
    return PlainPixels(header.pixel_offset + start, signed, int(stored))


def stored_pixels(
    slices: Sequence[SliceHeader], *, limits: ReadLimits = DEFAULT_LIMITS
) -> Iterator[tuple[int, NDArray[np.integer]]]:
    """Yield the place in ``slices`` and the pixels of every slice, file by file, one frame decoded at a time.

    Pixels are as stored, or as the modality lookup table gives them where the file has one; slope and
    intercept are not applied.

    Raises
    ------
    TruncatedFileError
        If a file's pixels cannot be decoded.
    """
    for path, places in places_by_file(slices).items():
        for place, pixels in zip(places, _decoded(path, [slices[p] for p in places], limits), strict=True):
            if pixels.shape != slices[place].shape_yx:
                raise TruncatedFileError(
                    f"{path.name} holds another number of pixels than its header says.", file=path.name
                )
            yield place, pixels


def places_by_file(slices: Sequence[SliceHeader]) -> dict[Path, list[int]]:
    """Return which places of the sequence each file holds, in the order of their first ones."""
    by_path: dict[Path, list[int]] = {}
    for place, header in enumerate(slices):
        by_path.setdefault(header.path, []).append(place)
    return by_path


def plain_pixels(header: SliceHeader, plain: PlainPixels) -> NDArray[np.integer]:
    """Return pixels that need no decoding, (y, x). Unlike pydicom's decoding, this is safe in any thread.

    Raises
    ------
    TruncatedFileError
        If the file ends before its pixels do.
    """
    rows, columns = header.shape_yx
    kind = np.dtype("<i2" if plain.signed else "<u2")
    pixels: NDArray[np.integer] = np.fromfile(header.path, kind, rows * columns, offset=plain.offset)
    if pixels.size != rows * columns:
        raise TruncatedFileError(
            f"{header.path.name} ends before its content does; copy it again.", file=header.path.name
        )
    unused = kind.itemsize * 8 - plain.bits_stored
    if unused:  # whatever stands in them, as pydicom clears them
        np.left_shift(pixels, unused, out=pixels)
        np.right_shift(pixels, unused, out=pixels)
    return pixels.reshape(rows, columns)


def _decoded(path: Path, wanted: list[SliceHeader], limits: ReadLimits) -> Iterator[NDArray[np.integer]]:
    frames = _frames(path, wanted, limits)
    while True:
        try:
            with quiet_pydicom():  # while decoding alone, not while the caller holds a frame
                pixels = next(frames, None)
        except _DECODING_FAULTS as error:
            raise TruncatedFileError(
                f"The pixels of {path.name} cannot be decoded: the file is damaged or ends early; copy it again.",
                file=path.name,
            ) from error
        if pixels is None:
            return
        yield pixels


def _frames(path: Path, wanted: list[SliceHeader], limits: ReadLimits) -> Iterator[NDArray[np.integer]]:
    first = wanted[0]
    if first.plain is not None:
        yield plain_pixels(first, first.plain)
        return
    dataset = open_dataset(path, limits=limits)
    if len(wanted) == 1 and first.frame is None:
        yield _after_lookup(dataset.pixel_array, dataset)
        return
    for pixels in iter_pixels(dataset, indices=[header.frame or 0 for header in wanted]):
        yield _after_lookup(pixels, dataset)


def _after_lookup(pixels: NDArray[np.integer], dataset: Any) -> NDArray[np.integer]:
    if "ModalityLUTSequence" not in dataset:
        return pixels
    found: NDArray[np.integer] = apply_modality_lut(pixels, dataset)
    return found
