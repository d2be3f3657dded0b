"""Power of a paired difference: R's paired t test where that is the analysis, hand-computed and simulated elsewhere."""

import dataclasses

import numpy as np
import pytest
from scipy import stats as scipy_stats

from equipoise.stats import difference_power, smallest_number

SDS = {"reader_sd": 0.02, "case_sd": 0.05, "residual_sd": 0.06}


def test_one_fixed_reader_is_the_paired_t_test_of_r():
    # R 4.2.2: power.t.test(n = 34, delta = .5, sd = 1, type = "paired", strict = TRUE)$power
    found = difference_power(
        0.5, n_readers=1, n_cases=34, readers="fixed", reader_sd=0.0, case_sd=1.0, residual_sd=0.0
    )
    assert found.power == pytest.approx(0.807777501279, abs=1e-9)
    # R: power.t.test(n = 20, delta = .3, sd = .4, type = "paired", sig.level = .025, alternative = "one.sided")$power
    found = difference_power(
        0.3, n_readers=20, n_cases=1, cases="fixed", reader_sd=0.4, case_sd=0.0, residual_sd=0.0,
        alpha=0.025, sides=1,
    )  # fmt: skip
    assert found.power == pytest.approx(0.888847693151, abs=1e-9)


def test_the_number_of_cases_is_that_of_r():
    # R: power.t.test(delta = .5, sd = 1, power = .8, type = "paired", strict = TRUE)$n is 33.4
    given = {"n_readers": 1, "readers": "fixed", "reader_sd": 0.0, "case_sd": 1.0, "residual_sd": 0.0}
    assert smallest_number(lambda n: difference_power(0.5, n_cases=n, **given)) == 34


def test_standard_error_and_degrees_of_freedom_by_hand():
    found = difference_power(0.03, n_readers=8, n_cases=40, **SDS)
    # .0004/8 + .0025/40 + .0036/320 = .00012375
    assert found.standard_error == pytest.approx(np.sqrt(0.00012375), rel=1e-12)
    # MS: .0036 + 40 x .0004 = .0196 (7 df), .0036 + 8 x .0025 = .0236 (39 df), .0036 (273 df)
    by_hand = (0.0196 + 0.0236 - 0.0036) ** 2 / (0.0196**2 / 7 + 0.0236**2 / 39 + 0.0036**2 / 273)
    assert found.df == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize("seed, difference", [(1, 0.03), (2, 0.0)])
def test_power_is_that_of_simulated_tables_of_differences(seed, difference):
    r, c, n = 8, 40, 20_000
    rng = np.random.default_rng(seed)
    tables = (
        difference
        + SDS["reader_sd"] * rng.standard_normal((n, r, 1))
        + SDS["case_sd"] * rng.standard_normal((n, 1, c))
        + SDS["residual_sd"] * rng.standard_normal((n, r, c))
    )
    mean = tables.mean(axis=(1, 2))
    by_reader, by_case = tables.mean(axis=2), tables.mean(axis=1)
    ms_reader, ms_case = c * by_reader.var(axis=1, ddof=1), r * by_case.var(axis=1, ddof=1)
    residual = tables - by_reader[:, :, None] - by_case[:, None, :] + mean[:, None, None]
    ms_own = (residual**2).sum(axis=(1, 2)) / ((r - 1) * (c - 1))
    total = ms_reader + ms_case - ms_own
    df = total**2 / (ms_reader**2 / (r - 1) + ms_case**2 / (c - 1) + ms_own**2 / ((r - 1) * (c - 1)))
    pvalue = 2 * scipy_stats.t.sf(np.abs(mean) / np.sqrt(total / (r * c)), df)
    rejected = float((pvalue < 0.05).mean())
    planned = difference_power(difference, n_readers=r, n_cases=c, **SDS).power
    # Three Monte-Carlo errors, and half a percentage point for degrees of freedom that are estimated.
    assert planned == pytest.approx(rejected, abs=3 * np.sqrt(planned * (1 - planned) / n) + 0.005)


def test_fixed_readers_leave_out_how_readers_differ():
    alone = difference_power(0.03, n_readers=8, n_cases=40, readers="fixed", **SDS)
    same = difference_power(0.03, n_readers=8, n_cases=40, readers="fixed", **{**SDS, "reader_sd": 9.0})
    assert alone.power == same.power
    assert alone.standard_error == pytest.approx(np.sqrt(0.0025 / 40 + 0.0036 / 320), rel=1e-12)
    assert alone.df == 39


def test_without_reader_and_case_terms_every_pair_of_readings_counts():
    # R 4.2.2: power.t.test(n = 240, delta = .1, sd = .5, type = "paired", strict = TRUE)$power
    given = {"n_readers": 8, "n_cases": 30, "residual_sd": 0.5}
    found = difference_power(0.1, reader_sd=0.0, case_sd=0.0, **given)
    assert found.df == 239
    assert found.power == pytest.approx(0.86990662815342, abs=1e-9)
    one_term = difference_power(0.1, reader_sd=0.0, case_sd=0.2, **given)
    assert one_term == dataclasses.replace(
        difference_power(0.1, reader_sd=0.0, case_sd=0.2, readers="fixed", **given),
        readers="random",
        method=one_term.method,
    )


def test_non_inferiority_of_times_looks_downwards():
    given = {"n_readers": 8, "n_cases": 40, "reader_sd": 0.1, "case_sd": 0.1, "residual_sd": 0.4}
    slower = difference_power(0.1, margin=0.1, higher_is_better=False, **given)
    assert slower.power == pytest.approx(0.025, abs=1e-9)
    faster = difference_power(-0.1, margin=0.1, higher_is_better=False, **given)
    assert faster.power == pytest.approx(
        difference_power(0.2, sides=1, alpha=0.025, **given).power, abs=1e-12
    )


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"reader_sd": -0.1}, "reader_sd must not be negative"),
        ({"reader_sd": 0.0, "case_sd": 0.0, "residual_sd": 0.0}, "one must be positive"),
        ({"n_readers": 1}, "n_readers must be at least 2"),
        ({"readers": "fixed", "cases": "fixed"}, "cannot both be fixed"),
    ],
)
def test_what_cannot_be_planned_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        difference_power(0.03, **{"n_readers": 8, "n_cases": 40, **SDS, **changes})
