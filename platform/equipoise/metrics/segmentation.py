"""All measures of one pair of masks in one call."""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.metrics._measured_mask import MeasuredMask, measured_masks
from equipoise.metrics._validation import Spacing, validated_pair, validated_spacing, validated_tolerances
from equipoise.metrics.overlap import dice_of_counts, jaccard_of_counts
from equipoise.metrics.path_length import added_path_length_of_contours
from equipoise.metrics.surface_distances import DirectedDistances, SurfaceDistances, distances_between
from equipoise.metrics.volume import volume_of_count_ml

DEFAULT_TOLERANCES_MM = (1.18,)
"""Tolerance of the surface Dice: tau of the published lung-tumour study, from several observers' contours."""


@dataclass(frozen=True)
class SegmentationMetrics:
    """How a candidate mask differs from a reference mask.

    Attributes
    ----------
    dice, jaccard
        Volumetric overlap, 0 to 1.
    volume_reference_ml, volume_candidate_ml
        Volumes in ml.
    hausdorff_mm, hausdorff_95_mm
        The larger directed surface distance: its maximum, and its area-weighted 95th percentile (step
        function).
    mean_surface_distance_mm
        The mean of the two directed area-weighted means.
    surface_dice
        Tolerance in mm -> share of both surfaces within it of the other.
    added_path_length_mm
        Reference contour that is not on the candidate's contour, in plane.
    surface_distances
        The directed distances behind the surface measures.
    n_voxels_reference, n_voxels_candidate, n_voxels_both
        Voxel counts.
    empty_masks
        Which of ``reference`` and ``candidate`` are empty: the reason for an infinite or undefined value.
    """

    dice: float
    jaccard: float
    volume_reference_ml: float
    volume_candidate_ml: float
    hausdorff_mm: float
    hausdorff_95_mm: float
    mean_surface_distance_mm: float
    surface_dice: Mapping[float, float]
    added_path_length_mm: float
    surface_distances: SurfaceDistances
    n_voxels_reference: int
    n_voxels_candidate: int
    n_voxels_both: int
    empty_masks: tuple[str, ...]


def segmentation_metrics(
    reference: npt.ArrayLike,
    candidate: npt.ArrayLike,
    spacing_mm: Sequence[float],
    tolerances_mm: Iterable[float] = DEFAULT_TOLERANCES_MM,
) -> SegmentationMetrics:
    """Measure how a candidate mask differs from a reference mask.

    Parameters
    ----------
    reference, candidate
        Masks ``(z, y, x)`` of one shape, booleans or 0 and 1.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    tolerances_mm
        Tolerances in mm at which the surface Dice is taken.

    Returns
    -------
    SegmentationMetrics
        Overlap, volumes, surface distances, surface Dice by tolerance and added path length.

    Warns
    -----
    DegenerateDataWarning
        If both masks are empty: overlap, surface Dice and distances are ``nan``.

    Raises
    ------
    TypeError, ValueError
        If a mask is not three-dimensional and binary, the shapes differ, the spacing is not positive, or a
        tolerance is negative.

    Notes
    -----
    Surface measures follow google-deepmind/surface-distance: see :func:`equipoise.metrics.surface_distances`.
    With one empty mask overlap and surface Dice are 0 and distances are ``inf``, as in that tool (its
    symmetric mean would be ``nan``); ``empty_masks`` names the mask. Analyses report such distances as not
    available and count them.

    Examples
    --------
    >>> import numpy as np
    >>> reference = np.zeros((1, 4, 4), bool)
    >>> reference[0, 1:3, 1:3] = True
    >>> candidate = np.roll(reference, 1, axis=2)
    >>> metrics = segmentation_metrics(reference, candidate, (3, 1, 1))
    >>> metrics.dice, metrics.hausdorff_mm, metrics.added_path_length_mm
    (0.5, 1.0, 2.0)
    """
    first, second = validated_pair(reference, candidate)
    spacing = validated_spacing(spacing_mm)
    tolerances = validated_tolerances(tolerances_mm)
    measured = measured_masks({"reference": first, "candidate": second}, spacing_mm=spacing)
    if not measured:
        warnings.warn(
            "Both masks are empty: overlap and surface measures are undefined.",
            DegenerateDataWarning,
            stacklevel=2,
        )
        return undefined_metrics(tolerances)
    one, other = measured["reference"], measured["candidate"]
    distances = distances_between(one.surface, other.surface, spacing_mm=spacing)
    return metrics_of(one, other, distances=distances, spacing_mm=spacing, tolerances_mm=tolerances)


def metrics_of(
    reference: MeasuredMask,
    candidate: MeasuredMask,
    *,
    distances: SurfaceDistances,
    spacing_mm: Spacing,
    tolerances_mm: Sequence[float],
) -> SegmentationMetrics:
    """Put the measures of two masks on one grid together; at least one of them has foreground."""
    n_both = int(np.count_nonzero(reference.padded & candidate.padded))
    counts = reference.n_voxels, candidate.n_voxels, n_both
    path = added_path_length_of_contours(reference.contour, candidate.contour, spacing_mm=spacing_mm)
    sides = (("reference", reference), ("candidate", candidate))
    return SegmentationMetrics(
        dice=dice_of_counts(*counts),
        jaccard=jaccard_of_counts(*counts),
        volume_reference_ml=volume_of_count_ml(reference.n_voxels, spacing_mm=spacing_mm),
        volume_candidate_ml=volume_of_count_ml(candidate.n_voxels, spacing_mm=spacing_mm),
        hausdorff_mm=distances.hausdorff_mm(),
        hausdorff_95_mm=distances.hausdorff_mm(95),
        mean_surface_distance_mm=distances.mean_mm,
        surface_dice={tolerance: distances.surface_dice(tolerance) for tolerance in tolerances_mm},
        added_path_length_mm=path.length_mm,
        surface_distances=distances,
        n_voxels_reference=reference.n_voxels,
        n_voxels_candidate=candidate.n_voxels,
        n_voxels_both=n_both,
        empty_masks=tuple(name for name, mask in sides if mask.n_voxels == 0),
    )


def undefined_metrics(tolerances_mm: Sequence[float]) -> SegmentationMetrics:
    """Return the measures of two empty masks."""
    nothing = DirectedDistances(np.empty(0), np.empty(0))
    return SegmentationMetrics(
        dice=math.nan,
        jaccard=math.nan,
        volume_reference_ml=0.0,
        volume_candidate_ml=0.0,
        hausdorff_mm=math.nan,
        hausdorff_95_mm=math.nan,
        mean_surface_distance_mm=math.nan,
        surface_dice=dict.fromkeys(tolerances_mm, math.nan),
        added_path_length_mm=0.0,
        surface_distances=SurfaceDistances(nothing, nothing),
        n_voxels_reference=0,
        n_voxels_candidate=0,
        n_voxels_both=0,
        empty_masks=("reference", "candidate"),
    )
