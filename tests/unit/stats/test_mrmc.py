"""Multi-reader analysis of fully crossed readings. R 4.2.2 with pROC 1.18.0, data as in rated_cases.py:

> r <- lapply(scores, function(v) roc(truth, v, levels=c(0,1), direction="<")); A <- sapply(r, auc)
> V <- outer(1:6, 1:6, Vectorize(function(i,j) if (i==j) var(r[[i]]) else cov(r[[i]], r[[j]])))
> d <- data.frame(A, test=gl(2,3), reader=gl(3,1,6)); ms <- anova(lm(A ~ test + reader, d))[["Mean Sq"]]; ms
[1] 0.01596749811036 0.00095532039976 0.00633030990174
> c(mean(diag(V)), c1, c2, c3)                                   # means of the blocks of V
[1] 0.0125897581255 0.0029245751799 0.0042057718149 0.0029656924498
> D <- ms[3] + 3*max(c2-c3,0); df2 <- D^2/(ms[3]^2/2); F <- ms[1]/D; c(F, df2, pf(F, 1, df2, lower=FALSE))
[1] 1.58871915394 5.04149727111 0.26269869279
> c(dd, se <- sqrt(2*D/3), dd + c(-1,1)*qt(.975,df2)*se)
[1]  0.103174603175  0.081855759305 -0.106722452873  0.313071659222
> D <- v-c1+2*max(c2-c3,0); X <- ms[1]/D; c(X, pchisq(X,1,lower=FALSE), sqrt(2*D/3))     # fixed readers
[1] 1.314701433408 0.251545196231 0.089982745293
> F <- ms[1]/ms[3]; c(F, pf(F, 1, 2, lower=FALSE))                                       # fixed cases
[1] 2.52238805970 0.25316951349
> c(mean(A[1:3]), sqrt(t/3), df)                                                         # first condition alone
[1]  0.822751322751  0.061076171326 25.939463111760
"""

import math

import numpy as np
import pytest

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import auc, compare_aucs, mrmc
from tests.unit.stats.rated_cases import cell_scores, random_readings, slow_auc, typed_readings

COVARIANCES = ("jackknife", "delong", "unbiased", "bootstrap")


def slow_jackknife(readings, statistic=slow_auc, entering=(0, 1)):
    """Delete cases one by one from a dictionary and compute everything anew."""
    cells = cell_scores(readings)
    truth = dict(zip(readings["case"], readings["truth"], strict=True))
    cases = [case for case in truth if truth[case] in entering]
    values = np.array(
        [
            [statistic({k: v for k, v in cell.items() if k != case}) for case in cases]
            for cell in cells.values()
        ]
    )
    centred = values - values.mean(axis=1, keepdims=True)
    return (len(cases) - 1) / len(cases) * centred @ centred.T


def slow_sensitivity(cases):
    calls = [score >= 4 for score, truth in cases.values() if truth == 1]
    return sum(calls) / len(calls)


def test_random_readers_and_cases_agree_with_r():
    result = mrmc(typed_readings(), covariance="delong")
    assert result.anova["condition"].mean_square == pytest.approx(0.01596749811036, rel=5e-12)
    assert result.anova["reader"].mean_square == pytest.approx(0.00095532039976, rel=5e-11)
    assert result.anova["condition x reader"].mean_square == pytest.approx(0.00633030990174, rel=5e-12)
    components = result.components
    errors = [components.var_error, components.cov1, components.cov2, components.cov3]
    expected = [0.0125897581255, 0.0029245751799, 0.0042057718149, 0.0029656924498]
    assert errors == pytest.approx(expected, rel=5e-11)
    test = result.test_equality
    assert test.statistic == pytest.approx(1.58871915394, rel=5e-11)
    assert test.df == pytest.approx((1.0, 5.04149727111), rel=5e-11)
    assert test.pvalue == pytest.approx(0.26269869279, rel=5e-11)
    difference = result.difference("aided", "unaided")
    assert difference.estimate == pytest.approx(0.103174603175, rel=5e-12)
    assert difference.standard_error == pytest.approx(0.081855759305, rel=5e-11)
    assert difference.confidence_interval.low == pytest.approx(-0.106722452873, rel=5e-11)
    assert difference.confidence_interval.high == pytest.approx(0.313071659222, rel=5e-11)
    assert difference.pvalue == pytest.approx(test.pvalue, rel=1e-12)
    aided = result.condition_means[0]
    found = [aided.estimate, aided.standard_error, aided.df]
    assert found == pytest.approx([0.822751322751, 0.061076171326, 25.939463111760], rel=5e-11)


def test_components_are_those_of_the_mean_squares():
    result = mrmc(typed_readings(), covariance="delong")
    c = result.components
    ms = {name: row.mean_square for name, row in result.anova.items()}
    interaction = ms["condition x reader"] - c.var_error + c.cov1 + (c.cov2 - c.cov3)
    assert c.var_interaction == pytest.approx(interaction)
    assert c.var_reader == pytest.approx((ms["reader"] - ms["condition x reader"]) / 2 - c.cov1 + c.cov3)
    assert c.var_interaction < 0  # kept as it is


def test_fixed_readers_agree_with_r():
    result = mrmc(typed_readings(), covariance="delong", readers="fixed")
    test = result.test_equality
    assert test.distribution == "chi-square"
    assert test.statistic == pytest.approx(1.314701433408, rel=5e-12)
    assert test.df == (1.0,)
    assert test.pvalue == pytest.approx(0.251545196231, rel=5e-11)
    assert result.differences[0].standard_error == pytest.approx(0.089982745293, rel=5e-11)
    assert result.differences[0].df == math.inf


def test_fixed_cases_agree_with_r():
    result = mrmc(typed_readings(), cases="fixed")
    assert result.test_equality.statistic == pytest.approx(2.52238805970, rel=5e-12)
    assert result.test_equality.df == (1.0, 2.0)
    assert result.test_equality.pvalue == pytest.approx(0.25316951349, rel=5e-11)


def test_one_fixed_reader_is_the_paired_delong_test():
    readings = typed_readings()
    one = readings[readings["reader"] == "b"]
    result = mrmc(one, covariance="delong")
    scores = [one.loc[one["condition"] == name, "score"].to_numpy() for name in ("aided", "unaided")]
    truth = one.loc[one["condition"] == "aided", "truth"].to_numpy()
    paired = compare_aucs(*scores, truth)
    difference = result.differences[0]
    assert result.readers == "fixed"
    assert difference.estimate == pytest.approx(paired.estimate)
    assert difference.standard_error == pytest.approx(paired.standard_error, rel=1e-12)
    assert difference.pvalue == pytest.approx(paired.pvalue, rel=1e-12)
    both = mrmc(readings, covariance="delong", readers="fixed").reader_differences
    of_b = next(row for row in both if row.reader == "b")
    assert of_b.standard_error == pytest.approx(paired.standard_error, rel=1e-12)


def test_one_reader_in_one_condition_is_the_plain_auc():
    readings = typed_readings()
    one = readings[(readings["reader"] == "c") & (readings["condition"] == "aided")]
    result = mrmc(one, covariance="delong")
    plain = auc(one["score"], one["truth"])
    mean = result.condition_means[0]
    assert (mean.estimate, mean.df) == (plain.estimate, math.inf)
    assert mean.standard_error == pytest.approx(plain.standard_error, rel=1e-12)
    assert mean.confidence_interval.low == pytest.approx(plain.confidence_interval.low)
    assert result.test_equality.reason == "one condition: nothing to compare"
    assert result.differences == ()


@pytest.mark.parametrize("seed", range(3))
def test_jackknife_agrees_with_deleting_cases_one_by_one(seed):
    readings = random_readings(seed)
    result = mrmc(readings)
    np.testing.assert_allclose(result.covariance, slow_jackknife(readings), rtol=1e-10)
    estimates = [slow_auc(cell) for cell in cell_scores(readings).values()]
    np.testing.assert_allclose([row.estimate for row in result.reader_estimates], estimates, rtol=1e-14)


def test_jackknife_of_a_proportion_runs_over_its_own_class():
    readings = random_readings(4)
    result = mrmc(readings, metric="sensitivity", threshold=4)
    expected = slow_jackknife(readings, slow_sensitivity, entering=(1,))
    np.testing.assert_allclose(result.covariance, expected, rtol=1e-10, atol=1e-16)
    assert result.reader_estimates[0].n == 15
    # A proportion's jackknife variance is p (1 - p) / (n - 1).
    p = result.reader_estimates[0].estimate
    assert result.covariance[0, 0] == pytest.approx(p * (1 - p) / 14)


def test_whole_partial_area_is_the_area():
    readings = random_readings(5)
    whole = mrmc(readings, metric="partial_auc", between=(0.0, 1.0))
    plain = mrmc(readings)
    np.testing.assert_allclose(whole.covariance, plain.covariance, atol=1e-15)
    assert whole.differences[0].pvalue == pytest.approx(plain.differences[0].pvalue)


def test_closed_form_of_the_ideal_bootstrap():
    readings = random_readings(6, n_readers=3)
    estimated = mrmc(readings, covariance="bootstrap", n_resamples=20_000, rng=1)
    psi, areas = [], []
    for cell in cell_scores(readings).values():
        positives = np.array([score for score, truth in cell.values() if truth == 1])
        negatives = np.array([score for score, truth in cell.values() if truth == 0])
        psi.append(0.5 * (np.sign(positives[:, None] - negatives[None, :]) + 1))
        areas.append(psi[-1].mean())
    n1, n0 = psi[0].shape
    for a in range(6):
        for b in range(6):
            ideal = (
                (psi[a] * psi[b]).mean() / (n1 * n0)
                + (n0 - 1) / (n1 * n0) * (psi[a].mean(1) * psi[b].mean(1)).mean()
                + (n1 - 1) / (n1 * n0) * (psi[a].mean(0) * psi[b].mean(0)).mean()
                + ((n1 - 1) * (n0 - 1) / (n1 * n0) - 1) * areas[a] * areas[b]
            )
            assert estimated.covariance[a, b] == pytest.approx(ideal, rel=0.06, abs=1e-4)
    assert (estimated.provenance.seed, estimated.provenance.n_resamples) == (1, 20_000)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_rows_may_come_in_any_order_and_readers_under_any_name(covariance):
    readings = random_readings(7)
    shuffled = readings.sample(frac=1.0, random_state=3)
    renamed = readings.replace({"reader": {"r0": "zoe", "r3": "ann"}})
    options = {"covariance": covariance, "n_resamples": 500, "rng": 1}
    plain = mrmc(readings, **options)
    assert mrmc(shuffled, **options).differences == plain.differences
    other = mrmc(renamed, **options).differences[0]
    assert other.estimate == pytest.approx(plain.differences[0].estimate)
    assert other.pvalue == pytest.approx(plain.differences[0].pvalue, rel=1e-9)


@pytest.mark.parametrize("covariance", ["jackknife", "delong", "unbiased"])
def test_swapped_labels_and_monotone_scores_change_nothing(covariance):
    readings = random_readings(8)
    plain = mrmc(readings, covariance=covariance)
    swapped = mrmc(
        readings.assign(truth=1 - readings["truth"], score=-readings["score"]), covariance=covariance
    )
    monotone = mrmc(readings.assign(score=np.exp(readings["score"])), covariance=covariance)
    for other in (swapped, monotone):
        np.testing.assert_allclose(other.covariance, plain.covariance, atol=1e-15)
        assert other.differences[0].estimate == pytest.approx(plain.differences[0].estimate)
    turned = mrmc(readings.assign(truth=1 - readings["truth"]), covariance=covariance)
    assert turned.differences[0].estimate == pytest.approx(-plain.differences[0].estimate)
    assert turned.test_equality.statistic == pytest.approx(plain.test_equality.statistic)


def test_difference_can_be_asked_for_either_way():
    result = mrmc(typed_readings())
    forth, back = result.difference("aided", "unaided"), result.difference("unaided", "aided")
    assert back.estimate == -forth.estimate
    assert back.confidence_interval.low == -forth.confidence_interval.high
    assert (back.pvalue, back.standard_error) == (forth.pvalue, forth.standard_error)
    with pytest.raises(ValueError, match=r"the conditions are \['aided', 'unaided'\]"):
        result.difference("aided", "sham")


def test_every_pair_of_three_conditions_is_compared():
    result = mrmc(random_readings(9, n_conditions=3))
    assert [(row.first, row.second) for row in result.differences] == [
        ("m0", "m1"),
        ("m0", "m2"),
        ("m1", "m2"),
    ]
    total = result.differences[0].estimate + result.differences[2].estimate
    assert result.differences[1].estimate == pytest.approx(total)


def test_max_keeps_the_fixed_reader_denominator_up():
    for seed in range(60):
        result = mrmc(random_readings(seed, n_readers=3, n_cases=24), readers="fixed")
        c = result.components
        if c.cov2 < c.cov3:
            assert result.test_equality.denominator == pytest.approx(c.var_error - c.cov1)
            return
    pytest.fail("no table with cov2 < cov3 among the seeds")


def test_interval_of_a_mean_is_cut_to_the_range_and_that_of_a_difference_is_not():
    readings = typed_readings()
    readings.loc[(readings["condition"] == "aided") & (readings["truth"] == 1), "score"] = 5.0
    result = mrmc(readings, covariance="delong")
    assert result.condition_means[0].confidence_interval.high == 1.0
    assert result.condition_means[0].estimate > 0.9


def test_perfect_reading_leaves_no_variance_and_says_so():
    readings = typed_readings()
    perfect = readings.assign(score=readings["truth"])
    with pytest.warns(DegenerateDataWarning, match="estimated variance is 0"):
        result = mrmc(perfect)
    assert math.isnan(result.test_equality.pvalue)
    assert math.isnan(result.differences[0].pvalue)
    assert result.differences[0].estimate == 0.0
    assert result.differences[0].reason == "the estimated variance is 0"
    assert "(sensitivity + specificity)/2" in result.method


def test_fixed_readers_and_fixed_cases_leave_nothing_random():
    with pytest.warns(DegenerateDataWarning, match="cannot be estimated"):
        result = mrmc(typed_readings(), readers="fixed", cases="fixed")
    assert math.isnan(result.test_equality.pvalue)


def test_result_names_how_it_came_about():
    result = mrmc(typed_readings(), metric="specificity", threshold=4, readers="fixed")
    assert "fixed readers, random cases" in result.method
    assert "specificity (score >= 4 is positive)" in result.method
    assert result.provenance.variance_estimator == "jackknife of cases"
    assert result.provenance.missing == "no reading missing"
    assert (result.n_cases, result.n_positive, result.n_negative, result.n_readers) == (16, 7, 9, 3)
    assert result.covariance_labels[4] == ("unaided", "b")


@pytest.mark.slow
def test_size_of_the_test_under_no_difference():
    rejected, n_tables = 0, 1500
    for seed in range(n_tables):
        rng = np.random.default_rng(seed)
        truth = np.arange(60) % 2
        ease, skill = rng.normal(size=60), 0.3 * rng.normal(size=5)
        rows = {"reader": [], "condition": [], "case": [], "truth": [], "score": []}
        for condition in range(2):
            twist = 0.3 * rng.normal(size=60)
            for reader in range(5):
                score = 1.2 * truth + 0.5 * ease + twist + skill[reader] * truth + rng.normal(size=60)
                rows["reader"] += [reader] * 60
                rows["condition"] += [condition] * 60
                rows["case"] += range(60)
                rows["truth"] += truth.tolist()
                rows["score"] += score.tolist()
        rejected += mrmc(rows, covariance="delong").test_equality.pvalue < 0.05
    # Conservative with few readers, as Hillis 2007 reports; never clearly above its level.
    assert 0.02 < rejected / n_tables < 0.065
