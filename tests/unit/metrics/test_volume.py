"""Volume and equivalent diameter."""

import math

import pytest

from equipoise.metrics import equivalent_diameter_mm, volume_ml


def test_volume_is_voxels_times_voxel_volume(voxels):
    mask = voxels((2, 3, 4), (0, 0), (1, 2, 3))
    assert volume_ml(mask, (3, 0.5, 2)) == pytest.approx(5 * 3 / 1000)
    assert volume_ml(voxels((2, 2, 2)), (1, 1, 1)) == 0


def test_equivalent_sphere_has_the_volume(voxels):
    diameter_mm = equivalent_diameter_mm(voxels((2, 3, 4), (0, 0), (1, 2, 3)), (3, 0.5, 2))
    assert math.pi / 6 * diameter_mm**3 == pytest.approx(15)
    assert equivalent_diameter_mm(voxels((2, 2, 2)), (1, 1, 1)) == 0
