"""The flow of cases, readers and readings as a drawing: boxes down the middle, what was left out at their sides."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH = 900
_BOX = 270
_CHARACTERS = 44
_LINE = 15
_PAD = 9
_GAP = 28
_INDENT = 8
_ASIDE = 8


@dataclass(frozen=True)
class Box:
    """A box: its first line is a heading with the count, the others say what it is made of."""

    key: str
    count: int
    title: str
    parts: tuple[tuple[int, str], ...] = ()

    @property
    def lines(self) -> list[tuple[str, int | None, int]]:
        """The words, wrapped to the box, each line with the count of the part that it begins and its indent."""
        told: list[tuple[str, int | None, int]] = [
            (line, None, 0) for line in textwrap.wrap(f"{self.title}: {self.count}", _CHARACTERS)
        ]
        for count, words in self.parts:
            first, *others = textwrap.wrap(f"{count} {words}", _CHARACTERS - 4)
            told += [(first, count, _INDENT), *((line, None, 2 * _INDENT) for line in others)]
        return told

    @property
    def height(self) -> int:
        """In pixels."""
        return _LINE * len(self.lines) + 2 * _PAD


@dataclass(frozen=True)
class Flow:
    """Two columns that meet: cases and readers, then readings. An aside belongs to the box that it follows."""

    cases: tuple[tuple[Box, Box | None], ...]
    readers: tuple[tuple[Box, Box | None], ...]
    readings: tuple[tuple[Box, Box | None], ...]
    last: tuple[Box, ...] = ()
    """What the answered readings consist of, side by side."""

    def boxes(self) -> list[Box]:
        """Every box of the drawing."""
        rows = (*self.cases, *self.readers, *self.readings)
        return [box for row in rows for box in row if box is not None] + list(self.last)


def flow_svg(flow: Flow) -> str:
    """Return the drawing."""
    left, right, middle = 10, _WIDTH // 2 + 10, (_WIDTH - _BOX) // 2
    drawn: list[str] = []
    bottom_cases = _column(drawn, flow.cases, left, 10)
    bottom_readers = _column(drawn, flow.readers, right, 10)
    top = max(bottom_cases, bottom_readers) + _GAP
    for x, bottom in ((left, bottom_cases), (right, bottom_readers)):
        at = x + _BOX // 2
        drawn.append(f'<path d="M{at} {bottom}V{top - _GAP // 2}H{_WIDTH // 2}" class="line"/>')
    drawn.append(_arrow(_WIDTH // 2, top - _GAP // 2, top))
    bottom = _column(drawn, flow.readings, middle, top)
    height = bottom
    if flow.last:
        top = bottom + _GAP
        width = (_WIDTH - 20 - 20 * (len(flow.last) - 1)) // len(flow.last)
        for place, box in enumerate(flow.last):
            x = 10 + place * (width + 20)
            drawn.append(
                f'<path d="M{_WIDTH // 2} {bottom}V{top - _GAP // 2}H{x + width // 2}" class="line"/>'
            )
            drawn.append(_arrow(x + width // 2, top - _GAP // 2, top))
            drawn.append(_box(box, x, top, min(width, _BOX + 60)))
            height = max(height, top + box.height)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height + 10}" role="img" class="flow" '
        f'aria-label="Flow of cases, readers and readings">{"".join(drawn)}</svg>'
    )


def _column(drawn: list[str], rows: Sequence[tuple[Box, Box | None]], x: int, top: int) -> int:
    y = top
    for place, (box, aside) in enumerate(rows):
        if place:
            drawn.append(_arrow(x + _BOX // 2, y, y + _GAP))
            y += _GAP
        drawn.append(_box(box, x, y, _BOX))
        bottom = y + box.height
        if aside is not None:
            middle = y + box.height + _ASIDE + _LINE
            drawn.append(
                f'<path d="M{x + _BOX // 2} {middle}H{x + _BOX // 2 + 30}" class="line"/>'
                + _box(aside, x + _BOX // 2 + 30, middle - _LINE, _BOX)
            )
            drawn.append(
                f'<path d="M{x + _BOX // 2} {bottom}V{middle - _LINE + aside.height}" class="line"/>'
            )
            bottom = middle - _LINE + aside.height
        y = bottom
    return y


def _box(box: Box, x: int, y: int, width: int) -> str:
    lines = "".join(
        f'<text x="{x + _PAD + indent}" y="{y + _PAD + 11 + _LINE * place}" '
        f'class="{"words" if place else "strong"}"{"" if part is None else f" data-part={chr(34)}{part}{chr(34)}"}>'
        f"{escape(line)}</text>"
        for place, (line, part, indent) in enumerate(box.lines)
    )
    return (
        f'<g data-box="{escape(box.key)}" data-count="{box.count}"><rect x="{x}" y="{y}" width="{width}" '
        f'height="{box.height}" class="box"/>{lines}</g>'
    )


def _arrow(x: int, top: int, bottom: int) -> str:
    return (
        f'<path d="M{x} {top}V{bottom}M{x - 4} {bottom - 6}L{x} {bottom}L{x + 4} {bottom - 6}" class="line"/>'
    )
