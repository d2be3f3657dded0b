"""Power of a preference trial by the design effect: an independent computation in R, and its limits."""

import math

import pytest
from scipy import stats as scipy_stats

from equipoise.simulation import PreferencePopulation
from equipoise.stats import preference_power


def test_mean_design_effect_and_power_are_those_of_an_independent_computation():
    # R 4.2.2, nested integrate() over the shared and the remaining effects, rel.tol 1e-10:
    #   s <- sqrt(.4^2 + .5^2 + .3^2); both <- function(e) (plogis(e + .1) + plogis(e - .1)) / 2
    #   ev <- function(m, sd) sapply(m, function(x) integrate(function(z) both(x + sd*z)*dnorm(z), -10, 10)$value)
    #   mu <- uniroot(function(m) ev(m, s) - .58, c(-3, 3))$root
    #   cv <- function(a) integrate(function(u) ev(mu + a*u, sqrt(s^2 - a^2))^2 * dnorm(u), -10, 10)$value - .58^2
    #   de <- 1 + (cv(sqrt(.4^2 + .5^2)) + 58*cv(.4) + 11*cv(sqrt(.5^2 + .3^2)) + 11*cv(.5)) / (.58 * .42)
    #   se <- sqrt(de / (720 * .58 * .42)); pnorm(qlogis(.58)/se - qnorm(.975)) + pnorm(-qlogis(.58)/se - qnorm(.975))
    found = preference_power(
        0.58,
        n_readers=12,
        n_cases=30,
        items_per_case=2,
        reader_sd=0.4,
        case_sd=0.5,
        item_sd=0.3,
        side_logit=0.1,
    )
    assert found.mean_logit == pytest.approx(0.359660532733, abs=1e-10)
    assert found.design_effect == pytest.approx(4.193016072655, rel=1e-9)
    assert found.standard_error == pytest.approx(0.154617402615, rel=1e-9)
    assert found.power == pytest.approx(0.550792273830, abs=1e-9)
    assert found.n_readings == 720


def test_independent_readings_have_no_design_effect():
    found = preference_power(0.6, n_readers=10, n_cases=20, reader_sd=0.0, case_sd=0.0)
    assert found.design_effect == pytest.approx(1.0, abs=1e-12)
    z = math.log(0.6 / 0.4) * math.sqrt(200 * 0.24)
    expected = scipy_stats.norm.sf(1.959963984540054 - z) + scipy_stats.norm.sf(1.959963984540054 + z)
    assert found.power == pytest.approx(expected, abs=1e-12)


def test_the_mean_is_that_of_the_simulated_population():
    found = preference_power(0.6, n_readers=10, n_cases=20, reader_sd=0.6, case_sd=0.7, item_sd=0.2)
    population = PreferencePopulation(found.mean_logit, 0.6, 0.7, 0.2, side_logit=0.0, side_sd=0.0)
    assert population.marginal_probability == pytest.approx(0.6, abs=1e-9)


def test_even_preference_is_found_as_often_as_alpha_allows():
    for sides, alpha in ((2, 0.05), (1, 0.025)):
        found = preference_power(0.5, n_readers=10, n_cases=20, sides=sides, alpha=alpha)
        assert found.power == pytest.approx(alpha, abs=1e-9)


def test_shares_below_one_half_mirror_those_above():
    below, above = (preference_power(share, n_readers=10, n_cases=20) for share in (0.4, 0.6))
    assert below.power == pytest.approx(above.power, abs=1e-9)
    assert preference_power(0.4, n_readers=10, n_cases=20, sides=1).power < 0.01


def test_more_readers_or_cases_raise_the_power_up_to_what_the_other_leaves():
    few, many, very_many = (preference_power(0.58, n_readers=10, n_cases=n).power for n in (20, 200, 20_000))
    assert few < many < very_many < 0.9


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"share": 1.0}, "share must lie strictly between 0 and 1"),
        ({"reader_sd": -1.0}, "reader_sd must not be negative"),
        ({"n_cases": 1}, "n_cases must be at least 2"),
        ({"items_per_case": 0}, "items_per_case must be at least 1"),
        ({"alpha": 0.6}, "alpha must lie"),
    ],
)
def test_what_cannot_be_planned_is_refused(changes, words):
    given = {"share": 0.6, "n_readers": 10, "n_cases": 20, **changes}
    with pytest.raises(ValueError, match=words):
        preference_power(given.pop("share"), **given)
