"""Detection lung by lung."""

import numpy as np
import pytest

from equipoise.metrics import LungDetection, detection_by_lung

SHAPE = (3, 6, 12)


@pytest.fixture
def lungs(voxels):
    return {"right": voxels(SHAPE, np.s_[:, 1:5, 1:5]), "left": voxels(SHAPE, np.s_[:, 1:5, 7:11])}


def labels(found):
    return {lung.lung: lung.label for lung in found}


def test_disease_in_the_same_lung_is_a_true_positive_even_without_overlap(voxels, lungs):
    found = detection_by_lung(voxels(SHAPE, (0, 2, 2)), voxels(SHAPE, (2, 4, 4)), lungs, (10, 10, 10))
    assert found == [LungDetection("right", "tp", 1.0, 1.0), LungDetection("left", "tn", 0.0, 0.0)]


def test_disease_in_the_other_lung_is_missed_and_invented(voxels, lungs):
    found = detection_by_lung(voxels(SHAPE, (0, 2, 2)), voxels(SHAPE, (0, 2, 8)), lungs, (1, 1, 1))
    assert labels(found) == {"right": "fn", "left": "fp"}


def test_two_empty_masks_are_true_negatives(voxels, lungs):
    found = detection_by_lung(voxels(SHAPE), voxels(SHAPE), lungs, (1, 1, 1))
    assert labels(found) == {"right": "tn", "left": "tn"}


def test_a_lesion_belongs_to_the_lung_with_most_of_it(voxels, lungs):
    bridge = voxels(SHAPE, np.s_[1, 2, 4:10])  # one voxel in the right lung, three in the left
    found = detection_by_lung(bridge, voxels(SHAPE), lungs, (10, 10, 10))
    assert found == [LungDetection("right", "tn", 0.0, 0.0), LungDetection("left", "fn", 6.0, 0.0)]


def test_a_lesion_outside_belongs_to_the_nearest_lung_in_millimetres(voxels, lungs):
    mediastinum = voxels(SHAPE, (1, 2, 5))
    assert labels(detection_by_lung(mediastinum, mediastinum, lungs, (1, 1, 1))) == {
        "right": "tp",
        "left": "tn",
    }
    above = voxels((8, 1, 4), (2, 0, 0))
    apart = {"far": voxels((8, 1, 4), (0, 0, 0)), "near": voxels((8, 1, 4), (2, 0, 3))}
    assert labels(detection_by_lung(above, above, apart, (5, 1, 1))) == {"far": "tn", "near": "tp"}
    assert labels(detection_by_lung(above, above, apart, (1, 1, 5))) == {"far": "tp", "near": "tn"}


def test_specks_below_the_smallest_volume_are_no_disease(voxels, lungs):
    speck = voxels(SHAPE, (0, 2, 2))
    found = detection_by_lung(speck, speck, lungs, (10, 10, 10), min_volume_ml=1.0)
    assert labels(found) == {"right": "tn", "left": "tn"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lungs": {}}, "'lungs' must hold at least one lung mask"),
        ({"lungs": {"left": np.ones((1, 2, 3), bool)}}, r"'lungs\['left'\]' must have shape \(3, 6, 12\)"),
        ({"lungs": {"left": np.zeros(SHAPE, bool)}}, r"'lungs\['left'\]' must not be empty"),
        ({"min_volume_ml": -1}, "'min_volume_ml' must not be negative, but it is -1"),
    ],
)
def test_bad_input_is_named(voxels, lungs, change, words):
    arguments = {"lungs": lungs, "spacing_mm": (1, 1, 1)} | change
    with pytest.raises(ValueError, match=words):
        detection_by_lung(voxels(SHAPE), voxels(SHAPE), **arguments)
