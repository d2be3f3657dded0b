"""The distance from points of a grid to the nearest element of a surface, exact."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from equipoise.metrics._validation import Spacing
from equipoise.metrics.surface_elements import SurfaceElements


class NearestSurface:
    """The nearest element of one surface for every point of its grid, found once and asked often."""

    def __init__(self, surface: SurfaceElements, *, spacing_mm: Spacing) -> None:
        self._spacing_mm = spacing_mm
        self._shape = surface.is_surface.shape
        self._nearest: npt.NDArray[np.int32] | None = None
        if surface.flat_indices.size:
            self._nearest = distance_transform_edt(
                ~surface.is_surface, sampling=spacing_mm, return_distances=False, return_indices=True
            ).reshape(3, -1)

    def distances_mm(self, flat_indices: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        """Return the distance of each of these points of the raveled grid; infinite without a surface."""
        if self._nearest is None:
            return np.full(flat_indices.size, np.inf)
        points = np.unravel_index(flat_indices, self._shape)
        squares = np.zeros(flat_indices.size)
        for axis in range(3):
            step_mm = (self._nearest[axis, flat_indices] - points[axis]) * self._spacing_mm[axis]
            squares += step_mm * step_mm
        distances: npt.NDArray[np.float64] = np.sqrt(squares)
        return distances
