"""`bone-scan`: two planar views side by side for the network, and the heat map back on the views."""

from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.inference.errors import UnusableScanError

VIEW_ROWS, VIEW_COLUMNS = 512, 256
"""Size of one view on the network's plane."""

VIEWS = ("anterior", "posterior")
"""From left to right."""

FloatArray = NDArray[np.float32]


def prepare_bone_scan(anterior: NDArray[np.number], posterior: NDArray[np.number]) -> FloatArray:
    """Return both views side by side, each from 0 to 1.

    Parameters
    ----------
    anterior, posterior : array, shape (rows, columns)
        Counts.

    Returns
    -------
    ndarray of float32, shape (512, 512)

    Raises
    ------
    UnusableScanError
        If a view is no plane, holds what is no number, or shows one value only.
    """
    return np.concatenate([_view(anterior, VIEWS[0]), _view(posterior, VIEWS[1])], axis=1)


def _view(counts: NDArray[np.number], name: str) -> FloatArray:
    if counts.ndim != 2 or min(counts.shape, default=0) < 2:
        raise UnusableScanError(f"The {name} view has the shape {counts.shape}; it must be one plane.")
    if not np.isfinite(counts).all():
        raise UnusableScanError(f"The {name} view holds values that are not numbers.")
    resized = resized_linear(np.asarray(counts, np.float32), (VIEW_ROWS, VIEW_COLUMNS))
    low, high = float(resized.min()), float(resized.max())
    if high <= low:
        raise UnusableScanError(f"The {name} view shows one value only, {low:g}.")
    return np.asarray((resized - low) / (high - low), np.float32)


def on_plane(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return masks of both views, shape (2, rows, columns), on the network's plane; what they touch counts."""
    views = [resized_linear(mask.astype(np.float32), (VIEW_ROWS, VIEW_COLUMNS)) > 0 for mask in masks]
    return np.concatenate(views, axis=1)


def resized_linear(plane: NDArray[Any], shape: tuple[int, int]) -> FloatArray:
    """Resize a plane linearly between pixel centres; beyond the outermost centres their values stay (OpenCV's)."""
    for axis, target in enumerate(shape):
        source = plane.shape[axis]
        at = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
        low = np.minimum(at.astype(np.int64), max(source - 2, 0))
        part = (at - low).astype(np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        high = np.minimum(low + 1, source - 1)
        plane = plane.take(low, axis) * (1 - part) + plane.take(high, axis) * part
    return np.asarray(plane, np.float32)


def heat_on_views(heat: NDArray[Any], shape_yx: tuple[int, int]) -> FloatArray:
    """Return a map of the side-by-side plane on the pixels of both views, shape (2, rows, columns).

    The halves are parted before they are resized: heat at the inner edge of one view is none of the other's.
    """
    half = heat.shape[1] // 2
    return np.stack([resized_linear(part, shape_yx) for part in (heat[:, :half], heat[:, half:])])


def views_of(array: NDArray[np.int16], names: tuple[str, ...]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return the anterior and the posterior frame of a planar image; by place where it does not name them.

    Raises
    ------
    UnusableScanError
        If there are not both views.
    """
    if set(VIEWS) <= set(names):
        return array[names.index(VIEWS[0])], array[names.index(VIEWS[1])]
    if len(array) != 2:
        raise UnusableScanError(
            f"A bone scan has an anterior and a posterior view; this image has {len(array)} plane(s)."
        )
    return array[0], array[1]


def timed_preparation(
    anterior: NDArray[np.number], posterior: NDArray[np.number]
) -> tuple[FloatArray, dict[str, float]]:
    """Prepare both views and say how long it took."""
    started = perf_counter()
    plane = prepare_bone_scan(anterior, posterior)
    return plane, {"prepare": perf_counter() - started}
