"""Binary decisions. R values: R 4.2.2, the decision is FIRST >= 3 of two_scores.py (tp 7, fp 5, tn 7, fn 1).

> binom.test(7, 8)$conf.int; prop.test(7, 8, correct=FALSE)$conf.int
[1] 0.4734903291 0.9968402765
[1] 0.5291118178 0.9775825085
> se <- 7/8; sp <- 7/12; p <- .1
> c(se*p/(se*p+(1-sp)*(1-p)), sp*(1-p)/(sp*(1-p)+(1-se)*p), se*p+sp*(1-p), 2*se*p/(2*se*p+(1-sp)*(1-p)+(1-se)*p))
[1] 0.189189189189 0.976744186047 0.612500000000 0.311111111111
> lp <- log(se*p/((1-sp)*(1-p))); vp <- (1-se)/se/8 + sp/(1-sp)/12; plogis(lp + c(-1,1)*qnorm(.975)*sqrt(vp))
[1] 0.102095709546 0.323787117659
> ln <- log(sp*(1-p)/((1-se)*p)); vn <- se/(1-se)/8 + (1-sp)/sp/12; plogis(ln + c(-1,1)*qnorm(.975)*sqrt(vn))
[1] 0.863298087995 0.996432733174
> binom.test(7, 13)$conf.int
[1] 0.251345482270 0.807767558199
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import confusion, operating_point, proportion
from tests.unit.stats.two_scores import FIRST, PATIENT, TRUTH

DECISIONS = (FIRST >= 3).astype(int)


def test_counts_and_estimates_by_hand():
    result = confusion(DECISIONS, TRUTH)
    assert (result.tp, result.fp, result.tn, result.fn, result.n) == (7, 5, 7, 1, 20)
    assert result.sensitivity.estimate == 7 / 8
    assert result.specificity.estimate == 7 / 12
    assert result.ppv.estimate == 7 / 12
    assert result.npv.estimate == 7 / 8
    assert result.accuracy.estimate == 14 / 20
    assert result.f1.estimate == pytest.approx(14 / 20)
    assert result.prevalence == 0.4
    assert result.at_prevalence is None


def test_intervals_agree_with_r():
    sensitivity = confusion(DECISIONS, TRUTH).sensitivity
    assert sensitivity.confidence_interval == sensitivity.exact == sensitivity.clopper_pearson
    assert sensitivity.exact.low == pytest.approx(0.4734903291, abs=5e-11)
    assert sensitivity.exact.high == pytest.approx(0.9968402765, abs=5e-11)
    assert sensitivity.wilson.low == pytest.approx(0.5291118178, abs=5e-11)
    assert sensitivity.wilson.high == pytest.approx(0.9775825085, abs=5e-11)


def test_f1_intervals_are_those_of_the_share_it_rises_with():
    f1 = confusion(DECISIONS, TRUTH).f1
    assert (f1.numerator, f1.denominator) == (7, 13)
    for bound, of_share in ((f1.exact.low, 0.251345482270), (f1.exact.high, 0.807767558199)):
        assert bound == pytest.approx(2 * of_share / (1 + of_share), abs=5e-12)


def test_target_prevalence_agrees_with_r():
    at = confusion(DECISIONS, TRUTH, prevalence=0.1).at_prevalence
    assert at is not None
    estimates = [at.ppv.estimate, at.npv.estimate, at.accuracy.estimate, at.f1.estimate]
    assert estimates == pytest.approx([0.189189189189, 0.976744186047, 0.6125, 0.311111111111], abs=5e-13)
    assert at.ppv.confidence_interval.low == pytest.approx(0.102095709546, abs=5e-13)
    assert at.ppv.confidence_interval.high == pytest.approx(0.323787117659, abs=5e-13)
    assert at.npv.confidence_interval.low == pytest.approx(0.863298087995, abs=5e-13)
    assert at.npv.confidence_interval.high == pytest.approx(0.996432733174, abs=5e-13)


@given(st.floats(0.02, 0.98), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_delta_method_agrees_with_numerical_derivatives(p, tp, fp, tn, fn):
    decisions = np.repeat([1, 1, 0, 0], [tp, fp, tn, fn])
    truth = np.repeat([1, 0, 0, 1], [tp, fp, tn, fn])
    at = confusion(decisions, truth, prevalence=p).at_prevalence
    assert at is not None
    formulas = {
        "ppv": lambda se, sp: se * p / (se * p + (1 - sp) * (1 - p)),
        "npv": lambda se, sp: sp * (1 - p) / (sp * (1 - p) + (1 - se) * p),
        "accuracy": lambda se, sp: se * p + sp * (1 - p),
        "f1": lambda se, sp: 2 * se * p / (2 * se * p + (1 - sp) * (1 - p) + (1 - se) * p),
    }
    se, sp, h = tp / (tp + fn), tn / (tn + fp), 1e-6
    for name, f in formulas.items():
        slopes = (f(se + h, sp) - f(se - h, sp)) / (2 * h), (f(se, sp + h) - f(se, sp - h)) / (2 * h)
        variance = slopes[0] ** 2 * se * (1 - se) / (tp + fn) + slopes[1] ** 2 * sp * (1 - sp) / (tn + fp)
        assert getattr(at, name).estimate == pytest.approx(f(se, sp), abs=1e-12)
        assert getattr(at, name).standard_error == pytest.approx(math.sqrt(variance), rel=1e-5)


@given(st.integers(0, 40), st.integers(1, 40))
def test_intervals_mirror_and_hold_the_estimate(x, extra):
    n = x + extra
    here, mirrored = proportion(x, n), proportion(n - x, n)
    for name in ("clopper_pearson", "wilson"):
        interval, other = getattr(here, name), getattr(mirrored, name)
        assert 0.0 <= interval.low <= here.estimate <= interval.high <= 1.0
        assert interval.low == pytest.approx(1.0 - other.high, abs=1e-12)


def test_the_sums_of_binomial_tails_are_alpha_at_the_exact_bounds():
    exact = proportion(7, 8).exact
    tails = [math.comb(8, k) * exact.low**k * (1 - exact.low) ** (8 - k) for k in (7, 8)]
    assert sum(tails) == pytest.approx(0.025, abs=1e-12)
    assert 1 - exact.high**8 == pytest.approx(0.025, abs=1e-12)


def test_clusters_replace_binomial_intervals():
    result = confusion(DECISIONS, TRUTH, clusters=PATIENT, n_resamples=3000, rng=1)
    assert result.n_clusters == 9
    assert math.isnan(result.accuracy.exact.low)
    assert math.isnan(result.accuracy.wilson.high)
    assert result.accuracy.reason == "binomial intervals assume independent rows"
    assert result.accuracy.confidence_interval.low < 0.7 < result.accuracy.confidence_interval.high
    rows = np.arange(20)
    alone = confusion(DECISIONS, TRUTH, clusters=rows, n_resamples=8000, rng=1)
    assert alone.accuracy.standard_error == pytest.approx(math.sqrt(0.7 * 0.3 / 20), rel=0.03)
    copies = confusion(
        np.tile(DECISIONS, 4), np.tile(TRUTH, 4), clusters=np.tile(rows, 4), n_resamples=8000, rng=1
    )
    assert copies.accuracy.standard_error == pytest.approx(alone.accuracy.standard_error, rel=1e-9)


def test_no_positive_case_leaves_sensitivity_undefined():
    with pytest.warns(DegenerateDataWarning, match="without a denominator: sensitivity"):
        result = confusion([1, 0, 0], [0, 0, 0], prevalence=0.2)
    assert math.isnan(result.sensitivity.estimate)
    assert result.specificity.estimate == 2 / 3
    assert result.reason == "without a denominator: sensitivity"
    assert result.at_prevalence is not None
    assert math.isnan(result.at_prevalence.ppv.estimate)


def test_operating_point_applies_the_threshold_inclusively():
    point = operating_point(FIRST, TRUTH, threshold=3)
    assert point.confusion == confusion(DECISIONS, TRUTH)
    assert point.exploratory is False
    assert point.sensitivity.estimate == 7 / 8
    assert point.specificity.estimate == 7 / 12
    assert point.provenance == point.confusion.provenance


@pytest.mark.filterwarnings("ignore:A measure of the confusion table")
def test_operating_point_finds_the_threshold_that_reaches_a_value():
    at_least = operating_point(FIRST, TRUTH, specificity=0.8)
    assert (at_least.threshold, at_least.specificity.estimate) == (3.5, 10 / 12)
    sensitive = operating_point(FIRST, TRUTH, sensitivity=0.8)
    assert (sensitive.threshold, sensitive.sensitivity.estimate) == (2.5, 7 / 8)
    assert at_least.exploratory is True
    assert operating_point(FIRST, TRUTH, specificity=1.0).threshold == math.inf


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: confusion([0, 1, 2], [0, 1, 1]), "decisions must hold 0 and 1 only, got 2.0 at index 2"),
        (lambda: confusion([0, 1], [0, 1, 1]), "decisions and truth must have the same length"),
        (lambda: confusion([0, 1], [0, 1], prevalence=1.0), "prevalence must lie"),
        (lambda: confusion(["yes", "no"], [0, 1]), "decisions must hold 0 and 1"),
        (lambda: proportion(3, 2), "numerator must lie"),
        (lambda: operating_point(FIRST, TRUTH), "exactly one"),
        (lambda: operating_point(FIRST, TRUTH, threshold=1, specificity=0.5), "exactly one"),
        (lambda: operating_point(FIRST, TRUTH, threshold=math.nan), "threshold must be a number"),
        (lambda: operating_point(FIRST, TRUTH, specificity=2.0), "lie between 0 and 1"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
