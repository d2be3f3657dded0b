"""The RECIST longest diameter."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy.ndimage import label

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.metrics import LongestAxialDiameter, longest_axial_diameter_mm


def test_a_row_of_pixels_is_as_long_as_its_pixels(voxels):
    mask = voxels((3, 4, 6), (1, 2, slice(1, 5)))
    assert longest_axial_diameter_mm(mask, (3, 0.5, 2)) == LongestAxialDiameter(
        8.0, 1, (2.0, 0.5), (2.0, 4.5)
    )


def test_across_tall_pixels_the_longest_line_is_diagonal(voxels):
    mask = voxels((3, 4, 6), (1, 2, slice(1, 5)))
    result = longest_axial_diameter_mm(mask, (3, 5, 0.5))
    assert result == LongestAxialDiameter(math.hypot(5, 1.5), 1, (1.5, 1.0), (2.5, 4.0))


def test_a_single_pixel_is_as_long_as_its_longer_side(voxels):
    assert longest_axial_diameter_mm(voxels((1, 3, 3), (0, 1, 1)), (9, 2, 3)).length_mm == 3


def test_a_rectangle_is_crossed_between_edge_midpoints_near_opposite_corners(voxels):
    mask = voxels((1, 10, 10), (0, slice(2, 5), slice(2, 6)))  # 3 x 4 pixels
    result = longest_axial_diameter_mm(mask, (1, 1, 1))
    assert result.length_mm == math.hypot(2, 4)
    assert (result.start_yx, result.end_yx) == ((2.0, 1.5), (4.0, 5.5))


def test_a_disc_is_as_long_as_its_diameter():
    y, x = np.ogrid[-40:41, -40:41]
    disc = (y**2 + x**2 <= 30.5**2)[None]
    assert longest_axial_diameter_mm(disc, (1, 1, 1)).length_mm == pytest.approx(61, abs=1)


def test_length_is_measured_in_plane_in_the_longest_slice(voxels):
    mask = voxels((5, 8, 8), (slice(0, 5), 3, 3), (2, 3, slice(1, 6)), (4, 3, slice(1, 6)))
    result = longest_axial_diameter_mm(mask, (50, 1, 1))
    assert result.length_mm == 5
    assert result.slice_index == 2
    assert float(result) == 5


def test_pieces_that_do_not_touch_are_measured_apart(voxels):
    mask = voxels((1, 3, 12), (0, 1, slice(0, 3)), (0, 1, slice(8, 12)))
    assert longest_axial_diameter_mm(mask, (1, 1, 1)) == LongestAxialDiameter(4.0, 0, (1.0, 7.5), (1.0, 11.5))
    touching = voxels((1, 3, 4), (0, 1, slice(0, 2)), (0, 2, slice(2, 4)))  # at a corner
    assert longest_axial_diameter_mm(touching, (1, 1, 1)).length_mm == pytest.approx(math.hypot(1, 4))


def test_a_concave_lesion_is_measured_across_its_bay(voxels):
    mask = voxels((1, 5, 9), (0, slice(0, 4), 0), (0, slice(0, 4), 8), (0, 3, slice(0, 9)))
    assert longest_axial_diameter_mm(mask, (1, 1, 1)).length_mm == pytest.approx(math.hypot(9, 3))


def test_an_empty_mask_has_no_diameter(voxels):
    with pytest.warns(DegenerateDataWarning, match="The mask is empty"):
        result = longest_axial_diameter_mm(voxels((2, 2, 2)), (1, 1, 1))
    assert math.isnan(result.length_mm)
    assert (result.slice_index, result.start_yx, result.end_yx) == (None, None, None)


@pytest.mark.parametrize("seed", range(8))
def test_length_equals_that_over_all_pairs_of_edge_midpoints(blobs, seed):
    mask = blobs(seed, shape=(3, 12, 10))
    row_mm, column_mm = 0.8, 1.3
    expected = 0.0
    for plane in mask:
        pieces, count = label(plane, structure=np.ones((3, 3)))
        for number in range(1, count + 1):
            points = [
                (y + dy, x + dx)
                for y, x in np.argwhere(pieces == number)
                for dy, dx in ((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5))
            ]
            for (y1, x1), (y2, x2) in combinations(points, 2):
                expected = max(expected, math.hypot((y1 - y2) * row_mm, (x1 - x2) * column_mm))
    assert longest_axial_diameter_mm(mask, (3, row_mm, column_mm)).length_mm == pytest.approx(
        expected, rel=1e-12
    )


def test_bad_input_is_named(voxels):
    with pytest.raises(ValueError, match=r"'mask' must have three axes .* \(2, 2\)"):
        longest_axial_diameter_mm(np.ones((2, 2), bool), (1, 1, 1))
