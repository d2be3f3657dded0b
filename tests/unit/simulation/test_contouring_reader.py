"""Simulated readers who outline: as skilled, biased, fast and tired as they were set."""

import numpy as np
import pytest

from equipoise.metrics import dice
from equipoise.simulation import ContouringReader, stream

SPACING_MM = (3.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def ball():
    z, y, x = np.indices((16, 60, 60))
    return np.sqrt(((z - 8) * 3.0) ** 2 + (y - 30) ** 2 + (x - 30) ** 2) < 15


def answers(reader, ball, *, n=12, position=1):
    return [reader.answer(stream(5, number), ball, SPACING_MM, position=position) for number in range(n)]


def test_the_same_stream_gives_the_same_drawing_and_times(ball):
    first, second = (ContouringReader().answer(stream(1, 2), ball, SPACING_MM) for _ in range(2))
    np.testing.assert_array_equal(first.mask, second.mask)
    assert (first.slice_s, first.wall_s) == (second.slice_s, second.wall_s)


def test_a_more_skilled_reader_draws_closer_and_a_biased_one_larger(ball):
    def median_dice(reader):
        return np.median([dice(ball, answer.mask) for answer in answers(reader, ball)])

    certain = {"cannot_assess_rate": 0.0}
    assert (
        median_dice(ContouringReader(skill=1.0, **certain))
        > median_dice(ContouringReader(skill=0.3, **certain)) + 0.05
    )
    larger = [answer.mask.sum() for answer in answers(ContouringReader(bias_mm=2.0, **certain), ball)]
    smaller = [answer.mask.sum() for answer in answers(ContouringReader(bias_mm=-2.0, **certain), ball)]
    assert np.median(larger) > 1.3 * np.median(smaller)


def test_time_is_that_of_the_slices_and_the_search_and_follows_speed_and_fatigue(ball):
    certain = {"cannot_assess_rate": 0.0}
    slow = answers(ContouringReader(**certain), ball)
    fast = answers(ContouringReader(speed=2.0, **certain), ball)
    tired = answers(ContouringReader(fatigue=0.5, **certain), ball, position=101)
    for one, two, three in zip(slow, fast, tired, strict=True):
        assert set(one.slice_s) == set(np.flatnonzero(one.mask.any(axis=(1, 2))))
        assert one.decision_s > sum(one.slice_s.values())
        assert two.decision_s == pytest.approx(one.decision_s / 2)
        assert three.decision_s == pytest.approx(one.decision_s * 1.5)


def test_a_reader_may_give_no_contour(ball):
    assert all(answer.mask is None for answer in answers(ContouringReader(cannot_assess_rate=1.0), ball, n=3))
    assert ContouringReader().answer(stream(3), np.zeros_like(ball), SPACING_MM).mask is None


@pytest.mark.parametrize("wrong", [{"speed": 0.0}, {"cannot_assess_rate": 1.5}, {"slice_tau_s": -1.0}])
def test_a_parameter_out_of_range_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ContouringReader(**wrong)
