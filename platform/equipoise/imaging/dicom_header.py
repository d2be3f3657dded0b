"""Reading a DICOM header without its pixels: what kind of file it is, and that it holds what it claims.

pydicom's warnings quote the values they complain about, which may be a person's name; they are therefore
switched off while a header is read, and every fault is told in words of our own.
"""

import logging
import os
import struct
import threading
import warnings
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filebase import DicomBytesIO
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from equipoise.imaging.errors import (
    ImageTooLargeError,
    NotAnImageError,
    TruncatedFileError,
    UnsupportedImageError,
)
from equipoise.imaging.limits import DEFAULT_LIMITS, ReadLimits

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
        value = self.value(keyword)
        return "" if value is None else str(value).strip()

    def numbers(self, keyword: str, count: int) -> tuple[float, ...]:
        """Return an attribute's numbers; raise if they are not exactly as many."""
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
        try:
            return float(self.value(keyword))
        except (TypeError, ValueError):
            return default


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
    with _plain_stream(path, limits) as source, quiet_pydicom():
        size = source.seek(0, os.SEEK_END)
        source.seek(0)
        try:
            dataset = pydicom.dcmread(source, stop_before_pixels=True, force=True)
            offset = source.tell()
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


def open_dataset(path: Path, *, limits: ReadLimits = DEFAULT_LIMITS) -> FileDataset:
    """Read a whole DICOM file with pydicom, inflating no more than the limit. Its faults are pydicom's own."""
    with _plain_stream(path, limits) as source:
        return pydicom.dcmread(source, force=True)


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
    with path.open("rb") as source:
        source.seek(_PREAMBLE_BYTES + len(DICOM_MARK) + _GROUP_LENGTH_ELEMENT_BYTES)
        source.seek(max(meta_length, 0), os.SEEK_CUR)
        packed = source.read()
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(packed, limits.max_image_bytes)
    except zlib.error as error:
        raise _truncated(path) from error
    if inflater.unconsumed_tail:
        raise ImageTooLargeError(
            f"{path.name} inflates to more than the {limits.max_image_bytes:,} bytes that are read as one image.",
            file=path.name,
        )
    if not inflater.eof:
        raise _truncated(path)
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
    plain.write(content)
    return BytesIO(plain.getvalue())


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
