"""Simulated observers: skill sets the overlap, bias the volume, errors are where they were asked for."""

import numpy as np
import pytest

from equipoise.simulation import ObserverModel, simulated_observer

SPACING = (3.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def ball():
    grid = np.indices((24, 64, 64)) - np.array([12, 32, 32])[:, None, None, None]
    return np.linalg.norm(grid * np.array(SPACING)[:, None, None, None], axis=0) < 15


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def median_dice(mask, n=25, **arguments):
    return float(
        np.median(
            [
                dice(simulated_observer(mask, SPACING, np.random.default_rng(k), **arguments), mask)
                for k in range(n)
            ]
        )
    )


@pytest.mark.parametrize(
    ("skill", "low", "high"), [(1.0, 0.95, 0.99), (0.8, 0.92, 0.97), (0.5, 0.85, 0.92), (0.0, 0.58, 0.76)]
)
def test_skill_sets_the_overlap(ball, skill, low, high):
    assert low < median_dice(ball, skill=skill) < high


def test_overlap_grows_with_skill(ball):
    values = [median_dice(ball, skill=skill) for skill in (0.0, 0.3, 0.6, 0.9)]
    assert values == sorted(values)


def test_bias_moves_the_boundary(ball):
    volumes = [
        np.mean(
            [
                simulated_observer(ball, SPACING, np.random.default_rng(k), skill=1.0, bias_mm=bias).sum()
                for k in range(10)
            ]
        )
        / ball.sum()
        for bias in (-3.0, 0.0, 3.0)
    ]
    assert volumes[0] < 0.7
    assert volumes[1] == pytest.approx(1.0, abs=0.08)
    assert volumes[2] > 1.3


def test_slice_errors_cost_overlap_in_single_slices(ball):
    clean = simulated_observer(ball, SPACING, np.random.default_rng(1), skill=1.0)
    bad = simulated_observer(ball, SPACING, np.random.default_rng(1), skill=1.0, slice_error_rate=0.3)
    same = [bool((clean[z] == bad[z]).all()) for z in range(24)]
    assert 0 < same.count(False) < 12
    assert dice(bad, ball) < dice(clean, ball)


def test_one_outline_per_slice_and_no_holes(ball):
    from scipy import ndimage

    drawn = simulated_observer(ball, SPACING, np.random.default_rng(2), skill=0.1)
    for level in drawn:
        assert ndimage.label(level)[1] <= 1
        assert (ndimage.binary_fill_holes(level) == level).all()


def test_a_seed_makes_the_drawing(ball):
    first, again, other = (simulated_observer(ball, SPACING, np.random.default_rng(s)) for s in (1, 1, 2))
    assert (first == again).all()
    assert not (first == other).all()


def test_an_empty_mask_stays_empty_and_the_input_is_untouched(ball):
    assert not simulated_observer(np.zeros((4, 8, 8), bool), SPACING, np.random.default_rng(1)).any()
    before = ball.copy()
    simulated_observer(ball, SPACING, np.random.default_rng(1), skill=0.0, slice_error_rate=1.0)
    assert (ball == before).all()


def test_a_structure_at_the_volumes_edge_is_drawn():
    mask = np.zeros((6, 20, 20), bool)
    mask[:3, :8, :8] = True
    drawn = simulated_observer(mask, SPACING, np.random.default_rng(1), skill=1.0)
    assert dice(drawn, mask) > 0.7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"skill": 1.2}, "skill"),
        ({"slice_error_rate": -0.1}, "slice_error_rate"),
        ({"end_slice_mm": -1.0}, "end_slice_mm"),
    ],
)
def test_parameters_out_of_range_are_named(ball, arguments, message):
    with pytest.raises(ValueError, match=message):
        simulated_observer(ball, SPACING, np.random.default_rng(1), **arguments)
    with pytest.raises(ValueError, match=message):
        ObserverModel(**arguments)


def test_a_flat_mask_is_refused():
    with pytest.raises(ValueError, match="axes"):
        simulated_observer(np.zeros((8, 8), bool), SPACING, np.random.default_rng(1))
