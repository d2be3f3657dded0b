"""Words in the pixels: a search for rows of letters in planar images, which may name the patient.

No letter is read. What is looked for is what writing looks like: several separate marks of even, thin stroke, sharply
brighter or darker than what is around them, alike in height, standing in a row. One or two marks (an L or R, an arrow,
a needle) are no word and are let through. How often it errs is measured in ``benchmarks/burned_in.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

MIN_LETTERS = 4
"""Fewest marks in a row that are taken for a word; side markers have one or two."""

_STROKES_PX = (3, 7)
"""Widest strokes looked for: those of small and of large letters."""

_MIN_HEIGHT_PX, _MAX_HEIGHT_PX = 5, 64
_MAX_WIDTH_OF_HEIGHT = 2.0
"""A letter is at most twice as wide as high (two that touch count as one)."""

_FILL = (0.12, 0.92)
"""Share of its box that a letter's strokes cover; lower is a line of a drawing, higher a spot."""

_HEIGHT_RATIO = 0.6
"""Letters of a word differ in height by no more: x and X."""

_MAX_GAP_OF_HEIGHT = 1.2
_MIN_OVERLAP = 0.5
"""Of the heights of neighbours in a row."""

_BASELINE_OF_HEIGHT = 0.1
"""How far from the line a letter may end, and still stand on it."""

_CONTRASTS = (0.18, 0.35, 0.6)
"""Of a stroke against its surroundings, as fractions of the image's range: letters that run into each other at one
level stand apart at the next."""

_MIN_SHARPNESS = 0.45
"""Share of a stroke's contrast that lies between neighbouring pixels at its edge: writing is sharp, organs are not."""

_MAX_SPREAD = 0.35
"""How much the brightness of a word's strokes may vary, relative to their contrast: writing has one colour."""

_LARGEST_SIDE_PX = 1536
"""Larger images are looked at in a coarser one: what can be read on a screen is larger there."""

_MAX_MARKS = 20_000
"""More marks than these in one image are noise."""


@dataclass(frozen=True, slots=True)
class WritingFound:
    """A row of marks that looks like writing."""

    view: int
    """Which view of the image (from 0)."""
    box_yx: tuple[int, int, int, int]
    """First row, first column, rows, columns."""
    letters: int


@dataclass(frozen=True, slots=True)
class _Mark:
    top: int
    left: int
    bottom: int
    right: int
    brightness: float

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


def writing_in(array: NDArray[np.int16]) -> list[WritingFound]:
    """Return rows of marks that look like writing, the longest first.

    Parameters
    ----------
    array : integer array, shape (views, y, x)
    """
    found = [row for view, pixels in enumerate(array) for row in _rows_in(pixels, view)]
    return sorted(found, key=lambda row: (-row.letters, row.view, row.box_yx))


def _rows_in(pixels: NDArray[np.integer], view: int) -> list[WritingFound]:
    factor = max(1, -(-max(pixels.shape) // _LARGEST_SIDE_PX))
    rows, columns = (side // factor * factor for side in pixels.shape)
    image = pixels[:rows, :columns].astype(np.float32)
    if factor > 1:
        image = image.reshape(rows // factor, factor, columns // factor, factor).mean(axis=(1, 3))
    found = _rows_at(image, view)
    return [replace(one, box_yx=tuple(side * factor for side in one.box_yx)) for one in found]


def _rows_at(image: NDArray[np.float32], view: int) -> list[WritingFound]:
    low, high = (float(v) for v in np.percentile(image, (0.1, 99.9)))
    top = float(image.max())
    if top > high and np.count_nonzero(image == top) >= _MIN_HEIGHT_PX:
        high = top if high <= low else high
    if high <= low:
        high = top
    if high <= low:
        return []
    scaled = np.clip((image - low) / (high - low), 0.0, 1.0)
    rows: list[WritingFound] = []
    for image in (scaled, 1.0 - scaled):
        slopes = [np.abs(ndimage.sobel(image, axis=axis)) / 4.0 for axis in (0, 1)]
        edge = np.maximum(*slopes).astype(np.float32)
        for stroke_px in _STROKES_PX:
            size = 2 * stroke_px + 1
            standing_out = image - ndimage.grey_opening(image, size=(size, size))
            for contrast in _CONTRASTS:
                rows += _words(_marks(image, standing_out, edge, contrast, stroke_px), view)
    return rows


def _marks(
    image: NDArray[np.float32],
    standing_out: NDArray[np.float32],
    edge: NDArray[np.float32],
    least: float,
    stroke_px: int,
) -> list[_Mark]:
    """Return the thin bright marks that stand out sharply by at least so much."""
    labels, count = ndimage.label(standing_out > least, structure=np.ones((3, 3)))
    if count == 0 or count > _MAX_MARKS:
        return []
    index = np.arange(1, count + 1)
    boxes = ndimage.find_objects(labels)
    areas = ndimage.sum_labels(np.ones_like(image), labels, index)
    contrast = ndimage.mean(standing_out, labels, index)
    brightness = ndimage.mean(image, labels, index)
    spread = ndimage.standard_deviation(image, labels, index)
    marks = []
    for number, box in enumerate(boxes):
        rows, columns = box
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if not _MIN_HEIGHT_PX <= height <= _MAX_HEIGHT_PX or width > _MAX_WIDTH_OF_HEIGHT * height:
            continue
        fill = areas[number] / (height * width)
        slender = width <= max(2, stroke_px // 2 + 1)
        if not _FILL[0] <= fill <= (1.0 if slender else _FILL[1]):
            continue
        if spread[number] > _MAX_SPREAD * contrast[number]:
            continue
        inside = labels[box] == number + 1
        if float(np.percentile(edge[box][inside], 75)) < _MIN_SHARPNESS * contrast[number]:
            continue
        marks.append(_Mark(rows.start, columns.start, rows.stop, columns.stop, float(brightness[number])))
    return marks


def _words(marks: Sequence[_Mark], view: int) -> list[WritingFound]:
    """Join marks into rows and return the rows that are long enough."""
    ordered = sorted(marks, key=lambda mark: (mark.left, mark.top))
    rows: list[list[_Mark]] = []
    for mark in ordered:
        fitting = [row for row in rows if _follows(row[-1], mark)]
        if fitting:
            min(fitting, key=lambda row: mark.left - row[-1].right).append(mark)
        else:
            rows.append([mark])
    return [_found(row, view) for row in rows if _letters_on_a_line(row) >= MIN_LETTERS]


def _letters_on_a_line(row: Sequence[_Mark]) -> int:
    """Return how many marks of a row stand on one line: letters do, all but a few that reach below it."""
    bottoms = np.array([mark.bottom for mark in row])
    height = float(np.median([mark.height for mark in row]))
    return int(
        np.count_nonzero(np.abs(bottoms - np.median(bottoms)) <= max(1.0, _BASELINE_OF_HEIGHT * height))
    )


def _follows(before: _Mark, mark: _Mark) -> bool:
    low, high = sorted((before.height, mark.height))
    gap = mark.left - before.right
    overlap = min(before.bottom, mark.bottom) - max(before.top, mark.top)
    return (
        low >= _HEIGHT_RATIO * high
        and -0.2 * high <= gap <= _MAX_GAP_OF_HEIGHT * high
        and overlap >= _MIN_OVERLAP * high
        and abs(before.brightness - mark.brightness) < _MAX_SPREAD
    )


def _found(row: Sequence[_Mark], view: int) -> WritingFound:
    top, left = min(mark.top for mark in row), min(mark.left for mark in row)
    bottom, right = max(mark.bottom for mark in row), max(mark.right for mark in row)
    return WritingFound(view, (top, left, bottom - top, right - left), len(row))
