"""How much work a DICOM file may make: its elements are counted, since each costs time whatever its length.

A few megabytes can hold a million empty elements. What pydicom reads at once is counted while it reads; what it leaves
for later (values of sequences with a stated length) is counted before.
"""

import struct
from collections.abc import Iterable
from typing import BinaryIO

from pydicom.dataelem import DataElement, RawDataElement

MOST_ELEMENTS = 400_000
"""Of one file. Large structure sets (50 regions on 400 slices) have about 200 000."""

MOST_READS = 1_000_000
"""Of a file while pydicom goes through it: two to three an element."""

_UNCOUNTED_BYTES = 1 << 20
"""Values shorter than this are not counted: they cannot hold enough."""

_DEEPEST = 60
_ITEM, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_LONG_VRS = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)


class TooManyElementsError(Exception):
    """The file has more elements, or deeper sequences, than are read."""


class CountedStream:
    """A file that may be read from so many times."""

    def __init__(self, source: BinaryIO) -> None:
        self._read, self._left = source.read, MOST_READS
        self.seek, self.tell = source.seek, source.tell

    def read(self, size: int = -1) -> bytes:
        """Read, and count it.

        Raises
        ------
        TooManyElementsError
            When it has been read from too often.
        """
        self._left -= 1
        if self._left < 0:
            raise TooManyElementsError
        return self._read(size)


def check_elements(elements: Iterable[RawDataElement | DataElement]) -> None:
    """Refuse a data set whose sequences, still unread, hold too much.

    Raises
    ------
    TooManyElementsError
    """
    left = MOST_ELEMENTS
    for element in elements:
        if isinstance(element, RawDataElement) and element.value and len(element.value) >= _UNCOUNTED_BYTES:
            order = "<" if element.is_little_endian else ">"
            if _starts_with_item(element.value, 0, len(element.value), order):
                left = _Counter(element.value, order, explicit=not element.is_implicit_VR).count(left)


def _starts_with_item(content: bytes, place: int, end: int, order: str) -> bool:
    return place + 8 <= end and content[place : place + 4] == struct.pack(f"{order}HH", 0xFFFE, 0xE000)


class _Counter:
    """Walks through the items of a sequence, in one loop: depth is a list and not the interpreter's stack."""

    def __init__(self, content: bytes, order: str, *, explicit: bool) -> None:
        self._content, self._order, self._explicit = content, order, explicit
        self._tag, self._u32 = struct.Struct(f"{order}HH"), struct.Struct(f"{order}I")
        self._u16 = struct.Struct(f"{order}H")

    def count(self, left: int) -> int:
        """Return how many of ``left`` elements remain after this value."""
        content, place, ends = self._content, 0, [len(self._content)]
        open_sequences = 0  # those of undefined length
        while ends:
            if place + 8 > ends[-1]:
                place = ends.pop()
                continue
            left -= 1
            if left < 0 or len(ends) + open_sequences > _DEEPEST:
                raise TooManyElementsError
            group, number = self._tag.unpack_from(content, place)
            tag = group << 16 | number
            if group == 0xFFFE:
                place, length = place + 8, self._u32.unpack_from(content, place + 4)[0]
                if tag == _ITEM and length != _UNDEFINED:
                    ends.append(min(place + length, ends[-1]))
                open_sequences -= tag == _SEQUENCE_END
                continue
            place, length = self._value_at(place)
            if length == _UNDEFINED or _starts_with_item(content, place, place + length, self._order):
                if length == _UNDEFINED:
                    open_sequences += 1
                else:
                    ends.append(min(place + length, ends[-1]))
            else:
                place += length
        return left

    def _value_at(self, place: int) -> tuple[int, int]:
        """Return where an element's value begins and how long it is."""
        content = self._content
        vr = content[place + 4 : place + 6]
        if not self._explicit or not (b"AA" <= vr <= b"ZZ"):
            return place + 8, self._u32.unpack_from(content, place + 4)[0]
        if vr not in _LONG_VRS:
            return place + 8, self._u16.unpack_from(content, place + 6)[0]
        if place + 12 > len(content):
            return place + 12, 0
        return place + 12, self._u32.unpack_from(content, place + 8)[0]
