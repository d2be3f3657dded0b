"""Shares of answers: intervals that draw readers and cases again."""

import math

import numpy as np
import pytest

from equipoise.stats import answer_share


def table(readers, cases, *, case_sd, reader_sd, seed=1):
    """Return answers of every reader about every case, alike within either."""
    rng = np.random.default_rng(seed)
    latent = (
        rng.normal(0, reader_sd, (readers, 1))
        + rng.normal(0, case_sd, (1, cases))
        + rng.normal(0, 1, (readers, cases))
    )
    return latent > 0.3


def long(given):
    readers, cases = np.indices(given.shape)
    return given.ravel(), readers.ravel(), cases.ravel()


def test_spread_is_that_of_the_pigeonhole_bootstrap():
    """Owen 2007, section 2: of a balanced mean, the variances of rows, columns and rest over their numbers."""
    given = table(12, 40, case_sd=0.8, reader_sd=0.5)
    found = answer_share(*long(given), n_resamples=20_000, rng=3)
    values = given.astype(float)
    rows, columns = values.mean(1), values.mean(0)
    rest = values - rows[:, None] - columns[None, :] + values.mean()
    variance = rows.var() / 12 + columns.var() / 40 + rest.var() / (12 * 40)
    half = (found.confidence_interval.high - found.confidence_interval.low) / 2
    assert found.estimate == values.mean()
    assert half == pytest.approx(1.959964 * math.sqrt(variance), rel=0.03)
    independent = 1.959964 * math.sqrt(found.estimate * (1 - found.estimate) / values.size)
    assert half > 1.8 * independent


def test_order_of_the_rows_does_not_matter_and_missing_cells_are_left_out():
    given, readers, cases = long(table(5, 9, case_sd=0.5, reader_sd=0.5))
    order = np.random.default_rng(5).permutation(len(given))[:-3]
    sorted_rows = np.sort(order)
    one = answer_share(given[sorted_rows], readers[sorted_rows], cases[sorted_rows], rng=7)
    other = answer_share(given[sorted_rows], readers[sorted_rows], cases[sorted_rows], rng=7)
    assert one == other
    assert (one.n, one.n_readers, one.n_cases) == (42, 5, 9)


@pytest.mark.parametrize(
    ("given", "readers", "cases", "reason"),
    [
        ([], [], [], "no answer"),
        ([True, False], ["a", "a"], ["x", "y"], "an interval takes two readers and two cases"),
        ([True, False], ["a", "b"], ["x", "x"], "an interval takes two readers and two cases"),
        ([True, True], ["a", "b"], ["x", "y"], "all answers are the same"),
    ],
)
def test_no_interval_where_resampling_says_nothing(given, readers, cases, reason):
    found = answer_share(given, readers, cases)
    assert found.reason == reason
    assert math.isnan(found.confidence_interval.low)


def test_columns_of_unlike_length_are_refused():
    with pytest.raises(ValueError, match="equally long, got 2, 1 and 2"):
        answer_share([True, False], ["a"], ["x", "y"])
