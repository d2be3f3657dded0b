"""Words and numbers along an axis, so that they can be read."""

import textwrap
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogFormatter

CHARACTERS_PER_INCH = 15
"""Of 7 pt type, with a gap to the neighbour."""


def log_scale(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make an axis logarithmic, with plain numbers (20, not 2 x 10^1) at as many ticks as there is room for."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}scale": "log"})
    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1, 0.4)))


def wrapped(word: str, canvas: Canvas, *, groups: int) -> str:
    """Return a group's name in lines that fit beside those of its neighbours."""
    room = canvas.get_figwidth() * CHARACTERS_PER_INCH / max(groups, 1)
    return textwrap.fill(word, max(int(room), 6))
