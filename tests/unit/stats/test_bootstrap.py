import math

import numpy as np
import pytest
import scipy.stats

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import bootstrap

DATA = np.random.default_rng(4).gamma(2.0, size=40)


@pytest.mark.parametrize("method, scipys", [("percentile", "percentile"), ("basic", "basic"), ("bca", "BCa")])
def test_intervals_agree_with_scipys_up_to_resampling(method, scipys):
    ours = bootstrap(np.mean, DATA, method=method, n_resamples=6000, rng=1)
    theirs = scipy.stats.bootstrap(
        (DATA,), np.mean, method=scipys, n_resamples=6000, rng=2
    ).confidence_interval
    assert ours.confidence_interval.low == pytest.approx(theirs.low, abs=0.03)
    assert ours.confidence_interval.high == pytest.approx(theirs.high, abs=0.03)
    assert ours.standard_error == pytest.approx(DATA.std(ddof=1) / math.sqrt(40), rel=0.05)


def test_same_seed_same_numbers_and_the_seed_is_named():
    first, again = (
        bootstrap(np.mean, DATA, n_resamples=50, rng=7),
        bootstrap(np.mean, DATA, n_resamples=50, rng=7),
    )
    np.testing.assert_array_equal(first.distribution, again.distribution)
    assert first.provenance.seed == 7
    assert first.provenance.n_resamples == 50


def test_clusters_widen_the_interval_as_much_as_their_number_says():
    clusters = np.repeat(np.arange(10), 30)
    values = np.repeat(np.random.default_rng(2).normal(size=10), 30)
    whole = bootstrap(np.mean, values, clusters, n_resamples=4000, rng=1)
    rows = bootstrap(np.mean, values, n_resamples=4000, rng=1)
    assert (whole.units, whole.n_units) == ("clusters", (10,))
    assert whole.standard_error / rows.standard_error == pytest.approx(math.sqrt(30), rel=0.08)


def test_crossed_factors_repeat_rows_by_the_product_of_both_counts():
    readers, cases = np.repeat(np.arange(6), 8), np.tile(np.arange(8), 6)
    effect = np.random.default_rng(3).normal(size=6)[readers] + np.random.default_rng(5).normal(size=8)[cases]
    result = bootstrap(np.mean, effect, (list(readers), list(cases)), n_resamples=4000, rng=1)
    by_reader = [effect[readers == r].mean() for r in range(6)]
    by_case = [effect[cases == c].mean() for c in range(8)]
    expected = math.sqrt(np.var(by_reader) / 6 + np.var(by_case) / 8)
    assert result.n_units == (6, 8)
    assert result.standard_error == pytest.approx(expected, rel=0.05)


def test_several_arrays_stay_paired():
    x = np.arange(20.0)
    result = bootstrap(lambda a, b: float(np.corrcoef(a, b)[0, 1]), (x, 2 * x + 1), n_resamples=50, rng=0)
    np.testing.assert_allclose(result.distribution, 1.0)


def test_undefined_statistic_is_not_available():
    with pytest.warns(DegenerateDataWarning, match="not defined"):
        result = bootstrap(lambda x: math.nan, DATA, n_resamples=10)
    assert math.isnan(result.confidence_interval.low)
    assert result.reason == "the statistic is not defined"


def test_undefined_resamples_are_left_out_and_counted():
    result = bootstrap(
        lambda x: x.mean() if x.max() > 1 else math.nan, np.array([0.0, 2.0]), n_resamples=400, rng=1
    )
    assert 60 < result.n_undefined < 140
    assert result.confidence_interval.low == 1.0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_resamples": 1}, "n_resamples"),
        ({"confidence_level": 1.0}, "confidence_level"),
        ({"method": "studentised"}, "method"),
        ({"clusters": [1, 2]}, "one label per row"),
        ({"clusters": (list(range(40)), list(range(40))), "method": "bca"}, "bca"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap(np.mean, DATA, **options)


def test_a_crossed_resample_without_rows_defines_no_statistic():
    """Two readers of a case each: one draw in four of readers and cases has no reading in common."""
    result = bootstrap(np.mean, [1.0, 2.0], clusters=(["a", "b"], ["x", "y"]), n_resamples=400, rng=1)
    assert result.n_undefined == pytest.approx(400 / 8, abs=25)
    assert result.n_undefined == int(np.isnan(result.distribution).sum())
    assert (result.confidence_interval.low, result.confidence_interval.high) == (1.0, 2.0)
