"""All pairs of several masks: the same values as one pair at a time."""

import math

import numpy as np
import pytest

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.metrics import pairwise_segmentation_metrics, segmentation_metrics

FIELDS = (
    "dice",
    "jaccard",
    "volume_reference_ml",
    "volume_candidate_ml",
    "hausdorff_mm",
    "hausdorff_95_mm",
    "mean_surface_distance_mm",
    "surface_dice",
    "added_path_length_mm",
    "n_voxels_reference",
    "n_voxels_candidate",
    "n_voxels_both",
    "empty_masks",
)


def test_pairs_equal_single_calls_in_the_mappings_order(blobs):
    masks = {name: blobs(seed, shape=(9, 12, 11)) for seed, name in enumerate("cabd")}
    masks["d"][:, 6:] = False  # a smaller box than the others
    pairs = pairwise_segmentation_metrics(masks, (3, 0.9, 1.1), (1.18, 2))
    assert [(first, second) for first, second, _ in pairs] == [
        ("c", "a"),
        ("c", "b"),
        ("c", "d"),
        ("a", "b"),
        ("a", "d"),
        ("b", "d"),
    ]
    for first, second, metrics in pairs:
        single = segmentation_metrics(masks[first], masks[second], (3, 0.9, 1.1), (1.18, 2))
        for field in FIELDS:
            assert getattr(metrics, field) == getattr(single, field), (first, second, field)


def test_empty_masks_are_handled_pair_by_pair(voxels):
    masks = {
        "full": voxels((2, 3, 3), (0, 1, 1)),
        "none": voxels((2, 3, 3)),
        "nothing": voxels((2, 3, 3)),
    }
    with pytest.warns(DegenerateDataWarning, match="Two masks of a pair are empty"):
        pairs = pairwise_segmentation_metrics(masks, (1, 1, 1))
    found = {(first, second): metrics for first, second, metrics in pairs}
    assert found["full", "none"].hausdorff_mm == math.inf
    assert found["full", "none"].dice == 0
    assert found["full", "none"].empty_masks == ("candidate",)
    assert math.isnan(found["none", "nothing"].dice)
    assert found["none", "nothing"].empty_masks == ("reference", "candidate")


def test_only_empty_masks_give_undefined_pairs(voxels):
    with pytest.warns(DegenerateDataWarning):
        [(first, second, metrics)] = pairwise_segmentation_metrics(
            {"a": voxels((2, 2, 2)), "b": voxels((2, 2, 2))}, (1, 1, 1)
        )
    assert (first, second) == ("a", "b")
    assert math.isnan(metrics.hausdorff_mm)


@pytest.mark.parametrize("names", ["", "a"])
def test_fewer_than_two_masks_have_no_pair(voxels, names):
    masks = {name: voxels((2, 2, 2), (0, 0, 0)) for name in names}
    assert pairwise_segmentation_metrics(masks, (1, 1, 1)) == []


def test_the_mask_of_another_shape_is_named():
    masks = {"a": np.ones((2, 2, 2), bool), "b": np.ones((2, 2, 3), bool)}
    with pytest.raises(ValueError, match=r"'masks' must have one shape, .*'b': \(2, 2, 3\)"):
        pairwise_segmentation_metrics(masks, (1, 1, 1))
    with pytest.raises(TypeError, match=r"'masks\['a'\]' must hold booleans"):
        pairwise_segmentation_metrics({"a": np.ones((2, 2, 2))}, (1, 1, 1))
