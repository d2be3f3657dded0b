"""All pairs of several masks of one structure, each mask's surface work done once."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy.typing as npt

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.metrics._measured_mask import measured_masks
from equipoise.metrics._nearest import nearest_distances_mm
from equipoise.metrics._validation import validated_masks, validated_spacing, validated_tolerances
from equipoise.metrics.segmentation import (
    DEFAULT_TOLERANCES_MM,
    SegmentationMetrics,
    metrics_of,
    undefined_metrics,
)
from equipoise.metrics.surface_distances import DirectedDistances, SurfaceDistances


def pairwise_segmentation_metrics(
    masks: Mapping[str, npt.ArrayLike],
    spacing_mm: Sequence[float],
    tolerances_mm: Iterable[float] = DEFAULT_TOLERANCES_MM,
) -> list[tuple[str, str, SegmentationMetrics]]:
    """Measure every unordered pair of several masks of one structure.

    Parameters
    ----------
    masks
        Name -> mask ``(z, y, x)``, all of one shape, booleans or 0 and 1.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    tolerances_mm
        Tolerances in mm at which the surface Dice is taken.

    Returns
    -------
    list of (first, second, SegmentationMetrics)
        Every unordered pair once, in the mapping's order; the first is the pair's reference. The values equal
        those of :func:`segmentation_metrics` on the pair.

    Warns
    -----
    DegenerateDataWarning
        Once, if a pair has two empty masks.

    Raises
    ------
    TypeError, ValueError
        As :func:`segmentation_metrics`, naming the mask.

    Notes
    -----
    Cropping, surface elements, contours and the search for nearest elements are done once per mask on one
    common box; a pair costs two look-ups and two sorts.
    """
    checked = validated_masks(masks)
    spacing = validated_spacing(spacing_mm)
    tolerances = validated_tolerances(tolerances_mm)
    measured = measured_masks(checked, spacing_mm=spacing)
    directed: dict[tuple[str, str], DirectedDistances] = {}
    for target, mask in measured.items():
        others = {source: other.surface for source, other in measured.items() if source != target}
        found = nearest_distances_mm(mask.surface, list(others.values()), spacing_mm=spacing)
        for (source, surface), distances_mm in zip(others.items(), found, strict=True):
            directed[source, target] = DirectedDistances.of(distances_mm, surface.areas_mm2)
    pairs = []
    for first, second in combinations(checked, 2):
        if not measured or measured[first].n_voxels == measured[second].n_voxels == 0:
            pairs.append((first, second, undefined_metrics(tolerances)))
            continue
        metrics = metrics_of(
            measured[first],
            measured[second],
            distances=SurfaceDistances(directed[first, second], directed[second, first]),
            spacing_mm=spacing,
            tolerances_mm=tolerances,
        )
        pairs.append((first, second, metrics))
    if any(len(metrics.empty_masks) == 2 for _, _, metrics in pairs):
        warnings.warn(
            "Two masks of a pair are empty: its overlap and surface measures are undefined.",
            DegenerateDataWarning,
            stacklevel=2,
        )
    return pairs
