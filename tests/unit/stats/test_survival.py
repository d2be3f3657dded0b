import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import (
    compare_concordance,
    concordance_index,
    cox,
    dichotomise_at_median,
    kaplan_meier,
    log_rank,
    restricted_mean_survival,
)

# > library(survival)   # 3.5-3, R 4.2.2; every session below is on these vectors
TIME = [3, 5, 5, 7, 8, 9, 11, 12, 12, 15, 16, 18, 20, 21, 25, 30]
EVENT = [1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1]
X = [6, 9, 4, 7, 5, 8, 3, 6, 2, 4, 5, 1, 3, 4, 2, 1]
GROUP = ["a", "b"] * 8
STRATUM = ["u"] * 8 + ["v"] * 8
IS_B = [float(g == "b") for g in GROUP]


@pytest.mark.parametrize(
    "interval, at_5, at_12, at_18, median",
    [
        # > f <- survfit(Surv(t, e) ~ 1, conf.type = k); summary(f, times = c(2, 5, 12, 18)); quantile(f, .5)
        (
            "log-log",
            (0.524604311, 0.935352258),
            (0.251662504, 0.742251036),
            (0.117466173, 0.599529806),
            (8, math.nan),
        ),
        ("log", (0.642092166, 1.0), (0.322200648, 0.860733883), (0.165948922, 0.742742637), (9, math.nan)),
        ("plain", (0.6212504506, 1.0), (0.2678889133, 0.785351827), (0.0880036075, 0.614156886), (9, 21)),
    ],
)
def test_curve_agrees_with_survfit(interval, at_5, at_12, at_18, median):
    curve = kaplan_meier(TIME, EVENT, interval=interval).curves[0]
    rows = curve.at([2, 5, 12, 18])
    assert [row.n_risk for row in rows] == [16, 15, 9, 5]
    assert [row.survival for row in rows] == pytest.approx([1.0, 0.8125, 0.526620370, 0.351080247], rel=1e-8)
    assert [row.standard_error for row in rows] == pytest.approx(
        [0.0, 0.0975780937, 0.1320082711, 0.1342252416], rel=1e-8
    )
    for row, (low, high) in zip(rows[1:], (at_5, at_12, at_18), strict=True):
        assert (row.confidence_interval.low, row.confidence_interval.high) == (
            pytest.approx(low, rel=1e-8),
            pytest.approx(high, rel=1e-8),
        )
    assert curve.median.time == 16
    limits = curve.median.confidence_interval
    assert (limits.low, limits.high) == (median[0], pytest.approx(median[1], nan_ok=True))


def test_quartiles_agree_with_survfit():
    # > quantile(survfit(Surv(t, e) ~ 1, conf.type = "log-log"), c(.25, .75))
    # 8, 21; lower 3, 16; upper 12, NA
    curve = kaplan_meier(TIME, EVENT).curves[0]
    first, third = curve.quantile(0.25), curve.quantile(0.75)
    assert (first.time, first.confidence_interval.low, first.confidence_interval.high) == (8, 3, 12)
    assert (third.time, third.confidence_interval.low) == (21, 16)
    assert math.isnan(third.confidence_interval.high)


@pytest.mark.parametrize(
    "event, median", [([1, 1, 1, 1], 2.5), ([1, 1, 0, 0], 3.0), ([1, 0, 0, 0], math.nan)]
)
def test_median_of_a_flat_part_at_one_half_is_its_middle(event, median):
    # > quantile(survfit(Surv(1:4, c(1,1,1,1)) ~ 1), .5)$quantile   2.5
    # > quantile(survfit(Surv(1:4, c(1,1,0,0)) ~ 1), .5)$quantile   3
    curve = kaplan_meier([1, 2, 3, 4], event).curves[0]
    assert curve.median.time == pytest.approx(median, nan_ok=True)


def test_restricted_mean_agrees_with_survmean():
    # > survival:::survmean(survfit(Surv(t, e) ~ 1), rmean = 20)$matrix     rmean 13.77488426  se 1.56491335
    result = restricted_mean_survival(TIME, EVENT, tau=20)[None]
    assert result.estimate == pytest.approx(13.77488426, rel=1e-9)
    assert result.standard_error == pytest.approx(1.56491335, rel=1e-8)


def test_restricted_mean_beyond_the_curve_is_not_available():
    with pytest.warns(DegenerateDataWarning, match="ends at 4"):
        result = restricted_mean_survival([1, 2, 4], [1, 1, 0], tau=5)[None]
    assert math.isnan(result.estimate)


def test_curve_without_censoring_is_the_share_alive():
    times = np.random.default_rng(1).integers(1, 20, 50)
    curve = kaplan_meier(times, np.ones(50)).curves[0]
    for t in range(21):
        row = curve.at(t)[0]
        share = float(np.mean(times > t))
        assert row.survival == pytest.approx(share, abs=1e-12)
        if 0 < share < 1:
            assert row.standard_error == pytest.approx(math.sqrt(share * (1 - share) / 50), rel=1e-9)


def test_survival_zero_has_no_interval():
    row = kaplan_meier([1, 2], [1, 1]).curves[0].at(2)[0]
    assert row.survival == 0.0
    assert math.isnan(row.standard_error)
    assert math.isnan(row.confidence_interval.high)


def test_groups_have_their_own_curves_and_missing_rows_are_counted():
    fit = kaplan_meier([1, 2, 3, np.nan, 5], [1, 0, 1, 1, 1], ["a", "b", "a", "b", None])
    assert [c.group for c in fit.curves] == ["a", "b"]
    assert (fit.n, fit.n_missing, fit["a"].n_events) == (3, 2, 2)


@pytest.mark.parametrize(
    "time, event, message",
    [([-1, 2], [1, 1], "at least 0"), ([1, 2], [1, 2], "event must be"), ([1, 2], [1], "one length")],
)
def test_impossible_times_and_events_are_refused(time, event, message):
    with pytest.raises(ValueError, match=message):
        kaplan_meier(time, event)


def test_log_rank_agrees_with_survdiff():
    # > survdiff(Surv(t, e) ~ g)$chisq                0.101933895;  Expected 4.5101 6.4899
    # > survdiff(Surv(t, e) ~ g, rho = 1)$chisq       0.351748888
    # > survdiff(Surv(t, e) ~ g + strata(s))$chisq    0.553465389
    plain = log_rank(TIME, EVENT, GROUP)
    assert plain.statistic == pytest.approx(0.101933895, rel=1e-8)
    assert (plain.observed, plain.n) == ((5.0, 6.0), (8, 8))
    assert plain.expected == pytest.approx((4.5101, 6.4899), abs=5e-5)
    assert log_rank(TIME, EVENT, GROUP, rho=1).statistic == pytest.approx(0.351748888, rel=1e-8)
    assert log_rank(TIME, EVENT, GROUP, strata=STRATUM).statistic == pytest.approx(0.553465389, rel=1e-8)


def test_log_rank_agrees_with_statsmodels_for_three_groups():
    random = np.random.default_rng(6)
    time, event = random.exponential(size=90).round(2), random.integers(0, 2, 90)
    group = np.repeat(["x", "y", "z"], 30)
    expected = sm.duration.survdiff(time, event, group)
    result = log_rank(time, event, list(group))
    assert (result.statistic, result.pvalue) == pytest.approx(expected, rel=1e-9)
    assert result.df == 2


def test_one_group_has_no_log_rank_test():
    with pytest.warns(DegenerateDataWarning, match="fewer than two groups"):
        assert math.isnan(log_rank([1, 2], [1, 1], ["a", "a"]).pvalue)


@given(st.permutations(range(16)))
def test_order_of_patients_does_not_matter(order):
    def pick(values):
        return [values[i] for i in order]

    a = log_rank(TIME, EVENT, GROUP)
    b = log_rank(pick(TIME), pick(EVENT), pick(GROUP))
    assert b.statistic == pytest.approx(a.statistic, rel=1e-10)
    c, d = concordance_index(TIME, EVENT, X), concordance_index(pick(TIME), pick(EVENT), pick(X))
    assert (d.estimate, d.standard_error) == (c.estimate, pytest.approx(c.standard_error))


@pytest.mark.parametrize(
    "ties, coefficients, errors, likelihoods, score, wald, zph",
    [
        # > m <- coxph(Surv(t, e) ~ x + I(g == "b"), ties = tie); m; m$loglik; m$score; m$wald.test; cox.zph(m)
        (
            "efron",
            (0.590037381, -0.996982016),
            (0.222031861, 0.800582664),
            (-21.7789740, -17.1267464),
            8.50441673,
            7.12237663,
            {"x": 0.099203, "b": 4.186822, "global": 5.313418},
        ),
        (
            "breslow",
            (0.576370284, -1.017083095),
            (0.221082010, 0.806065899),
            (-21.9657499, -17.4915140),
            8.1366741,
            6.85325487,
            {"x": 0.11698, "b": 4.19651, "global": 5.25872},
        ),
    ],
)
def test_cox_agrees_with_coxph(ties, coefficients, errors, likelihoods, score, wald, zph):
    model = cox(TIME, EVENT, {"x": X, "b": IS_B}, ties=ties)
    assert [term.coefficient for term in model.terms] == pytest.approx(coefficients, rel=1e-7)
    assert [term.standard_error for term in model.terms] == pytest.approx(errors, rel=1e-7)
    assert (model.log_likelihood_null, model.log_likelihood) == pytest.approx(likelihoods, rel=1e-8)
    assert model.likelihood_ratio.statistic == pytest.approx(2 * (likelihoods[1] - likelihoods[0]), rel=1e-7)
    assert model.score.statistic == pytest.approx(score, rel=1e-7)
    assert model.wald.statistic == pytest.approx(wald, rel=1e-7)
    # > summary(m)$concordance    0.7988505747  0.0515091896
    assert model.concordance.estimate == pytest.approx(0.7988505747, rel=1e-9)
    assert model.concordance.standard_error == pytest.approx(0.0515091896, rel=1e-8)
    tests = {name: test.statistic for name, test in model.proportional_hazards().items()}
    assert tests == {name: pytest.approx(value, rel=5e-5) for name, value in zph.items()}


def test_hazard_ratio_interval_agrees_with_coxph():
    # > summary(coxph(Surv(t, e) ~ x + I(g == "b")))$conf.int     x 1.804055851 ... 1.1674979213 2.78768592
    term = cox(TIME, EVENT, {"x": X, "b": IS_B})["x"]
    assert term.hazard_ratio == pytest.approx(1.804055851, rel=1e-8)
    assert (term.confidence_interval.low, term.confidence_interval.high) == pytest.approx(
        (1.1674979213, 2.78768592)
    )
    assert term.pvalue == pytest.approx(0.00787355183, rel=1e-6)


def test_score_test_of_a_group_without_ties_is_the_log_rank_test():
    time = np.arange(1, 41)
    event = np.random.default_rng(2).integers(0, 2, 40)
    group = np.random.default_rng(3).integers(0, 2, 40)
    assert cox(time, event, group).score.statistic == pytest.approx(
        log_rank(time, event, list(group)).statistic, rel=1e-9
    )


@settings(max_examples=25)
@given(st.floats(0.01, 100), st.floats(-1e3, 1e3))
def test_unit_and_origin_of_a_covariate_scale_its_coefficient_only(scale, shift):
    a, b = cox(TIME, EVENT, X), cox(TIME, EVENT, np.array(X) * scale + shift)
    assert b.terms[0].coefficient * scale == pytest.approx(a.terms[0].coefficient, rel=1e-5)
    assert b.log_likelihood == pytest.approx(a.log_likelihood, rel=1e-9)


def test_only_the_order_of_times_matters():
    a, b = cox(TIME, EVENT, X), cox(np.array(TIME) ** 2.0, EVENT, X)
    assert b.terms[0].coefficient == a.terms[0].coefficient


@pytest.mark.parametrize(
    "time, event, covariates, why",
    [
        ([1, 2, 3], [0, 0, 0], [1.0, 2.0, 3.0], "no event"),
        ([1, 2, 3], [1, 1, 1], [2.0, 2.0, 2.0], "does not vary"),
        ([1, 2, 3, 4], [1, 1, 1, 1], [4.0, 3.0, 2.0, 1.0], "orders the events completely"),
        ([1, 2, 3, 4], [1, 1, 1, 1], np.array([[1, 2], [3, 6], [2, 4], [5, 10]]), "collinear"),
    ],
)
def test_undefined_models_are_not_available(time, event, covariates, why):
    with pytest.warns(DegenerateDataWarning, match=why):
        model = cox(time, event, covariates)
    assert math.isnan(model.terms[0].hazard_ratio)
    assert model.reason is not None
    assert why in model.reason


def test_concordance_agrees_with_survival():
    # > cc <- concordance(Surv(t, e) ~ x, reverse = TRUE); cc$count; cc$concordance; sqrt(cc$var)
    # concordant 64, discordant 17, tied.x 6, tied.y 2, tied.xy 0;  0.770114943;  0.0556419306
    result = concordance_index(TIME, EVENT, X)
    assert (result.concordant, result.discordant, result.tied_score, result.tied_time, result.tied_both) == (
        64,
        17,
        6,
        2,
        0,
    )
    assert result.estimate == pytest.approx(0.770114943, rel=1e-8)
    assert result.standard_error == pytest.approx(0.0556419306, rel=1e-8)


@given(st.lists(st.integers(-9, 9), min_size=16, max_size=16))
def test_reversed_score_mirrors_the_concordance(score):
    a, b = concordance_index(TIME, EVENT, score), concordance_index(TIME, EVENT, [-s for s in score])
    assert a.estimate + b.estimate == pytest.approx(1.0)
    assert concordance_index(TIME, EVENT, [s**3 for s in score]).estimate == a.estimate


def test_no_event_no_concordance():
    with pytest.warns(DegenerateDataWarning, match="no comparable pair"):
        assert math.isnan(concordance_index([1, 2], [0, 0], [1, 2]).estimate)


def test_paired_difference_of_two_markers():
    second = [1, 9, 2, 8, 3, 7, 4, 6, 5, 1, 9, 2, 8, 3, 7, 4]
    result = compare_concordance(TIME, EVENT, X, second, n_resamples=400, rng=5)
    one, other = concordance_index(TIME, EVENT, X), concordance_index(TIME, EVENT, second)
    assert (result.first, result.second) == (one.estimate, other.estimate)
    assert result.estimate == one.estimate - other.estimate
    assert result.log_hazard_first == pytest.approx(cox(TIME, EVENT, np.log2(X)).terms[0].coefficient)
    assert result.confidence_interval.low < result.estimate < result.confidence_interval.high
    assert result.provenance.seed == 5


def test_paired_bootstrap_agrees_with_a_plain_one():
    second = [1, 9, 2, 8, 3, 7, 4, 6, 5, 1, 9, 2, 8, 3, 7, 4]
    fast = compare_concordance(TIME, EVENT, X, second, n_resamples=1500, rng=1)
    random, draws = np.random.default_rng(9), []
    t, e, x, y = map(np.array, (TIME, EVENT, X, second))
    for _ in range(1500):
        rows = random.integers(0, 16, 16)
        pairs = wins_x = wins_y = 0.0
        for i in rows:
            for j in rows:
                if e[i] and (t[i] < t[j] or (t[i] == t[j] and not e[j])):
                    pairs += 1
                    wins_x += (x[i] > x[j]) + 0.5 * (x[i] == x[j])
                    wins_y += (y[i] > y[j]) + 0.5 * (y[i] == y[j])
        draws.append((wins_x - wins_y) / pairs)
    assert fast.standard_error == pytest.approx(np.std(draws, ddof=1), rel=0.08)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert fast.confidence_interval.low == pytest.approx(low, abs=0.03)
    assert fast.confidence_interval.high == pytest.approx(high, abs=0.03)


def test_same_marker_twice_differs_by_nothing():
    result = compare_concordance(TIME, EVENT, X, X, n_resamples=50)
    assert (result.estimate, result.standard_error) == (0.0, 0.0)
    assert result.log_hazard_difference == 0.0


def test_marker_that_is_not_positive_has_no_doubling():
    result = compare_concordance(TIME, EVENT, [0, *X[1:]], X, n_resamples=20)
    assert math.isnan(result.log_hazard_difference)
    assert not math.isnan(result.estimate)


def test_split_at_the_median_is_strict_and_ties_go_low():
    groups, median = dichotomise_at_median([3.0, 1.0, 2.0, 2.0, np.nan, 2.0])
    assert median == 2.0
    assert list(groups) == ["high", "low", "low", "low", None, "low"]


def test_many_patients_are_counted_block_by_block():
    random = np.random.default_rng(4)
    time, event, score = (
        random.integers(1, 300, 1100),
        random.integers(0, 2, 1100),
        random.integers(0, 50, 1100),
    )
    result = concordance_index(time, event, score)
    later = (time[:, None] < time) | ((time[:, None] == time) & (event == 0))
    able = (event[:, None] == 1) & later
    assert result.concordant == np.sum(able & (score[:, None] > score))
    assert result.tied_score == np.sum(able & (score[:, None] == score))
    assert result.estimate == pytest.approx(
        (result.concordant + result.tied_score / 2)
        / (result.concordant + result.discordant + result.tied_score)
    )
