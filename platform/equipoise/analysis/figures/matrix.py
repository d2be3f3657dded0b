"""A matrix of values between rows and columns. Data: ``row``, ``column``, ``value``."""

import numpy as np
from matplotlib.figure import Figure as Canvas

from equipoise.analysis.results import Figure


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw the cells with their values; cells without a value stay white."""
    data, options = figure.data, figure.options
    names = list(options["names"])
    values = np.full((len(names), len(names)), np.nan)
    for row, column, value in zip(data.text("row"), data.text("column"), data["value"], strict=True):
        values[names.index(row), names.index(column)] = value
    axes = canvas.subplots()
    low, high = options.get("limits", (0.0, 1.0))
    image = axes.imshow(values, cmap="cividis", vmin=low, vmax=high)
    for i, j in np.argwhere(np.isfinite(values)):
        bright = (values[i, j] - low) / max(high - low, 1e-12) > 0.6
        axes.annotate(
            f"{values[i, j]:.2f}",
            (j, i),
            ha="center",
            va="center",
            fontsize=7,
            color="black" if bright else "white",
        )
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    bar = canvas.colorbar(image, ax=axes, shrink=0.7)
    bar.outline.set_visible(False)
    bar.set_label(str(options.get("label", "")))
