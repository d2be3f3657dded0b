"""One line per series over few places on the x axis. Data: ``series``, ``place``, ``value``."""

from matplotlib.figure import Figure as Canvas

from equipoise.analysis.figures.palette import ALGORITHM, GREY, colour, dash
from equipoise.analysis.results import Figure


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw the lines; the series named in option ``mean`` is thick and black."""
    data = figure.data
    axes = canvas.subplots()
    places = data.levels("place")
    for index, series in enumerate(data.levels("series")):
        mine = data.where(data.text("series") == series)
        is_mean = series == figure.options.get("mean")
        xs = [places.index(place) for place in mine.text("place")]
        axes.plot(
            xs, mine["value"], marker="o", markersize=3.5, label=series, color=ALGORITHM if is_mean else colour(index),
            linestyle="-" if is_mean else dash(index), linewidth=2 if is_mean else 1,
        )  # fmt: skip
    if figure.options.get("reference") is not None:
        axes.axhline(figure.options["reference"], color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    axes.set_xticks(range(len(places)), places)
    axes.set_xlim(-0.3, len(places) - 0.7)
    axes.set_ylabel(str(figure.options.get("ylabel", "")))
    canvas.legend(loc="outside right upper")
