"""Majority vote of observers."""

import pytest
from numpy.testing import assert_array_equal

from equipoise.metrics import majority_vote


def test_more_than_half_must_have_marked_a_voxel(voxels):
    masks = {
        "a": voxels((1, 1, 4), (0, 0, slice(0, 3))),
        "b": voxels((1, 1, 4), (0, 0, slice(0, 2))),
        "c": voxels((1, 1, 4), (0, 0, slice(0, 1))),
        "d": voxels((1, 1, 4), (0, 0, slice(0, 1))),
    }
    assert_array_equal(majority_vote(masks), voxels((1, 1, 4), (0, 0, 0)))  # a tie at index 1 is background
    assert_array_equal(majority_vote([masks["a"], masks["b"], masks["c"]]), masks["b"])


def test_many_observers_are_counted_without_overflow(voxels):
    masks = [voxels((1, 1, 2), (0, 0, 0))] * 300
    assert_array_equal(majority_vote(masks), masks[0])


def test_no_observer_is_refused():
    with pytest.raises(ValueError, match="at least one observer's mask, not none"):
        majority_vote({})
