"""Estimates with intervals, one row each.

Data: ``label``, ``estimate``, ``low``, ``high``, optional ``section``, ``note``, ``kind``.
"""

import numpy as np
from matplotlib.figure import Figure as Canvas

from equipoise.analysis.figures.palette import ALGORITHM, GREY, OKABE_ITO
from equipoise.analysis.figures.ticks import log_scale
from equipoise.analysis.results import Figure


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw rows from top to bottom; a section's name stands above its rows."""
    data, options = figure.data, figure.options
    axes = canvas.subplots()
    places, ticks, labels, level, section = [], [], [], 0, ""
    for row, (label, own) in enumerate(zip(data.text("label"), data.text("section"), strict=True)):
        if own != section:
            section = own
            axes.annotate(
                own, (0, -level), xycoords=("axes fraction", "data"), xytext=(2, -3), textcoords="offset points",
                fontsize=7, color=GREY,
            )  # fmt: skip
            level += 1
        places.append(-level)
        ticks.append(-level)
        note = data.text("note")[row]
        labels.append(f"{label}  {note}" if note else label)
        level += 1
    shades = [ALGORITHM if kind == "algorithm" else OKABE_ITO[0] for kind in data.text("kind")]
    for place, estimate, low, high, shade in zip(
        places, data["estimate"], data["low"], data["high"], shades, strict=True
    ):
        if np.isfinite(low) and np.isfinite(high):
            axes.plot([low, high], [place, place], color=shade, linewidth=1.1)
        if np.isfinite(estimate):
            interval = f" ({low:.4g} to {high:.4g})" if np.isfinite(low) and np.isfinite(high) else ""
            axes.plot(
                [estimate], [place], "s", color=shade, markersize=4, label=f"__{estimate:.4g}{interval}"
            )
    if options.get("reference") is not None:
        axes.axvline(options["reference"], color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    if options.get("log"):
        log_scale(axes, "x")
    axes.set_yticks(ticks, labels)
    axes.set_ylim(-level + 0.3, 0.7)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(str(options.get("xlabel", "")))
