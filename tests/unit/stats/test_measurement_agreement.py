import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import (
    bland_altman,
    concordance_correlation,
    intraclass_correlation,
    kendall_w,
    limits_of_agreement_mrmc,
)
from tests.unit.stats.readings import score_rows

RANDOM = np.random.default_rng(21)
TABLE = (
    10 * RANDOM.normal(size=25)[:, None]
    + 2 * RANDOM.normal(size=4)[None, :]
    + 4 * RANDOM.normal(size=(25, 4))
    + 50
)


def test_icc_are_ratios_of_analysis_of_variance_components():
    result = intraclass_correlation(TABLE)
    n, k = TABLE.shape
    one_way = scipy.stats.f_oneway(*TABLE)
    assert result["ICC(1,1)"].f == pytest.approx(one_way.statistic, rel=1e-10)
    assert result["ICC(1,1)"].pvalue == pytest.approx(one_way.pvalue, rel=1e-8)
    between, error = result.ms_between, result.ms_error
    subjects, raters = (between - error) / k, (result.ms_raters - error) / n
    assert result["ICC(2,1)"].estimate == pytest.approx(subjects / (subjects + raters + error), rel=1e-12)
    assert result["ICC(3,1)"].estimate == pytest.approx(subjects / (subjects + error), rel=1e-12)
    assert result["ICC(2,k)"].estimate == pytest.approx(
        subjects / (subjects + (raters + error) / k), rel=1e-12
    )


@pytest.mark.parametrize("family", ["1", "2", "3"])
def test_average_icc_is_spearman_brown_of_the_single_one(family):
    result = intraclass_correlation(TABLE)
    one, many = result[f"ICC({family},1)"], result[f"ICC({family},k)"]
    for single, average in (
        (one.estimate, many.estimate),
        (one.confidence_interval.low, many.confidence_interval.low),
        (one.confidence_interval.high, many.confidence_interval.high),
    ):
        assert average == pytest.approx(4 * single / (1 + 3 * single), rel=1e-10)


def test_consistency_ignores_a_readers_offset_and_agreement_does_not():
    shifted = TABLE + np.array([0.0, 0.0, 0.0, 30.0])
    before, after = intraclass_correlation(TABLE), intraclass_correlation(shifted)
    assert after["ICC(3,1)"].estimate == pytest.approx(before["ICC(3,1)"].estimate, rel=1e-9)
    assert after["ICC(2,1)"].estimate < before["ICC(2,1)"].estimate - 0.2


@given(st.floats(0.1, 50), st.floats(-100, 100))
def test_icc_does_not_depend_on_the_unit(scale, shift):
    a, b = intraclass_correlation(TABLE), intraclass_correlation(TABLE * scale + shift)
    for name in a.icc:
        assert b[name].estimate == pytest.approx(a[name].estimate, rel=1e-6)
        assert b[name].confidence_interval.low == pytest.approx(a[name].confidence_interval.low, rel=1e-5)


def test_subjects_with_a_missing_rating_are_left_out_and_counted():
    holes = TABLE.copy()
    holes[3, 1] = np.nan
    result = intraclass_correlation(holes)
    assert (result.n, result.n_missing) == (24, 1)
    assert (
        result["ICC(2,1)"].estimate
        == intraclass_correlation(np.delete(TABLE, 3, axis=0))["ICC(2,1)"].estimate
    )


def test_identical_raters_have_icc_1_without_interval():
    with pytest.warns(DegenerateDataWarning, match="no variance within"):
        result = intraclass_correlation([[1, 1], [2, 2], [5, 5]])
    assert result["ICC(2,1)"].estimate == 1.0
    assert math.isnan(result["ICC(2,1)"].confidence_interval.low)


def test_subjects_that_do_not_differ_have_no_icc_of_mean_ratings():
    """irr::icc on this table: -1 for single ratings, -Inf for their mean."""
    with pytest.warns(DegenerateDataWarning, match="no variance between"):
        result = intraclass_correlation([[1, 3], [3, 1], [1, 3], [3, 1]])
    assert result["ICC(1,1)"].estimate == pytest.approx(-1.0)
    assert result["ICC(3,1)"].estimate == pytest.approx(-1.0)
    assert math.isnan(result["ICC(1,k)"].estimate)
    assert math.isnan(result["ICC(1,1)"].confidence_interval.low)


def test_constant_ratings_have_no_icc():
    with pytest.warns(DegenerateDataWarning, match="all ratings are equal"):
        result = intraclass_correlation([[2, 2], [2, 2], [2, 2]])
    assert math.isnan(result["ICC(1,1)"].estimate)


def test_kendall_w_is_the_mean_rank_correlation_in_disguise():
    # Without ties the mean of all pairwise Spearman correlations is (m W - 1) / (m - 1) (Kendall).
    pairs = [scipy.stats.spearmanr(TABLE[:, i], TABLE[:, j]).statistic for i in range(4) for j in range(i)]
    result = kendall_w(TABLE)
    assert (4 * result.estimate - 1) / 3 == pytest.approx(np.mean(pairs), rel=1e-12)
    assert result.estimate == result.uncorrected


def test_kendall_w_test_is_friedmans():
    tied = np.round(TABLE / 5)
    expected = scipy.stats.friedmanchisquare(*tied)
    result = kendall_w(tied)
    assert result.statistic == pytest.approx(expected.statistic, rel=1e-12)
    assert result.pvalue == pytest.approx(expected.pvalue, rel=1e-10)
    assert result.estimate > result.uncorrected


def test_raters_who_tell_nothing_apart_have_no_concordance():
    with pytest.warns(DegenerateDataWarning, match="tells the subjects apart"):
        result = kendall_w([[1, 2], [1, 2], [1, 2]])
    assert math.isnan(result.estimate)


X, Y = TABLE[:, 0], TABLE[:, 1]


def test_concordance_is_correlation_times_bias_correction():
    result = concordance_correlation(X, Y)
    assert result.pearson == pytest.approx(scipy.stats.pearsonr(X, Y).statistic, rel=1e-12)
    v, u = result.scale_shift, result.location_shift
    assert result.bias_correction == pytest.approx(2 / (v + 1 / v + u**2), rel=1e-12)
    assert result.estimate == pytest.approx(result.pearson * result.bias_correction, rel=1e-12)


def test_concordance_interval_covers_about_as_often_as_it_says():
    random, covered = np.random.default_rng(0), 0
    truth = 2 * 0.8 / (1 + 1 + 0.3**2)
    for _ in range(400):
        z = random.normal(size=(2, 60))
        interval = concordance_correlation(z[0], 0.8 * z[0] + 0.6 * z[1] + 0.3).confidence_interval
        covered += interval.low <= truth <= interval.high
    assert 366 <= covered <= 394


def test_perfect_and_reversed_pairs():
    with pytest.warns(DegenerateDataWarning, match="perfect"):
        assert concordance_correlation([1, 2, 3, 4], [1, 2, 3, 4]).estimate == 1.0
    assert concordance_correlation([1, 2, 3, 4.5], [4.5, 3, 2, 1]).estimate < -0.9


def test_constant_method_has_no_concordance():
    with pytest.warns(DegenerateDataWarning, match="does not vary"):
        result = concordance_correlation([1, 1, 1], [1, 2, 3])
    assert math.isnan(result.estimate)


def test_bland_altman_by_scipy():
    result = bland_altman(X, Y)
    difference, mean = X - Y, (X + Y) / 2
    t = scipy.stats.ttest_rel(X, Y)
    line = scipy.stats.linregress(mean, difference)
    assert result.bias_pvalue == pytest.approx(t.pvalue, rel=1e-10)
    assert result.bias_interval.low == pytest.approx(t.confidence_interval().low, rel=1e-10)
    assert result.upper_limit - result.lower_limit == pytest.approx(
        2 * 1.96 * difference.std(ddof=1), rel=1e-12
    )
    assert (result.slope, result.intercept) == (pytest.approx(line.slope), pytest.approx(line.intercept))
    assert result.slope_pvalue == pytest.approx(line.pvalue, rel=1e-9)


def test_limit_standard_error_agrees_with_simulation():
    random = np.random.default_rng(5)
    draws = random.normal(size=(20000, 20))
    uppers = draws.mean(axis=1) + 1.96 * draws.std(axis=1, ddof=1)
    sample = (draws[0] - draws[0].mean()) / draws[0].std(ddof=1)
    assert bland_altman(sample, np.zeros(20)).limit_standard_error == pytest.approx(uppers.std(), rel=0.02)


def test_swapped_methods_mirror_the_limits():
    a, b = bland_altman(X, Y), bland_altman(Y, X)
    assert (b.bias, b.lower_limit) == (pytest.approx(-a.bias), pytest.approx(-a.upper_limit))


def test_single_pair_has_no_limits():
    with pytest.warns(DegenerateDataWarning, match="two pairs"):
        result = bland_altman([1.0, np.nan], [2.0, 3.0])
    assert (result.bias, result.n, result.n_missing) == (-1.0, 1, 1)
    assert math.isnan(result.upper_limit)


def test_limits_of_readers_and_conditions_agree_with_rs_analysis_of_variance():
    # write.csv of score_rows() as score.csv; formulas of iMRMC's laWRBM.anova and laBRBM.anova
    # > q <- ms(aov(y ~ reader + case, z))        # y = score(a) - score(b); r = 4, c = 10
    # > mean(y); (q[1]+q[2]-q[3])/r/c; (r*q[1]+c*q[2]+(r*c-r-c)*q[3])/r/c
    # -2.15  0.840259259  45.6452593
    # > q <- ms(aov(score ~ reader + case + condition + reader:case + reader:condition + case:condition, score))
    # > 2*(vR + vRC + vRM + vCM + q[7])
    # 156.125926
    # > q <- ms(aov(score ~ reader + case, subset(score, condition == k))); 2*((q[1]-q[3])/c + q[3])
    # a 142.823   b 155.512667
    result = {(one.kind, one.first): one for one in limits_of_agreement_mrmc(score_rows())}
    assert len(result) == 4
    assert result["between readers, within condition", "a"].variance == pytest.approx(142.823, rel=1e-8)
    assert result["between readers, within condition", "b"].variance == pytest.approx(155.512667, rel=1e-8)
    within = result["within reader, between conditions", "a"]
    assert within.mean_difference == pytest.approx(-2.15, rel=1e-12)
    assert within.variance == pytest.approx(45.6452593, rel=1e-8)
    assert within.mean_interval.high - within.mean_difference == pytest.approx(
        1.959963985 * math.sqrt(0.840259259), rel=1e-8
    )
    between = result["between readers, between conditions", "a"]
    assert between.variance == pytest.approx(156.125926, rel=1e-8)
    assert between.upper_limit == pytest.approx(-2.15 + 1.96 * math.sqrt(156.125926), rel=1e-8)


def test_repeats_give_limits_within_readers():
    rows = [
        {"reader": "r", "case": c, "score": s} for c, s in (("a", 1.0), ("a", 3.0), ("b", 5.0), ("b", 6.0))
    ]
    rows += [{"reader": "q", "case": c, "score": s} for c, s in (("a", 2.0), ("b", 7.0))]
    result = {one.kind: one for one in limits_of_agreement_mrmc(rows)}
    # Two cells with two scores: variance within = (2 + 0.5) / 2, of a difference twice that.
    assert result["within reader, within condition"].variance == pytest.approx(2.5)
    assert result["between readers, within condition"].n_readers == 2


def test_cases_without_every_reader_are_left_out_and_counted():
    rows = [r for r in score_rows() if not (r["reader"] == "r1" and r["case"] == "c03")]
    result = limits_of_agreement_mrmc(rows)
    assert {one.n_cases_left_out for one in result} == {1}
    complete = limits_of_agreement_mrmc([r for r in rows if r["case"] != "c03"])
    assert [one.variance for one in result] == pytest.approx([one.variance for one in complete])


def test_one_reader_has_no_limits_between_readers():
    rows = [r for r in score_rows() if r["reader"] == "r1" and r["condition"] == "a"]
    with pytest.warns(DegenerateDataWarning, match="two readers"):
        (result,) = limits_of_agreement_mrmc(rows)
    assert math.isnan(result.upper_limit)


def test_algorithms_are_refused_as_random_readers():
    rows = [r | {"participant_kind": "algorithm" if r["reader"] == "r1" else "reader"} for r in score_rows()]
    with pytest.raises(ValueError, match="readers only"):
        limits_of_agreement_mrmc(rows)
