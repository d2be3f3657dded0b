import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import summary, summary_by

VALUES = [2.5, 3.1, 4.7, 8.8, 9.9, 12.4]


def test_quartiles_and_spread_agree_with_r():
    # > x <- c(2.5,3.1,4.7,8.8,9.9,12.4); quantile(x); sd(x)
    #     0%    25%    50%    75%   100%
    #  2.500  3.500  6.750  9.625 12.400
    # [1] 4.03732585
    result = summary(VALUES)
    assert (result.q1, result.median, result.q3) == (3.5, 6.75, 9.625)
    assert result.iqr == 6.125
    assert result.quartiles == (3.5, 9.625)
    assert result.sd == pytest.approx(4.03732585, rel=1e-9)
    assert (result.minimum, result.maximum, result.n, result.ddof) == (2.5, 12.4, 6, 1)


def test_divisor_n_is_used_when_asked_for():
    assert summary([1.0, 3.0], ddof=0).sd == 1.0
    assert summary([1.0, 3.0]).sd == pytest.approx(math.sqrt(2))


def test_missing_values_are_left_out_and_counted():
    result = summary([1.0, math.nan, 3.0])
    assert (result.n, result.n_missing, result.mean) == (2, 1, 2.0)


def test_infinite_values_rank_last_and_do_not_spoil_the_median():
    result = summary([1.0, 2.0, 3.0, math.inf])
    assert result.median == 2.5
    assert result.mean == math.inf
    assert math.isnan(result.sd)
    assert result.reason == "the values are not all finite"


def test_median_between_a_finite_and_an_infinite_value_is_infinite():
    assert summary([1.0, 2.0, math.inf, math.inf]).median == math.inf


def test_empty_sample_is_not_available():
    with pytest.warns(DegenerateDataWarning, match="no values"):
        result = summary([])
    assert result.n == 0
    assert math.isnan(result.mean)
    assert math.isnan(result.median)
    assert result.reason == "no values"


def test_single_value_has_no_standard_deviation():
    with pytest.warns(DegenerateDataWarning, match="more than 1"):
        result = summary([4.0])
    assert (result.median, result.iqr) == (4.0, 0.0)
    assert math.isnan(result.sd)


def test_strata_come_in_order_with_the_unnamed_last():
    result = summary_by([1, 2, 3, 4, 5, 6], ["b", "b", "a", "a", None, None])
    assert list(result) == ["a", "b", None]
    assert [s.mean for s in result.values()] == [3.5, 1.5, 5.5]


def test_strata_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        summary_by([1.0, 2.0, 3.0], ["a", "b"])


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_quartiles_are_numpys(values):
    result = summary(values)
    expected = np.quantile(values, [0.25, 0.5, 0.75])
    np.testing.assert_allclose([result.q1, result.median, result.q3], expected, rtol=1e-12, atol=1e-12)
