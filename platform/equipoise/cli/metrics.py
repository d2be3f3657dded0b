"""`equipoise metrics`: candidate masks against a reference mask, from image files or DICOM folders."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from equipoise.cli.problems import BadInputError, refuse
from equipoise.cli.progress import with_progress

if TYPE_CHECKING:
    from equipoise.imaging import Grid, Mask
    from equipoise.metrics import SegmentationMetrics

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

DEFINITION = "surface measures as google-deepmind/surface-distance; path length as Vaassen 2020"
"""Printed with the values: other libraries define the same words otherwise."""

DECIMALS = 4
"""Decimals in the table; --json prints full precision."""

EMPTY_MASK = "empty mask"
"""Reason given for a distance that is not available."""


@app.command()
def metrics(
    reference: Annotated[Path, typer.Argument(help="Mask file, structure set or DICOM folder.")],
    candidates: Annotated[list[Path], typer.Argument(help="Mask files, structure sets or DICOM folders.")],
    tolerance: Annotated[
        list[float] | None,
        typer.Option(help="Tolerance of the surface Dice in mm; may be repeated.  [default: 1.18]"),
    ] = None,
    roi: Annotated[str | None, typer.Option(help="Region in structure sets, or label in mask files.")] = None,
    candidate_roi: Annotated[
        str | None, typer.Option(help="Region of the candidates, where it is named otherwise.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with full precision.")] = False,
) -> None:
    """Compare masks with a reference mask and print overlap, distances, path length and volumes."""
    from equipoise.metrics.segmentation import DEFAULT_TOLERANCES_MM

    tolerances_mm = tuple(tolerance or DEFAULT_TOLERANCES_MM)
    if any(not value >= 0 for value in tolerances_mm):
        raise BadInputError(f"--tolerance must not be negative, but {min(tolerances_mm)} was given.")
    truth = _read(reference, roi=roi)
    measured = []
    problems: list[str] = []
    for path in with_progress(candidates, label="masks"):
        try:
            mask = _read(path, roi=candidate_roi or roi, grid=truth.grid)
        except BadInputError as error:
            problems.extend(error.problems)
            continue
        measured.append((path, _measure(truth, mask, tolerances_mm)))
    if problems:
        raise BadInputError(*problems)
    if as_json:
        typer.echo(json.dumps(_document(reference, truth.grid, measured), indent=2, allow_nan=False))
    else:
        for line in _table(measured):
            typer.echo(line)


def _read(path: Path, *, roi: str | None, grid: "Grid | None" = None) -> "Mask":
    from equipoise.imaging import read_mask
    from equipoise.imaging.errors import EmptyMaskError, IngestError

    if not path.exists():
        raise BadInputError(f"{path} does not exist.")
    with refuse(IngestError, OSError, about=str(path)):
        try:
            return read_mask(path, roi=roi, image=grid)
        except EmptyMaskError:
            if grid is None:
                raise
            return _empty_mask(grid)  # a candidate that found nothing is a result, not a fault


def _empty_mask(grid: "Grid") -> "Mask":
    import numpy as np

    from equipoise.imaging import Mask

    return Mask(np.zeros(grid.shape_zyx, dtype=np.bool_), grid)


def _measure(reference: "Mask", candidate: "Mask", tolerances_mm: tuple[float, ...]) -> "SegmentationMetrics":
    import warnings

    from equipoise.common.warnings import DegenerateDataWarning
    from equipoise.metrics import segmentation_metrics

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # the table says "empty mask" instead
        return segmentation_metrics(
            reference.array, candidate.array, reference.grid.spacing_mm_zyx, tolerances_mm
        )


def _values(result: "SegmentationMetrics") -> dict[str, Any]:
    """Return the values by their public names; None where a mask is empty and the value is not available."""
    return {
        "dice": _available(result.dice),
        "jaccard": _available(result.jaccard),
        "volume_reference_ml": result.volume_reference_ml,
        "volume_candidate_ml": result.volume_candidate_ml,
        "hausdorff_mm": _available(result.hausdorff_mm),
        "hausdorff_95_mm": _available(result.hausdorff_95_mm),
        "mean_surface_distance_mm": _available(result.mean_surface_distance_mm),
        "surface_dice": {f"{tau:g}": _available(value) for tau, value in result.surface_dice.items()},
        "added_path_length_mm": result.added_path_length_mm,
    }


def _available(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _document(
    reference: Path, grid: "Grid", measured: list[tuple[Path, "SegmentationMetrics"]]
) -> dict[str, Any]:
    return {
        "reference": str(reference),
        "spacing_zyx_mm": list(grid.spacing_mm_zyx),
        "definition": DEFINITION,
        "candidates": [
            {
                "candidate": str(path),
                **_values(result),
                "empty_masks": list(result.empty_masks),
                "reason": EMPTY_MASK if result.empty_masks else None,
            }
            for path, result in measured
        ],
    }


def _table(measured: list[tuple[Path, "SegmentationMetrics"]]) -> list[str]:
    same_names = len({path.name for path, _ in measured}) < len(measured)
    columns = [(str(path) if same_names else path.name, _rows(result)) for path, result in measured]
    names = list(columns[0][1])
    label_width = max(len(name) for name in names)
    widths = [max(len(title), len(EMPTY_MASK), 10) for title, _ in columns]
    titles = [title.rjust(width) for (title, _), width in zip(columns, widths, strict=True)]
    lines = ["  ".join([" " * label_width, *titles])]
    for name in names:
        cells = [_cell(values[name]).rjust(width) for (_, values), width in zip(columns, widths, strict=True)]
        lines.append("  ".join([name.ljust(label_width), *cells]))
    return [*lines, f"({DEFINITION})"]


def _rows(result: "SegmentationMetrics") -> dict[str, float | None]:
    rows: dict[str, float | None] = {}
    for name, value in _values(result).items():
        if isinstance(value, dict):
            rows |= {f"{name} at {tau} mm": share for tau, share in value.items()}
        else:
            rows[name] = value
    return rows


def _cell(value: float | None) -> str:
    return EMPTY_MASK if value is None else f"{value:.{DECIMALS}f}"
