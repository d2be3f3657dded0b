"""A histogram of one column with an optional reference line. Data: ``value``."""

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from equipoise.analysis.figures.palette import GREY, OKABE_ITO
from equipoise.analysis.results import Figure


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw the histogram."""
    options = figure.options
    axes = canvas.subplots()
    axes.hist(
        figure.data["value"], bins=list(options["bins"]), color=OKABE_ITO[0], edgecolor="white", linewidth=0.6
    )
    axes.margins(y=0.15)
    if options.get("reference") is not None:
        axes.axvline(options["reference"], color="black", linewidth=0.9, linestyle="--")
        axes.annotate(
            str(options.get("reference_label", "")),
            (options["reference"], 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -8),
            textcoords="offset points",
            fontsize=7,
            color=GREY,
        )
    axes.set_xlabel(str(options.get("xlabel", "")))
    axes.set_ylabel(str(options.get("ylabel", "")))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
