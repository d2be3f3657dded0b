import itertools
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import bonferroni, holm, mann_whitney, pairwise_mann_whitney, wilcoxon_signed_rank

A = [2.1, 3.5, 3.5, 4.8, 6.0, 7.2, 5.5]
B = [3.5, 5.5, 6.1, 7.2, 8.4, 9.9]


def test_mann_whitney_with_ties_agrees_with_r():
    # > wilcox.test(a, b, exact=FALSE)[c("statistic", "p.value")]              9, 0.0976070695
    # > wilcox.test(a, b, exact=FALSE, correct=FALSE)$p.value                  0.0838822238
    result = mann_whitney(A, B)
    assert (result.statistic, result.statistic_second) == (9.0, 33.0)
    assert result.pvalue == pytest.approx(0.0976070695, rel=1e-8)
    assert mann_whitney(A, B, continuity=False).pvalue == pytest.approx(0.0838822238, rel=1e-8)


def test_superiority_is_the_share_of_pairs_won():
    won = [(a > b) + 0.5 * (a == b) for a, b in itertools.product(A, B)]
    assert mann_whitney(A, B).superiority == pytest.approx(np.mean(won), rel=1e-15)


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=15), st.lists(st.integers(0, 6), min_size=1, max_size=15)
)
def test_mann_whitney_is_scipys(a, b):
    if len(set(a + b)) == 1:
        return
    expected = scipy.stats.mannwhitneyu(a, b, method="asymptotic", use_continuity=True)
    result = mann_whitney(a, b)
    assert result.statistic == expected.statistic
    assert result.pvalue == pytest.approx(expected.pvalue, rel=1e-10)


@given(
    st.lists(st.integers(-50, 50), min_size=2, max_size=12),
    st.lists(st.integers(-50, 50), min_size=2, max_size=12),
)
def test_mann_whitney_knows_order_only(a, b):
    if len(set(a + b)) == 1:
        return
    result, cubed = mann_whitney(a, b), mann_whitney([x**3 for x in a], [x**3 for x in b])
    assert cubed.pvalue == result.pvalue
    swapped = mann_whitney(b, a)
    assert (swapped.statistic, swapped.pvalue) == (result.statistic_second, pytest.approx(result.pvalue))
    assert swapped.z == pytest.approx(-result.z)


def test_constant_samples_have_no_test():
    with pytest.warns(DegenerateDataWarning, match="all values are equal"):
        result = mann_whitney([1, 1], [1, 1, 1])
    assert math.isnan(result.pvalue)
    assert result.superiority == 0.5


def test_empty_sample_has_no_test():
    with pytest.warns(DegenerateDataWarning, match="empty"):
        result = mann_whitney([math.nan], [1.0, 2.0])
    assert (result.n_first, result.n_missing) == (0, 1)
    assert math.isnan(result.pvalue)


def test_pairs_are_corrected_for_their_number():
    groups = {"x": A, "y": B, "z": [9.0, 9.5, 10.0, 11.0]}
    results = pairwise_mann_whitney(groups)
    assert [(r.first, r.second) for r in results] == [("x", "y"), ("x", "z"), ("y", "z")]
    for result in results:
        assert result.pvalue_adjusted == min(1.0, 3 * result.pvalue)
        assert (result.n_tests, result.correction) == (3, "bonferroni")
    by_holm = pairwise_mann_whitney(groups, "holm")
    assert [r.pvalue_adjusted for r in by_holm] == list(holm([r.pvalue for r in results]))


def test_corrections_agree_with_r():
    # > p.adjust(c(.01,.04,.03,.005), "holm")          0.03 0.06 0.06 0.02
    # > p.adjust(c(.01,.04,.03,.005), "bonferroni")    0.04 0.16 0.12 0.02
    pvalues = [0.01, 0.04, 0.03, 0.005]
    assert holm(pvalues) == pytest.approx((0.03, 0.06, 0.06, 0.02), rel=1e-12)
    assert bonferroni(pvalues) == pytest.approx((0.04, 0.16, 0.12, 0.02), rel=1e-12)


def test_undefined_test_counts_and_stays_undefined():
    adjusted = holm([0.01, math.nan])
    assert adjusted[0] == 0.02
    assert math.isnan(adjusted[1])


def test_impossible_pvalue_is_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([0.5, 1.5])


def test_signed_rank_exact_agrees_with_r():
    # > wilcox.test(c(1.2,-0.4,2.2,0.9,-0.1,1.7,0.3))[c("statistic", "p.value")]    V = 24, p = 0.109375
    result = wilcoxon_signed_rank([1.2, -0.4, 2.2, 0.9, -0.1, 1.7, 0.3])
    assert (result.rank_sum_positive, result.statistic, result.pvalue) == (24.0, 4.0, 0.109375)


def test_signed_rank_with_ties_and_zeros_agrees_with_r():
    # > d <- c(1,-1,2,2,3,0,4,-2)
    # > wilcox.test(d, exact=FALSE, correct=FALSE)[c("statistic", "p.value")]        V = 22.5, p = 0.147124099
    # > wilcox.test(d, exact=FALSE, correct=TRUE)$p.value                            0.172415103
    d = [1, -1, 2, 2, 3, 0, 4, -2]
    result = wilcoxon_signed_rank(d)
    assert (result.rank_sum_positive, result.n_zero, result.n) == (22.5, 1, 8)
    assert result.pvalue == pytest.approx(0.147124099, rel=1e-8)
    assert wilcoxon_signed_rank(d, continuity=True).pvalue == pytest.approx(0.172415103, rel=1e-8)


def test_exact_signed_rank_counts_every_sign_pattern():
    d = np.array([0.3, -1.1, 2.0, 2.5, -0.7, 4.1])
    ranks = np.argsort(np.argsort(np.abs(d))) + 1
    sums = [
        sum(r for r, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product([0, 1], repeat=6)
    ]
    smaller = min(ranks[d > 0].sum(), ranks[d < 0].sum())
    expected = min(1.0, 2 * np.mean(np.array(sums) <= smaller))
    assert wilcoxon_signed_rank(d).pvalue == pytest.approx(expected, rel=1e-14)


def test_two_samples_are_their_differences():
    x, y = [3.0, 5.0, 2.0, 8.0], [1.0, 6.0, 0.5, 3.0]
    assert wilcoxon_signed_rank(x, y).pvalue == wilcoxon_signed_rank(np.subtract(x, y)).pvalue


def test_only_zeros_have_no_test():
    with pytest.warns(DegenerateDataWarning, match="other than 0"):
        result = wilcoxon_signed_rank([0.0, 0.0, math.nan])
    assert math.isnan(result.pvalue)
    assert (result.n, result.n_zero, result.n_missing) == (2, 2, 1)


@given(st.lists(st.integers(-20, 20), min_size=3, max_size=40))
def test_signed_rank_ignores_the_direction(d):
    if not any(d):
        return
    result, mirrored = wilcoxon_signed_rank(d), wilcoxon_signed_rank([-x for x in d])
    assert (mirrored.statistic, mirrored.pvalue) == (result.statistic, pytest.approx(result.pvalue))
