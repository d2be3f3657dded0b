"""The tolerance tau from several observers."""

import math

import numpy as np
import pytest

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.metrics import surface_distances, surface_tolerance_mm


def test_two_observers_two_millimetres_apart(voxels):
    masks = [voxels((1, 1, 3), (0, 0, 0)), voxels((1, 1, 3), (0, 0, 2))]
    assert surface_tolerance_mm(masks, (1, 1, 1)) == 2
    assert surface_tolerance_mm(masks, (1, 1, 1), percentile=49) == 1


def test_agreement_needs_no_tolerance(blobs):
    assert surface_tolerance_mm([blobs(1), blobs(1), blobs(1)], (3, 1, 1)) == 0


def test_distances_of_all_ordered_pairs_are_pooled_by_area(blobs):
    masks = {name: blobs(seed) for seed, name in enumerate("abc")}
    distances, areas = [], []
    for first, second in [("a", "b"), ("a", "c"), ("b", "c")]:
        pair = surface_distances(masks[first], masks[second], (3, 0.9, 1.1))
        for directed in (pair.from_reference, pair.from_candidate):
            distances.append(directed.distances_mm)
            areas.append(directed.areas_mm2)
    pooled, weights = np.concatenate(distances), np.concatenate(areas)
    order = np.argsort(pooled)
    share = np.cumsum(weights[order]) / weights.sum()
    expected = pooled[order][np.argmax(share >= 0.903)]
    assert surface_tolerance_mm(masks, (3, 0.9, 1.1), percentile=90.3) == expected


def test_an_empty_mask_leaves_it_undefined(voxels):
    with pytest.warns(DegenerateDataWarning, match="An observer's mask is empty"):
        assert math.isnan(surface_tolerance_mm([voxels((1, 1, 3), (0, 0, 0)), voxels((1, 1, 3))], (1, 1, 1)))


@pytest.mark.parametrize(
    ("count", "percentile", "words"),
    [(1, 95, "at least 2 observers' masks, not 1"), (2, 101, "between 0 and 100, but it is 101")],
)
def test_bad_input_is_named(voxels, count, percentile, words):
    with pytest.raises(ValueError, match=words):
        surface_tolerance_mm([voxels((1, 1, 3), (0, 0, 0))] * count, (1, 1, 1), percentile)
