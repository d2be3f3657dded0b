"""Surface distances: masks computable by hand, and a slow implementation that does everything differently."""

import math
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist
from skimage.measure import marching_cubes

from equipoise.metrics import surface_distances

VOXEL_AREA = math.sqrt(3)
"""Surface of one cubic voxel of 1 mm: eight triangles of sqrt(3)/8 mm2."""


def test_two_voxels_two_millimetres_apart(voxels):
    distances = surface_distances(voxels((1, 1, 3), (0, 0, 0)), voxels((1, 1, 3), (0, 0, 2)), (1, 1, 1))
    assert_allclose(distances.from_reference.distances_mm, [1] * 4 + [2] * 4)
    assert_allclose(distances.from_candidate.distances_mm, [1] * 4 + [2] * 4)
    assert_allclose(distances.from_reference.areas_mm2, [math.sqrt(3) / 8] * 8)
    assert distances.hausdorff_mm() == 2
    assert distances.hausdorff_mm(49) == 1
    assert distances.hausdorff_mm(51) == 2
    assert distances.mean_mm == pytest.approx(1.5)
    assert distances.surface_dice(0.99) == 0
    assert distances.surface_dice(1) == pytest.approx(0.5)
    assert distances.surface_dice(2) == 1


def test_neighbouring_voxels_share_the_corners_between_them(voxels):
    distances = surface_distances(voxels((1, 1, 2), (0, 0, 0)), voxels((1, 1, 2), (0, 0, 1)), (4, 3, 2))
    assert_allclose(distances.from_reference.distances_mm, [0] * 4 + [2] * 4)
    assert distances.surface_overlap(0) == pytest.approx((0.5, 0.5))


def test_anisotropic_voxels_count_every_axis_in_millimetres(voxels):
    shape = (4, 4, 4)
    reference = voxels(shape, (0, 0, 0))
    for axis, (spacing_mm, expected) in enumerate([((5, 1, 1), 5), ((1, 4, 1), 4), ((1, 1, 3), 3)]):
        index = tuple(int(other == axis) for other in range(3))
        distances = surface_distances(reference, voxels(shape, index), spacing_mm)
        assert distances.hausdorff_mm() == expected


def test_directed_distances_differ_when_one_mask_lies_inside_the_other(voxels):
    small = voxels((1, 1, 6), (0, 0, 0))
    large = voxels((1, 1, 6), (0, 0, slice(0, 6)))
    distances = surface_distances(small, large, (1, 1, 1))
    assert distances.from_reference.distances_mm.max() == 0  # its corners all lie on the bar's walls
    assert distances.from_candidate.distances_mm.max() == 5
    assert distances.hausdorff_mm() == 5
    assert distances.from_reference.area_mm2 == pytest.approx(VOXEL_AREA)


def test_image_borders_are_surface(voxels):
    full = np.ones((2, 2, 2), dtype=bool)
    distances = surface_distances(full, full, (1, 1, 1))
    # 8 corners (sqrt(3)/8), 12 edge midpoints (sqrt(2)/2), 6 face centres (1)
    assert distances.from_reference.area_mm2 == pytest.approx(math.sqrt(3) + 12 * math.sqrt(0.5) + 6)


def test_one_empty_mask_leaves_infinite_distances(voxels):
    distances = surface_distances(voxels((2, 2, 2), (0, 0, 0)), voxels((2, 2, 2)), (1, 1, 1))
    assert distances.hausdorff_mm() == math.inf
    assert distances.hausdorff_mm(95) == math.inf
    assert distances.mean_mm == math.inf
    assert distances.surface_dice(1e9) == 0
    assert distances.from_reference.mean_mm == math.inf
    assert math.isnan(distances.from_candidate.mean_mm)
    assert distances.surface_overlap(1)[0] == 0
    assert math.isnan(distances.surface_overlap(1)[1])
    assert distances.reaches_nothing
    assert not distances.is_undefined


def test_two_empty_masks_leave_nothing_defined(voxels):
    distances = surface_distances(voxels((2, 2, 2)), voxels((2, 2, 2)), (1, 1, 1))
    assert math.isnan(distances.hausdorff_mm())
    assert math.isnan(distances.mean_mm)
    assert math.isnan(distances.surface_dice(1))
    assert distances.is_undefined
    assert not distances.reaches_nothing


@pytest.mark.parametrize("seed", range(12))
def test_values_equal_a_slow_implementation(blobs, seed):
    spacing_mm = [(1, 1, 1), (3, 0.9, 0.9), (2.5, 1.25, 0.7)][seed % 3]
    reference, candidate = blobs(seed), blobs(100 + seed, share=0.2)
    got = surface_distances(reference, candidate, spacing_mm)
    there, there_areas, back, back_areas = _slow_distances(reference, candidate, spacing_mm)
    assert_allclose(got.from_reference.distances_mm, np.sort(there), rtol=1e-12)
    assert_allclose(got.from_candidate.distances_mm, np.sort(back), rtol=1e-12)
    assert got.from_reference.area_mm2 == pytest.approx(there_areas.sum(), rel=1e-6)
    mean = (np.average(there, weights=there_areas) + np.average(back, weights=back_areas)) / 2
    assert got.mean_mm == pytest.approx(mean, rel=1e-6)
    tolerance_mm = 1.37  # no distance of these grids equals it
    within = there_areas[there <= tolerance_mm].sum() + back_areas[back <= tolerance_mm].sum()
    assert got.surface_dice(tolerance_mm) == pytest.approx(
        within / (there_areas.sum() + back_areas.sum()), rel=1e-6
    )
    expected_95 = max(_slow_percentile(there, there_areas, 95.3), _slow_percentile(back, back_areas, 95.3))
    assert got.hausdorff_mm(95.3) == pytest.approx(expected_95, rel=1e-12)


def _slow_distances(reference, candidate, spacing_mm):
    points, areas = zip(*(_slow_surface(mask, spacing_mm) for mask in (reference, candidate)), strict=True)
    between = cdist(points[0], points[1])
    return between.min(axis=1), areas[0], between.min(axis=0), areas[1]


def _slow_surface(mask, spacing_mm):
    """Walk over all corners of the padded image; take each patch's area from a library's marching cubes."""
    padded = np.pad(mask, 1)
    points, areas = [], []
    for corner in product(*(range(size - 1) for size in padded.shape)):
        cube = padded[tuple(slice(index, index + 2) for index in corner)]
        if cube.any() and not cube.all():
            points.append(np.multiply(corner, spacing_mm))
            areas.append(_slow_area(cube, spacing_mm))
    return np.array(points), np.array(areas)


def _slow_area(cube, spacing_mm):
    if cube.sum() > 4 or (cube.sum() == 4 and not cube[0, 0, 0]):
        cube = ~cube
    vertices, faces, _, _ = marching_cubes(cube.astype(float), 0.5, spacing=spacing_mm, method="lorensen")
    a, b, c = (vertices[faces[:, corner]].astype(float) for corner in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2


def _slow_percentile(distances, areas, percentile):
    reached, total = 0.0, areas.sum()
    for index in np.argsort(distances, kind="stable"):
        reached += areas[index]
        if reached >= percentile / 100 * total:
            return distances[index]
    return distances.max()
