"""The added path length of Vaassen."""

import numpy as np
import pytest

from equipoise.metrics import AddedPathLength, added_path_length, segmentation_metrics


def test_a_square_has_its_rim_as_contour(voxels):
    square = voxels((1, 6, 6), (0, slice(1, 5), slice(1, 5)))
    assert added_path_length(square, np.zeros_like(square), (3, 1, 1)) == AddedPathLength(12, 12.0)


def test_diagonal_background_does_not_make_a_contour(voxels):
    shape = voxels((1, 5, 5), (0, slice(0, 5), slice(0, 5)))
    shape[0, 0, 0] = False  # the pixel (1, 1) touches it only at a corner
    assert added_path_length(shape, np.zeros_like(shape), (1, 1, 1)).n_pixels == 15


def test_image_borders_are_contour():
    full = np.ones((2, 3, 3), dtype=bool)
    assert added_path_length(full, np.zeros_like(full), (1, 1, 1)).n_pixels == 16


def test_contours_are_taken_slice_by_slice(voxels):
    plate = voxels((3, 5, 5), (1, slice(1, 4), slice(1, 4)))
    assert added_path_length(plate, np.zeros_like(plate), (1, 1, 1)).n_pixels == 8  # not the middle pixel


def test_slices_without_the_candidate_count_fully_and_without_the_reference_not_at_all(voxels):
    reference = voxels((3, 3, 3), (0, 1, 1), (1, 1, 1))
    candidate = voxels((3, 3, 3), (1, 1, 1), (2, 1, 1))
    assert added_path_length(reference, candidate, (9, 2, 3)) == AddedPathLength(1, 2.5)
    assert added_path_length(candidate, reference, (9, 2, 3)) == AddedPathLength(1, 2.5)


def test_the_candidates_pixels_inside_its_outline_are_not_its_contour(voxels):
    inner = voxels((1, 5, 5), (0, 2, 2))
    outer = voxels((1, 5, 5), (0, slice(1, 4), slice(1, 4)))
    assert added_path_length(inner, outer, (1, 1, 1)).n_pixels == 1
    assert added_path_length(outer, inner, (1, 1, 1)).n_pixels == 8


def test_an_empty_reference_needs_no_path(voxels):
    empty = voxels((1, 3, 3))
    assert added_path_length(empty, voxels((1, 3, 3), (0, 1, 1)), (1, 1, 1)) == AddedPathLength(0, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_all_doors_give_the_same_length(blobs, seed):
    reference, candidate = blobs(seed), blobs(50 + seed)
    alone = added_path_length(reference, candidate, (3, 0.7, 1.1))
    assert alone.n_pixels == _slow_count(reference, candidate)
    together = segmentation_metrics(reference, candidate, (3, 0.7, 1.1))
    assert together.added_path_length_mm == pytest.approx(alone.length_mm) == alone.n_pixels * 0.9


def _slow_count(reference, candidate):
    return sum(
        _is_contour(reference, index) and not _is_contour(candidate, index)
        for index in np.ndindex(reference.shape)
    )


def _is_contour(mask, index):
    if not mask[index]:
        return False
    z, y, x = index
    for row, column in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
        inside = 0 <= row < mask.shape[1] and 0 <= column < mask.shape[2]
        if not inside or not mask[z, row, column]:
            return True
    return False
