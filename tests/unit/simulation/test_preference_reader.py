"""Simulated readers: probabilities by hand, populations with a known answer, times of the right shape."""

import numpy as np
import pytest

from equipoise.simulation import PreferencePopulation, PreferenceReader, stream


def logistic(x):
    return 1 / (1 + np.exp(-x))


def test_the_probability_is_the_sum_on_the_logit_scale():
    reader = PreferenceReader(skill=0.5, leaning_logit=0.2, side_bias_logit=0.1, lapse_rate=0.0)
    p = reader.probability_of_b(side_b="left", quality_a=0.80, quality_b=0.84, effect_logit=-0.3)
    assert p == pytest.approx(logistic(-0.3 + 0.2 + 0.1 + 0.5 * 25 * 0.04))
    p = reader.probability_of_b(side_b="right", quality_a=0.80, quality_b=0.84, effect_logit=-0.3)
    assert p == pytest.approx(logistic(-0.3 + 0.2 - 0.1 + 0.5 * 25 * 0.04))


def test_lapses_pull_towards_a_coin():
    reader = PreferenceReader(skill=1.0, lapse_rate=0.2)
    assert reader.probability_of_b(side_b="left", quality_a=0.0, quality_b=1.0) == pytest.approx(
        0.9, abs=1e-6
    )


def test_choices_follow_the_probability_on_either_side():
    reader = PreferenceReader(skill=1.0, lapse_rate=0.0, cannot_assess_rate=0.0)
    for side in ("left", "right"):
        chosen = [
            reader.answer(stream(7, n), side_b=side, quality_a=0.85, quality_b=0.88).choice == side
            for n in range(4000)
        ]
        assert np.mean(chosen) == pytest.approx(logistic(0.75), abs=0.022)


def test_refusals_and_no_preference_are_answers_of_their_own():
    reader = PreferenceReader(cannot_assess_rate=1.0)
    assert reader.answer(stream(1), side_b="left").choice == "cannot_assess"
    reader = PreferenceReader(cannot_assess_rate=0.0)
    assert reader.answer(stream(1), side_b="left", allow_no_preference=True).choice == "none"
    assert reader.answer(stream(1), side_b="left").choice in {"left", "right"}


def test_times_are_skewed_slower_when_hard_and_follow_speed_and_fatigue():
    def times(reader, **arguments):
        return np.array(
            [reader.answer(stream(3, n), side_b="left", **arguments).decision_s for n in range(1500)]
        )

    plain = PreferenceReader()
    easy, hard = times(plain, quality_b=1.0), times(plain)
    assert np.mean(easy) == pytest.approx(9.0, rel=0.06)
    assert np.mean(hard) == pytest.approx(9.0 * 1.6, rel=0.06)
    assert np.mean(hard) > np.median(hard) * 1.05
    assert np.mean(times(PreferenceReader(speed=2.0))) == pytest.approx(np.mean(hard) / 2, rel=0.03)
    tired = PreferenceReader(fatigue=0.5)
    assert np.mean(times(tired, position=101)) == pytest.approx(1.5 * np.mean(hard), rel=0.01)
    assert easy.min() >= 0.8


def test_the_submit_comes_after_the_decision():
    answer = PreferenceReader().answer(stream(1, 2), side_b="left")
    assert answer.wall_s > answer.decision_s
    assert answer.changes in {1, 2}


def test_the_marginal_probability_is_what_a_large_trial_finds():
    population = PreferencePopulation(
        mean_logit=0.5, reader_sd=0.6, case_sd=0.5, item_sd=0.4, side_logit=0.2, side_sd=0.1
    )
    rng = np.random.default_rng(1)
    readers = population.readers(rng, 300)
    effects = population.item_effects(rng, np.arange(300))
    p = np.mean([
        reader.probability_of_b(side_b=side, effect_logit=effect)
        for reader in readers
        for effect in effects
        for side in ("left", "right")
    ])  # fmt: skip
    assert p == pytest.approx(population.marginal_probability, abs=0.012)


def test_without_effects_the_marginal_probability_is_one_half():
    assert PreferencePopulation(mean_logit=0.0, side_logit=0.7).marginal_probability == pytest.approx(0.5)
    assert PreferencePopulation(
        mean_logit=1.0, reader_sd=0, case_sd=0, item_sd=0, side_logit=0, side_sd=0
    ).marginal_probability == pytest.approx(logistic(1.0))


def test_items_of_a_case_share_its_effect():
    population = PreferencePopulation(case_sd=1.0, item_sd=0.0, mean_logit=0.3)
    effects = population.item_effects(np.random.default_rng(1), np.array([0, 0, 1, 1, 1]))
    assert effects[0] == effects[1]
    assert effects[2] == effects[3] == effects[4]
    assert effects[0] != effects[2]


def test_results_do_not_depend_on_the_order_of_the_work():
    reader = PreferenceReader()
    forward = [reader.answer(stream(5, n), side_b="left") for n in range(20)]
    backward = [reader.answer(stream(5, n), side_b="left") for n in reversed(range(20))]
    assert forward == backward[::-1]


@pytest.mark.parametrize("arguments", [{"skill": 2.0}, {"lapse_rate": -0.1}, {"speed": 0.0}, {"tau_s": -1.0}])
def test_parameters_out_of_range_are_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        PreferenceReader(**arguments)


def test_streams_need_non_negative_names():
    with pytest.raises(ValueError, match="negative"):
        stream(1, -2)
    with pytest.raises(ValueError, match="position"):
        PreferenceReader().answer(stream(1), side_b="left", position=0)
    with pytest.raises(ValueError, match="reader_sd"):
        PreferencePopulation(reader_sd=-1)
