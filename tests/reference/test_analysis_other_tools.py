"""Reference data of other tools through the analyses: the numbers that those tools print come out."""

import pytest

from equipoise.analysis import AnalysisPlan, run_analysis
from tests.reference.analysis_tables import columns_of, rows_of

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def vandyke(fixtures_folder):
    rows = rows_of(fixtures_folder / "mrmc" / "data" / "vandyke.csv")
    return columns_of(
        [
            {
                "participant": row["reader"],
                "case": row["case"],
                "condition": row["test"],
                "score": row["rating"],
                "truth": row["truth"],
            }
            for row in rows
        ]
    )


def test_obuchowski_rockette_of_van_dyke(vandyke):
    plan = AnalysisPlan(parameters={"first": "1", "second": "2"})
    result = run_analysis("mrmc", {"readings": vandyke}, plan=plan)
    number = result.number("difference", first="1", second="2")
    found = [number.value, number.standard_error, number.df, number.pvalue, number.low, number.high]
    expected = [-0.04380032, 0.02074862, 15.25967, 0.05166569, -0.0879595, 0.0003589]
    assert found == pytest.approx(expected, rel=2e-6, abs=5e-8)
    assert result.number("equality").statistic == pytest.approx(4.456319, rel=1e-6)
    means = [result.number("condition_mean", condition=name) for name in ("1", "2")]
    assert [(m.low, m.high) for m in means] == [
        pytest.approx((0.82522360, 0.96885048), abs=5e-9),
        pytest.approx((0.89413783, 0.98753689), abs=5e-9),
    ]
    unstats = [n for n in result.numbers if n.quantity == "difference.u_statistics"]
    assert unstats[0].pvalue == pytest.approx(0.05564666, rel=1e-6)


def test_sensitivity_of_van_dyke_at_a_threshold(vandyke):
    plan = AnalysisPlan(parameters={"metric": "sensitivity", "threshold": 3, "first": "1", "second": "2"})
    result = run_analysis("mrmc", {"readings": vandyke}, plan=plan)
    number = result.number("difference", first="1", second="2")
    assert [number.standard_error, number.pvalue, number.low, number.high] == pytest.approx(
        [0.0378045, 0.02008822, -0.1780371, -0.0175185], rel=2e-6
    )


@pytest.mark.parametrize(
    "column, area, low, high",
    [("s100b", 0.7313686, 0.6301182, 0.8326189), ("wfns", 0.8236789, 0.7485349, 0.8988228)],
)
def test_areas_of_subarachnoid_haemorrhage(fixtures_folder, column, area, low, high):
    rows = rows_of(fixtures_folder / "roc" / "data" / "asah.csv")
    table = columns_of(
        [
            {"participant": "marker", "case": str(i), "score": row[column], "truth": row["truth"]}
            for i, row in enumerate(rows)
        ]
    )
    number = run_analysis("roc", {"readings": table}).number("auc", participant="marker")
    assert (number.value, number.low, number.high) == pytest.approx((area, low, high), abs=5e-8)


PUBLISHED_RULES = {"time_divisor": 30, "censor_after": 100, "interval": "log", "time_unit": "months"}


@pytest.mark.parametrize(
    "file, column, chi_square, pvalue",
    [
        ("dune_lung1.csv", "orig_recist", 13.07671, 0.00029899),
        ("dune_lung1.csv", "volume_predicted", 22.92309, 1.686e-06),
        ("dune_stanford.csv", "predicted_recist", 8.776802, 0.00305086),
        ("dune_stanford.csv", "volume_orig", 4.665812, 0.03076886),
    ],
)
def test_log_rank_of_the_published_prognostic_table(fixtures_folder, file, column, chi_square, pvalue):
    rows = rows_of(fixtures_folder / "survival" / "data" / file)
    table = columns_of(
        [
            {"case": str(i), "time": r["Surv_time_days"], "event": r["Status"], "measure": r[column]}
            for i, r in enumerate(rows)
        ]
    )
    result = run_analysis("survival", {"survival": table}, plan=AnalysisPlan(parameters=PUBLISHED_RULES))
    number = result.number("log_rank", groups="measure")
    assert number.statistic == pytest.approx(chi_square, rel=1e-6)
    assert number.pvalue == pytest.approx(pvalue, rel=3e-4)


def test_cox_of_the_published_prognostic_table(fixtures_folder):
    rows = rows_of(fixtures_folder / "survival" / "data" / "dune_lung1.csv")
    table = columns_of(
        [
            {"case": str(i), "time": r["Surv_time_days"], "event": r["Status"], "recist": r["orig_recist"]}
            for i, r in enumerate(rows)
        ]
    )
    result = run_analysis("survival", {"survival": table}, plan=AnalysisPlan(parameters=PUBLISHED_RULES))
    ratio = result.number("hazard_ratio", measurement="recist", scale="per unit")
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.007908, 1.004381, 1.011448), abs=5e-7)
    assert ratio.pvalue == pytest.approx(1.063e-05, rel=1e-3)
    assert result.number("c_index", measurement="recist").value == pytest.approx(0.5822453, abs=5e-8)
