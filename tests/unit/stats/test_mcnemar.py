"""Paired proportions. R values: R 4.2.2.

> mcnemar.test(matrix(c(10,2,7,5), 2), correct=FALSE); mcnemar.test(matrix(c(10,2,7,5), 2)); binom.test(2, 9)$p.value
McNemar's chi-squared = 2.7777778, df = 1, p-value = 0.0955807
McNemar's chi-squared = 1.7777778, df = 1, p-value = 0.1824224
[1] 0.1796875
> x <- 3/10; y <- 2/10; x - y + c(-1,1)*qnorm(.975)*sqrt((x + y - (x - y)^2)/10)   # Bonett-Price of 2 against 1 in 8
[1] -0.333856522613  0.533856522613
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import mcnemar
from tests.unit.stats.two_scores import FIRST, PATIENT, SECOND, TRUTH

A, B = np.repeat([1, 1, 0, 0], [10, 7, 2, 5]), np.repeat([1, 0, 1, 0], [10, 7, 2, 5])


def test_tests_agree_with_r():
    result = mcnemar(A, B)
    assert (result.only_first, result.only_second, result.n) == (7, 2, 24)
    assert result.pvalue == result.pvalue_exact == 0.1796875
    assert result.chi2 == pytest.approx(2.7777778, abs=5e-8)
    assert result.pvalue_chi2 == pytest.approx(0.0955807, abs=5e-8)
    assert result.chi2_corrected == pytest.approx(1.7777778, abs=5e-8)
    assert result.pvalue_chi2_corrected == pytest.approx(0.1824224, abs=5e-8)
    assert mcnemar(A, B, method="chi-square").pvalue == result.pvalue_chi2
    corrected = mcnemar(A, B, method="chi-square-corrected")
    assert (corrected.statistic, corrected.provenance.df) == (result.chi2_corrected, 1.0)


def test_difference_with_its_interval():
    first, second = (FIRST >= 3).astype(int), (SECOND >= 3).astype(int)
    result = mcnemar(first, second, TRUTH, measure="sensitivity")
    # Of the diseased rows 7 and 6 are called: 2 by the first only, 1 by the second only.
    assert (result.proportion_a, result.proportion_b, result.estimate) == (7 / 8, 6 / 8, 1 / 8)
    assert (result.only_first, result.only_second) == (2, 1)
    assert result.confidence_interval.low == pytest.approx(-0.333856522613, abs=5e-13)
    assert result.confidence_interval.high == pytest.approx(0.533856522613, abs=5e-13)
    # Variance of a mean of -1, 0, 1 with these counts, divisor n.
    assert result.standard_error == pytest.approx(math.sqrt((3 / 8 - 1 / 64) / 8))


@pytest.mark.parametrize(
    "measure, a, b",
    [("specificity", 7 / 12, 9 / 12), ("accuracy", 14 / 20, 15 / 20), (None, 14 / 20, 15 / 20)],
)
def test_measures_compare_correct_calls_of_their_rows(measure, a, b):
    result = mcnemar((FIRST >= 3).astype(int), (SECOND >= 3).astype(int), TRUTH, measure=measure)
    assert (result.proportion_a, result.proportion_b) == (a, b)


def test_equal_discordant_counts_are_no_evidence():
    result = mcnemar([1, 0, 1, 0], [0, 1, 1, 0])
    assert (result.chi2, result.chi2_corrected, result.pvalue) == (0.0, 0.0, 1.0)
    assert result.pvalue_chi2_corrected == 1.0


def test_no_discordant_rows():
    result = mcnemar([1, 0, 1], [1, 0, 1])
    assert (result.pvalue, result.reason) == (1.0, "no discordant rows")
    assert math.isnan(result.chi2)
    with pytest.warns(DegenerateDataWarning, match="no discordant rows"):
        assert math.isnan(mcnemar([1, 0, 1], [1, 0, 1], method="chi-square").pvalue)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_exact_p_is_a_sum_of_binomial_terms_and_swapping_turns_the_sign(pairs):
    a, b = np.array(pairs).T
    result, swapped = mcnemar(a, b), mcnemar(b, a)
    assert swapped.estimate == -result.estimate
    assert swapped.pvalue == result.pvalue
    k, n = min(result.only_first, result.only_second), result.only_first + result.only_second
    tail = sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    assert result.pvalue == pytest.approx(min(1.0, 2 * tail), abs=1e-12)


def test_clusters_are_resampled_whole():
    result = mcnemar(
        (FIRST >= 3).astype(int), (SECOND >= 3).astype(int), clusters=PATIENT, n_resamples=2000, rng=3
    )
    assert result.n_clusters == 9
    assert math.isnan(result.pvalue_exact)
    assert result.statistic == pytest.approx(result.estimate / result.standard_error)
    assert result.provenance.variance_estimator.startswith("bootstrap of clusters")
    rows = np.arange(24)
    alone = mcnemar(A, B, clusters=rows, n_resamples=8000, rng=1)
    assert alone.standard_error == pytest.approx(mcnemar(A, B).standard_error, rel=0.03)


@pytest.mark.parametrize(
    "arguments, options, words",
    [
        (([0, 1], [0, 1, 1]), {}, "decisions_a and decisions_b must have the same length"),
        (([0, 1], [0, 1]), {"measure": "sensitivity"}, "needs truth"),
        (([0, 1], [0, 1], [0, 0]), {"measure": "sensitivity"}, "no rows to be taken from"),
        (([0, 1], [0, 1]), {"measure": "ppv"}, "measure must be one of"),
        (([0, 1], [0, 1]), {"method": "mid-p"}, "method must be one of"),
    ],
)
def test_bad_input_is_named(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        mcnemar(*arguments, **options)
