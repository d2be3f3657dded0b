import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import bootstrap, preference_model
from equipoise.stats._crossed_effects import CrossedFactors
from equipoise.stats._logistic_mixed import fit_logistic_mixed
from equipoise.stats._preference_model import marginal_probability
from tests.unit.stats.readings import preference_rows


def test_estimates_agree_with_lme4():
    # write.csv of preference_rows() as pref.csv with y = (preferred == "algorithm"), s = (left == "algorithm") - 1/2
    # > library(lme4)   # 1.1-31, R 4.2.2; the default tolPwrss stops some 3e-4 short of this maximum
    # > m <- glmer(y ~ s + (1|participant) + (1|case) + (1|item), pref, family=binomial, control=glmerControl(
    # +     optimizer="bobyqa", tolPwrss=1e-13, optCtrl=list(rhoend=1e-9, maxfun=1e5)))
    # > coef(summary(m)); as.data.frame(VarCorr(m))[, c(1, 5)]; logLik(m)
    #                Estimate  Std. Error    z value
    # (Intercept) 0.943109741 0.184062972 5.12384284
    # s           0.862141016 0.181340825 4.75425771
    # item 0.451757305   case 0.334493805   participant 0.467732506
    # 'log Lik.' -419.764923 (df=5)
    result = preference_model(preference_rows(), n_resamples=10)
    assert result.coefficients["intercept"] == pytest.approx(0.943109741, abs=2e-6)
    assert result.coefficients["side"] == pytest.approx(0.862141016, abs=2e-6)
    assert result.standard_deviations["item"] == pytest.approx(0.451757305, abs=2e-6)
    assert result.standard_deviations["case"] == pytest.approx(0.334493805, abs=2e-6)
    assert result.standard_deviations["reader"] == pytest.approx(0.467732506, abs=2e-6)
    assert result.log_likelihood == pytest.approx(-419.764923, abs=1e-6)
    assert result.side is not None
    assert result.side.odds_ratio == pytest.approx(math.exp(0.862141016), rel=1e-5)
    # lme4 takes standard errors from the same curvature, by its own finite differences.
    assert result.side.statistic == pytest.approx(4.75425771, rel=1e-4)
    assert (result.n, result.n_readers, result.n_cases, result.n_items) == (720, 12, 30, 60)


def test_marginal_probability_is_the_integral_over_effects_and_sides():
    parameters = np.array([0.4, 0.6, 0.5, 0.9, 0.3])
    spread = math.sqrt(0.5**2 + 0.9**2 + 0.3**2)

    def average(side):
        def density(z):
            return expit(0.4 + side + spread * z) * math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)

        return quad(density, -12, 12, epsabs=1e-13)[0]

    expected = (average(0.3) + average(-0.3)) / 2
    assert marginal_probability(parameters, 2) == pytest.approx(expected, abs=1e-12)


def test_laplace_likelihood_of_one_factor_agrees_with_plain_newton():
    # A deliberately plain implementation: one level at a time, scalar Newton, formula of Breslow & Clayton.
    random = np.random.default_rng(8)
    index = np.repeat(np.arange(15), 12)
    y = (random.random(180) < expit(0.3 + random.normal(size=15)[index])).astype(float)
    fit = fit_logistic_mixed(y, np.ones((180, 1)), CrossedFactors.of(["reader"], [index], [15]))
    b0, sd = float(fit.coefficients[0]), fit.deviations["reader"]
    total = 0.0
    for level in range(15):
        own, u = y[index == level], 0.0
        for _ in range(100):
            p = expit(b0 + sd * u)
            u += (sd * np.sum(own - p) - u) / (sd**2 * len(own) * p * (1 - p) + 1)
        p = expit(b0 + sd * u)
        curvature = sd**2 * len(own) * p * (1 - p) + 1
        total += np.sum(own * np.log(p) + (1 - own) * np.log(1 - p)) - u**2 / 2 - math.log(curvature) / 2
    assert fit.log_likelihood == pytest.approx(total, abs=1e-9)
    # And it is a maximum: a step in any parameter costs likelihood (curvature from the reported covariance).
    assert np.all(np.linalg.eigvalsh(fit.covariance) > 0)


def test_bootstrap_beside_it_is_the_crossed_bootstrap_of_the_share():
    readings = preference_rows(6, 8, 1)
    result = preference_model(readings, n_resamples=3000, rng=1)
    answers = np.array([r["preferred"] == "algorithm" for r in readings], dtype=float)
    slow = bootstrap(
        np.mean,
        answers,
        ([r["participant"] for r in readings], [r["case"] for r in readings]),
        n_resamples=3000,
        rng=2,
    )
    assert result.bootstrap_estimate == answers.mean()
    assert result.bootstrap_interval.low == pytest.approx(slow.confidence_interval.low, abs=0.02)
    assert result.bootstrap_interval.high == pytest.approx(slow.confidence_interval.high, abs=0.02)


def test_swapping_the_sources_mirrors_the_probability():
    readings = preference_rows(8, 15, 1)
    swap = {"algorithm": "expert", "expert": "algorithm"}
    names = ("preferred", "left_source", "right_source")
    mirrored = [r | {name: swap[r[name]] for name in names} for r in readings]
    first, second = preference_model(readings, n_resamples=10), preference_model(mirrored, n_resamples=10)
    assert second.estimate == pytest.approx(1 - first.estimate, abs=1e-6)
    assert second.confidence_interval.low == pytest.approx(1 - first.confidence_interval.high, abs=1e-5)
    assert second.side is not None
    assert first.side is not None
    assert second.side.odds_ratio == pytest.approx(first.side.odds_ratio, rel=1e-5)


def test_no_preference_counts_one_half():
    readings = [
        {
            "participant": f"r{i % 4}",
            "case": f"c{i // 4}",
            "preferred": ("algorithm", "none", "expert", "none")[i % 4],
        }
        for i in range(40)
    ]
    result = preference_model(readings, n_resamples=50)
    assert result.bootstrap_estimate == 0.5
    assert result.estimate == pytest.approx(0.5, abs=1e-6)
    assert result.n_none == 20


def test_clusters_take_the_place_of_cases():
    readings = [r | {"patient": f"p{int(r['case'][1:]) // 2}"} for r in preference_rows(6, 12, 1)]
    result = preference_model(readings, clusters="patient", n_resamples=20)
    by_label = preference_model(readings, clusters=[r["patient"] for r in readings], n_resamples=20)
    assert result.n_cases == 6
    assert set(result.standard_deviations) == {"reader", "case", "item"}
    assert by_label == result


def test_effects_that_cannot_be_told_apart_are_left_out_and_named():
    result = preference_model(preference_rows(1, 30, 1), n_resamples=10)
    assert result.standard_deviations == {}
    assert "no random effect of reader: there is one only" in result.notes
    assert "no random effect of item: no case has more than one" in result.notes


def test_unanimous_answers_have_no_model_but_a_bootstrap():
    readings = [r | {"preferred": "algorithm"} for r in preference_rows(3, 5, 1)]
    with pytest.warns(DegenerateDataWarning, match="every answer is the same"):
        result = preference_model(readings, n_resamples=10)
    assert math.isnan(result.estimate)
    assert math.isnan(result.confidence_interval.low)
    assert result.bootstrap_estimate == 1.0
    assert result.reason == "every answer is the same"


def test_side_that_separates_the_answers_is_reported():
    readings = [r | {"preferred": r["left_source"]} for r in preference_rows(4, 10, 1)]
    with pytest.warns(DegenerateDataWarning, match="separates"):
        result = preference_model(readings, n_resamples=10)
    assert math.isnan(result.pvalue)


def test_no_answers_no_model():
    readings = [r | {"preferred": None} for r in preference_rows(2, 3, 1)]
    with pytest.warns(DegenerateDataWarning, match="no answered reading"):
        result = preference_model(readings)
    assert (result.n, result.n_missing) == (0, 6)


def _simulated(seed, effect):
    random = np.random.default_rng(seed)
    readers, cases = 0.5 * random.normal(size=14), 0.6 * random.normal(size=40)
    rows = []
    for r in range(14):
        for c in range(40):
            left = random.random() < 0.5
            wins = random.random() < expit(effect + (0.2 if left else -0.2) + readers[r] + cases[c])
            rows.append(
                {
                    "participant": r,
                    "case": c,
                    "preferred": "algorithm" if wins else "expert",
                    "left_source": "algorithm" if left else "expert",
                    "right_source": "expert" if left else "algorithm",
                }
            )
    return rows


def _coverage(n_trials):
    truth = marginal_probability(np.array([0.5, 0.4, 0.5, 0.6]), 2)
    estimates, covered = [], 0
    for seed in range(n_trials):
        result = preference_model(_simulated(seed, 0.5), n_resamples=2)
        estimates.append(result.estimate)
        covered += result.confidence_interval.low <= truth <= result.confidence_interval.high
    return truth, np.array(estimates), covered


def test_truth_is_recovered_in_a_few_simulated_trials():
    truth, estimates, covered = _coverage(12)
    assert abs(estimates.mean() - truth) < 3 * estimates.std(ddof=1) / math.sqrt(12)
    assert covered >= 9


@pytest.mark.slow
def test_interval_covers_the_truth_in_simulated_trials():
    truth, estimates, covered = _coverage(200)
    assert abs(estimates.mean() - truth) < 3 * estimates.std(ddof=1) / math.sqrt(200)
    # 14 readers: Wald intervals of a mixed model run a little short of 95 %; 0.90 to 0.98 over 200 trials.
    assert 180 <= covered <= 196
