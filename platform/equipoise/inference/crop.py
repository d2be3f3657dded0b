"""Which part of each plane a network must see: the lungs with a margin, on the grid of its poolings, in few sizes."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

MARGIN = 48
"""Pixels around the lungs. What is cut off changes the last feature map by about 0.001 of its spread at full width,
by some hundredths in very narrow networks, and from 128 pixels on not at all."""

SIZE_MULTIPLE = 32
"""Sizes are multiples of it."""

START_MULTIPLE = 16
"""Starts are multiples of it: four poolings by two must fall on the same pixels as on the whole plane."""

MOST_SIZES = 3
"""Sizes of box in one scan: a runtime that compiles for each size does so this often at most."""

Box = tuple[slice, slice]
Size = tuple[int, int]


def network_boxes(
    masks: NDArray[np.bool_], *, margin: int | None = MARGIN, most_sizes: int = MOST_SIZES
) -> list[Box | None]:
    """Return the part of each slice that the network must see, or None where its mask is empty.

    The boxes of a scan depend on that scan alone, so a repeat sees the same pixels whatever was run before.

    Parameters
    ----------
    masks : array of bool, shape (slices, rows, columns)
        Rows and columns must be multiples of 32.
    margin : int or None
        Pixels around the mask; None for whole planes.
    most_sizes : int
        How many sizes of box there are at most; boxes grow to have few.
    """
    rows, columns = masks.shape[1:]
    margin = max(rows, columns) if margin is None else margin
    spans = [_spans(mask) for mask in masks]
    reaches = [
        (_reach(*span[0], rows, margin), _reach(*span[1], columns, margin)) if span else None
        for span in spans
    ]
    wanted = Counter((y.stop - y.start, x.stop - x.start) for y, x in filter(None, reaches))
    grown = _few_sizes(wanted, most_sizes)
    boxes: list[Box | None] = []
    for reach in reaches:
        if reach is None:
            boxes.append(None)
            continue
        height, width = grown[reach[0].stop - reach[0].start, reach[1].stop - reach[1].start]
        boxes.append((_grown(reach[0], height, rows), _grown(reach[1], width, columns)))
    return boxes


def _spans(mask: NDArray[np.bool_]) -> tuple[Size, Size] | None:
    """Return first and last row, first and last column."""
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows) == 0:
        return None
    columns = np.flatnonzero(mask.any(axis=0))
    return (int(rows[0]), int(rows[-1])), (int(columns[0]), int(columns[-1]))


def _reach(first: int, last: int, length: int, margin: int) -> slice:
    start = max(first - margin, 0) // START_MULTIPLE * START_MULTIPLE
    size = min(-(-(last + 1 + margin - start) // SIZE_MULTIPLE) * SIZE_MULTIPLE, length)
    return _grown(slice(start, start + size), size, length)


def _grown(reach: slice, size: int, length: int) -> slice:
    """Return the reach at a larger size, on the plane."""
    start = min(reach.start, length - size)
    return slice(start, start + size)


def _few_sizes(wanted: Counter[Size], most: int) -> dict[Size, Size]:
    """Merge sizes until few are left, each time the two that together cost the fewest further pixels."""
    members = {size: [size] for size in wanted}
    counts = dict(wanted)
    while len(members) > most:
        cheapest: tuple[int, Size, Size] | None = None
        ordered = sorted(members)
        for place, one in enumerate(ordered):
            for other in ordered[place + 1 :]:
                area = max(one[0], other[0]) * max(one[1], other[1])
                cost = counts[one] * (area - one[0] * one[1]) + counts[other] * (area - other[0] * other[1])
                if cheapest is None or (cost, one, other) < cheapest:
                    cheapest = cost, one, other
        assert cheapest is not None
        _, one, other = cheapest
        joined = max(one[0], other[0]), max(one[1], other[1])
        moved = members.pop(one) + members.pop(other)
        count = counts.pop(one) + counts.pop(other)
        members[joined] = members.get(joined, []) + moved
        counts[joined] = counts.get(joined, 0) + count
    return {size: joined for joined, sizes in members.items() for size in sizes}
