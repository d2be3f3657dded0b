import math

import numpy as np
import pytest

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.simulation.streams import stream
from equipoise.stats import reading_time_model
from equipoise.stats._crossed_effects import CrossedFactors, Solver
from equipoise.stats._linear_mixed import fit_linear_mixed
from equipoise.stats._reading_time import _exp
from tests.unit.stats.readings import time_rows


def test_ratios_agree_with_lmertest():
    # write.csv of time_rows() as time.csv, "unaided" and period 1 first
    # > library(lmerTest)   # 3.1-3, lme4 1.1-31, R 4.2.2
    # > m <- lmer(log(active_s) ~ condition + position + period + (1|participant) + (1|case), time)
    # > coef(summary(m)); as.data.frame(VarCorr(m))[, c(1, 5)]
    #                      Estimate    Std. Error          df       t value      Pr(>|t|)
    # conditionaided -0.17572380943 0.05672529580 124.0207355 -3.0978033158 2.41188731e-03
    # position       -0.00073258177 0.00841178916 124.7850160 -0.0870898874 9.30739661e-01
    # period2        -0.09111422820 0.05609813711 124.0033171 -1.6241934741 1.06873786e-01
    # case 0.381563958   participant 0.269598879   Residual 0.336588823
    result = reading_time_model(time_rows())
    aided = result.ratios[0]
    assert (aided.first, aided.second) == ("aided", "unaided")
    assert aided.ratio == pytest.approx(math.exp(-0.17572380943), rel=1e-7)
    assert aided.standard_error == pytest.approx(0.05672529580, rel=1e-7)
    assert aided.df == pytest.approx(124.0207355, rel=1e-5)
    assert aided.pvalue == pytest.approx(2.41188731e-03, rel=1e-5)
    assert result.position is not None
    assert result.position.ratio == pytest.approx(math.exp(-0.00073258177), rel=1e-7)
    assert result.position.df == pytest.approx(124.7850160, rel=1e-5)
    assert result.periods[0].ratio == pytest.approx(math.exp(-0.09111422820), rel=1e-7)
    assert result.periods[0].pvalue == pytest.approx(1.06873786e-01, rel=1e-5)
    assert result.standard_deviations == {
        "case": pytest.approx(0.381563958, rel=1e-5),
        "reader": pytest.approx(0.269598879, rel=1e-5),
        "residual": pytest.approx(0.336588823, rel=1e-5),
    }


def test_interaction_agrees_with_lme4s_wald_test():
    # > m2 <- lmer(log(active_s) ~ condition * period + position + (1|participant) + (1|case), time)
    # conditionaided:period2  0.120914601061 0.11212263934    z^2 = 1.162976, pchisq(z^2, 1, lower=FALSE) = 0.2808491
    assert reading_time_model(time_rows()).interaction_pvalue == pytest.approx(0.2808491, abs=2e-6)


def test_reml_criterion_agrees_with_a_dense_likelihood():
    rows = time_rows(4, 6)
    y = np.log([r["active_s"] for r in rows])
    X = np.column_stack([np.ones(len(y)), [r["condition"] == "aided" for r in rows]]).astype(float)
    reader = np.array([int(r["participant"][1:]) for r in rows])
    case = np.array([int(r["case"][1:]) for r in rows])
    fit = fit_linear_mixed(y, X, CrossedFactors.of(["reader", "case"], [reader, case], [4, 6]))
    Zr, Zc = np.eye(4)[reader], np.eye(6)[case]
    V = (
        fit.residual_deviation**2 * np.eye(len(y))
        + fit.deviations["reader"] ** 2 * Zr @ Zr.T
        + fit.deviations["case"] ** 2 * Zc @ Zc.T
    )
    W = np.linalg.inv(V)
    beta = np.linalg.solve(X.T @ W @ X, X.T @ W @ y)
    rest = y - X @ beta
    criterion = (
        (len(y) - 2) * math.log(2 * math.pi)
        + np.linalg.slogdet(V)[1]
        + np.linalg.slogdet(X.T @ W @ X)[1]
        + rest @ W @ rest
    )
    np.testing.assert_allclose(fit.coefficients, beta, rtol=1e-10)
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(X.T @ W @ X), rtol=1e-9)
    assert fit.reml_criterion == pytest.approx(criterion, rel=1e-11)


def test_block_elimination_agrees_with_dense_algebra():
    random = np.random.default_rng(1)
    indices = [random.integers(0, k, 60) for k in (9, 5, 4)]
    factors = CrossedFactors.of(["a", "b", "c"], indices, [9, 5, 4])
    weights, deviations = random.random(60) + 0.1, np.array([0.7, 1.3, 0.0])
    Z = np.hstack([np.eye(size)[index] for index, size in zip(factors.indices, factors.sizes, strict=True)])
    L = np.diag(factors.spread(deviations))
    M = L @ Z.T @ np.diag(weights) @ Z @ L + np.eye(18)
    solver = Solver(factors, weights, deviations)
    right = random.normal(size=(18, 3))
    np.testing.assert_allclose(solver.solve(right), np.linalg.solve(M, right), rtol=1e-10)
    np.testing.assert_allclose(solver.solve(right[:, 0]), np.linalg.solve(M, right[:, 0]), rtol=1e-10)
    assert solver.log_determinant == pytest.approx(np.linalg.slogdet(M)[1], rel=1e-12)


def test_unit_of_time_does_not_matter():
    rows = time_rows()
    seconds, minutes = (
        reading_time_model(rows),
        reading_time_model([r | {"active_s": r["active_s"] / 60} for r in rows]),
    )
    assert minutes.ratios[0].ratio == pytest.approx(seconds.ratios[0].ratio, rel=1e-8)
    assert minutes.ratios[0].pvalue == pytest.approx(seconds.ratios[0].pvalue, rel=1e-6)


def test_what_cannot_enter_is_counted():
    rows = time_rows()
    rows[0]["active_s"], rows[1]["active_s"] = None, 0.0
    rows.append(rows[5] | {"participant": "model", "participant_kind": "algorithm", "active_s": 2.0})
    rows.append(rows[6] | {"repeat": 2})
    result = reading_time_model(rows)
    assert (result.n, result.n_missing, result.n_not_positive, result.n_algorithm, result.n_repeats) == (
        142,
        1,
        1,
        1,
        1,
    )


def test_terms_without_data_are_left_out_and_named():
    rows = [{k: v for k, v in r.items() if k not in ("period", "position")} for r in time_rows()]
    result = reading_time_model(rows)
    assert result.position is None
    assert result.periods == ()
    assert math.isnan(result.interaction_pvalue)
    assert "no period term: periods are not recorded for every reading" in result.notes


def test_confounded_design_is_not_available():
    rows = [r | {"period": 1 if r["condition"] == "aided" else 2} for r in time_rows()]
    with pytest.warns(DegenerateDataWarning, match="cannot be told apart"):
        result = reading_time_model(rows)
    assert result.ratios == ()
    assert result.reason == "condition, position and period cannot be told apart"


def test_too_few_readings_are_not_available():
    with pytest.warns(DegenerateDataWarning, match="too few"):
        result = reading_time_model(time_rows()[:3])
    assert result.ratios == ()


def test_a_line_search_that_jumps_far_still_ends_at_the_balanced_closed_form():
    # The first step of the optimiser went to some 1e7 residual standard deviations here, where nothing is left of the
    # likelihood's digits.
    rng = stream(7, 109)
    table = 0.02 * rng.standard_normal((8, 1)) + 0.05 * rng.standard_normal((1, 30))
    table = 0.03 + table + 0.06 * rng.standard_normal(table.shape)
    reader, case = (index.ravel() for index in np.indices(table.shape))
    factors = CrossedFactors.of(("reader", "case"), (reader, case), (8, 30))
    fit = fit_linear_mixed(table.ravel(), np.ones((240, 1)), factors)
    residual = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
    ms_own = (residual**2).sum() / (7 * 29)
    ms_reader, ms_case = 30 * table.mean(axis=1).var(ddof=1), 8 * table.mean(axis=0).var(ddof=1)
    assert min(ms_reader, ms_case) > ms_own
    assert fit.residual_deviation == pytest.approx(np.sqrt(ms_own), rel=1e-6)
    assert fit.deviations["reader"] == pytest.approx(np.sqrt((ms_reader - ms_own) / 30), rel=1e-5)
    assert fit.deviations["case"] == pytest.approx(np.sqrt((ms_case - ms_own) / 8), rel=1e-5)
    assert fit.covariance[0, 0] == pytest.approx((ms_reader + ms_case - ms_own) / 240, rel=1e-6)


def test_a_bound_that_no_number_holds_is_infinite_and_no_fault():
    # One reader per condition leaves so few degrees of freedom that log bounds go to thousands.
    assert (_exp(5000.0), _exp(-5000.0)) == (math.inf, 0.0)
    assert _exp(0.5) == math.exp(0.5)
