"""Violins with every point, one per group, median marked. Data: ``group``, ``value``."""

import numpy as np
from matplotlib.figure import Figure as Canvas

from equipoise.analysis.figures.palette import GREY, colour, swarm_offsets
from equipoise.analysis.figures.ticks import wrapped
from equipoise.analysis.results import Figure

MIN_VALUES_FOR_A_VIOLIN = 5
"""A density of fewer points is an invention."""


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw violins, points and medians."""
    options = figure.options
    axes = canvas.subplots()
    groups = figure.data.levels("group")
    labels = []
    for place, group in enumerate(groups):
        values = figure.data["value"][figure.data.text("group") == group]
        values = values[np.isfinite(values)]
        labels.append(f"{wrapped(group, canvas, groups=len(groups))}\n(n = {len(values)})")
        if len(values) >= MIN_VALUES_FOR_A_VIOLIN and np.ptp(values) > 0:
            parts = axes.violinplot([values], [place], widths=0.8, showextrema=False)
            for body in list(parts["bodies"]):  # type: ignore[call-overload]  # typed as one collection
                body.set(facecolor=colour(place), alpha=0.25, edgecolor="none")
        offsets = swarm_offsets(values)
        axes.plot(
            place + offsets, values, "o", markersize=3, color=colour(place), markeredgewidth=0, alpha=0.9
        )
        if len(values):
            axes.plot([place - 0.25, place + 0.25], [np.median(values)] * 2, color="black", linewidth=1.4)
    if options.get("reference") is not None:
        axes.axhline(options["reference"], color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    axes.set_xticks(range(len(groups)), labels)
    axes.set_xlim(-0.6, len(groups) - 0.4)
    if options.get("limits"):
        axes.set_ylim(*options["limits"])
    axes.set_ylabel(str(options.get("ylabel", "")))
