"""Writing a result to a folder: results.json, tables as CSV, figures with their data beside them."""

from collections.abc import Iterable
from pathlib import Path

from equipoise.analysis.results import AnalysisResult

FORMATS = ("svg", "png", "pdf")
"""File formats a figure can be drawn in."""
POINTS = "points.json"
"""The format of what a page shows under the pointer; see :mod:`equipoise.analysis.figure_points`."""


def write_result(
    result: AnalysisResult, folder: Path, *, formats: Iterable[str] = ("svg", "png")
) -> list[Path]:
    """Write a result and return the paths written; the same result gives the same bytes.

    Parameters
    ----------
    result : AnalysisResult
    folder : Path
        Made if absent; files of the same names are replaced.
    formats : iterable of str
        Of :data:`FORMATS`, and :data:`POINTS` behind one of these; empty to leave the figures out (their data are
        written all the same).
    """
    wanted = tuple(formats)
    unknown = [name for name in wanted if name not in (*FORMATS, POINTS)]
    if unknown:
        raise ValueError(f"formats must be among {FORMATS}, got {unknown}.")
    written = [_write(folder / "results.json", result.to_json_text())]
    for name, table in result.tables.items():
        written.append(_write(folder / "tables" / f"{name}.csv", table.to_csv()))
    for name, figure in result.figures.items():
        written.append(_write(folder / "figures" / f"{name}.csv", figure.data.to_csv()))
        if wanted:
            from equipoise.analysis.drawing import draw_figure

            written += draw_figure(figure, folder / "figures", formats=wanted)
    return written


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
