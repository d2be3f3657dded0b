"""Components by runs and packed morphology against scipy."""

import numpy as np
import pytest
from scipy import ndimage

from equipoise.inference import packed, plane, runs

IN_PLANE_4 = np.zeros((3, 3, 3), bool)
IN_PLANE_4[1] = ndimage.generate_binary_structure(2, 1)
IN_PLANE_8 = np.zeros((3, 3, 3), bool)
IN_PLANE_8[1] = True


@pytest.fixture(params=[0, 1, 2, 3])
def mask(request) -> np.ndarray:
    rng = np.random.default_rng(request.param)
    noise = ndimage.gaussian_filter(rng.standard_normal((9, 40, 37)), (0, 1.0, 1.0))
    return noise > (0.02, 0.1, -0.15, 0.3)[request.param]


@pytest.mark.parametrize(
    ("neighbours", "structure"),
    [
        (runs.PLANE_4, IN_PLANE_4),
        (runs.PLANE_8, IN_PLANE_8),
        (runs.SPACE_26, np.ones((3, 3, 3))),
    ],
)
def test_labels_are_those_of_scipy(mask, neighbours, structure):
    found = runs.runs_of(mask)
    labels, count = runs.label_runs(found, neighbours)
    expected, expected_count = ndimage.label(mask, structure)
    assert count == expected_count
    np.testing.assert_array_equal(labels + 1, expected[found.z, found.y, found.start])
    sizes = np.bincount(expected.ravel())[1:]
    np.testing.assert_array_equal(runs.voxels_per_label(found, labels, count), sizes)


def test_painted_runs_are_the_mask(mask):
    np.testing.assert_array_equal(runs.paint(runs.runs_of(mask)), mask)
    for constant in (np.zeros_like(mask), np.ones_like(mask)):
        np.testing.assert_array_equal(runs.paint(runs.runs_of(constant)), constant)


def test_boxes_hold_all_runs(mask):
    part = mask.copy()
    part[:2], part[:, :5], part[:, :, :7] = False, False, False
    found = runs.runs_of(part)
    box = runs.box_of(found)
    assert [part[box].any(axis=axes)[[0, -1]].all() for axes in ((1, 2), (0, 2), (0, 1))] == [True] * 3
    np.testing.assert_array_equal(runs.paint(runs.shifted(found, box)), part[box])
    assert np.count_nonzero(part[box]) == np.count_nonzero(part)


def test_holes_are_filled_as_by_scipy(mask):
    expected = np.stack([ndimage.binary_fill_holes(plane_mask) for plane_mask in mask])
    np.testing.assert_array_equal(runs.filled(mask), expected)


@pytest.mark.parametrize("half_widths", [packed.KERNEL_11, packed.DISC_5])
@pytest.mark.parametrize("times", [1, 3])
def test_packed_morphology_is_that_of_scipy(mask, half_widths, times):
    reach = len(half_widths) - 1
    element = np.array(
        [
            [abs(x) <= half_widths[abs(y)] for x in range(-max(half_widths), max(half_widths) + 1)]
            for y in range(-reach, reach + 1)
        ]
    )
    sparse = mask & (np.random.default_rng(9).random(mask.shape) < 0.05)
    stack = packed.pack(sparse)
    grown = np.stack([ndimage.binary_dilation(part, element, iterations=times) for part in sparse])
    np.testing.assert_array_equal(packed.unpack(packed.dilate(stack, half_widths, times=times), 9), grown)
    shrunk = np.stack(
        [ndimage.binary_erosion(part, element, iterations=times, border_value=1) for part in grown]
    )
    np.testing.assert_array_equal(packed.unpack(packed.close(stack, half_widths, times=times), 9), shrunk)


def test_the_disc_holds_the_pixels_within_its_radius():
    y, x = np.mgrid[-5:6, -5:6]
    disc = np.abs(x) <= np.array(packed.DISC_5)[np.abs(y)]
    np.testing.assert_array_equal(disc, np.hypot(y, x) <= 5)


def test_nearest_indices_are_those_of_opencv():
    # cv2.resize(np.arange(7), (5, 1), interpolation=cv2.INTER_NEAREST), and 512 -> 500 around whole quotients
    np.testing.assert_array_equal(plane.nearest_index(7, 5), [0, 1, 2, 4, 5])
    assert plane.nearest_index(512, 500)[[125, 250, 375]].tolist() == [128, 256, 384]
    assert plane.nearest_index(5, 7).tolist() == [0, 0, 1, 2, 2, 3, 4]


@pytest.mark.parametrize(("source", "target"), [(512, 500), (512, 358), (256, 500), (100, 100), (33, 7)])
def test_columns_are_copied_as_by_their_indices(source, target):
    volume = np.random.default_rng(2).integers(-1000, 1000, (3, source, source)).astype(np.int16)
    index, back = plane.centre_index(source, target), plane.centre_index(target, source)
    axis = plane.AxisMap(index, back, crop=0, pad=0, size=target)
    there = plane.PlaneMap(axis, axis).to_plane(volume)
    np.testing.assert_array_equal(there, volume[:, index][:, :, index])
    again = plane.PlaneMap(axis, axis).to_image(there, (source, source))
    np.testing.assert_array_equal(again, there[:, back][:, :, back])
