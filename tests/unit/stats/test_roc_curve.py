"""The empirical curve, its best thresholds and its parts. R values: R 4.2.2, pROC 1.18.0, data as in two_scores.py.

> coords(ra, "all", ret=c("threshold", "sensitivity", "specificity"))
  threshold sensitivity  specificity
1      -Inf       1.000 0.0000000000
2       1.5       1.000 0.2500000000
3       2.5       0.875 0.5833333333
4       3.5       0.625 0.8333333333
5       4.5       0.250 0.9166666667
6       Inf       0.000 1.0000000000
> coords(ra, "best", best.method="youden"); coords(rb, "best", best.method="closest.topleft")
  threshold  specificity sensitivity
1       2.5 0.5833333333       0.875
2       3.5 0.8333333333       0.625
1       2.5 0.75               0.75
> c(auc(ra, partial.auc=c(1,.8)), auc(ra, partial.auc=c(1,.8), partial.auc.correct=TRUE))
[1] 0.06826388889 0.63406635802
> focus <- function(correct) auc(ra, partial.auc=c(1,.7), partial.auc.focus="sensitivity", partial.auc.correct=correct)
> c(focus(FALSE), focus(TRUE))
[1] 0.1694791667 0.7440767974
> coords(ra, c(.8,.9), input="specificity", ret="sensitivity")
1 0.6583333333
2 0.3250000000
> coords(ra, c(.8,.9), input="sensitivity", ret="specificity")
1 0.6583333333
2 0.5166666667
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import (
    auc,
    partial_auc,
    roc_curve,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
    youden_threshold,
)
from equipoise.stats._curve_values import partial_area, value_at
from tests.unit.stats.two_scores import FIRST, PATIENT, SECOND, TRUTH


def test_curve_agrees_with_proc():
    curve = roc_curve(FIRST, TRUTH)
    assert curve.thresholds.tolist() == [-math.inf, 1.5, 2.5, 3.5, 4.5, math.inf]
    assert curve.sensitivity.tolist() == [1.0, 1.0, 0.875, 0.625, 0.25, 0.0]
    np.testing.assert_allclose(curve.specificity, [0, 0.25, 7 / 12, 10 / 12, 11 / 12, 1], atol=1e-15)
    assert curve.tp.tolist() == [8, 8, 7, 5, 2, 0]
    assert curve.fp.tolist() == [12, 9, 5, 2, 1, 0]
    assert (curve.tp + curve.fn).tolist() == [8] * 6
    assert (curve.fp + curve.tn).tolist() == [12] * 6
    np.testing.assert_allclose(curve.false_positive_rate, 1 - curve.specificity, atol=1e-15)
    assert curve.true_positive_rate.tolist() == curve.sensitivity.tolist()
    assert curve.auc == 0.796875


def test_all_best_thresholds_are_reported():
    best = youden_threshold(FIRST, TRUTH)
    assert best.thresholds == (2.5, 3.5)
    assert best.sensitivities == (0.875, 0.625)
    assert best.specificities == pytest.approx((7 / 12, 10 / 12))
    assert best.value == pytest.approx(0.875 + 7 / 12 - 1)
    assert (best.threshold, best.sensitivity, best.specificity) == (2.5, 0.875, 7 / 12)
    assert best.exploratory is True
    corner = youden_threshold(SECOND, TRUTH, criterion="closest-top-left")
    assert (corner.threshold, corner.sensitivity, corner.specificity) == (2.5, 0.75, 0.75)
    assert corner.value == pytest.approx(0.125)


def test_partial_area_agrees_with_proc():
    result = partial_auc(FIRST, TRUTH, between=(0.8, 1.0), n_resamples=50)
    assert result.estimate == pytest.approx(0.06826388889, abs=5e-12)
    assert result.corrected == pytest.approx(0.63406635802, abs=5e-12)
    assert result.normalized == pytest.approx(0.06826388889 / 0.2, abs=5e-11)
    along = partial_auc(FIRST, TRUTH, between=(0.7, 1.0), focus="sensitivity", n_resamples=50)
    assert along.estimate == pytest.approx(0.1694791667, abs=5e-11)
    assert along.corrected == pytest.approx(0.7440767974, abs=5e-11)


def test_values_on_the_curve_agree_with_proc():
    sensitivities = [
        sensitivity_at_specificity(FIRST, TRUTH, at, n_resamples=50).estimate for at in (0.8, 0.9)
    ]
    assert sensitivities == pytest.approx([0.6583333333, 0.325], abs=5e-11)
    specificities = [
        specificity_at_sensitivity(FIRST, TRUTH, at, n_resamples=50).estimate for at in (0.8, 0.9)
    ]
    assert specificities == pytest.approx([0.6583333333, 0.5166666667], abs=5e-11)


def test_upper_value_is_taken_at_a_step():
    # The curve rises from sensitivity .5 to 1 at specificity .5, and runs level from .5 to 0 at sensitivity 1.
    scores, truth = [1, 3, 2, 4], [0, 0, 1, 1]
    assert sensitivity_at_specificity(scores, truth, 0.5, n_resamples=50).estimate == 1.0
    assert specificity_at_sensitivity(scores, truth, 1.0, n_resamples=50).estimate == 0.5


@st.composite
def rated_cases(draw):
    sizes = draw(st.tuples(st.integers(2, 10), st.integers(2, 10)))
    scores = draw(st.lists(st.integers(-4, 4), min_size=sum(sizes), max_size=sum(sizes)))
    return np.array(scores, dtype=float), np.repeat([0, 1], sizes)


def counts(scores, truth):
    """Positives and negatives at each distinct score."""
    values = np.unique(scores)
    return tuple(np.array([np.sum(scores[truth == k] == v) for v in values]) for k in (1, 0))


@given(rated_cases(), st.floats(0.05, 0.95))
@pytest.mark.filterwarnings("ignore::equipoise.common.warnings.DegenerateDataWarning")
def test_parts_of_the_area_add_up(cases, split):
    positives, negatives = counts(*cases)
    whole = auc(*cases).estimate
    for focus in ("specificity", "sensitivity"):
        parts = [
            float(partial_area(positives, negatives, focus=focus, low=low, high=high))
            for low, high in ((0.0, split), (split, 1.0), (0.0, 1.0))
        ]
        assert parts[0] + parts[1] == pytest.approx(parts[2], abs=1e-12)
        assert parts[2] == pytest.approx(whole, abs=1e-12)


@given(rated_cases(), st.floats(0.0, 1.0))
def test_swapping_labels_and_order_mirrors_the_curve(cases, at):
    scores, truth = cases
    here, mirrored = counts(scores, truth), counts(-scores, 1 - truth)
    assert float(value_at(*here, focus="specificity", at=at)) == pytest.approx(
        float(value_at(*mirrored, focus="sensitivity", at=at)), abs=1e-9
    )


@given(rated_cases(), st.floats(0.0, 1.0))
def test_interpolation_agrees_with_numpy_away_from_steps(cases, at):
    positives, negatives = counts(*cases)
    curve = roc_curve(*cases)
    if np.abs(curve.specificity - at).min() < 1e-6:
        return
    # np.interp needs strictly rising x: of a vertical step the point next to the gap is the one that matters.
    after = int(np.argmax(curve.specificity > at))
    x, y = curve.specificity[after - 1 : after + 1], curve.sensitivity[after - 1 : after + 1]
    assert float(value_at(positives, negatives, focus="specificity", at=at)) == pytest.approx(
        np.interp(at, x, y), abs=1e-12
    )


def test_merged_steps_take_the_lowest_specificity_of_a_run():
    # Sensitivity 1 at the specificities 0 and .5, then .5 at 1: drawn, the value at .75 lies between .5 and 1.
    positives, negatives = np.array([0, 1, 1]), np.array([1, 1, 0])
    drawn = float(value_at(positives, negatives, focus="sensitivity", at=0.75))
    merged = float(value_at(positives, negatives, focus="sensitivity", at=0.75, steps="merged"))
    assert (drawn, merged) == (0.75, 0.5)


def test_area_below_the_chance_line_has_no_corrected_value():
    with pytest.warns(DegenerateDataWarning, match="below the chance line"):
        result = partial_auc(-FIRST, TRUTH, n_resamples=50)
    assert math.isnan(result.corrected)
    assert result.estimate < 0.02  # the chance line holds 0.2^2 / 2
    assert "chance line" in str(result.reason)


def test_intervals_come_from_the_same_resamples_as_the_auc():
    whole = partial_auc(FIRST, TRUTH, between=(0.0, 1.0), n_resamples=500, rng=4)
    area = auc(FIRST, TRUTH, method="bootstrap-stratified", n_resamples=500, rng=4)
    assert whole.estimate == pytest.approx(area.estimate)
    assert whole.confidence_interval.low == pytest.approx(area.confidence_interval.low)
    assert whole.confidence_interval.high == pytest.approx(area.confidence_interval.high)
    assert whole.provenance.seed == 4


def test_curve_point_names_median_and_clusters():
    point = sensitivity_at_specificity(
        FIRST, TRUTH, 0.8, method="bootstrap", clusters=PATIENT, n_resamples=400, rng=2
    )
    assert point.confidence_interval.low <= point.bootstrap_median <= point.confidence_interval.high
    assert point.provenance.variance_estimator == "bootstrap of clusters"
    assert (point.focus, point.at) == ("specificity", 0.8)


@pytest.mark.parametrize(
    "function, options, words",
    [
        (partial_auc, {"between": (0.9, 0.8)}, "between must satisfy"),
        (partial_auc, {"focus": "fpr"}, "focus must be one of"),
        (partial_auc, {"method": "delong"}, "method must be one of"),
        (sensitivity_at_specificity, {"specificity": 1.2}, "specificity must lie between 0 and 1"),
        (youden_threshold, {"criterion": "best"}, "criterion must be one of"),
    ],
)
def test_bad_options_are_named(function, options, words):
    with pytest.raises(ValueError, match=words):
        function(FIRST, TRUTH, **options)


def test_curve_needs_both_classes():
    with pytest.raises(ValueError, match="one class only"):
        roc_curve([1, 2], [0, 0])
