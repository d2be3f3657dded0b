"""Every reference case of pROC, binom and R's stats, through the public functions, within its own tolerance."""

import json

import pytest

from equipoise.analysis.verification.runner import run_one
from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import auc, compare_independent_aucs, operating_point

pytestmark = [
    pytest.mark.shared,
    pytest.mark.filterwarnings(f"ignore::{DegenerateDataWarning.__module__}.DegenerateDataWarning"),
]

N_CASES = 69


def cases_of(folder):
    return json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"]


def test_every_case_passes(fixtures_folder):
    folder = fixtures_folder / "roc"
    outcomes = [run_one("roc", case, folder) for case in cases_of(folder)]
    assert {outcome.case_id: outcome.problems for outcome in outcomes if outcome.state != "passed"} == {}
    assert len(outcomes) == N_CASES


def test_printed_values_of_asah(fixtures_folder):
    # Values of the statistics requirements, printed by pROC 1.18.0 under R 4.2.2 on its own data set aSAH.
    pd = pytest.importorskip("pandas")
    table = pd.read_csv(fixtures_folder / "roc" / "data" / "asah.csv")
    result = auc(table["s100b"], table["truth"])
    assert result.estimate == pytest.approx(0.7313686, abs=5e-8)
    assert result.variance == pytest.approx(0.002668682, abs=5e-10)
    point = operating_point(table["s100b"], table["truth"], threshold=0.205)
    assert point.sensitivity.exact.low == pytest.approx(0.4693625, abs=5e-8)
    assert point.sensitivity.exact.high == pytest.approx(0.7787721, abs=5e-8)
    women, men = (table[table["group"] == name] for name in ("Female", "Male"))
    unpaired = compare_independent_aucs(women["s100b"], women["truth"], men["s100b"], men["truth"])
    assert unpaired.statistic == pytest.approx(-0.5018808, abs=5e-8)
    assert unpaired.df == pytest.approx(106.4626, abs=5e-5)
    assert unpaired.pvalue == pytest.approx(0.6167878, abs=5e-8)


def test_a_wrong_expectation_fails(fixtures_folder):
    folder = fixtures_folder / "roc"
    case = next(case for case in cases_of(folder) if case["id"] == "auc_delong_asah_s100b")
    wrong = {**case, "expected": {**case["expected"], "auc": case["expected"]["auc"] + 1e-5}}
    outcome = run_one("roc", wrong, folder)
    assert outcome.state == "failed"
    assert outcome.problems[0].startswith("auc: got 0.73136")
