"""Every reference case of MRMCaov, RJafroc and iMRMC, through the public functions, within its own tolerance."""

import copy
import json

import pytest

from equipoise.analysis.verification import mrmc as verification
from equipoise.analysis.verification.outcomes import Superseded
from equipoise.analysis.verification.runner import run_one
from equipoise.common.warnings import DegenerateDataWarning
from equipoise.stats import mrmc
from tests.unit.stats.rated_cases import random_readings

pytestmark = pytest.mark.filterwarnings(f"ignore::{DegenerateDataWarning.__module__}.DegenerateDataWarning")

N_CASES = {"cases.json": 87, "cases_bootstrap.json": 4}


def cases_of(folder, name="cases.json"):
    return json.loads((folder / name).read_text(encoding="utf-8"))["cases"]


@pytest.mark.shared
@pytest.mark.parametrize("name", N_CASES)
def test_every_case_passes(fixtures_folder, name):
    folder = fixtures_folder / "mrmc"
    outcomes = [run_one("mrmc", case, folder) for case in cases_of(folder, name)]
    assert {outcome.case_id: outcome.problems for outcome in outcomes if outcome.state != "passed"} == {}
    assert len(outcomes) == N_CASES[name]


@pytest.mark.shared
def test_printed_interval_of_the_iowa_program(fixtures_folder):
    # Iowa OR-DBM MRMC 2.5 Build 4, published print of the Van Dyke data: F 4.46, error df 15.26, p .0517;
    # X2 5.47595, p .0193; single-treatment intervals .82522360-.96885048 and .89413783-.98753689.
    pd = pytest.importorskip("pandas")
    table = pd.read_csv(fixtures_folder / "mrmc" / "data" / "vandyke.csv")
    readings = table.rename(columns={"test": "condition", "rating": "score"})
    result = mrmc(readings)
    assert result.test_equality.statistic == pytest.approx(4.46, abs=0.005)
    assert result.test_equality.df[1] == pytest.approx(15.26, abs=0.005)
    assert result.test_equality.pvalue == pytest.approx(0.0517, abs=5e-5)
    limits = [
        bound
        for mean in result.condition_means
        for bound in (mean.confidence_interval.low, mean.confidence_interval.high)
    ]
    assert limits == pytest.approx([0.82522360, 0.96885048, 0.89413783, 0.98753689], abs=5e-9)
    fixed = mrmc(readings, readers="fixed").test_equality
    assert (fixed.statistic, fixed.pvalue) == pytest.approx((5.47595, 0.0193), abs=5e-5)


def fixed_reader_case(tmp_path, *, wanted):
    """Write a case in the form of MRMCaov on own data, whose cov2 is below or above cov3."""
    (tmp_path / "data").mkdir()
    for seed in range(60):
        readings = random_readings(seed, n_readers=3, n_cases=24)
        components = mrmc(readings).components
        if (components.cov2 < components.cov3) is wanted:
            break
    else:
        pytest.fail("no such table among the seeds")
    columns = {"condition": "test", "score": "rating"}
    readings.rename(columns=columns).to_csv(tmp_path / "data" / "own.csv", index=False)
    config = {"method": "OR", "metric": "empirical_auc", "covariance": "jackknife", "case_column": "case"}
    return {
        "id": "or_own_auc_jackknife_frrc",
        "input": {"file": "data/own.csv"},
        "config": {**config, "readers": "fixed", "cases": "random", "conf_level": 0.95},
        "tool": {"name": "MRMCaov (R)"},
        "tolerance": {"rtol": 1e-6, "atol": 1e-9},
    }


def test_fixed_readers_with_cov2_below_cov3_are_superseded_where_the_rule_says(tmp_path):
    case = fixed_reader_case(tmp_path, wanted=True)
    answer = verification.run_case({**case, "expected": {}}, tmp_path)
    assert isinstance(answer, Superseded)
    assert "max(cov2 - cov3, 0)" in answer.rule
    assert answer.got is not None
    expected = copy.deepcopy(
        {key: answer.got[key] for key in ("test_equality", "test_diffs", "or_components")}
    )
    expected["test_equality"]["denominator"] += 0.001  # what the tool's convention would change
    expected["test_diffs"][0]["se"] += 0.001
    outcome = run_one("mrmc", {**case, "expected": expected}, tmp_path)
    assert outcome.state == "superseded"
    assert outcome.n_compared > 5
    expected["or_components"]["cov1"] += 0.001  # what no convention changes must still agree
    assert run_one("mrmc", {**case, "expected": expected}, tmp_path).state == "failed"


def test_fixed_readers_with_cov2_above_cov3_are_required(tmp_path):
    case = fixed_reader_case(tmp_path, wanted=False)
    answer = verification.run_case({**case, "expected": {}}, tmp_path)
    assert not isinstance(answer, Superseded)
