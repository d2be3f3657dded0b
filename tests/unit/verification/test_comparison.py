"""The comparison of computed with expected values."""

import math

import numpy as np
import pytest

from equipoise.analysis.verification.comparison import Comparison, tolerance_of

LOOSE = {"rtol": 1e-3, "atol": 1e-6}


def problems(got, expected, *, tolerance=LOOSE, not_compared=()):
    comparison = Comparison(not_compared)
    comparison.compare(got, expected, tolerance=tolerance_of(tolerance))
    return comparison.problems


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (100.1, 100.0),  # at the relative bound
        (99.9, 100.0),
        (0.000001, 0.0),  # at the absolute bound
        (5, 5),
        (5.0, 5),
        (np.int64(5), 5),
        (np.float64(5.004), 5.0),
        (math.inf, "inf"),
        (-math.inf, "-Inf"),
        (math.nan, "nan"),
        (None, "nan"),
        (None, None),
        (math.nan, None),
        (math.inf, None),
        ("a", "a"),
        (True, True),
        (np.array([1.0, 2.0]), [1.0, 2.0]),
        ((1.0, 2.0), [1.0, 2.0]),
    ],
)
def test_equal_enough(got, expected):
    assert problems({"x": got}, {"x": expected}) == []


@pytest.mark.parametrize(
    ("got", "expected", "problem"),
    [
        (100.2, 100.0, "x: got 100.2, expected 100.0."),
        (4, 5, "x: got 4, expected 5."),
        (100001, 100000, "x: got 100001, expected 100000."),  # integers are never close
        (math.nan, 1.0, "x: got nan, expected 1.0."),
        (math.inf, 1e300, "x: got inf, expected 1e+300."),
        (-math.inf, "inf", "x: got -inf, expected inf."),
        (1.0, "nan", "x: got 1.0, expected nan."),
        (0.0, None, "x: got 0.0, expected no value."),
        (None, 1.0, "x: got no value, expected 1.0."),
        ("1.0", 1.0, "x: got '1.0', expected 1.0."),
        (True, 1, "x: got True, expected 1."),
        (1, True, "x: got 1, expected True."),
        ("a", "b", "x: got 'a', expected 'b'."),
        ([1.0], [1.0, 2.0], "x: must have 2 entries, not [1.0]."),
        (3.0, [3.0], "x: must have 1 entries, not 3.0."),
        (3.0, {"y": 3.0}, "x: must be a mapping, not 3.0."),
    ],
)
def test_not_equal_enough(got, expected, problem):
    assert problems({"x": got}, {"x": expected}) == [problem]


def test_what_was_not_computed_is_a_problem_unless_it_is_declared():
    expected = {"kept": 1.0, "rows": [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]}
    got = {"kept": 1.0, "rows": [{"a": 1.0}, {"a": 3.0}]}
    assert problems(got, expected) == ["rows.0.b: was not computed.", "rows.1.b: was not computed."]
    assert problems(got, expected, not_compared=("rows.*.b",)) == []
    assert problems({"kept": 1.0}, expected, not_compared=("rows",)) == []
    assert problems({"kept": 1.0}, expected, not_compared=("rows.*.b",)) == ["rows: was not computed."]


def test_declared_values_are_not_compared_even_if_computed():
    assert problems({"x": 1.0, "y": 9.0}, {"x": 1.0, "y": 2.0}, not_compared=("y",)) == []


def test_every_compared_value_is_counted():
    comparison = Comparison(("c",))
    expected = {"a": 1, "b": [1.0, None, {"d": "x"}], "c": [1, 2, 3]}
    comparison.compare({"a": 1, "b": [1.0, None, {"d": "x"}]}, expected, tolerance=tolerance_of(LOOSE))
    assert comparison.n_compared == 4
    assert comparison.problems == []


def test_overrides_hold_below_the_keys_they_name():
    tolerance = LOOSE | {
        "cox": "rtol 0.1",
        "per_category": "atol 5e-1 (printed to 3 decimals)",
        "comment": "-",
    }
    expected = {"cox_efron": {"hr": 10.0}, "coxswain": 10.0, "per_category": [{"kappa": 0.1}]}
    assert (
        problems(
            {"cox_efron": {"hr": 10.9}, "coxswain": 10.0, "per_category": [{"kappa": 0.55}]},
            expected,
            tolerance=tolerance,
        )
        == []
    )
    assert problems(
        {"cox_efron": {"hr": 11.2}, "coxswain": 10.9, "per_category": [{"kappa": 0.7}]},
        expected,
        tolerance=tolerance,
    ) == [
        "cox_efron.hr: got 11.2, expected 10.0.",
        "coxswain: got 10.9, expected 10.0.",
        "per_category.0.kappa: got 0.7, expected 0.1.",
    ]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"rtol": 1e-6}, "must give 'rtol' and 'atol' as nonnegative numbers"),
        ({"rtol": -1, "atol": 0}, "must give 'rtol' and 'atol' as nonnegative numbers"),
        ({"rtol": math.nan, "atol": 0}, "must give 'rtol' and 'atol' as nonnegative numbers"),
        (LOOSE | {"cox": "about right"}, "'tolerance.cox' must name 'rtol' or 'atol' with a number"),
    ],
)
def test_a_tolerance_without_bounds_is_refused(entry, words):
    with pytest.raises(ValueError, match=words):
        tolerance_of(entry)
