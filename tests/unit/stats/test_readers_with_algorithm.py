"""Readers against a fixed algorithm. R 4.2.2, condition "aided" and the algorithm of rated_cases.py:

> w <- function(s, k) mean of psi over the pairs left without case k
> dif <- sapply(s[1:3], function(v) w(v) - w(alg))
> dk <- sapply(1:16, function(k) sapply(s[1:3], function(v) w(v,k) - w(alg,k)))
> V <- 15/16*(dk-rowMeans(dk)) %*% t(dk-rowMeans(dk)); m <- var(dif); c2 <- mean(V[upper.tri(V)])
> t <- m + 3*max(c2,0); df <- t^2/(m^2/2); est <- mean(dif); se <- sqrt(t/3)
> c(est, se, df, 2*pt(-abs(est/se), df), est + c(-1,1)*qt(.975,df)*se); c(m, mean(diag(V)), c2)
[1]   0.021164021164   0.105815972141 233.710739191472   0.841648393364
[5]  -0.187311043120   0.229639085448
[1] 0.0031074158058 0.0176020326147 0.0101612146916
"""

import math

import numpy as np
import pandas as pd
import pytest

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import auc, compare_readers_with_algorithm, non_inferiority
from tests.unit.stats.rated_cases import ALGORITHM, TRUTH, typed_readings

AIDED = typed_readings().query("condition == 'aided'").drop(columns="truth")
SCORES = dict(enumerate(ALGORITHM))
STANDARD = {case: int(value) for case, value in enumerate(TRUTH)}


def test_agrees_with_r():
    result = compare_readers_with_algorithm(AIDED, SCORES, STANDARD)
    found = [result.estimate, result.standard_error, result.df, result.pvalue]
    assert found == pytest.approx(
        [0.021164021164, 0.105815972141, 233.710739191472, 0.841648393364], rel=5e-11
    )
    assert result.confidence_interval.low == pytest.approx(-0.187311043120, abs=5e-12)
    assert result.confidence_interval.high == pytest.approx(0.229639085448, abs=5e-12)
    variances = [result.ms_reader, result.var_error, result.cov2]
    assert variances == pytest.approx([0.0031074158058, 0.0176020326147, 0.0101612146916], rel=5e-11)
    assert result.readers_mean - result.algorithm_estimate == pytest.approx(result.estimate)
    assert "fixed algorithm" in result.method


def test_tables_and_series_say_the_same_as_mappings():
    expected = compare_readers_with_algorithm(AIDED, SCORES, STANDARD)
    series = compare_readers_with_algorithm(AIDED, pd.Series(SCORES), pd.Series(STANDARD))
    tables = compare_readers_with_algorithm(
        AIDED.to_dict("records"),
        pd.DataFrame({"case": list(SCORES), "score": ALGORITHM}),
        {"case": list(STANDARD), "truth": list(STANDARD.values())},
    )
    for other in (series, tables):
        assert (other.estimate, other.pvalue) == (expected.estimate, expected.pvalue)


def test_the_scale_of_the_algorithm_does_not_matter():
    plain = compare_readers_with_algorithm(AIDED, SCORES, STANDARD)
    moved = compare_readers_with_algorithm(AIDED, {k: math.exp(9 * v) for k, v in SCORES.items()}, STANDARD)
    assert (moved.estimate, moved.standard_error) == (plain.estimate, plain.standard_error)


def test_each_reader_is_compared_on_the_cases_it_read():
    fewer = AIDED[~((AIDED["reader"] == "b") & AIDED["case"].isin([0, 3, 12]))]
    result = compare_readers_with_algorithm(fewer, SCORES, STANDARD)
    b = next(row for row in result.reader_differences if row.reader == "b")
    cases = fewer.loc[fewer["reader"] == "b", "case"].tolist()
    truth = [STANDARD[case] for case in cases]
    assert b.n_cases == 13
    assert b.algorithm_estimate == pytest.approx(auc([SCORES[c] for c in cases], truth).estimate)
    own = auc(fewer.loc[fewer["reader"] == "b", "score"], truth).estimate
    assert b.estimate == pytest.approx(own - b.algorithm_estimate)
    assert result.algorithm_estimate == pytest.approx(auc(ALGORITHM, list(STANDARD.values())).estimate)


def test_one_reader_is_fixed_and_tested_against_the_normal():
    one = AIDED[AIDED["reader"] == "a"]
    result = compare_readers_with_algorithm(one, SCORES, STANDARD)
    assert (result.readers, result.df) == ("fixed", math.inf)
    assert result.standard_error == pytest.approx(math.sqrt(result.covariance[0, 0]))
    assert result.pvalue == pytest.approx(result.reader_differences[0].pvalue)


def test_a_readers_own_scores_as_algorithm_leave_no_difference():
    one = AIDED[AIDED["reader"] == "a"]
    copy = dict(zip(one["case"], one["score"], strict=True))
    with pytest.warns(DegenerateDataWarning, match="estimated variance is 0"):
        result = compare_readers_with_algorithm(one, copy, STANDARD)
    assert result.estimate == 0.0
    assert math.isnan(result.pvalue)


def test_decisions_are_compared_with_a_threshold_on_both():
    result = compare_readers_with_algorithm(
        AIDED.assign(score=AIDED["score"] / 5), SCORES, STANDARD, metric="sensitivity", threshold=0.6
    )
    called = np.array(ALGORITHM)[9:] >= 0.6
    assert result.algorithm_estimate == pytest.approx(called.mean())


def test_clusters_are_deleted_whole():
    patients = AIDED["case"] // 2
    result = compare_readers_with_algorithm(AIDED.assign(), SCORES, STANDARD, clusters=patients.tolist())
    assert result.provenance.variance_estimator == "jackknife of clusters"
    plain = compare_readers_with_algorithm(AIDED, SCORES, STANDARD)
    assert result.estimate == plain.estimate
    assert result.standard_error != plain.standard_error


def test_feeds_non_inferiority():
    result = compare_readers_with_algorithm(AIDED, SCORES, STANDARD)
    assert non_inferiority(result, 0.2).non_inferior is True


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((AIDED, {0: 0.5}, STANDARD), r"algorithm_scores lacks the cases \[1, 2, 3, 4, 5\]"),
        ((AIDED, {**SCORES, 3: math.nan}, STANDARD), "algorithm_scores must be finite, got nan"),
        ((AIDED, SCORES, {0: 1}), r"truth lacks the cases \[1, 2, 3, 4, 5\]"),
        ((typed_readings(), SCORES, STANDARD), "hold 2 conditions: compare one at a time"),
        ((AIDED.assign(participant_kind="algorithm"), SCORES, STANDARD), "is an algorithm"),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        compare_readers_with_algorithm(*arguments)
