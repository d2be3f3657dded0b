"""Drawing figures: one style, files that are the same bytes for the same data. matplotlib is loaded here alone.

Every kind of figure is a module of :mod:`equipoise.analysis.figures` with ``draw(figure, canvas)``. What it draws it
takes from the figure's data and options only, so the CSV beside the picture is all that is needed to draw it again.
"""

import importlib
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.figure import Figure as Canvas

from equipoise.analysis.figure_points import points_text
from equipoise.analysis.results import Figure
from equipoise.analysis.write import POINTS

CM_PER_INCH: Final = 2.54
PNG_DPI: Final = 300
TITLE_CHARACTERS_PER_CM: Final = 5.6
"""How many characters of an 8 pt bold title fit on one centimetre."""

STYLE: Final[Any] = {
    "figure.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "savefig.dpi": PNG_DPI,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "equipoise",
    "pdf.fonttype": 42,
    "path.simplify": False,
}

_NO_DATE: Final[dict[str, dict[str, Any]]] = {
    "svg": {"Date": None, "Creator": "equipoise"},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "ModDate": None, "Creator": "equipoise", "Producer": "equipoise"},
}
"""Metadata per format: nothing that changes from run to run or from version to version."""


def render_figure(figure: Figure) -> Canvas:
    """Return the drawn figure; call inside the style (:func:`draw_figure` does)."""
    canvas = Canvas(figsize=(figure.width_cm / CM_PER_INCH, figure.height_cm / CM_PER_INCH))
    width = int(figure.width_cm * TITLE_CHARACTERS_PER_CM)
    canvas.suptitle(textwrap.fill(figure.title, width), x=0.02, ha="left", fontsize=8, fontweight="bold")
    importlib.import_module(f"equipoise.analysis.figures.{figure.kind}").draw(figure, canvas)
    return canvas


def draw_figure(figure: Figure, folder: Path, *, formats: Iterable[str] = ("svg", "png")) -> list[Path]:
    """Draw a figure into ``folder/<name>.<format>`` for every format and return the paths.

    Points come behind a picture, which lays the figure out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with rc_context(STYLE):
        canvas = render_figure(figure)
        for name in formats:
            path = folder / f"{figure.name}.{name}"
            written.append(path)
            if name == POINTS:
                path.write_text(points_text(canvas), encoding="utf-8", newline="\n")
                continue
            metadata = {**_NO_DATE[name], "Title": figure.title}
            canvas.savefig(path, format=name, metadata=metadata)
            canvas.set_layout_engine("none")  # the first drawing has laid it out
    return written
