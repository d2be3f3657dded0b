"""Shares of answers as stacked horizontal bars. Data: ``label``, ``category``, ``count``, ``share``."""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure as Canvas

from equipoise.analysis.figures.palette import OKABE_ITO
from equipoise.analysis.results import Figure


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw one bar per label; categories in the order of the data, ordered ones in shades of one scale."""
    data = figure.data
    axes = canvas.subplots()
    labels, categories = data.levels("label"), data.levels("category")
    shades: list[Any]
    if figure.options.get("ordered"):
        scale = colormaps["cividis"]
        shades = [scale(i / max(len(categories) - 1, 1)) for i in range(len(categories))]
    else:
        shades = [OKABE_ITO[i % len(OKABE_ITO)] for i in range(len(categories))]
    left = np.zeros(len(labels))
    cells = dict(zip(zip(data.text("label"), data.text("category"), strict=True), data["share"], strict=True))
    for category, shade in zip(categories, shades, strict=True):
        widths = np.array([100 * float(cells.get((label, category), 0.0)) for label in labels])
        axes.barh(range(len(labels)), widths, left=left, color=shade, height=0.7, label=category)
        left = left + widths
    if figure.options.get("reference") is not None:
        axes.axvline(figure.options["reference"], color="black", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel(str(figure.options.get("xlabel", "Share of answers (%)")))
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    canvas.legend(loc="outside lower center", ncols=min(len(categories), 4))
