"""Contours of power over readers and cases. Data: ``readers``, ``cases``, ``power``."""

import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from equipoise.analysis.results import Figure

LEVELS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
"""Where one shade ends and the next begins; the target is added."""


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw shades of power with labelled lines between them; the target's line is thick, the chosen plan a cross."""
    data, options = figure.data, figure.options
    readers, cases = np.unique(data["readers"]), np.unique(data["cases"])
    power = np.full((len(cases), len(readers)), np.nan)
    power[np.searchsorted(cases, data["cases"]), np.searchsorted(readers, data["readers"])] = data["power"]
    target = float(options["target"])
    levels = sorted({*LEVELS, target})
    axes = canvas.subplots()
    shades = axes.contourf(readers, cases, power, levels=levels, cmap="cividis", vmin=0.0, vmax=1.0)
    inner = [level for level in levels if power.min() < level < power.max()]
    if inner:
        widths = [2.2 if level == target else 0.7 for level in inner]
        # White on the dark shades of low power, black on the light ones: read without telling colours apart.
        lines = axes.contour(
            readers, cases, power, levels=inner, linewidths=widths,
            colors=["white" if level < 0.65 else "black" for level in inner],
        )  # fmt: skip
        axes.clabel(lines, fmt=lambda level: f"{level:g}", fontsize=7)
    x, y = options["chosen"]
    axes.plot([x], [y], marker="X", markersize=9, color="white", markeredgecolor="black", linestyle="none")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(str(options.get("xlabel", "")))
    axes.set_ylabel(str(options.get("ylabel", "")))
    bar = canvas.colorbar(shades, ax=axes, ticks=levels)
    bar.outline.set_visible(False)
    bar.set_label("Power")
