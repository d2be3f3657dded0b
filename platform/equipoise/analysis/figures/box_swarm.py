"""Box plots with every point and significance brackets. Data: ``group``, ``value``, ``kind``."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from equipoise.analysis.figures.palette import ALGORITHM, GREY, colour, swarm_offsets
from equipoise.analysis.figures.ticks import log_scale
from equipoise.analysis.results import Figure


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw boxes (quartiles, whiskers at 1.5 IQR), points and brackets."""
    options = figure.options
    axes = canvas.subplots()
    log = bool(options.get("log"))
    groups = figure.data.levels("group")
    kinds = figure.data.text("kind", "reader")
    highest = -np.inf
    for place, group in enumerate(groups):
        here = figure.data.text("group") == group
        values = figure.data["value"][here]
        values = values[np.isfinite(values) & ((values > 0) if log else True)]
        if len(values) == 0:
            continue
        shade = ALGORITHM if "algorithm" in kinds[here] else colour(place)
        spread = swarm_offsets(np.log(values) if log else values, half_width=0.3)
        axes.plot(place + spread, values, "o", markersize=2.2, color=shade, markeredgewidth=0, alpha=0.6)
        axes.boxplot(
            [values],
            positions=[place],
            widths=0.55,
            showfliers=False,
            manage_ticks=False,
            boxprops={"color": shade, "linewidth": 0.9},
            whiskerprops={"color": shade, "linewidth": 0.9},
            capprops={"color": shade, "linewidth": 0.9},
            medianprops={"color": "black", "linewidth": 1.4},
        )
        highest = max(highest, float(values.max()))
    if log:
        log_scale(axes, "y")
    _brackets(axes, groups, list(options.get("brackets", ())), highest=highest, log=log)
    if options.get("largest") is not None:  # a share ends at 1, whatever stands above it
        axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= float(options["largest"]) + 1e-9])
    rotate = len(groups) * max((len(g) for g in groups), default=0) > figure.width_cm * 6
    axes.set_xticks(
        range(len(groups)), groups, rotation=35 if rotate else 0, ha="right" if rotate else "center"
    )
    axes.set_xlim(-0.6, len(groups) - 0.4)
    axes.set_ylabel(str(options.get("ylabel", "")))


def _brackets(
    axes: Axes, groups: list[str], brackets: list[tuple[str, str, str]], *, highest: float, log: bool
) -> None:
    if not brackets or not np.isfinite(highest):
        return
    low, _ = axes.get_ylim()
    step = (highest / low) ** 0.08 if log else (highest - low) * 0.08
    level = highest
    for first, second, words in brackets:
        level = level * step if log else level + step
        ends = sorted((groups.index(first), groups.index(second)))
        axes.plot(ends, [level, level], color=GREY, linewidth=0.8)
        axes.annotate(words, (sum(ends) / 2, level), ha="center", va="bottom", fontsize=7, color="black")
    axes.set_ylim(low, level * step**1.5 if log else level + 1.5 * step)
