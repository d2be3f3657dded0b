"""The tolerance of the surface Dice, from how much observers differ."""

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.metrics._measured_mask import measured_masks
from equipoise.metrics._nearest import nearest_distances_mm
from equipoise.metrics._validation import validated_masks, validated_spacing
from equipoise.metrics.surface_distances import DirectedDistances, Floats

MIN_OBSERVERS = 2
"""Fewer observers cannot differ."""


def surface_tolerance_mm(
    masks: Mapping[str, npt.ArrayLike] | Sequence[npt.ArrayLike],
    spacing_mm: Sequence[float],
    percentile: float = 95,
) -> float:
    """Return the surface distance within which observers agree on this share of their surfaces.

    Parameters
    ----------
    masks
        Several observers' masks ``(z, y, x)`` of one structure, named or in a sequence, of one shape.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    percentile
        Share of the pooled surface in percent, 0 to 100.

    Returns
    -------
    float
        Tolerance tau in mm; ``nan`` with a :class:`DegenerateDataWarning` if a mask is empty.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two masks, they are not binary and of one shape, the spacing is not positive,
        or the percentile lies outside 0 to 100.

    Notes
    -----
    The directed distances of all ordered pairs are pooled; tau is their area-weighted percentile, a step
    function as for the Hausdorff distance.

    References
    ----------
    .. [1] Nikolov et al. Clinically applicable segmentation of head and neck anatomy for radiotherapy. J Med
       Internet Res 23(7), 2021 (tau as the 95th percentile of distances between observers).
    """
    named = masks if isinstance(masks, Mapping) else {str(number): mask for number, mask in enumerate(masks)}
    if len(named) < MIN_OBSERVERS:
        raise ValueError(f"'masks' must hold at least {MIN_OBSERVERS} observers' masks, not {len(named)}.")
    if not 0 <= percentile <= 100:
        raise ValueError(f"'percentile' must lie between 0 and 100, but it is {percentile}.")
    checked = validated_masks(named)
    spacing = validated_spacing(spacing_mm)
    measured = measured_masks(checked, spacing_mm=spacing)
    if not measured or any(mask.n_voxels == 0 for mask in measured.values()):
        warnings.warn(
            "An observer's mask is empty: the tolerance is undefined.", DegenerateDataWarning, stacklevel=2
        )
        return math.nan
    distances: list[Floats] = []
    areas: list[Floats] = []
    for target, mask in measured.items():
        others = [other.surface for source, other in measured.items() if source != target]
        distances.extend(nearest_distances_mm(mask.surface, others, spacing_mm=spacing))
        areas.extend(surface.areas_mm2 for surface in others)
    return DirectedDistances.of(np.concatenate(distances), np.concatenate(areas)).percentile_mm(percentile)
