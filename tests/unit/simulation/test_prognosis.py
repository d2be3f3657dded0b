"""Simulated follow-up: what is set is what comes out, and the concordance is that of brute force."""

import math

import numpy as np
import pytest

from equipoise.simulation import PrognosisPopulation, simulated_follow_up, stream
from equipoise.stats import concordance_index, cox, kaplan_meier


def brute_force(population, *, censored_after=math.inf, pairs=1_000_000):
    """Return the difference of C over independent pairs of patients, with its Monte-Carlo error."""
    drawn = simulated_follow_up(population, 2 * pairs, stream(11))
    event = np.where(drawn.time > censored_after, 0, drawn.event).reshape(2, -1)
    time = np.minimum(drawn.time, censored_after).reshape(2, -1)
    earlier = np.argmin(time, axis=0)
    comparable = (time[0] != time[1]) & (np.take_along_axis(event, earlier[None], axis=0)[0] == 1)
    agrees = [
        (np.argmax(measured.reshape(2, -1), axis=0) == earlier)[comparable].astype(float)
        for measured in (drawn.first, drawn.second)
    ]
    differences = agrees[0] - agrees[1]
    return differences.mean(), differences.std() / math.sqrt(differences.size)


@pytest.mark.parametrize(
    ("population", "censored_after"),
    [
        (PrognosisPopulation(), math.inf),
        (PrognosisPopulation(shape=1.6, first_error=0.1, second_error=1.2), math.inf),
        (PrognosisPopulation(first_error=0.8, second_error=0.2), 36.0),
        (PrognosisPopulation(second_error=1.0, shortest_follow_up=40), 12.0),
    ],
)
def test_difference_of_concordance_is_that_of_brute_force(population, censored_after):
    found, error = brute_force(population, censored_after=censored_after)
    assert error < 0.0006
    assert population.concordance_difference(censored_after=censored_after) == pytest.approx(
        found, abs=3 * error
    )


def test_equal_errors_make_no_difference_and_a_method_without_error_is_best():
    assert PrognosisPopulation(first_error=0.4, second_error=0.4).concordance_difference() == pytest.approx(0)
    assert PrognosisPopulation(first_error=0.0, second_error=0.4).concordance_difference() > 0


def test_hazard_and_median_time_are_the_ones_that_were_set():
    population = PrognosisPopulation(
        first_error=0.0, shortest_follow_up=100, longest_follow_up=101, shape=1.3
    )
    drawn = simulated_follow_up(population, 4000, stream(2))
    [term] = cox(drawn.time, drawn.event, np.log2(drawn.first), names=["volume"]).terms
    assert math.log(term.hazard_ratio) == pytest.approx(0.3, abs=3 * term.standard_error)
    alike = PrognosisPopulation(log_hazard_per_doubling=0.0, shape=1.3)
    followed = simulated_follow_up(alike, 4000, stream(3))
    [curve] = kaplan_meier(followed.time, followed.event).curves
    at = np.searchsorted(curve.time, alike.median_time) - 1
    assert curve.survival[at] == pytest.approx(0.5, abs=0.025)


def test_measurement_with_more_error_orders_worse():
    population = PrognosisPopulation(first_error=0.1, second_error=1.5)
    drawn = simulated_follow_up(population, 3000, stream(4))
    first, second = (
        concordance_index(drawn.time, drawn.event, measured).estimate
        for measured in (drawn.first, drawn.second)
    )
    assert first - second == pytest.approx(population.concordance_difference(), abs=0.015)


def test_follow_up_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="below longest_follow_up"):
        PrognosisPopulation(shortest_follow_up=60, longest_follow_up=24)
