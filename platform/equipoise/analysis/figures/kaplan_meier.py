"""Kaplan-Meier curves with bands and numbers at risk.

Data: ``group``, ``part``, ``time``, ``survival``, ``low``, ``high``, ``n_at_risk``;
``part`` is ``curve``, ``censored`` or ``at_risk``.
"""

import numpy as np
from matplotlib.figure import Figure as Canvas

from equipoise.analysis.figures.palette import colour, dash
from equipoise.analysis.results import Figure


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw the curves above and the numbers at risk below, on one time axis."""
    data, options = figure.data, figure.options
    groups = data.levels("group")
    upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=[6, 0.6 + 0.55 * len(groups)])
    parts = data.text("part")
    for index, group in enumerate(groups):
        mine = data.text("group") == group
        shade = colour(index)
        curve = data.where(mine & (parts == "curve"))
        known = np.isfinite(curve["low"]) & np.isfinite(curve["high"])
        upper.fill_between(
            curve["time"],
            curve["low"],
            curve["high"],
            where=known,
            step="post",
            color=shade,
            alpha=0.15,
            linewidth=0,
        )
        upper.step(
            curve["time"],
            curve["survival"],
            where="post",
            color=shade,
            linestyle=dash(index * 7),
            label=group,
        )
        censored = data.where(mine & (parts == "censored"))
        upper.plot(
            censored["time"],
            censored["survival"],
            "|",
            color=shade,
            markersize=4,
            markeredgewidth=0.7,
            label=f"_{group}, censored",
        )
        at_risk = data.where(mine & (parts == "at_risk"))
        for time, count in zip(at_risk["time"], at_risk["n_at_risk"], strict=True):
            lower.annotate(f"{count:.0f}", (time, -index), ha="center", va="center", fontsize=7, color=shade)
    upper.set_ylim(0, 1.02)
    upper.set_ylabel(str(options.get("ylabel", "Survival")))
    upper.legend(loc="best")
    upper.tick_params(labelbottom=True)
    upper.set_xlabel(str(options.get("xlabel", "Time")))
    lower.set_ylim(-len(groups) + 0.4, 0.6)
    lower.set_yticks([-i for i in range(len(groups))], groups)
    lower.set_title("Number at risk", loc="left", fontsize=7)
    for side in ("left", "bottom"):
        lower.spines[side].set_visible(False)
    lower.tick_params(length=0, labelbottom=False)
