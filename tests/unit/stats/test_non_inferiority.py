"""Non-inferiority of any difference result."""

import math

import pytest
from scipy.stats import norm, t

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import (
    compare_aucs,
    compare_independent_aucs,
    mcnemar,
    mrmc,
    mrmc_dbm,
    mrmc_ustatistics,
    non_inferiority,
)
from tests.unit.stats.rated_cases import random_readings, typed_readings
from tests.unit.stats.two_scores import FIRST, SECOND, TRUTH


def test_bound_is_the_limit_of_the_two_sided_interval():
    difference = compare_aucs(FIRST, SECOND, TRUTH)
    result = non_inferiority(difference, 0.3)
    # > roc.test(ra, rb)$conf.int   (pROC 1.18.0, see test_compare_aucs.py)
    # [1] -0.29414759428  0.32539759428
    assert result.bound == pytest.approx(-0.29414759428, abs=5e-11)
    assert result.confidence_interval.high == pytest.approx(0.32539759428, abs=5e-11)
    assert (result.non_inferior, result.superior) == (True, False)
    assert non_inferiority(difference, 0.29).non_inferior is False
    z = (difference.estimate + 0.3) / difference.standard_error
    assert result.pvalue == pytest.approx(norm.sf(z), rel=1e-12)


def test_p_value_and_bound_decide_alike():
    difference = mrmc(typed_readings()).differences[0]
    for margin in (0.01, 0.05, 0.1, 0.15, 0.3):
        result = non_inferiority(difference, margin)
        assert result.non_inferior is (result.pvalue < 0.025)
        statistic = (difference.estimate + margin) / difference.standard_error
        assert result.pvalue == pytest.approx(t.sf(statistic, difference.df), rel=1e-9)


def test_lower_is_better_mirrors():
    difference = mrmc(typed_readings()).difference("aided", "unaided")
    mirrored = mrmc(typed_readings()).difference("unaided", "aided")
    here = non_inferiority(difference, 0.2)
    there = non_inferiority(mirrored, 0.2, higher_is_better=False)
    assert there.bound == pytest.approx(-here.bound)
    assert there.pvalue == pytest.approx(here.pvalue)
    assert there.non_inferior is here.non_inferior


@pytest.mark.parametrize(
    "result",
    [
        compare_independent_aucs(FIRST, TRUTH, SECOND, TRUTH),
        mcnemar((FIRST >= 3).astype(int), (SECOND >= 3).astype(int), TRUTH),
        mrmc(typed_readings()),
        mrmc_dbm(random_readings(1)),
        mrmc_ustatistics(random_readings(1), estimator="v-statistic"),
    ],
    ids=["independent", "mcnemar", "mrmc", "dbm", "ustatistics"],
)
def test_any_difference_result_will_do(result):
    test = non_inferiority(result, 0.9)
    assert test.non_inferior is True
    assert test.alpha == 0.025
    assert test.provenance.confidence_level == pytest.approx(0.95)


def test_alpha_moves_the_bound():
    difference = compare_aucs(FIRST, SECOND, TRUTH)
    strict = non_inferiority(difference, 0.3, alpha=0.005)
    assert strict.bound == pytest.approx(difference.estimate - norm.ppf(0.995) * difference.standard_error)
    assert strict.provenance.confidence_level == pytest.approx(0.99)


@pytest.mark.filterwarnings("ignore:The test of two AUCs")
def test_without_a_standard_error_nothing_is_concluded():
    nothing = compare_aucs(FIRST, FIRST, TRUTH)
    with pytest.warns(DegenerateDataWarning, match="Non-inferiority is not available"):
        result = non_inferiority(nothing, 0.1)
    assert (result.non_inferior, result.superior) == (None, None)
    assert math.isnan(result.pvalue)
    assert result.reason == "the difference has no variance"


def test_bad_input_is_named():
    difference = compare_aucs(FIRST, SECOND, TRUTH)
    for margin in (0.0, -0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match="margin must be positive and finite"):
            non_inferiority(difference, margin)
    with pytest.raises(ValueError, match="alpha must lie"):
        non_inferiority(difference, 0.1, alpha=0.5)
    with pytest.raises(ValueError, match="holds 3 differences"):
        non_inferiority(mrmc(random_readings(2, n_conditions=3)), 0.1)
    with pytest.raises(ValueError, match="float lacks estimate, standard_error, df"):
        non_inferiority(0.1, 0.1)
