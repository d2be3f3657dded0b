"""Differences of AUCs. R values: R 4.2.2, pROC 1.18.0, data as in two_scores.py.

> cov(ra, rb); roc.test(ra, rb, method="delong", paired=TRUE)
[1] -0.000831416847
Z = 0.09886102846, p-value = 0.92124861206, 95 percent confidence interval: -0.29414759428 0.32539759428
> roc.test(ra, rb, method="delong", paired=TRUE, alternative="greater")$p.value
[1] 0.460624306
> roc.test(ra, rb, method="delong", paired=FALSE)
D = 0.1023254233, df = 37.3366583260, p-value = 0.9190459761
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import auc, compare_aucs, compare_independent_aucs
from tests.unit.stats.two_scores import FIRST, PATIENT, SECOND, TRUTH


def test_paired_test_agrees_with_proc():
    result = compare_aucs(FIRST, SECOND, TRUTH)
    assert result.estimate == 0.015625
    assert (result.auc_a, result.auc_b) == (0.796875, 0.78125)
    assert result.covariance == pytest.approx(-0.000831416847, abs=5e-13)
    assert result.statistic == pytest.approx(0.09886102846, rel=5e-10)
    assert result.pvalue == pytest.approx(0.92124861206, rel=5e-11)
    assert result.confidence_interval.low == pytest.approx(-0.29414759428, abs=5e-11)
    assert result.confidence_interval.high == pytest.approx(0.32539759428, abs=5e-11)
    assert result.df == math.inf
    assert compare_aucs(FIRST, SECOND, TRUTH, alternative="greater").pvalue == pytest.approx(
        0.460624306, abs=5e-10
    )
    assert compare_aucs(FIRST, SECOND, TRUTH, alternative="less").pvalue == pytest.approx(
        1 - 0.460624306, abs=5e-10
    )


def test_unpaired_test_agrees_with_proc():
    result = compare_independent_aucs(FIRST, TRUTH, SECOND, TRUTH)
    assert result.statistic == pytest.approx(0.1023254233, rel=5e-10)
    assert result.df == pytest.approx(37.3366583260, rel=5e-12)
    assert result.pvalue == pytest.approx(0.9190459761, abs=5e-11)
    assert result.covariance == 0.0
    assert result.provenance.df == result.df


def test_clusters_follow_obuchowski():
    # > obu(a, b): equations 4 to 9 of Obuchowski 1997 with loops over patients, R 4.2.2
    # [1] 0.00467859903971
    result = compare_aucs(FIRST, SECOND, TRUTH, clusters=PATIENT)
    assert result.covariance == pytest.approx(0.00467859903971, rel=5e-12)
    expected = 0.01979395548503 + 0.01016642252604 - 2 * 0.00467859903971
    assert result.standard_error**2 == pytest.approx(expected, rel=1e-11)


def test_bootstrap_resamples_the_pair_together():
    truth = np.repeat([0, 1], [40, 40])
    rng = np.random.default_rng(2)
    shared = rng.normal(size=80) + truth
    first, second = shared + 0.3 * rng.normal(size=80), shared + 0.3 * rng.normal(size=80)
    delong = compare_aucs(first, second, truth)
    for method in ("bootstrap", "bootstrap-stratified"):
        result = compare_aucs(first, second, truth, method=method, n_resamples=4000, rng=1)
        assert result.standard_error == pytest.approx(delong.standard_error, rel=0.08)
        assert result.statistic == pytest.approx(result.estimate / result.standard_error)
        assert result.covariance == pytest.approx(delong.covariance, rel=0.1)
        assert result.provenance.seed == 1


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=12, max_size=30))
@pytest.mark.filterwarnings("ignore::equipoise.common.warnings.DegenerateDataWarning")
def test_swapping_scores_or_labels_turns_the_sign(pairs):
    first, second = np.array(pairs, dtype=float).T
    truth = np.arange(len(pairs)) % 2
    result = compare_aucs(first, second, truth)
    for turned in (compare_aucs(second, first, truth), compare_aucs(first, second, 1 - truth)):
        assert turned.estimate == pytest.approx(-result.estimate, abs=1e-14)
        assert turned.standard_error == pytest.approx(result.standard_error, abs=1e-12)
        assert turned.pvalue == pytest.approx(result.pvalue, nan_ok=True, rel=1e-9)
    monotone = compare_aucs(first**3, np.expm1(second), truth)
    assert monotone.estimate == result.estimate


def test_paired_variance_is_that_of_the_parts():
    result = compare_aucs(FIRST, SECOND, TRUTH)
    assert result.variance_a == pytest.approx(auc(FIRST, TRUTH).variance, rel=1e-12)
    assert result.variance_b == pytest.approx(auc(SECOND, TRUTH).variance, rel=1e-12)


def test_identical_scores_have_no_test():
    with pytest.warns(DegenerateDataWarning, match="the difference has no variance"):
        result = compare_aucs(FIRST, 2 * FIRST, TRUTH)
    assert result.estimate == 0.0
    assert math.isnan(result.statistic)
    assert math.isnan(result.pvalue)
    assert result.reason == "the difference has no variance"


@pytest.mark.filterwarnings("ignore:A useful interval")
def test_two_perfect_curves_of_different_cases_have_no_test():
    with pytest.warns(DegenerateDataWarning, match="test of two AUCs"):
        result = compare_independent_aucs([1, 2, 3, 4], [0, 0, 1, 1], [1, 2, 3, 4], [0, 0, 1, 1])
    assert math.isnan(result.pvalue)
    assert "perfect separation" in str(result.reason)


@pytest.mark.parametrize(
    "options, words",
    [({"alternative": "larger"}, "alternative must be one of"), ({"method": "z"}, "method must be one of")],
)
def test_unknown_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        compare_aucs(FIRST, SECOND, TRUTH, **options)


def test_second_score_is_checked_too():
    with pytest.raises(ValueError, match="scores_b must be finite"):
        compare_aucs(FIRST, np.where(SECOND > 4, math.nan, SECOND), TRUTH)
    with pytest.raises(ValueError, match="scores_b and truth must have the same length"):
        compare_aucs(FIRST, SECOND[1:], TRUTH)
