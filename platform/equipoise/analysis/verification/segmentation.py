"""Runs segmentation cases through :mod:`equipoise.metrics`.

Compared are voxel counts, volumes, the values of the required definition (google-deepmind/surface-distance)
and the padded added path length. Other tools' definitions of the same words are not the platform's.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equipoise.metrics import SegmentationMetrics, added_path_length, segmentation_metrics

_OTHER_DEFINITION = "another definition of surface and distance than the platform's"

NOT_COMPARED: Mapping[str, str] = {
    "simpleitk": _OTHER_DEFINITION,
    "monai": _OTHER_DEFINITION,
    "medpy": _OTHER_DEFINITION,
    "apl_platipy.threshold_0mm": "image borders are not background there",
    "apl_platipy.threshold_3mm": "the tolerance dilates the candidate's contour first",
    "apl_platipy.ref_contour_pixels_total": "counts background contours of the reference as well",
}
"""Path under ``expected`` -> why it is not compared."""


def run_case(case: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """Compute a case's measures from its two masks."""
    with np.load(folder / case["input"]["file"], allow_pickle=False) as arrays:
        reference, candidate = arrays["ref"], arrays["auto"]
        spacing_mm = tuple(float(value) for value in arrays["spacing_zyx_mm"])
    tolerances_mm = {str(tau): float(tau) for tau in case["config"]["tau_mm"]}
    metrics = segmentation_metrics(reference, candidate, spacing_mm, tuple(tolerances_mm.values()))
    path = added_path_length(reference, candidate, spacing_mm)
    n_union = metrics.n_voxels_reference + metrics.n_voxels_candidate - metrics.n_voxels_both
    return {
        "voxels": {
            "ref": metrics.n_voxels_reference,
            "auto": metrics.n_voxels_candidate,
            "intersection": metrics.n_voxels_both,
            "union": n_union,
        },
        "volume_ml": {"ref": metrics.volume_reference_ml, "auto": metrics.volume_candidate_ml},
        "deepmind_surface_distance": _surface_values(metrics, tolerances_mm),
        "apl_platipy": {
            "threshold_0mm_in_plane_padded": {"pixels_total": path.n_pixels, "total_mm": path.length_mm},
            "in_plane_spacing_mean_mm": (spacing_mm[1] + spacing_mm[2]) / 2,
        },
    }


def _surface_values(metrics: SegmentationMetrics, tolerances_mm: Mapping[str, float]) -> Mapping[str, Any]:
    distances = metrics.surface_distances
    there, back = distances.from_reference, distances.from_candidate
    # With one empty mask the tool averages inf and nan; the platform's own mean is inf there.
    symmetric_mm = math.nan if distances.reaches_nothing else metrics.mean_surface_distance_mm
    return {
        "dsc": metrics.dice,
        "hd": metrics.hausdorff_mm,
        "hd95": metrics.hausdorff_95_mm,
        "asd_ref_to_auto": there.mean_mm,
        "asd_auto_to_ref": back.mean_mm,
        "asd_symmetric_mean_of_two": symmetric_mm,
        "surface_dsc": {key: metrics.surface_dice[tau] for key, tau in tolerances_mm.items()},
        "surface_overlap": {key: list(distances.surface_overlap(tau)) for key, tau in tolerances_mm.items()},
        "surface_area_mm2": {"ref": there.area_mm2, "auto": back.area_mm2},
    }
