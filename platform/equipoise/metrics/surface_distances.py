"""Distances between the surfaces of two masks, weighted by the area they stand for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from equipoise.metrics._box import foreground_box, padded_crop, union_box
from equipoise.metrics._nearest import nearest_distances_mm
from equipoise.metrics._validation import Spacing, validated_pair, validated_spacing
from equipoise.metrics.surface_elements import SurfaceElements, surface_elements

Floats = npt.NDArray[np.float64]

WHOLE = 100
"""All of a surface, in percent."""


@dataclass(frozen=True)
class DirectedDistances:
    """Distances from every surface element of one mask to the other mask's surface, ascending.

    Attributes
    ----------
    distances_mm, areas_mm2
        One entry per surface element. Without a surface to start from both are empty; without one to reach
        the distances are infinite.
    """

    distances_mm: Floats
    areas_mm2: Floats

    @cached_property
    def area_mm2(self) -> float:
        """The area of the surface the distances start from."""
        return float(self.areas_mm2.sum())

    @property
    def mean_mm(self) -> float:
        """The area-weighted mean; ``nan`` without a surface to start from, ``inf`` without one to reach."""
        if self.distances_mm.size == 0:
            return math.nan
        return float((self.distances_mm * self.areas_mm2).sum() / self.area_mm2)

    def percentile_mm(self, percentile: float) -> float:
        """Return the distance within which this share of surface lies: a step function."""
        if self.distances_mm.size == 0:
            return math.inf
        if percentile >= WHOLE:
            return float(self.distances_mm[-1])
        share = np.cumsum(self.areas_mm2) / self.area_mm2
        index = int(np.searchsorted(share, percentile / WHOLE))
        return float(self.distances_mm[min(index, self.distances_mm.size - 1)])

    def area_within_mm2(self, tolerance_mm: float) -> float:
        """Return the area whose distance is at most the tolerance."""
        count = int(np.searchsorted(self.distances_mm, tolerance_mm, side="right"))
        return float(self.areas_mm2[:count].sum())

    @classmethod
    def of(cls, distances_mm: Floats, areas_mm2: Floats) -> "DirectedDistances":
        """Sort the elements by distance."""
        order = np.argsort(distances_mm)
        return cls(distances_mm[order], areas_mm2[order])


@dataclass(frozen=True)
class SurfaceDistances:
    """The distances in both directions, and the scores read off them."""

    from_reference: DirectedDistances
    from_candidate: DirectedDistances

    @property
    def is_undefined(self) -> bool:
        """Whether both masks are empty, so that no score is defined."""
        return self.from_reference.distances_mm.size == 0 and self.from_candidate.distances_mm.size == 0

    @property
    def reaches_nothing(self) -> bool:
        """Whether exactly one mask is empty, so that no distance is finite."""
        return (self.from_reference.distances_mm.size == 0) != (self.from_candidate.distances_mm.size == 0)

    @property
    def mean_mm(self) -> float:
        """The mean of the two directed area-weighted means; ``inf`` with one empty mask, ``nan`` with two."""
        if self.reaches_nothing:
            return math.inf
        return (self.from_reference.mean_mm + self.from_candidate.mean_mm) / 2

    def hausdorff_mm(self, percentile: float = 100) -> float:
        """Return the larger directed percentile; ``inf`` with one empty mask, ``nan`` with two."""
        if self.is_undefined:
            return math.nan
        return max(
            self.from_reference.percentile_mm(percentile), self.from_candidate.percentile_mm(percentile)
        )

    def surface_dice(self, tolerance_mm: float) -> float:
        """Return the share of both surfaces within the tolerance of the other; ``nan`` without surfaces."""
        if self.is_undefined:
            return math.nan
        if self.reaches_nothing:
            return 0.0
        within = self.from_reference.area_within_mm2(tolerance_mm) + self.from_candidate.area_within_mm2(
            tolerance_mm
        )
        return within / (self.from_reference.area_mm2 + self.from_candidate.area_mm2)

    def surface_overlap(self, tolerance_mm: float) -> tuple[float, float]:
        """Return the reference's and the candidate's share of surface within the tolerance of the other."""
        return _overlap(self.from_reference, tolerance_mm), _overlap(self.from_candidate, tolerance_mm)


def surface_distances(
    reference: npt.ArrayLike, candidate: npt.ArrayLike, spacing_mm: Sequence[float]
) -> SurfaceDistances:
    """Measure the distances between the surfaces of two masks.

    Parameters
    ----------
    reference, candidate
        Masks ``(z, y, x)`` of one shape, booleans or 0 and 1.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.

    Returns
    -------
    SurfaceDistances
        With ``hausdorff_mm(percentile)``, ``mean_mm``, ``surface_dice(tolerance_mm)`` and the directed
        distances.

    Raises
    ------
    TypeError, ValueError
        If a mask is not three-dimensional and binary, the shapes differ, or the spacing is not positive.

    Notes
    -----
    Surface elements sit where eight voxels meet and carry the area of their marching-cubes patch; masks are
    padded with background, so that image borders are surface. An element's distance is that to the nearest
    element of the other surface. This is the definition of google-deepmind/surface-distance; MONAI, MedPy and
    SimpleITK use others and give other numbers. With one empty mask distances are infinite, with two there
    are none.

    References
    ----------
    .. [1] Nikolov et al. Clinically applicable segmentation of head and neck anatomy for radiotherapy. J Med
       Internet Res 23(7), 2021; arXiv:1809.04430.

    Examples
    --------
    >>> import numpy as np
    >>> reference, candidate = np.zeros((1, 1, 5), bool), np.zeros((1, 1, 5), bool)
    >>> reference[0, 0, 0] = candidate[0, 0, 2] = True
    >>> surface_distances(reference, candidate, (1, 1, 2)).hausdorff_mm()  # two voxels, 4 mm apart
    4.0
    """
    first, second = validated_pair(reference, candidate)
    spacing = validated_spacing(spacing_mm)
    boxes = [box for box in (foreground_box(first), foreground_box(second)) if box is not None]
    if not boxes:
        nothing = DirectedDistances(np.empty(0), np.empty(0))
        return SurfaceDistances(nothing, nothing)
    box = union_box(boxes)
    return distances_between(
        surface_elements(padded_crop(first, box), spacing_mm=spacing),
        surface_elements(padded_crop(second, box), spacing_mm=spacing),
        spacing_mm=spacing,
    )


def distances_between(
    reference: SurfaceElements, candidate: SurfaceElements, *, spacing_mm: Spacing
) -> SurfaceDistances:
    """Return the distances between two surfaces on one grid."""
    [there] = nearest_distances_mm(candidate, [reference], spacing_mm=spacing_mm)
    [back] = nearest_distances_mm(reference, [candidate], spacing_mm=spacing_mm)
    return SurfaceDistances(
        DirectedDistances.of(there, reference.areas_mm2), DirectedDistances.of(back, candidate.areas_mm2)
    )


def _overlap(distances: DirectedDistances, tolerance_mm: float) -> float:
    if distances.distances_mm.size == 0:
        return math.nan
    return distances.area_within_mm2(tolerance_mm) / distances.area_mm2
