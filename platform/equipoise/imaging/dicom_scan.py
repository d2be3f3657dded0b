"""A fast way through the headers of ordinary image files; everything else is left to pydicom.

Most files of a scan are alike: little-endian, well formed, header within the first blocks. Their elements are found
here in one pass over the bytes and handed to pydicom unread, as pydicom itself keeps them; sequences are skipped and
parsed when somebody asks. Where anything is out of the ordinary, nothing is returned and pydicom reads the file from
its beginning, with its own judgement of damaged files.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element, empty_value_for_VR
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

HEAD_BYTES = 1 << 16
"""Longer headers are not ordinary."""

_META_START = 132
_MOST_ELEMENTS, _DEEPEST = 4000, 16
_PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_CHARACTER_SET, _SYNTAX = BaseTag(0x00080005), BaseTag(0x00020010)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_SHORT_VRS = (
    "AE",
    "AS",
    "AT",
    "CS",
    "DA",
    "DS",
    "DT",
    "FD",
    "FL",
    "IS",
    "LO",
    "LT",
    "PN",
    "SH",
    "SL",
    "SS",
    "ST",
)
_SHORT = {vr.encode(): vr for vr in (*_SHORT_VRS, "TM", "UI", "UL", "US")}
_LONG_VRS = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
_LONG = {vr.encode(): vr for vr in _LONG_VRS}
_EXPLICIT, _IMPLICIT, _U32 = struct.Struct("<HH2sH"), struct.Struct("<HHI"), struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class ScannedHeader:
    """A header, and where the pixel element begins in the file."""

    dataset: FileDataset
    pixel_offset: int


class _OutOfTheOrdinaryError(Exception):
    """Leave it to pydicom."""


def scan_header(path: Path, head: bytes) -> ScannedHeader | None:
    """Return the header in a file's first :data:`HEAD_BYTES`, None where pydicom should read it."""
    if head[128:_META_START] != b"DICM":
        return None
    try:
        meta, place = _elements(head, _META_START, explicit=True, until_group=2)
        syntax = cast("bytes | None", meta[_SYNTAX].value) if _SYNTAX in meta else None
        uid = syntax.rstrip(b"\0 ").decode("ascii") if syntax else ""
        if not uid or uid in (DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian):
            return None
        explicit = uid != ImplicitVRLittleEndian
        if explicit is not head[place + 4 : place + 6].isalpha():  # the file contradicts itself
            return None
        elements, offset = _elements(head, place, explicit=explicit, until_group=None)
        dataset = FileDataset(str(path), elements, head[:128], FileMetaDataset(meta), not explicit, True)
        encoding: str | list[str] = "iso8859"
        if _CHARACTER_SET in elements:
            encoding = convert_encodings(
                convert_raw_data_element(cast(RawDataElement, elements[_CHARACTER_SET])).value
            )
        dataset.set_original_encoding(not explicit, True, encoding)
    except (_OutOfTheOrdinaryError, struct.error, UnicodeDecodeError, ValueError, LookupError):
        return None
    return ScannedHeader(dataset, offset)


def _elements(
    head: bytes, place: int, *, explicit: bool, until_group: int | None
) -> tuple[dict[BaseTag, DataElement | RawDataElement], int]:
    """Return the elements from a place on, up to the pixels or to the first of another group, and where that is."""
    elements: dict[BaseTag, DataElement | RawDataElement] = {}
    before = -1
    while True:
        # what follows a group may be encoded otherwise
        if until_group is not None and int.from_bytes(head[place : place + 2], "little") != until_group:
            return elements, place
        tag, vr, length, start = _next(head, place, explicit=explicit)
        if tag in _PIXEL_TAGS:
            return elements, place
        if tag <= before or len(elements) >= _MOST_ELEMENTS:  # out of order, or twice
            raise _OutOfTheOrdinaryError
        before, after = tag, start + length
        if length == _UNDEFINED:
            end, after = _sequence(head, start, vr, explicit=explicit)
            vr, length = "SQ", end - start
        elif after > len(head):
            raise _OutOfTheOrdinaryError
        base = BaseTag(tag)
        value = (
            head[start : start + length] if length else cast("bytes | None", empty_value_for_VR(vr, raw=True))
        )
        elements[base] = RawDataElement(base, vr, length, value, start, not explicit, True)
        place = after


def _next(head: bytes, place: int, *, explicit: bool) -> tuple[int, str | None, int, int]:
    """Return tag, value representation, length and start of the value of the element at a place."""
    if not explicit:
        group, number, length = _IMPLICIT.unpack_from(head, place)
        return group << 16 | number, None, length, place + 8
    group, number, code, length = _EXPLICIT.unpack_from(head, place)
    tag = group << 16 | number
    if code in _SHORT:
        return tag, _SHORT[code], length, place + 8
    if code not in _LONG:
        raise _OutOfTheOrdinaryError
    return tag, _LONG[code], _U32.unpack_from(head, place + 8)[0], place + 12


def _sequence(head: bytes, place: int, vr: str | None, *, explicit: bool, depth: int = 0) -> tuple[int, int]:
    """Return where the items of a sequence of undefined length end, and where its delimiter does."""
    if vr not in (None, "SQ") or depth > _DEEPEST:
        raise _OutOfTheOrdinaryError
    while True:
        group, number, length = _IMPLICIT.unpack_from(head, place)
        tag, start = group << 16 | number, place + 8
        if tag == _SEQUENCE_END:
            return place, start
        if tag != _ITEM:
            raise _OutOfTheOrdinaryError
        place = start + length if length != _UNDEFINED else _item(head, start, explicit=explicit, depth=depth)


def _item(head: bytes, place: int, *, explicit: bool, depth: int) -> int:
    """Return where an item of undefined length ends, its delimiter included."""
    while True:
        group, number, length = _IMPLICIT.unpack_from(head, place)
        if group << 16 | number == _ITEM_END:
            return place + 8
        _, vr, length, start = _next(head, place, explicit=explicit)
        place = start + length
        if length == _UNDEFINED:
            _, place = _sequence(head, start, vr, explicit=explicit, depth=depth + 1)
