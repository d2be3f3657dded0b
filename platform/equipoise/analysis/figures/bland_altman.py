"""Differences against means with bias and limits of agreement. Data: ``mean``, ``difference``."""

from matplotlib.figure import Figure as Canvas

from equipoise.analysis.figures.palette import GREY, OKABE_ITO
from equipoise.analysis.results import Figure


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw the points; lines and their intervals come from option ``lines``: (label, value, low, high)."""
    axes = canvas.subplots()
    axes.plot(
        figure.data["mean"], figure.data["difference"], "o", markersize=3, color=OKABE_ITO[0], alpha=0.7
    )
    for label, value, low, high in figure.options["lines"]:
        axes.axhline(value, color="black", linewidth=0.9, linestyle="-" if label == "Bias" else "--")
        if low is not None and high is not None:
            axes.axhspan(low, high, color=GREY, alpha=0.15, linewidth=0)
        axes.annotate(
            f"{label} {value:.3g}", (1, value), xycoords=("axes fraction", "data"), xytext=(-2, 2),
            textcoords="offset points", ha="right", fontsize=7,
        )  # fmt: skip
    axes.set_xlabel(str(figure.options.get("xlabel", "Mean")))
    axes.set_ylabel(str(figure.options.get("ylabel", "Difference")))
