"""Multi-reader analysis of readings that are not fully crossed, and of clustered cases."""

import math

import numpy as np
import pytest

from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import UnclusteredItemsWarning, compare_aucs, mrmc
from tests.unit.stats.rated_cases import cell_scores, random_readings, slow_auc, typed_readings, with_missing
from tests.unit.stats.test_mrmc import slow_jackknife


def slow_unbiased(readings):
    """Gallas 2007, by sums over all pairs of pairs that share no case: the unbiased estimate of A_a A_b."""
    cells = list(cell_scores(readings).values())
    matrix = np.empty((len(cells), len(cells)))
    success = [
        {
            (i, j): 0.5 * (np.sign(cell[i][0] - cell[j][0]) + 1)
            for i in cell
            if cell[i][1] == 1
            for j in cell
            if cell[j][1] == 0
        }
        for cell in cells
    ]
    for a, first in enumerate(success):
        for b, second in enumerate(success):
            apart = [
                x * y for (i, j), x in first.items() for (k, m), y in second.items() if i != k and j != m
            ]
            product = sum(first.values()) / len(first) * sum(second.values()) / len(second)
            matrix[a, b] = product - sum(apart) / len(apart)
    return matrix


def test_unbiased_covariance_agrees_with_sums_over_disjoint_pairs():
    readings = random_readings(1, n_readers=2, n_cases=12)
    np.testing.assert_allclose(
        mrmc(readings, covariance="unbiased").covariance, slow_unbiased(readings), atol=1e-14
    )
    partly = with_missing(readings, 2)
    np.testing.assert_allclose(
        mrmc(partly, covariance="unbiased").covariance, slow_unbiased(partly), atol=1e-14
    )


def test_missing_reading_leaves_the_cell_unchanged_in_the_jackknife():
    readings = with_missing(random_readings(3), 4)
    result = mrmc(readings)
    np.testing.assert_allclose(result.covariance, slow_jackknife(readings), rtol=1e-9)
    assert result.case_design == "partly crossed"
    n_missing = 2 * 4 * 30 - len(readings)
    assert f"{n_missing} of 240 readings missing" in result.provenance.missing
    counts = [len(cell) for cell in cell_scores(readings).values()]
    assert [row.n for row in result.reader_estimates] == counts


def test_delong_refuses_missing_readings():
    with pytest.raises(ValueError, match="'delong' needs every case read in every cell"):
        mrmc(with_missing(random_readings(3), 4), covariance="delong")


def test_cases_nested_in_readers_share_nothing_between_readers():
    readings = random_readings(5)
    nested = readings.assign(case=readings["reader"] + "-" + readings["case"].astype(str))
    result = mrmc(nested, covariance="unbiased")
    assert result.case_design == "nested in readers"
    assert (result.components.cov2, result.components.cov3) == (0.0, 0.0)
    crossed = mrmc(readings, covariance="unbiased")
    assert result.components.cov1 == pytest.approx(crossed.components.cov1)
    assert result.test_equality.denominator == pytest.approx(result.anova["condition x reader"].mean_square)


def test_cases_nested_in_conditions_share_nothing_between_conditions():
    readings = random_readings(6)
    nested = readings.assign(case=readings["condition"] + "-" + readings["case"].astype(str))
    result = mrmc(nested, covariance="unbiased")
    assert result.case_design == "nested in conditions"
    assert (result.components.cov1, result.components.cov3) == (0.0, 0.0)
    assert result.components.cov2 == pytest.approx(mrmc(readings, covariance="unbiased").components.cov2)


def test_cases_read_once_share_nothing():
    readings = random_readings(7)
    once = readings.assign(case=np.arange(len(readings)))
    result = mrmc(once)
    assert result.case_design == "nested in readers and conditions"
    components = result.components
    assert (components.cov1, components.cov2, components.cov3) == (0.0, 0.0, 0.0)


def nested_readers():
    readings = random_readings(8, n_readers=5)
    first = (readings["condition"] == "m0") & readings["reader"].isin(["r0", "r1", "r2"])
    second = (readings["condition"] == "m1") & readings["reader"].isin(["r3", "r4"])
    return readings[first | second]


def test_readers_nested_in_conditions_with_fixed_cases_are_a_one_way_analysis():
    result = mrmc(nested_readers(), cases="fixed")
    groups = [
        np.array([row.estimate for row in result.reader_estimates if row.condition == name])
        for name in ("m0", "m1")
    ]
    grand = np.concatenate(groups).mean()
    between = sum(g.size * (g.mean() - grand) ** 2 for g in groups)
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / 3
    assert result.reader_design == "nested in conditions"
    assert result.test_equality.statistic == pytest.approx(between / within)
    assert result.test_equality.df == (1.0, 3.0)
    assert result.differences[0].standard_error == pytest.approx(math.sqrt(within * (1 / 3 + 1 / 2)))


def test_readers_nested_in_conditions_with_random_cases_are_sent_to_the_u_statistics():
    with pytest.warns(DegenerateDataWarning, match="mrmc_ustatistics"):
        result = mrmc(nested_readers())
    assert math.isnan(result.test_equality.pvalue)
    assert "mrmc_ustatistics" in str(result.test_equality.reason)
    assert [mean.n_readers for mean in result.condition_means] == [3, 2]
    assert not math.isnan(result.condition_means[0].standard_error)


@pytest.mark.filterwarnings("ignore::equipoise.common.warnings.DegenerateDataWarning")
def test_fixed_readers_nested_in_conditions_are_compared_by_their_covariance():
    readings = nested_readers()
    pair = readings[readings["reader"].isin(["r0", "r3"])]
    difference = mrmc(pair, covariance="delong").differences[0]
    scores = [pair.loc[pair["reader"] == name, "score"].to_numpy() for name in ("r0", "r3")]
    paired = compare_aucs(*scores, pair.loc[pair["reader"] == "r0", "truth"].to_numpy())
    assert difference.standard_error == pytest.approx(paired.standard_error, rel=1e-12)
    assert difference.pvalue == pytest.approx(paired.pvalue, rel=1e-12)


def test_reader_without_a_condition_is_left_out_and_named():
    readings = random_readings(9)
    partial = readings[~((readings["reader"] == "r2") & (readings["condition"] == "m1"))]
    with pytest.warns(DegenerateDataWarning, match=r"left out: \['r2'\]"):
        result = mrmc(partial)
    complete = mrmc(readings[readings["reader"] != "r2"])
    assert result.left_out_readers == ("r2",)
    assert result.n_readers == 3
    assert len(result.reader_estimates) == 7
    assert result.differences[0].estimate == pytest.approx(complete.differences[0].estimate)
    assert result.test_equality.pvalue == pytest.approx(complete.test_equality.pvalue)


@pytest.mark.filterwarnings("ignore::equipoise.common.warnings.DegenerateDataWarning")
def test_cell_of_one_class_is_undefined_and_its_reader_left_out():
    readings = random_readings(10)
    cell = (readings["reader"] == "r1") & (readings["condition"] == "m0") & (readings["truth"] == 1)
    result = mrmc(readings[~cell])
    undefined = next(row for row in result.reader_estimates if (row.condition, row.reader) == ("m0", "r1"))
    assert math.isnan(undefined.estimate)
    assert result.left_out_readers == ("r1",)
    assert not math.isnan(result.test_equality.pvalue)


def test_no_common_reader_is_refused():
    readings = random_readings(11, n_conditions=3, n_readers=3)
    pairs = {("m0", "r0"), ("m1", "r0"), ("m1", "r1"), ("m2", "r1"), ("m2", "r2"), ("m0", "r2")}
    keep = [(row.condition, row.reader) in pairs for row in readings.itertuples()]
    with pytest.raises(ValueError, match="no reader has an estimate in every condition"):
        mrmc(readings[keep])


def test_a_cluster_per_case_is_the_plain_jackknife():
    readings = random_readings(12)
    alone = mrmc(readings, clusters=readings["case"].tolist())
    np.testing.assert_allclose(alone.covariance, mrmc(readings).covariance, rtol=1e-10)
    assert alone.provenance.variance_estimator == "jackknife of clusters"


def slow_cluster_jackknife(readings, patients):
    cells = cell_scores(readings)
    values = np.array(
        [
            [
                slow_auc({k: v for k, v in cell.items() if patients[k] != patient})
                for patient in sorted(set(patients))
            ]
            for cell in cells.values()
        ]
    )
    k = values.shape[1]
    centred = values - values.mean(axis=1, keepdims=True)
    return (k - 1) / k * centred @ centred.T


def test_clusters_are_deleted_whole():
    readings = random_readings(13)
    patients = [case // 3 for case in range(30)]
    clustered = readings.assign(patient=readings["case"] // 3)
    result = mrmc(clustered, clusters="patient")
    np.testing.assert_allclose(result.covariance, slow_cluster_jackknife(readings, patients), rtol=1e-10)


def test_one_clustered_reader_is_obuchowskis_test():
    readings = random_readings(14, n_readers=1)
    readings["patient"] = readings["case"] // 2
    result = mrmc(readings, clusters="patient", covariance="delong")
    scores = [readings.loc[readings["condition"] == name, "score"].to_numpy() for name in ("m0", "m1")]
    one = readings[readings["condition"] == "m0"]
    paired = compare_aucs(*scores, one["truth"].to_numpy(), clusters=one["patient"].to_numpy())
    assert result.differences[0].standard_error == pytest.approx(paired.standard_error, rel=1e-12)
    assert "Obuchowski" in result.provenance.variance_estimator


def test_cluster_bootstrap_and_cluster_jackknife_are_close():
    readings = random_readings(15, n_cases=80)
    readings["patient"] = readings["case"] // 2
    jackknife = mrmc(readings, clusters="patient").components
    bootstrap = mrmc(readings, clusters="patient", covariance="bootstrap", n_resamples=4000, rng=1)
    assert bootstrap.components.var_error == pytest.approx(jackknife.var_error, rel=0.15)
    assert bootstrap.provenance.variance_estimator == "bootstrap of clusters"


def test_unbiased_covariance_refuses_clusters():
    readings = random_readings(16)
    with pytest.raises(ValueError, match="'unbiased' is not defined with clusters"):
        mrmc(readings, clusters=readings["case"].tolist(), covariance="unbiased")


def test_items_of_a_case_warn_unless_clustered():
    readings = random_readings(17)
    items = readings.assign(item=readings["case"] % 2, case=readings["case"] // 2)
    with pytest.warns(UnclusteredItemsWarning, match="15 cases have 30 items"):
        flat = mrmc(items)
    np.testing.assert_allclose(flat.covariance, mrmc(readings).covariance)
    clustered = mrmc(items, clusters="case")
    assert clustered.n_cases == 30
    np.testing.assert_allclose(
        clustered.covariance,
        mrmc(readings.assign(patient=readings["case"] // 2), clusters="patient").covariance,
    )


def test_one_item_per_case_is_no_cluster():
    readings = typed_readings()
    same = mrmc(readings.assign(item="whole scan"))
    assert same.differences == mrmc(readings).differences
