"""Reading a DICOM header without its pixels: what kind of file it is, and that it holds what it claims.

pydicom's warnings quote the values they complain about, which may be a person's name; they are therefore
switched off while a header is read, and every fault is told in words of our own.
"""

import logging
import os
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filebase import DicomBytesIO
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from equipoise.imaging.dicom_scan import HEAD_BYTES, scan_header
from equipoise.imaging.dicom_size import (
    MOST_ELEMENTS,
    CountedStream,
    TooManyElementsError,
    check_elements,
)
from equipoise.imaging.errors import (
    ImageTooLargeError,
    NotAnImageError,
    TruncatedFileError,
    UnsupportedImageError,
)
from equipoise.imaging.limits import DEFAULT_LIMITS, RATIO_CHECKED_ABOVE_BYTES, ReadLimits

logging.getLogger("pydicom").setLevel(logging.CRITICAL)

DICOM_MARK = b"DICM"
"""Bytes 128 to 131 of a DICOM file."""

_PREAMBLE_BYTES = 128
_DEFLATED_SYNTAX = DeflatedExplicitVRLittleEndian.encode()
"""pydicom would inflate such a file whole, whatever it inflates to."""

_GROUP_LENGTH_ELEMENT_BYTES = 12
"""The first element of the file's own header, (0002,0000) UL: its value counts the bytes after it."""

_META_BYTES = 2048
"""Where the transfer syntax stands in every sensible file."""

_INFLATED_BLOCK_BYTES = 1 << 20

_PIXEL_ELEMENT_HEADER_BYTES = 8
"""Tag and length of the shortest form (implicit VR)."""

_BARE_DATASET_STARTS = (b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00", b"\x08\x00\x16\x00")
"""First elements of a data set that was stored without preamble, as some planning systems do."""

_KNOWN_STARTS = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"NRRD", "an NRRD file"),
    (b"<", "a text file"),
    (b"{", "a text file"),
)

_TEXT_VRS = frozenset({"AS", "CS", "DA", "LO", "SH", "UI"})
_PLAIN_VRS = _TEXT_VRS | {"DS"}
_NUMBER = re.compile(r" *[+-]?\d+(\.\d*)?([eE][+-]?\d+)? *")

_quiet = threading.local()

DAMAGE = (
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    KeyError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom raises on files that are damaged or made to harm."""


@dataclass(frozen=True, slots=True)
class DicomHeader:
    """A DICOM file's header, its pixels unread."""

    path: Path
    dataset: FileDataset = field(repr=False)
    pixel_offset: int
    size_bytes: int
    """Of the file; of what it inflates to where it is deflated."""

    @property
    def is_index(self) -> bool:
        """Whether the file only lists others (DICOMDIR), whatever its name."""
        return _is_index(self.dataset)

    def value(self, keyword: str) -> Any:
        """Return an attribute's value, None where absent. pydicom parses it only now, and may find it damaged."""
        with quiet_pydicom():
            try:
                return self.dataset.get(keyword)
            except DAMAGE as error:
                raise NotAnImageError(
                    f"{self.path.name} is damaged: its DICOM attribute {keyword} cannot be read; export it again.",
                    file=self.path.name,
                ) from error

    def text(self, keyword: str) -> str:
        """Return an attribute as stripped text, empty where absent."""
        plain = self._plain(keyword)
        if plain is not None and _entry(keyword)[1] in _TEXT_VRS:
            return plain
        value = self.value(keyword)
        return "" if value is None else str(value).strip()

    def numbers(self, keyword: str, count: int) -> tuple[float, ...]:
        """Return an attribute's numbers; raise if they are not exactly as many."""
        plain = self._plain(keyword)
        if plain is not None and _entry(keyword)[1] == "DS":
            parts = plain.split("\\")
            if len(parts) == count and all(map(_NUMBER.fullmatch, parts)):
                return tuple(map(float, parts))
        value = self.value(keyword)
        values = value if isinstance(value, list | pydicom.multival.MultiValue) else [value]
        try:
            result = tuple(float(v) for v in values)
        except (TypeError, ValueError):
            result = ()
        if len(result) != count:
            raise NotAnImageError(
                f"{self.path.name}: the DICOM attribute {keyword} must hold {count} number(s).",
                file=self.path.name,
            )
        return result

    def number(self, keyword: str, default: float | None = None) -> float | None:
        """Return an attribute's number, or the default where it is absent or no number."""
        plain = self._plain(keyword)
        if plain is not None and _entry(keyword)[1] == "DS" and _NUMBER.fullmatch(plain):
            return float(plain)
        try:
            return float(self.value(keyword))
        except (TypeError, ValueError):
            return default

    def _plain(self, keyword: str) -> str | None:
        """Return an attribute that pydicom has not parsed yet and need not: ASCII of a kind that has no escapes."""
        tag, vr = _entry(keyword)
        element: object = self.dataset.get_item(tag, keep_deferred=True)
        if not isinstance(element, RawDataElement) or vr not in _PLAIN_VRS or element.VR not in (None, vr):
            return None
        content = (element.value or b"").strip(b"\0 ")
        if not content.isascii() or not content.decode("ascii").isprintable():
            return None
        return None if vr != "DS" and b"\\" in content else content.decode("ascii")


@lru_cache(maxsize=256)
def _entry(keyword: str) -> tuple[BaseTag, str]:
    """Return tag and value representation of an attribute."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise ValueError(f"{keyword!r} is not the keyword of a DICOM attribute.")
    return BaseTag(tag), dictionary_VR(tag)


def looks_like_dicom(path: Path) -> bool:
    """Say whether the first bytes are those of a DICOM file or of a bare data set."""
    head = _head(path)
    return head[_PREAMBLE_BYTES:] == DICOM_MARK or head.startswith(_BARE_DATASET_STARTS)


def describe_content(path: Path) -> str:
    """Say what a file's first bytes are, for a sentence."""
    head = _head(path)
    if not head:
        return "an empty file"
    return next((words for start, words in _KNOWN_STARTS if head.startswith(start)), "something else")


def read_header(path: Path, *, limits: ReadLimits = DEFAULT_LIMITS) -> DicomHeader:
    """Read a DICOM file up to its pixels.

    Raises
    ------
    NotAnImageError
        If it is not DICOM, whatever its name.
    TruncatedFileError
        If it ends inside its header.
    ImageTooLargeError
        If it is deflated and inflates to more than the limit.
    """
    if not looks_like_dicom(path):
        raise NotAnImageError(
            f"{path.name} is not a DICOM file but {describe_content(path)}; send the DICOM file itself.",
            file=path.name,
        )
    with path.open("rb") as source:
        head, size = source.read(HEAD_BYTES), os.fstat(source.fileno()).st_size
    with quiet_pydicom():
        try:
            scanned = scan_header(path, head)
            if scanned is not None:
                dataset, offset = scanned.dataset, scanned.pixel_offset
            else:
                dataset, offset, size = _read_by_pydicom(path, limits)
            dataset.get("Rows")
        except EOFError as error:
            raise _truncated(path) from error
        except DAMAGE as error:
            raise NotAnImageError(
                f"{path.name} is damaged: its DICOM header cannot be read; export it again.", file=path.name
            ) from error
    if _is_index(dataset):
        return DicomHeader(path, dataset, offset, size)
    if "SOPClassUID" not in dataset and "Modality" not in dataset:
        if offset >= size:
            raise _truncated(path)
        raise NotAnImageError(
            f"{path.name} is DICOM, but neither an image nor a structure set.", file=path.name
        )
    return DicomHeader(path, dataset, offset, size)


def _read_by_pydicom(path: Path, limits: ReadLimits) -> tuple[FileDataset, int, int]:
    """Return the header, where the pixels begin and how many bytes there are, inflated if they were deflated."""
    with _plain_stream(path, limits) as source:
        size = source.seek(0, os.SEEK_END)
        source.seek(0)
        dataset = _dataset_of(source, path, stop_before_pixels=True)
        return dataset, source.tell(), size


def open_dataset(path: Path, *, limits: ReadLimits = DEFAULT_LIMITS) -> FileDataset:
    """Read a whole DICOM file with pydicom, no more of it than the limits allow. Its other faults are pydicom's own."""
    with _plain_stream(path, limits) as source:
        return _dataset_of(source, path, stop_before_pixels=False)


def _dataset_of(source: BinaryIO, path: Path, *, stop_before_pixels: bool) -> FileDataset:
    try:
        counted = cast(BinaryIO, CountedStream(source))
        dataset = pydicom.dcmread(counted, stop_before_pixels=stop_before_pixels, force=True)
        check_elements(dataset.values())
    except TooManyElementsError as error:
        raise ImageTooLargeError(
            f"{path.name} has more than {MOST_ELEMENTS:,} DICOM elements, or sequences too deep to be read.",
            file=path.name,
        ) from error
    return dataset


def check_pixels(
    header: DicomHeader, limits: ReadLimits, *, photometric: Collection[str] = ("MONOCHROME2",)
) -> None:
    """Refuse, before anything is allocated, an image that claims too much or whose file is too short for its
    claim.

    Raises
    ------
    ImageTooLargeError, TruncatedFileError, UnsupportedImageError
    """
    rows, columns, frames = (int(header.number(k) or 0) for k in ("Rows", "Columns", "NumberOfFrames"))
    frames = max(frames, 1)
    name = header.path.name
    if rows < 1 or columns < 1:
        raise UnsupportedImageError(f"{name} has no rows or columns: it is not an image.", file=name)
    samples = int(header.number("SamplesPerPixel", 1.0) or 1)
    bits = int(header.number("BitsAllocated", 16.0) or 16)
    claimed = rows * columns * frames * samples * bits // 8
    if max(claimed, rows * columns * frames * 2) > limits.max_image_bytes:
        raise ImageTooLargeError(
            f"{name} claims {rows} x {columns} pixels in {frames} frame(s), {claimed:,} bytes; "
            f"at most {limits.max_image_bytes:,} bytes are read as one image.",
            file=name,
        )
    if rows * columns * 2 > limits.max_frame_bytes:
        raise ImageTooLargeError(
            f"{name} claims {rows} x {columns} pixels; at most {limits.max_frame_bytes:,} bytes are read as one frame.",
            file=name,
        )
    if samples != 1 or header.text("PhotometricInterpretation") not in photometric:
        raise UnsupportedImageError(
            f"{name} is not a {' or '.join(photometric)} grey-scale image with one sample per pixel; colour and "
            "otherwise inverted images are not handled.",
            file=name,
        )
    present = header.size_bytes - header.pixel_offset - _PIXEL_ELEMENT_HEADER_BYTES
    if present <= 0 or (not _is_compressed(header.dataset) and present < claimed):
        raise _truncated(header.path)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom from validating values and from quoting them in warnings. Inside another it costs nothing."""
    if getattr(_quiet, "entered", False):
        yield
        return
    _quiet.entered = True
    try:
        with _silence():
            yield
    finally:
        _quiet.entered = False


@contextmanager
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _is_index(dataset: FileDataset) -> bool:
    meta = getattr(dataset, "file_meta", None) or {}
    with quiet_pydicom():
        try:
            return bool(meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage)
        except DAMAGE:
            return False


def _plain_stream(path: Path, limits: ReadLimits) -> BinaryIO:
    """Open a file; a deflated one as the bytes it inflates to, with a header that says so."""
    with path.open("rb") as source:
        head = source.read(_META_BYTES)
    if _DEFLATED_SYNTAX not in head or head[_PREAMBLE_BYTES:][:4] != DICOM_MARK:
        return path.open("rb")
    with quiet_pydicom():
        try:
            meta = pydicom.filereader.read_file_meta_info(path)
            is_deflated = meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
            length = int(meta.get("FileMetaInformationGroupLength") or 0)
        except DAMAGE as error:
            raise NotAnImageError(
                f"{path.name} is damaged: its DICOM header cannot be read; export it again.", file=path.name
            ) from error
        return _inflated(path, meta, length, limits) if is_deflated else path.open("rb")


def _inflated(path: Path, meta: FileMetaDataset, meta_length: int, limits: ReadLimits) -> BinaryIO:
    """Return what the file inflates to, block by block, so that there is one copy and never more than the limit."""
    plain = DicomBytesIO()
    plain.is_little_endian, plain.is_implicit_VR = True, False
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    plain.write(b"\0" * _PREAMBLE_BYTES + DICOM_MARK)
    try:
        pydicom.filewriter.write_file_meta_info(plain, meta, enforce_standard=False)
    except DAMAGE as error:
        raise NotAnImageError(
            f"{path.name} is damaged: its DICOM header cannot be read; export it again.", file=path.name
        ) from error
    content = BytesIO(plain.getvalue())
    content.seek(0, os.SEEK_END)
    packed_bytes = path.stat().st_size
    allowed_ratio_bytes = max(int(limits.max_compression_ratio * packed_bytes), RATIO_CHECKED_ABOVE_BYTES)
    most = min(limits.max_image_bytes, limits.max_inflated_bytes, allowed_ratio_bytes)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    with path.open("rb") as source:
        source.seek(_PREAMBLE_BYTES + len(DICOM_MARK) + _GROUP_LENGTH_ELEMENT_BYTES)
        source.seek(max(meta_length, 0), os.SEEK_CUR)
        try:
            while not inflater.eof and (
                packed := inflater.unconsumed_tail or source.read(_INFLATED_BLOCK_BYTES)
            ):
                content.write(inflater.decompress(packed, _INFLATED_BLOCK_BYTES))
                if content.tell() > most:
                    raise ImageTooLargeError(
                        f"{path.name} inflates to more than the {most:,} bytes that are read of a file of its size.",
                        file=path.name,
                    )
        except zlib.error as error:
            raise _truncated(path) from error
    if not inflater.eof:
        raise _truncated(path)
    content.seek(0)
    return content


def _is_compressed(dataset: Any) -> bool:
    syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    try:
        return bool(syntax is not None and syntax.is_compressed)
    except ValueError:  # a private transfer syntax: only its decoder could tell
        return True


def _truncated(path: Path) -> TruncatedFileError:
    return TruncatedFileError(f"{path.name} ends before its content does; copy it again.", file=path.name)


def _head(path: Path) -> bytes:
    with path.open("rb") as source:
        return source.read(_PREAMBLE_BYTES + len(DICOM_MARK))
