"""`nsclc`: preprocessing as the published description has it, for any chest or whole-body CT."""

from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.errors import InferenceWarning, UnusableScanError, WarningCode
from equipoise.inference.lungs import isolate_lungs
from equipoise.inference.plane import PLANE, AxisMap, PlaneMap, centre_index
from equipoise.inference.prepared import PreparedScan, binned
from equipoise.inference.scan import range_warnings, validated_scan

LARGEST_PLANE_MM = 1200.0
"""No scanner's field is wider."""

FEW_SLICES = 5
"""Fewer show no lesion's extent along the patient."""


def prepare_nsclc(hu: NDArray[np.number], spacing_mm: tuple[float, float, float]) -> PreparedScan:
    """Prepare a CT: 1 mm pixels, lungs isolated, binned, on a plane of 512 x 512 about the lungs.

    Parameters
    ----------
    hu : array, shape (z, y, x)
        Hounsfield units, turned the usual way round. Rows and columns may differ in number and spacing.
    spacing_mm : tuple of float
        (z, y, x).

    Returns
    -------
    PreparedScan
        Without slices, and with a warning, where no lungs are found.

    Raises
    ------
    UnusableScanError
        If the array or its spacing is none of a scan.
    """
    started = perf_counter()
    volume = validated_scan(hu, spacing_mm)
    slices, rows, columns = volume.shape
    y_mm, x_mm = rows * spacing_mm[1], columns * spacing_mm[2]
    if max(y_mm, x_mm) > LARGEST_PLANE_MM or min(round(y_mm), round(x_mm)) < 1:
        raise UnusableScanError(
            f"The plane measures {y_mm:.0f} x {x_mm:.0f} mm; a scanner's field measures up to "
            f"{LARGEST_PLANE_MM:.0f} mm. Is the pixel spacing right?"
        )
    warnings = range_warnings(volume)
    if slices < FEW_SLICES:
        warnings.append(InferenceWarning(WarningCode.FEW_SLICES, f"The scan has {slices} slice(s) only."))
    whole = PlaneMap(_whole_axis(rows, round(y_mm)), _whole_axis(columns, round(x_mm)))
    plane = whole.to_plane(volume)
    placed = perf_counter()
    isolation = isolate_lungs(plane, (spacing_mm[0], 1.0, 1.0))
    isolated = perf_counter()
    seen = np.flatnonzero(isolation.mask.any(axis=(1, 2)))
    depth = slice(int(seen[0]), int(seen[-1]) + 1) if len(seen) else slice(0, 0)
    mask = isolation.mask[depth]
    bins = binned(plane[depth], mask)
    y, x = (_placed(np.any(mask, axis=axes)) for axes in ((0, 2), (0, 1)))
    plane_map = PlaneMap(_shown_axis(whole.rows, y), _shown_axis(whole.columns, x))
    done = perf_counter()
    return PreparedScan(
        bins=_moved(bins, y, x),
        lung_mask=_moved(mask, y, x),
        first_slice=depth.start,
        slices=slices,
        plane=plane_map,
        image_shape_yx=(rows, columns),
        midline_x=isolation.axis_x[depth] - x,
        warnings=(*warnings, *isolation.warnings),
        seconds={"resample": placed - started, "lungs": isolated - placed, "bin": done - isolated},
    )


def _whole_axis(source: int, target: int) -> AxisMap:
    return AxisMap(centre_index(source, target), centre_index(target, source), crop=0, pad=0, size=target)


def _placed(on: NDArray[Any]) -> int:
    """Return the first resampled index that the plane shows; negative where the plane begins before it."""
    length = len(on)
    if length <= PLANE:
        return -((PLANE - length) // 2)
    places = np.flatnonzero(on)
    middle = int(places[0] + places[-1] + 1) // 2 if len(places) else length // 2
    return min(max(middle - PLANE // 2, 0), length - PLANE)


def _shown_axis(axis: AxisMap, first: int) -> AxisMap:
    return AxisMap(axis.source, axis.back, crop=max(first, 0), pad=max(-first, 0))


def _moved(stack: NDArray[Any], y: int, x: int) -> NDArray[Any]:
    """Crop or pad the slices to the plane that begins at (y, x)."""
    plane = np.zeros((len(stack), PLANE, PLANE), stack.dtype)
    part = stack[:, max(y, 0) : max(y, 0) + PLANE, max(x, 0) : max(x, 0) + PLANE]
    top, left = max(-y, 0), max(-x, 0)
    plane[:, top : top + part.shape[1], left : left + part.shape[2]] = part
    return plane
