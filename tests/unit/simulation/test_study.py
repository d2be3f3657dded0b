"""Answers of whole simulated studies: what was set comes out, and the same seed gives the same answers."""

import numpy as np
import pytest

from equipoise.simulation import (
    PreferencePopulation,
    StudyReadings,
    simulated_preferences,
    simulated_scores,
    stream,
)
from equipoise.simulation.roe_metz import RoeMetzModel
from equipoise.stats import auc


def crossed(n_readers, n_cases, n_conditions=1):
    conditions, readers, cases = (index.ravel() for index in np.indices((n_conditions, n_readers, n_cases)))
    return StudyReadings(
        readers=readers,
        items=cases,
        case_of_item=np.arange(n_cases),
        conditions=conditions,
        b_left=(readers + cases) % 2 == 0,
    )


def test_share_of_preferences_is_the_marginal_probability_that_was_set():
    population = PreferencePopulation(mean_logit=0.6)
    study = crossed(400, 400)
    share = simulated_preferences(population, study, stream(1)).mean()
    assert share == pytest.approx(population.marginal_probability, abs=0.02)


def test_side_effect_pulls_to_the_left_on_either_side():
    population = PreferencePopulation(mean_logit=0.0, side_logit=1.0, side_sd=0.0, reader_sd=0.0)
    study = crossed(300, 300)
    chosen = simulated_preferences(population, study, stream(2))
    assert chosen[study.b_left].mean() > 0.66
    assert chosen[~study.b_left].mean() < 0.34


def test_areas_under_the_curve_are_those_that_were_set():
    model = RoeMetzModel.with_aucs([0.75, 0.9])
    study = crossed(60, 400, 2)
    truth = np.arange(400) % 2
    scores = simulated_scores(model, study, truth, stream(3))
    assert ((scores >= 0) & (scores <= 1)).all()
    assert np.unique(scores).size <= 101
    for condition, set_to in enumerate((0.75, 0.9)):
        areas = [
            auc(scores[own], truth[study.cases[own]]).estimate
            for own in ((study.conditions == condition) & (study.readers == reader) for reader in range(60))
        ]
        assert np.mean(areas) == pytest.approx(set_to, abs=0.03)


def test_same_stream_gives_the_same_answers_and_another_one_others():
    model, study, truth = RoeMetzModel.with_aucs([0.8]), crossed(3, 20), np.arange(20) % 2
    first, again, other = (simulated_scores(model, study, truth, stream(4, key)) for key in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
