"""The pseudovalue analysis against Obuchowski-Rockette and against an ordinary analysis of variance."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import mrmc, mrmc_dbm
from tests.unit.stats.rated_cases import cell_scores, random_readings, slow_auc, typed_readings, with_missing


@pytest.mark.parametrize("metric, threshold", [("auc", None), ("sensitivity", 4), ("specificity", 4)])
def test_random_readers_and_cases_equal_obuchowski_rockette(metric, threshold):
    readings = random_readings(1)
    dbm = mrmc_dbm(readings, metric=metric, threshold=threshold)
    other = mrmc(readings, metric=metric, threshold=threshold)
    assert dbm.test_equality.statistic == pytest.approx(other.test_equality.statistic, rel=1e-9)
    assert dbm.test_equality.df == pytest.approx(other.test_equality.df, rel=1e-9)
    assert dbm.differences[0].pvalue == pytest.approx(other.differences[0].pvalue, rel=1e-9)
    k = dbm.n_cases
    for name in ("condition", "reader", "condition x reader"):
        assert dbm.anova[name].mean_square == pytest.approx(k * other.anova[name].mean_square, rel=1e-9)
    for ours, theirs in zip(dbm.condition_means, other.condition_means, strict=True):
        assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-9)
        assert ours.df == pytest.approx(theirs.df, rel=1e-9)


def test_mean_squares_are_those_of_statsmodels():
    readings = random_readings(2, n_readers=3, n_cases=10)
    cells, k = cell_scores(readings), 10
    rows = []
    for (condition, reader), cell in cells.items():
        for case in cell:
            without = slow_auc({key: value for key, value in cell.items() if key != case})
            rows.append((condition, reader, f"c{case}", k * slow_auc(cell) - (k - 1) * without))
    frame = pd.DataFrame(rows, columns=["t", "r", "c", "y"])
    table = anova_lm(smf.ols("y ~ (C(t) + C(r) + C(c))**2", frame).fit())
    anova = mrmc_dbm(readings).anova
    names = {
        "condition": "C(t)",
        "reader": "C(r)",
        "case": "C(c)",
        "condition x reader": "C(t):C(r)",
        "condition x case": "C(t):C(c)",
        "reader x case": "C(r):C(c)",
        "condition x reader x case": "Residual",
    }
    for ours, theirs in names.items():
        assert anova[ours].sum_of_squares == pytest.approx(table.loc[theirs, "sum_sq"], rel=1e-8, abs=1e-12)
        assert anova[ours].df == table.loc[theirs, "df"]
    total = sum(row.sum_of_squares for name, row in anova.items() if name != "total")
    assert anova["total"].sum_of_squares == pytest.approx(total)


def test_fixed_readers_have_the_denominator_without_a_max():
    readings = random_readings(3)
    dbm, other = mrmc_dbm(readings, readers="fixed"), mrmc(readings, readers="fixed")
    c, k = other.components, 30
    expected = k * (c.var_error - c.cov1 + 3 * (c.cov2 - c.cov3))
    assert dbm.test_equality.denominator == pytest.approx(expected, rel=1e-9)
    assert dbm.test_equality.df == (1.0, 29.0)
    assert len(dbm.reader_differences) == 4
    pairs = zip(dbm.reader_differences, other.reader_differences, strict=True)
    for ours, theirs in pairs:
        assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-9)
        assert (ours.reader, ours.df) == (theirs.reader, 29.0)


def test_fixed_cases_leave_readers_as_the_error():
    result = mrmc_dbm(typed_readings(), cases="fixed")
    # > F <- ms[1]/ms[3]; c(F, pf(F, 1, 2, lower=FALSE))      (R session in test_mrmc.py)
    # [1] 2.52238805970 0.25316951349
    assert result.test_equality.statistic == pytest.approx(2.52238805970, rel=5e-11)
    assert result.test_equality.pvalue == pytest.approx(0.25316951349, rel=5e-10)


def test_components_add_up_to_the_mean_squares():
    result = mrmc_dbm(random_readings(4))
    c, ms = result.components, {name: row.mean_square for name, row in result.anova.items()}
    t, r, k = 2, 4, 30
    reader = c.var_error + k * c.var_condition_reader + t * c.var_reader_case + t * k * c.var_reader
    assert ms["reader"] == pytest.approx(reader)
    case = c.var_error + r * c.var_condition_case + t * c.var_reader_case + t * r * c.var_case
    assert ms["case"] == pytest.approx(case)


def test_missing_readings_are_sent_elsewhere():
    with pytest.raises(ValueError, match="use mrmc"):
        mrmc_dbm(with_missing(random_readings(5), 1))
    one = typed_readings().query("reader == 'a'")
    with pytest.raises(ValueError, match="two or more conditions and readers"):
        mrmc_dbm(one)


def test_nothing_random_or_no_variance_is_reported():
    with pytest.warns(DegenerateDataWarning, match="cannot be estimated"):
        result = mrmc_dbm(typed_readings(), readers="fixed", cases="fixed")
    assert math.isnan(result.test_equality.pvalue)
    assert result.reason is not None
    perfect = typed_readings()
    perfect["score"] = perfect["truth"]
    with pytest.warns(DegenerateDataWarning, match="estimated variance is 0"):
        assert np.isnan(mrmc_dbm(perfect).differences[0].pvalue)
