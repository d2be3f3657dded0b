"""``multipart/related``: a body of many DICOM files, read part by part and written part by part."""

import logging
from collections.abc import Iterable, Iterator
from email.message import Message
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from equipoise.archive.dicomweb.errors import DicomwebSyntaxError, UnsupportedMediaTypeError
from equipoise.common.errors import TooLargeError
from equipoise.common.ids import new_id

logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # its warnings quote what was sent

DICOM = "application/dicom"
MULTIPART = "multipart/related"
_CRLF = b"\r\n"


def boundary_of(content_type: str) -> str:
    """Return the boundary of a body of DICOM files.

    Raises
    ------
    UnsupportedMediaTypeError
        If the body is of another type, or of other parts.
    DicomwebSyntaxError
        If there is no boundary.
    """
    message = Message()
    message["Content-Type"] = content_type
    if message.get_content_type() != MULTIPART:
        raise UnsupportedMediaTypeError(f'Send {MULTIPART}; type="{DICOM}".')
    parts = str(message.get_param("type", DICOM)).strip().lower()
    if parts != DICOM:
        raise UnsupportedMediaTypeError(f'Only parts of the type "{DICOM}" are read; send the files whole.')
    boundary = message.get_boundary()
    if not boundary or not boundary.isascii():
        raise DicomwebSyntaxError("The Content-Type names no boundary between the parts.")
    return boundary


class PartFiles:
    """Writes the parts of a body into files of a folder, as the bytes come, under names of our own.

    Parameters
    ----------
    folder : Path
        Exists, and is the caller's alone.
    boundary : str
        Between the parts.
    max_parts, max_part_bytes : int
        More is refused while it comes; what was written stays for the caller to delete.
    """

    def __init__(self, folder: Path, boundary: str, *, max_parts: int, max_part_bytes: int) -> None:
        self._folder, self._max_parts, self._max_part_bytes = folder, max_parts, max_part_bytes
        self._count = 0
        self._sink: BinaryIO | None = None
        self._path = folder
        self._size = 0
        self._done: list[Path] = []
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_part_data": self._data,
                    "on_part_end": self._end,
                    "on_end": self._finish,
                },
            )
        except FormParserError as error:
            raise DicomwebSyntaxError("The boundary between the parts is too long.") from error

    def read(self, chunks: Iterable[bytes]) -> Iterator[Path]:
        """Yield each part's file once it is whole.

        Raises
        ------
        DicomwebSyntaxError
            If the body is not what its boundary says, or ends early.
        TooLargeError
            If it has too many parts, or one is too long.
        """
        try:
            for chunk in chunks:
                try:
                    self._parser.write(chunk)
                except FormParserError as error:
                    raise DicomwebSyntaxError(
                        "The body is not made of parts between its boundary."
                    ) from error
                yield from self._taken()
            if not self._ended:
                raise DicomwebSyntaxError("The body ends before its last boundary; send it again.")
        finally:
            if self._sink is not None:
                self._sink.close()

    def _taken(self) -> list[Path]:
        done, self._done = self._done, []
        return done

    def _begin(self) -> None:
        self._count += 1
        if self._count > self._max_parts:
            raise TooLargeError(
                f"One request may have {self._max_parts} parts; send fewer instances at a time."
            )
        self._path, self._size = self._folder / f"{new_id()}.dcm", 0
        self._sink = self._path.open("xb")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > self._max_part_bytes:
            raise TooLargeError(f"One instance may have {self._max_part_bytes:,} bytes.")
        assert self._sink is not None
        self._sink.write(memoryview(data)[start:end])

    def _end(self) -> None:
        assert self._sink is not None
        self._sink.close()
        self._sink = None
        self._done.append(self._path)

    def _finish(self) -> None:
        self._ended = True


def related_body(parts: Iterable[bytes], *, boundary: str, content_type: str) -> Iterator[bytes]:
    """Yield the body of an answer with these parts, one part in memory at a time."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("ascii")
    line = f"--{boundary}".encode("ascii")
    for part in parts:
        yield line + _CRLF + head
        yield part
        yield _CRLF
    yield line + b"--" + _CRLF
