"""Simulated readers of forms: as skilled, biased, fast and tired as they were set."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from equipoise.simulation import FormReader, form_truths, stream

COUNTS = (1, 3, 1)


def fill(reader, *, number=1, cases=400, position=1):
    """Return the forms of one reader, a case each."""
    return [
        reader.answer(stream(7, number, case), form_truths(5, case, COUNTS), position=position)
        for case in range(cases)
    ]


def levels(answers):
    return np.array([np.concatenate(answer.levels) for answer in answers])


def test_the_same_stream_gives_the_same_form_and_case_and_seed_what_is_there():
    first, second = (fill(FormReader(), cases=3) for _ in range(2))
    np.testing.assert_array_equal(levels(first), levels(second))
    np.testing.assert_array_equal(first[2].question_s, second[2].question_s)
    assert [one.size for one in form_truths(5, 1, COUNTS)] == list(COUNTS)
    assert form_truths(5, 1, COUNTS)[0] != form_truths(5, 2, COUNTS)[0]


def test_two_readers_agree_by_the_product_of_their_skills():
    one, two = fill(FormReader(skill=0.9), number=1), fill(FormReader(skill=0.6), number=2)
    found = np.corrcoef(ndtri(levels(one)).ravel(), ndtri(levels(two)).ravel())[0, 1]
    assert found == pytest.approx(0.54, abs=4 * (1 - 0.54**2) / np.sqrt(2000))


def test_a_skilled_reader_sees_what_is_there_and_a_biased_one_more_of_it():
    perfect = levels(fill(FormReader(skill=1.0), cases=5))
    there = [np.concatenate(form_truths(5, case, COUNTS)) for case in range(5)]
    np.testing.assert_allclose(perfect, ndtr(there))
    biased = levels(fill(FormReader(bias=1.0)))
    assert biased.mean() == pytest.approx(ndtr(1 / np.sqrt(2)), abs=0.03)


def test_time_follows_speed_and_fatigue_and_not_what_is_seen():
    slow, fast = fill(FormReader(), cases=5), fill(FormReader(speed=2.0), cases=5)
    tired = fill(FormReader(fatigue=0.5), cases=5, position=101)
    np.testing.assert_array_equal(levels(slow), levels(fast))
    for one, two, three in zip(slow, fast, tired, strict=True):
        np.testing.assert_allclose(two.question_s, one.question_s / 2)
        np.testing.assert_allclose(three.question_s, one.question_s * 1.5)
        assert two.look_s == pytest.approx(one.look_s / 2)
        assert three.look_s == pytest.approx(one.look_s * 1.5)


def test_a_reader_may_give_no_answer():
    assert all(one.cannot_assess for one in fill(FormReader(cannot_assess_rate=1.0), cases=3))
    assert not any(one.cannot_assess for one in fill(FormReader(cannot_assess_rate=0.0)))


@pytest.mark.parametrize("wrong", [{"skill": 1.1}, {"speed": 0.0}, {"cannot_assess_rate": -0.1}])
def test_a_parameter_out_of_range_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FormReader(**wrong)


def test_positions_begin_with_one():
    with pytest.raises(ValueError, match="at least 1"):
        FormReader().answer(stream(1), form_truths(1, 1, COUNTS), position=0)
