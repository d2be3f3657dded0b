"""Voxels and millimetres, the usual way round, and when two grids are one."""

import numpy as np
import pytest

from equipoise.imaging.errors import UnsupportedImageError
from equipoise.imaging.geometry import (
    AxisTransform,
    Grid,
    display_transform,
    matrix3,
    reorder_to,
)


def grid_with(directions: list[list[float]], shape: tuple[int, int, int] = (3, 4, 5)) -> Grid:
    return Grid(shape, (3.0, 0.5, 0.7), (10.0, 20.0, 30.0), matrix3(directions))


HEAD_FIRST_PRONE = [[-1, 0, 0], [0, -1, 0], [0, 0, 1]]
FEET_FIRST_SUPINE = [[-1, 0, 0], [0, 1, 0], [0, 0, -1]]
CORONAL = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
SAGITTAL = [[0, 0, 1], [1, 0, 0], [0, -1, 0]]


def test_index_names_the_centre_of_a_voxel():
    grid = Grid((3, 4, 5), (3.0, 0.5, 0.7), (10.0, 20.0, 30.0))
    assert grid.index_to_patient(np.array([0, 0, 0])).tolist() == [10.0, 20.0, 30.0]
    np.testing.assert_allclose(grid.index_to_patient(np.array([4, 3, 2])), [12.8, 21.5, 36.0], atol=1e-12)
    np.testing.assert_allclose(grid.corners_mm()[0], [9.65, 19.75, 28.5], atol=1e-12)


def test_patient_coordinates_round_trip_on_an_oblique_anisotropic_grid():
    angle = np.radians(12)
    rotation = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    grid = grid_with(rotation)
    index = np.random.default_rng(1).uniform(-3, 7, (50, 3))
    np.testing.assert_allclose(grid.patient_to_index(grid.index_to_patient(index)), index, atol=1e-12)


@pytest.mark.parametrize("directions", [HEAD_FIRST_PRONE, FEET_FIRST_SUPINE, CORONAL, SAGITTAL])
def test_every_voxel_keeps_its_place_when_a_volume_is_turned_for_display(directions):
    grid = grid_with(directions)
    array = np.arange(grid.voxel_count).reshape(grid.shape_zyx)
    transform = display_transform(grid)
    turned, turned_grid = transform.apply(array), transform.apply_to_grid(grid)
    np.testing.assert_allclose(turned_grid.direction, np.eye(3), atol=1e-12)
    for z, y, x in np.ndindex(*turned.shape):
        place = turned_grid.index_to_patient(np.array([x, y, z]))
        ox, oy, oz = np.rint(grid.patient_to_index(place)).astype(int)
        assert turned[z, y, x] == array[oz, oy, ox]
    np.testing.assert_array_equal(transform.undo(turned), array)


def test_feet_first_supine_is_mirrored_left_to_right_and_turned_head_up():
    transform = display_transform(grid_with(FEET_FIRST_SUPINE))
    assert transform == AxisTransform((0, 1, 2), (True, False, True))


def test_coronal_spacing_follows_its_axis():
    grid = grid_with(CORONAL)
    turned = display_transform(grid).apply_to_grid(grid)
    assert turned.spacing_mm_zyx == (0.5, 3.0, 0.7)
    assert turned.shape_zyx == (4, 3, 5)


def test_strongly_oblique_images_are_refused():
    angle = np.radians(40)
    rotation = [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    with pytest.raises(
        UnsupportedImageError, match=r"oblique: its axes are 40 degrees from the patient's y axis"
    ):
        display_transform(grid_with(rotation))


def test_grids_match_within_a_tenth_of_a_millimetre_at_every_corner():
    grid = Grid((100, 512, 512), (3.0, 0.977, 0.977))
    assert grid.matches(Grid((100, 512, 512), (3.0, 0.977, 0.977), (0.09, 0.0, 0.0)))
    assert not grid.matches(Grid((100, 512, 512), (3.0, 0.977, 0.977), (0.11, 0.0, 0.0)))
    # 0.0004 mm a voxel are 0.2 mm at the far corner
    assert not grid.matches(Grid((100, 512, 512), (3.0, 0.9766, 0.977)))


@pytest.mark.parametrize(
    "other, words",
    [
        (Grid((3, 4, 6), (3.0, 0.5, 0.7)), "shape 3 x 4 x 6 instead of 3 x 4 x 5 (slices x rows x columns)"),
        (Grid((3, 4, 5), (2.0, 0.5, 0.7)), "spacing 2 x 0.5 x 0.7 mm instead of 3 x 0.5 x 0.7 mm"),
        (Grid((3, 4, 5), (3.0, 0.5, 0.7), (0.0, 3.0, 4.0)), "origin 5.00 mm away"),
        (
            Grid((3, 4, 5), (3.0, 0.5, 0.7), direction_3x3=matrix3(FEET_FIRST_SUPINE)),
            "other axis directions",
        ),
        (Grid((3, 4, 5), (3.0, 0.5, 0.7)), ""),
    ],
)
def test_difference_is_told_in_words(other, words):
    assert Grid((3, 4, 5), (3.0, 0.5, 0.7)).difference(other) == words


def test_array_is_reordered_to_a_grid_of_the_same_voxels():
    grid = grid_with(FEET_FIRST_SUPINE)
    target = display_transform(grid).apply_to_grid(grid)
    array = np.arange(grid.voxel_count).reshape(grid.shape_zyx)
    reordered = reorder_to(array, grid, target)
    assert reordered is not None
    np.testing.assert_array_equal(reordered, array[::-1, :, ::-1])
    assert reorder_to(array, grid, Grid(grid.shape_zyx, grid.spacing_mm_zyx, (0.0, 0.0, 0.0))) is None


def test_grid_survives_json():
    grid = grid_with(SAGITTAL)
    assert Grid.from_json(grid.as_json()) == grid


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"shape_zyx": (0, 4, 5)}, "shape_zyx must be three positive numbers"),
        ({"spacing_mm_zyx": (1.0, 0.0, 1.0)}, "spacing_mm_zyx must be three positive numbers"),
        ({"origin_mm_xyz": (float("nan"), 0.0, 0.0)}, "origin_mm_xyz must be three finite numbers"),
        (
            {"direction_3x3": ((1, 0, 0), (1, 0, 0), (0, 0, 1))},
            "direction_3x3 must have orthogonal unit columns",
        ),
    ],
)
def test_bad_geometry_is_refused_by_name(arguments, words):
    good = {"shape_zyx": (3, 4, 5), "spacing_mm_zyx": (1.0, 1.0, 1.0)}
    with pytest.raises(ValueError, match=words):
        Grid(**{**good, **arguments})
