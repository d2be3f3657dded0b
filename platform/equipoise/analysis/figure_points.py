"""What can be read off a drawn figure with a pointer or the keyboard: places on the picture, and words for each.

Taken from what was drawn, so that every kind of figure has it: markers and the corners of named lines, bars, and the
words of the axes. Lines that only guide the eye have neither a marker nor a name and are left out.
"""

import json
import math
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.container import BarContainer
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter

Point = tuple[float, float, str]
"""Places from the left and from the top, as shares of the picture's width and height, and the words."""

MOST = 2000
"""Points of one figure; lines of more corners are thinned evenly."""
_NO_NAME = ("_child", "_nolegend_", "_container")
"""Begin the labels that the drawing library gives by itself."""
_SAYS_NUMBERS = "__"
"""Begins a name that the legend leaves out and that holds the coordinates already."""


def figure_points(canvas: Canvas) -> list[Point]:
    """Return the points of a figure that has been drawn, in the order in which it was drawn."""
    found = [point for axes in canvas.axes for point in _axes_points(axes)]
    found = found[:: math.ceil(len(found) / MOST)] if len(found) > MOST else found
    width, height = canvas.bbox.width, canvas.bbox.height
    places = [(round(x / width, 5), round(1 - y / height, 5), words) for x, y, words in found]
    return [point for point in places if 0 <= point[0] <= 1 and 0 <= point[1] <= 1]


def points_text(canvas: Canvas) -> str:
    """Return the points as the text of a JSON file."""
    return json.dumps({"points": figure_points(canvas)}, ensure_ascii=False, separators=(",", ":"))


def _axes_points(axes: Axes) -> Iterator[Point]:
    for line in axes.lines:
        yield from _line_points(axes, line)
    for container in axes.containers:
        if isinstance(container, BarContainer):
            yield from _bar_points(axes, container)


def _line_points(axes: Axes, line: Line2D) -> Iterator[Point]:
    is_in_data = all(line.get_transform().contains_branch_seperately(axes.transData))
    name = _name(line.get_label())
    if not is_in_data or not (name or line.get_marker() not in ("", " ", None, "None", "none")):
        return
    corners = np.column_stack([line.get_xdata(orig=False), line.get_ydata(orig=False)]).astype(float)
    for (x, y), place in zip(corners, axes.transData.transform(corners), strict=True):
        if np.isfinite(place).all():
            read = _tick_word if str(line.get_label()).startswith(_SAYS_NUMBERS) else _value
            parts = (name, read(axes.xaxis, x), read(axes.yaxis, y))
            yield float(place[0]), float(place[1]), "; ".join(part for part in parts if part)


def _bar_points(axes: Axes, bars: BarContainer) -> Iterator[Point]:
    name = _name(bars.get_label())
    lies = bars.orientation == "horizontal"
    for bar in bars.patches:
        if not isinstance(bar, Rectangle):
            continue
        size = bar.get_width() if lies else bar.get_height()
        middle = (bar.get_x() + bar.get_width() / 2, bar.get_y() + bar.get_height() / 2)
        if not size or not np.isfinite(middle).all():
            continue
        along, across = (axes.yaxis, axes.xaxis) if lies else (axes.xaxis, axes.yaxis)
        first, length = (bar.get_y(), bar.get_height()) if lies else (bar.get_x(), bar.get_width())
        which = _tick_word(along, first + length / 2) or (
            f"{along.get_label_text()} {first:.4g} to {first + length:.4g}".strip()
        )
        x, y = axes.transData.transform(middle)
        parts = (which, name, f"{across.get_label_text()} {size:.4g}".strip())
        yield float(x), float(y), "; ".join(part for part in parts if part)


def _name(label: object) -> str:
    """Return what a mark is called; a name that the legend leaves out begins with an underscore."""
    text = str(label)
    return "" if text.startswith(_NO_NAME) else text.lstrip("_")


def _value(axis: Axis, value: float) -> str:
    """Return a coordinate in words: the word at the nearest tick where the axis has words, else name and number."""
    return _tick_word(axis, value) or f"{axis.get_label_text()} {value:.4g}".strip()


def _tick_word(axis: Axis, value: float) -> str:
    if not isinstance(axis.get_major_locator(), FixedLocator) or not isinstance(
        axis.get_major_formatter(), FuncFormatter
    ):
        return ""
    places = np.asarray(axis.get_ticklocs(), dtype=float)
    words = [label.get_text() for label in axis.get_ticklabels()]
    if not len(places) or len(words) != len(places):
        return ""
    return " ".join(words[int(np.argmin(abs(places - value)))].split())
