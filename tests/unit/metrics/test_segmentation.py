"""All measures of one pair: values by hand, empty masks, bad input."""

import dataclasses
import math
import warnings

import numpy as np
import pytest

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.metrics import segmentation_metrics


def test_two_voxels_that_share_nothing(voxels):
    metrics = segmentation_metrics(
        voxels((1, 1, 3), (0, 0, 0)), voxels((1, 1, 3), (0, 0, 2)), (2, 1, 1), (0.5, 1, 2)
    )
    assert metrics.dice == 0
    assert metrics.jaccard == 0
    assert metrics.volume_reference_ml == 0.002
    assert metrics.volume_candidate_ml == 0.002
    assert metrics.hausdorff_mm == 2
    assert metrics.hausdorff_95_mm == 2
    assert metrics.mean_surface_distance_mm == pytest.approx(1.5)
    assert metrics.surface_dice == {0.5: 0, 1.0: pytest.approx(0.5), 2.0: 1}
    assert metrics.added_path_length_mm == 1
    assert (metrics.n_voxels_reference, metrics.n_voxels_candidate, metrics.n_voxels_both) == (1, 1, 0)
    assert metrics.empty_masks == ()


def test_half_overlapping_bars(voxels):
    reference = voxels((1, 3, 6), (0, 1, slice(1, 4)))
    candidate = voxels((1, 3, 6), (0, 1, slice(2, 5)))
    metrics = segmentation_metrics(reference, candidate, (5, 0.5, 2))
    assert metrics.dice == pytest.approx(2 / 3)
    assert metrics.jaccard == 0.5
    assert metrics.volume_reference_ml == pytest.approx(0.015)
    assert metrics.hausdorff_mm == 2
    assert metrics.added_path_length_mm == 1.25  # one pixel at the mean in-plane spacing
    assert list(metrics.surface_dice) == [1.18]


def test_identical_masks_agree_fully(blobs):
    mask = blobs(3)
    metrics = segmentation_metrics(mask, mask.copy(), (3, 1, 1), (0,))
    assert (metrics.dice, metrics.jaccard, metrics.surface_dice[0]) == (1, 1, 1)
    assert (metrics.hausdorff_mm, metrics.hausdorff_95_mm, metrics.mean_surface_distance_mm) == (0, 0, 0)
    assert metrics.added_path_length_mm == 0


@pytest.mark.parametrize("empty", ["reference", "candidate"])
def test_one_empty_mask_scores_zero_at_infinite_distance_without_a_warning(voxels, empty):
    masks = {"reference": voxels((2, 3, 3), (0, 1, 1)), "candidate": voxels((2, 3, 3), (0, 1, 1))}
    masks[empty] = voxels((2, 3, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metrics = segmentation_metrics(**masks, spacing_mm=(1, 1, 1), tolerances_mm=(1, 100))
    assert metrics.dice == 0
    assert metrics.jaccard == 0
    assert metrics.surface_dice == {1.0: 0, 100.0: 0}
    assert metrics.hausdorff_mm == math.inf
    assert metrics.hausdorff_95_mm == math.inf
    assert metrics.mean_surface_distance_mm == math.inf
    assert metrics.added_path_length_mm == (1 if empty == "candidate" else 0)
    assert metrics.empty_masks == (empty,)


def test_two_empty_masks_are_undefined_and_warned_of(voxels):
    with pytest.warns(DegenerateDataWarning, match="Both masks are empty"):
        metrics = segmentation_metrics(voxels((2, 3, 3)), voxels((2, 3, 3)), (1, 1, 1), (1, 2))
    undefined = [
        metrics.dice,
        metrics.jaccard,
        metrics.hausdorff_mm,
        metrics.hausdorff_95_mm,
        metrics.mean_surface_distance_mm,
        metrics.surface_dice[1],
        metrics.surface_dice[2],
    ]
    assert all(math.isnan(value) for value in undefined)
    assert (metrics.volume_reference_ml, metrics.volume_candidate_ml) == (0, 0)
    assert metrics.added_path_length_mm == 0
    assert metrics.empty_masks == ("reference", "candidate")


def test_masks_of_zeros_and_ones_and_strided_views_count_as_booleans(blobs):
    reference, candidate = blobs(1, shape=(8, 8, 8)), blobs(2, shape=(8, 8, 8))
    expected = _values(segmentation_metrics(reference, candidate, (3, 1, 1)))
    for dtype in (np.uint8, np.int8, np.int64):
        got = segmentation_metrics(reference.astype(dtype), candidate.astype(dtype), (3, 1, 1))
        assert _values(got) == expected
    wide = np.zeros((8, 8, 16), dtype=bool)
    wide[:, :, ::2] = reference
    assert _values(segmentation_metrics(wide[:, :, ::2], np.asfortranarray(candidate), (3, 1, 1))) == expected


def test_inputs_stay_as_they_were(blobs):
    reference, candidate = blobs(1), blobs(2)
    before = reference.copy(), candidate.copy()
    segmentation_metrics(reference, candidate, (3, 1, 1))
    assert np.array_equal(reference, before[0])
    assert np.array_equal(candidate, before[1])


def test_results_cannot_be_changed(blobs):
    metrics = segmentation_metrics(blobs(1), blobs(2), (3, 1, 1))
    with pytest.raises(dataclasses.FrozenInstanceError):
        metrics.dice = 1.0


MASK = np.ones((2, 3, 4), dtype=bool)


@pytest.mark.parametrize(
    ("reference", "candidate", "options", "error", "words"),
    [
        (MASK[0], MASK, {}, ValueError, r"'reference' must have three axes .* \(3, 4\)"),
        (MASK, MASK[None], {}, ValueError, r"'candidate' must have three axes .* \(1, 2, 3, 4\)"),
        (MASK, MASK[:, :2], {}, ValueError, r"one shape, not \(2, 3, 4\) and \(2, 2, 4\)"),
        (MASK.astype(float), MASK, {}, TypeError, r"'reference' must hold booleans .* float64"),
        (MASK, MASK * 3, {}, ValueError, r"'candidate' must hold 0 and 1 only, .* 3 to 3"),
        (MASK, MASK * np.int8(-1), {}, ValueError, r"'candidate' must hold 0 and 1 only"),
        (MASK, MASK, {"spacing_mm": (1, 1)}, ValueError, r"'spacing_mm' must be three positive .* \(1, 1\)"),
        (MASK, MASK, {"spacing_mm": (1, 0, 1)}, ValueError, r"'spacing_mm' must be three positive"),
        (MASK, MASK, {"spacing_mm": (1, math.nan, 1)}, ValueError, r"'spacing_mm' must be three positive"),
        (MASK, MASK, {"spacing_mm": (1, math.inf, 1)}, ValueError, r"'spacing_mm' must be three positive"),
        (MASK, MASK, {"tolerances_mm": (1, -2)}, ValueError, r"'tolerances_mm' must be nonnegative .* -2.0"),
        (MASK, MASK, {"tolerances_mm": (math.nan,)}, ValueError, r"'tolerances_mm' must be nonnegative"),
    ],
)
def test_bad_input_is_named(reference, candidate, options, error, words):
    with pytest.raises(error, match=words):
        segmentation_metrics(reference, candidate, **({"spacing_mm": (1, 1, 1)} | options))


def _values(metrics):
    scalars = ("dice", "jaccard", "hausdorff_mm", "hausdorff_95_mm", "mean_surface_distance_mm")
    return [getattr(metrics, name) for name in (*scalars, "surface_dice", "added_path_length_mm")]
