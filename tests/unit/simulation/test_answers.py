"""Simulated answers have the share that was set, and are as much alike as was set."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import multivariate_normal

from equipoise.simulation import AnswerPopulation, StudyReadings, simulated_answers, stream


def study(readers, cases):
    reader, case = np.indices((readers, cases))
    return StudyReadings(
        readers=reader.ravel(),
        items=case.ravel(),
        case_of_item=np.arange(cases),
        conditions=np.zeros(readers * cases, dtype=np.intp),
        b_left=np.zeros(readers * cases, dtype=bool),
    )


def test_share_over_readers_and_cases_is_the_one_that_is_set():
    population = AnswerPopulation(0.3, case_sd=0.8, reader_sd=0.4)
    shares = [simulated_answers(population, study(20, 30), stream(seed, 1)).mean() for seed in range(400)]
    assert np.mean(shares) == pytest.approx(0.3, abs=4 * np.std(shares) / 20)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_variance_between_units_is_the_covariance_of_two_of_their_answers(share):
    """By the bivariate normal distribution of SciPy."""
    population = AnswerPopulation(share, case_sd=0.8, reader_sd=0.4)
    correlation = 0.8**2 / population.total_sd**2
    below = np.full(2, ndtri(share))
    both = multivariate_normal(cov=[[1, correlation], [correlation, 1]]).cdf(below)
    assert population.variance_between(0.8) == pytest.approx(both - share**2, abs=1e-5)


def test_share_outside_0_and_1_is_refused():
    with pytest.raises(ValueError, match="between 0 and 1, got 1"):
        AnswerPopulation(1.0)
