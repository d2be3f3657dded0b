"""Volumetric overlap."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.metrics import dice, jaccard, slice_dice


def test_one_shared_voxel_of_two_and_three(voxels):
    first = voxels((1, 1, 5), (0, 0, slice(0, 2)))
    second = voxels((1, 1, 5), (0, 0, slice(1, 4)))
    assert dice(first, second) == 2 / 5
    assert jaccard(first, second) == 1 / 4


@pytest.mark.parametrize("score", [dice, jaccard])
def test_empty_masks_score_zero_or_nothing(voxels, score):
    assert score(voxels((2, 2, 2), (0, 0, 0)), voxels((2, 2, 2))) == 0
    with pytest.warns(DegenerateDataWarning, match="Both masks are empty"):
        assert math.isnan(score(voxels((2, 2, 2)), voxels((2, 2, 2))))


def test_every_slice_has_its_own_overlap(voxels):
    first = voxels((4, 2, 2), (0, 0, 0), (0, 0, 1), (1, 0, 0), (3, 1))
    second = voxels((4, 2, 2), (0, 0, 0), (3, 1))
    assert_array_equal(slice_dice(first, second), [2 / 3, 0, np.nan, 1])
