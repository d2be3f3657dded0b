"""Simulated raters: the areas that were set come out, thresholds and fatigue do what they say."""

import numpy as np
import pytest

from equipoise.simulation import RatingPopulation, RatingReader, stream
from equipoise.simulation.roe_metz import RoeMetzModel
from equipoise.stats import auc

CONDITIONS = ("unaided", "aided")


def population(seed=1, aucs=(0.8, 0.9), **variances):
    small = {"var_reader": 0.0, "var_reader_condition": 0.0} | variances
    return RatingPopulation(CONDITIONS, RoeMetzModel.with_aucs(aucs, **small), seed)


def read(people, reader, *, condition, n=1500, seed=9):
    truth = np.arange(n) % 2
    answers = [
        people.answer(
            reader, stream(seed, reader.number, case), case=case, truth=int(truth[case]), condition=condition
        )
        for case in range(n)
    ]
    return truth, answers


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_area_under_the_curve_is_the_one_that_was_set(condition):
    people = population()
    truth, answers = read(people, RatingReader(number=1, cannot_assess_rate=0.0), condition=condition)
    found = auc([answer.rating for answer in answers], truth)
    assert found.estimate == pytest.approx(people.aucs[condition], abs=4 * found.standard_error)


def test_the_same_reading_is_the_same_whoever_computes_it():
    people, reader = population(), RatingReader(number=3)
    first, second = (
        people.answer(reader, stream(4, 3, 17), case=17, truth=1, condition="aided") for _ in range(2)
    )
    assert first == second


def test_a_lower_threshold_calls_more_scans_diseased():
    people = population()
    shares = []
    for threshold in (-0.5, 0.5, 1.5):
        _, answers = read(people, RatingReader(number=1, threshold=threshold), condition="unaided", n=400)
        shares.append(np.mean([answer.decision for answer in answers]))
    assert shares[0] > shares[1] > shares[2]


def test_a_case_is_as_hard_in_either_condition_where_only_cases_differ():
    alone = {"var_case": 1.0, "var_case_condition": 0.0, "var_reader_case": 0.0, "var_error": 0.0}
    people = population(aucs=(0.8, 0.8), **alone)
    reader = RatingReader(number=1)
    pairs = [
        [
            people.suspicion(reader, case=case, truth=1, condition=name, rng=stream(1, case))
            for name in CONDITIONS
        ]
        for case in range(20)
    ]
    assert all(unaided == aided for unaided, aided in pairs)


def test_a_tired_reader_takes_longer_and_an_aid_may_save_time():
    people = RatingPopulation(
        CONDITIONS, RoeMetzModel.with_aucs((0.8, 0.9)), 1, aided_time_factor={"aided": 0.5}
    )
    reader = RatingReader(number=1, fatigue=0.5)
    times = {
        (condition, position): people.answer(
            reader, stream(2, 1), case=5, truth=0, condition=condition, position=position
        ).decision_s
        for condition in CONDITIONS
        for position in (1, 101)
    }
    assert times["unaided", 101] == pytest.approx(1.5 * times["unaided", 1])
    assert times["aided", 1] < times["unaided", 1]


def test_who_gives_no_answer_gives_neither_decision_nor_rating():
    answer = population().answer(
        RatingReader(number=1, cannot_assess_rate=1.0), stream(1), case=1, truth=1, condition="aided"
    )
    assert (answer.cannot_assess, answer.decision, answer.rating) == (True, 0, 0)


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="speed must be positive"):
        RatingReader(number=1, speed=0)
    with pytest.raises(ValueError, match="2 conditions need as many separations"):
        RatingPopulation(CONDITIONS, RoeMetzModel.with_aucs((0.8,)), 1)
    with pytest.raises(ValueError, match="truth must be 0 or 1"):
        population().suspicion(RatingReader(number=1), case=1, truth=2, condition="aided", rng=stream(1))
