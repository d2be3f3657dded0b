"""Learning curves: a table for programs, a figure for people."""

import csv
from pathlib import Path


def write_curves(rows: list[dict[str, float]], folder: Path) -> None:
    """Write ``curves.csv`` and ``curves.svg``, one row and one point per epoch."""
    with (folder / "curves.csv").open("w", encoding="utf-8", newline="") as sink:
        writer = csv.DictWriter(sink, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    FigureCanvasSVG(figure)
    losses, scores = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    losses.plot(epochs, [row["loss"] for row in rows], label="training", color="0.2")
    losses.plot(epochs, [row["validation_loss"] for row in rows], label="validation", color="C0")
    losses.set(xlabel="epoch", ylabel="loss")
    losses.legend(frameon=False)
    scores.plot(epochs, [row["score"] for row in rows], color="C0")
    best = max(rows, key=lambda row: (row["score"], -row["validation_loss"]))
    scores.plot([best["epoch"]], [best["score"]], "o", color="C1", label=f"best, {best['score']:.3f}")
    scores.set(xlabel="epoch", ylabel="validation score")
    scores.legend(frameon=False)
    for axes in (losses, scores):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(folder / "curves.svg", metadata={"Date": None})
