"""ROC curves with band and operating points.

Data: ``participant``, ``kind``, ``part``, ``fpr``, ``tpr``, ``low``, ``high``; ``part`` is ``curve``, ``point`` or
``band`` (bounds of the sensitivity at a false-positive rate).
"""

from matplotlib.figure import Figure as Canvas

from equipoise.analysis.figures.palette import ALGORITHM, GREY, LIGHT, colour, dash
from equipoise.analysis.results import Figure


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw the unit square, the chance line, curves, bands and points."""
    data = figure.data
    axes = canvas.subplots()
    axes.plot([0, 1], [0, 1], color=LIGHT, linewidth=0.8, zorder=0)
    parts = data.text("part")
    reader_place = 0
    for participant in data.levels("participant"):
        mine = data.text("participant") == participant
        is_algorithm = "algorithm" in data.text("kind")[mine]
        shade = ALGORITHM if is_algorithm else colour(reader_place)
        style = "-" if is_algorithm else dash(reader_place)
        reader_place += not is_algorithm
        band = data.where(mine & (parts == "band"))
        if band.n_rows:
            axes.fill_between(band["fpr"], band["low"], band["high"], color=shade, alpha=0.12, linewidth=0)
        curve = data.where(mine & (parts == "curve"))
        axes.plot(
            curve["fpr"],
            curve["tpr"],
            color=shade,
            linestyle=style,
            linewidth=1.6 if is_algorithm else 1.1,
            label=str(figure.options["labels"][participant]),
        )
        points = data.where(mine & (parts == "point"))
        axes.plot(
            points["fpr"],
            points["tpr"],
            "s" if is_algorithm else "o",
            color=shade,
            markersize=4,
            label=f"_{figure.options['labels'][participant]}, operating point",
        )
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    axes.set_xlabel("1 − specificity")
    axes.set_ylabel("Sensitivity")
    axes.tick_params(color=GREY)
    canvas.legend(loc="outside right upper" if figure.width_cm > 10 else "outside lower center")
