"""Confusion matrices side by side. Data: ``participant``, ``truth``, ``decision``, ``count``."""

import math

from matplotlib.figure import Figure as Canvas

from equipoise.analysis.results import Figure


def draw(figure: Figure, canvas: Canvas) -> None:
    """Draw one small matrix per participant: rows are the reference standard, columns the decision."""
    data = figure.data
    participants = data.levels("participant")
    n_columns = min(len(participants), int(figure.width_cm // 4) or 1)
    n_rows = math.ceil(len(participants) / n_columns)
    grid = canvas.subplots(n_rows, n_columns, squeeze=False)
    negative, positive = figure.options["labels"]
    for place, axes in enumerate(grid.flat):
        if place >= len(participants):
            axes.set_axis_off()
            continue
        mine = data.where(data.text("participant") == participants[place])
        counts = [[0.0, 0.0], [0.0, 0.0]]
        for truth, decision, count in zip(mine["truth"], mine["decision"], mine["count"], strict=True):
            counts[int(truth)][int(decision)] = count
        axes.imshow(
            [[n / max(sum(row), 1) for n in row] for row in counts],
            cmap="Blues",
            vmin=0,
            vmax=1,
            aspect="equal",
        )
        for i, row in enumerate(counts):
            for j, n in enumerate(row):
                share = n / max(sum(row), 1)
                axes.annotate(
                    f"{n:.0f}", (j, i), ha="center", va="center", color="white" if share > 0.5 else "black"
                )  # fmt: skip
        axes.set_xticks([0, 1], [negative, positive])
        axes.set_yticks([0, 1], [negative, positive])
        axes.set_title(participants[place], fontsize=7)
        axes.tick_params(length=0)
        if place % n_columns == 0:
            axes.set_ylabel("Reference standard")
        if place >= len(participants) - n_columns:
            axes.set_xlabel("Decision")
