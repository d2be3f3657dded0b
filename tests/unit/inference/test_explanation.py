"""Quality of heat maps by hand-made maps."""

import numpy as np
import pytest

from equipoise.inference.explanation import _hottest, compare_with_shuffled, explanation_quality


def test_quality_is_that_of_a_count_by_hand():
    heat = np.array([[4.0, 1.0, 0.0], [2.0, 0.0, 1.0]])
    lesions = np.array([[False, True, False], [True, False, False]])
    quality = explanation_quality(heat, lesions)
    assert quality.pointing_hit is False  # the 4 lies outside
    assert quality.energy_inside == 3 / 8
    assert quality.overlap == 1 / 2  # hottest two: 4 outside, 2 inside


def test_a_map_of_zeros_points_nowhere():
    quality = explanation_quality(np.zeros((2, 2)), np.array([[True, False], [False, False]]))
    assert (quality.pointing_hit, quality.energy_inside, quality.overlap) == (False, 0.0, 0.0)


def test_a_map_on_the_lesion_beats_its_shuffled_copies():
    heat, lesions = np.zeros((2, 64, 64))
    heat[16:24, 40:48] = 1.0
    lesions[16:24, 40:48] = 1
    result = compare_with_shuffled(heat, lesions > 0, rng=np.random.default_rng(1), block=8, copies=99)
    assert result.observed.energy_inside == result.observed.overlap == 1.0
    # Each copy's hot block falls on one of 64 places; the expected share is 1/64.
    assert result.shuffled_energy == result.shuffled_overlap == result.shuffled_hit_rate
    assert result.shuffled_energy <= 5 / 99
    assert result.p_value == (round(99 * result.shuffled_energy) + 1) / 100


def test_a_flat_map_is_no_better_than_its_copies():
    lesions = np.zeros((64, 64), bool)
    lesions[3:9, 3:9] = True
    result = compare_with_shuffled(
        np.ones((64, 64)), lesions, rng=np.random.default_rng(1), block=16, copies=20
    )
    assert result.p_value == 1.0
    assert result.shuffled_energy == result.observed.energy_inside == 36 / 4096


@pytest.mark.parametrize(
    ("heat", "lesions", "reason"),
    [
        (np.ones((2, 3)), np.ones((2, 2), bool), "shape"),
        (np.ones((2, 2)), np.zeros((2, 2), bool), "at least one"),
        (np.ones((2, 2)), np.ones((2, 2), int), "booleans"),
        (-np.ones((2, 2)), np.ones((2, 2), bool), "not negative"),
        (np.full((2, 2), np.nan), np.ones((2, 2), bool), "finite"),
    ],
)
def test_what_cannot_be_measured_is_refused(heat, lesions, reason):
    with pytest.raises(ValueError, match=reason):
        explanation_quality(heat, lesions)
    if reason != "shape":
        with pytest.raises(ValueError, match=reason):
            compare_with_shuffled(heat, lesions, rng=np.random.default_rng(1), block=1)


def test_maps_smaller_than_two_blocks_are_refused():
    with pytest.raises(ValueError, match="fewer than two blocks"):
        compare_with_shuffled(np.ones((8, 8)), np.ones((8, 8), bool), rng=np.random.default_rng(1), block=8)


def test_the_hottest_pixels_are_those_of_a_stable_sort():
    rng = np.random.default_rng(1)
    for _ in range(50):
        heat = rng.integers(0, 9, 60).astype(float)
        count = int(rng.integers(1, 61))
        assert set(_hottest(heat, count)) == set(np.argsort(-heat, kind="stable")[:count])
