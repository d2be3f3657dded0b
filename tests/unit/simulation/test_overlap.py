"""Overlaps of a whole study: the median that is set, the spread of each part, the same numbers for the same seed."""

from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit, logit

from equipoise.simulation import OverlapPopulation, simulated_overlaps, stream


def pairs(*, cases, observers):
    rows = [(case, *pair) for case in range(cases) for pair in combinations(range(observers), 2)]
    return np.array(rows, dtype=np.intp).T


def test_median_of_many_cases_and_observers_is_the_one_that_was_set():
    population = OverlapPopulation(0.85, case_sd=0.5, observer_sd=0.2, observer_case_sd=0.2, pair_sd=0.2)
    medians = [
        float(np.median(simulated_overlaps(population, *pairs(cases=400, observers=30), stream(seed))))
        for seed in range(20)
    ]
    error = np.std(medians, ddof=1) / np.sqrt(20)
    assert np.mean(medians) == pytest.approx(0.85, abs=3 * error)
    assert error < 0.003


@pytest.mark.parametrize(
    ("part", "of_variance"), [("case_sd", 1), ("observer_sd", 2), ("observer_case_sd", 2), ("pair_sd", 1)]
)
def test_each_part_adds_its_own_variance_on_the_logit_scale(part, of_variance):
    """Of a pair there are two observers."""
    population = OverlapPopulation(0.7, **{part: 0.3})
    count = 40_000
    apart = np.arange(count, dtype=np.intp)
    first, second = (2 * apart, 2 * apart + 1) if part == "observer_sd" else (apart * 0, apart * 0 + 1)
    cases = apart * 0 if part == "observer_sd" else apart
    overlaps = logit(simulated_overlaps(population, cases, first, second, stream(1)))
    assert overlaps.var() == pytest.approx(of_variance * 0.09, rel=0.04)


def test_without_spread_every_pair_has_the_median():
    overlaps = simulated_overlaps(OverlapPopulation(0.9), *pairs(cases=3, observers=3), stream(1))
    np.testing.assert_allclose(overlaps, expit(logit(0.9)), rtol=1e-12)


def test_observer_who_strays_does_so_in_every_pair():
    """The spread of an observer is shared by that observer's pairs, so the two pairs with observer 0 go together."""
    population = OverlapPopulation(0.8, observer_sd=1.0)
    first, second = np.array([0, 0]), np.array([1, 2])
    drawn = np.array(
        [
            logit(simulated_overlaps(population, np.array([0, 0]), first, second, stream(seed)))
            for seed in range(2000)
        ]
    )
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("median", [0.0, 1.0, 1.2])
def test_median_outside_of_0_and_1_is_refused(median):
    with pytest.raises(ValueError, match="median must lie between 0 and 1"):
        OverlapPopulation(median)
