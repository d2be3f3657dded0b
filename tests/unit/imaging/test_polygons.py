"""Polygons in mm to masks: the rule of structure sets, on grids of any direction."""

import numpy as np
import pytest

from equipoise.imaging.errors import EmptyMaskError, GridMismatchError, ImageTooLargeError
from equipoise.imaging.geometry import Grid
from equipoise.imaging.limits import ReadLimits
from equipoise.imaging.polygons import mask_of_polygons

FLIPPED = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))


def rectangle_mm(grid, z, rows, columns):
    """Return the outline of a block of voxels, half a voxel around their centres, in mm."""
    (top, bottom), (left, right) = rows, columns
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return grid.index_to_patient(np.array([(x - 0.5, y - 0.5, z) for x, y in corners]))


@pytest.mark.parametrize("direction", [((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0)), FLIPPED])
def test_rectangle_covers_the_voxels_whose_centres_it_encloses(direction):
    grid = Grid((5, 20, 24), (4.0, 0.8, 0.7), (-10.5, 20.25, -300.0), direction)
    mask = mask_of_polygons([rectangle_mm(grid, 3, (4, 9), (6, 14))], grid)
    expected = np.zeros(grid.shape_zyx, dtype=bool)
    expected[3, 4:9, 6:14] = True
    assert np.array_equal(mask.array, expected)


def test_loop_inside_a_loop_is_a_hole_and_slices_are_apart(grid):
    outer, inner = rectangle_mm(grid, 2, (2, 12), (2, 12)), rectangle_mm(grid, 2, (5, 8), (5, 8))
    mask = mask_of_polygons([outer, inner, rectangle_mm(grid, 4, (5, 8), (5, 8))], grid)
    assert mask.array.sum(axis=(1, 2)).tolist() == [0, 0, 100 - 9, 0, 9, 0]
    assert not mask.array[3].any()


def test_polygon_off_the_slices_is_refused_and_never_moved(grid):
    loop = rectangle_mm(grid, 2, (2, 12), (2, 12))
    for shift_mm, words in ((2.0, "2.00 mm from the nearest slice"), (500.0, "beyond the image's 6 slices")):
        with pytest.raises(GridMismatchError, match=words):
            mask_of_polygons([loop + np.array([0, 0, shift_mm])], grid)
    with pytest.raises(GridMismatchError, match="not parallel"):
        mask_of_polygons([loop + np.outer([0, 0, 1, 1], [0, 0, 1.0])], grid)


@pytest.mark.parametrize("far_mm", [1e7, 1e300, 1.7e308])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_vertex_far_outside_the_image_is_refused(grid, axis, far_mm):
    loop = rectangle_mm(grid, 2, (2, 12), (2, 12))
    loop[2, axis] = far_mm
    with pytest.raises(GridMismatchError, match="far outside"):
        mask_of_polygons([loop], grid)


def test_no_voxel_too_many_points_and_wrong_shapes_are_refused(grid):
    with pytest.raises(EmptyMaskError):
        mask_of_polygons([rectangle_mm(grid, 2, (3, 3), (2, 12))], grid)
    with pytest.raises(ImageTooLargeError):
        mask_of_polygons(
            [rectangle_mm(grid, 2, (3, 6), (2, 12))], grid, limits=ReadLimits(max_contour_points=3)
        )
    for wrong in (np.zeros((4, 2)), np.zeros((2, 3)), np.full((3, 3), np.nan)):
        with pytest.raises(ValueError, match="Polygon 1"):
            mask_of_polygons([wrong], grid)
