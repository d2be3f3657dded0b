"""Measures of masks: how two contours of one structure differ, and how large a structure is.

NumPy and SciPy only. Masks are ``(z, y, x)``, spacing ``(z, y, x)`` in mm. Surface measures follow the
definition of google-deepmind/surface-distance, which other libraries do not share: name the definition beside
every value.
"""

from equipoise.metrics.axial_diameter import LongestAxialDiameter, longest_axial_diameter_mm
from equipoise.metrics.detection import LungDetection, detection_by_lung
from equipoise.metrics.majority_vote import majority_vote
from equipoise.metrics.overlap import dice, jaccard, slice_dice
from equipoise.metrics.pairwise import pairwise_segmentation_metrics
from equipoise.metrics.path_length import AddedPathLength, added_path_length
from equipoise.metrics.segmentation import SegmentationMetrics, segmentation_metrics
from equipoise.metrics.surface_distances import SurfaceDistances, surface_distances
from equipoise.metrics.surface_elements import surface_element_areas_mm2
from equipoise.metrics.surface_tolerance import surface_tolerance_mm
from equipoise.metrics.volume import equivalent_diameter_mm, volume_ml

__all__ = [
    "AddedPathLength",
    "LongestAxialDiameter",
    "LungDetection",
    "SegmentationMetrics",
    "SurfaceDistances",
    "added_path_length",
    "detection_by_lung",
    "dice",
    "equivalent_diameter_mm",
    "jaccard",
    "longest_axial_diameter_mm",
    "majority_vote",
    "pairwise_segmentation_metrics",
    "segmentation_metrics",
    "slice_dice",
    "surface_distances",
    "surface_element_areas_mm2",
    "surface_tolerance_mm",
    "volume_ml",
]
