"""Which part of the tables enters: the per-protocol set, one group, the cases of one stratum."""

import pytest

from equipoise.analysis import AnalysisInputError, AnalysisPlan, run_analysis
from equipoise.analysis.plan import ANALYSIS_SETS

TIMES = {
    "participant": ["R-01", "R-01", "R-01", "R-02", "R-02", "R-02", "A-01"],
    "participant_kind": [*["reader"] * 6, "algorithm"],
    "group": [*["radiology"] * 3, *["other"] * 3, ""],
    "case": ["P-1", "P-2", "P-3", "P-1", "P-2", "P-3", "P-1"],
    "wall_s": [10.0, 20.0, 60.0, 30.0, 40.0, 50.0, 1.0],
    "flags": [
        "", "not_per_protocol:environment", "interrupted not_per_protocol:order not_per_protocol:environment",
        "", "", "not_per_protocol:order", "failed",
    ],
    "state": [*["submitted"] * 5, "not-done", "submitted"],
}  # fmt: skip
OF_CASES = {"case": ["P-1", "P-2", "P-3"], "truth": [1, 0, 1], "site": ["A", "B", "A"]}
TIME = {"time": "wall_s"}


def timed(*, tables=None, **plan):
    return run_analysis(
        "reading-time",
        {"readings": TIMES, **(tables or {})},
        plan=AnalysisPlan(parameters=TIME, **plan),
        rng_seed=1,
    )


def median(result, participant):
    return result.number("time.median", participant=participant).value


def test_all_submitted_readings_enter_unless_the_plan_says_otherwise():
    whole = timed()
    assert (median(whole, "R-01"), median(whole, "R-02")) == (20, 40)
    assert (whole.analysis_set, dict(whole.where)) == ("all_submitted", {})
    assert "per_protocol_set" not in whole.tables


def test_per_protocol_set_leaves_out_flagged_readings_and_says_how_many_and_why():
    found = timed(analysis_set="per_protocol")
    assert (median(found, "R-01"), median(found, "R-02")) == (10, 35)
    # What was not read is no reading that could be left out; an algorithm's results are no readings.
    assert found.tables["per_protocol_set"].records() == [
        {"what": "all submitted", "readings": 5, "results of algorithms": 1},
        {"what": "left out: environment", "readings": 1, "results of algorithms": 0},
        {"what": "left out: environment and order", "readings": 1, "results of algorithms": 0},
        {"what": "per-protocol set", "readings": 3, "results of algorithms": 1},
    ]
    assert (
        "Per-protocol set: 2 of 5 readings left out by protocol deviations (environment 1, environment and order 1), "
        "0 of 1 results of algorithms left out by protocol deviations, decided before unblinding; all tasks and "
        "repeats are counted." in found.notes
    )
    # Both sets are of the same data.
    assert found.data_sha256 == timed().data_sha256


def test_results_of_algorithms_are_counted_apart_from_readings():
    algorithm = {
        "participant": ["A-01"] * 3, "participant_kind": ["algorithm"] * 3, "group": [""] * 3,
        "case": ["P-1", "P-2", "P-3"], "wall_s": [1.0, 2.0, 9.0], "state": ["submitted"] * 3,
        "flags": ["", "failed not_per_protocol:case_material", "not_per_protocol:case_material"],
    }  # fmt: skip
    rows = {name: [*values[:-1], *algorithm[name]] for name, values in TIMES.items()}
    plan = AnalysisPlan(parameters=TIME, analysis_set="per_protocol")
    found = run_analysis("reading-time", {"readings": rows}, plan=plan)
    assert median(found, "A-01") == 1
    assert found.tables["per_protocol_set"].records() == [
        {"what": "all submitted", "readings": 5, "results of algorithms": 3},
        {"what": "left out: case material", "readings": 0, "results of algorithms": 2},
        {"what": "left out: environment", "readings": 1, "results of algorithms": 0},
        {"what": "left out: environment and order", "readings": 1, "results of algorithms": 0},
        {"what": "per-protocol set", "readings": 3, "results of algorithms": 1},
    ]
    assert any(
        "2 of 3 results of algorithms left out by protocol deviations (case material 2)" in note
        for note in found.notes
    )


def test_one_group_is_computed_from_its_readings_and_those_of_algorithms():
    part = timed(where={"group": "other"})
    assert (median(part, "R-02"), median(part, "A-01")) == (40, 1)
    assert not [number for number in part.numbers if number.subject.get("participant") == "R-01"]
    assert "Computed from a part of the readings alone: where group is other." in part.notes


def test_per_protocol_set_of_a_part_is_counted_within_the_part():
    part = timed(where={"group": "radiology"}, analysis_set="per_protocol")
    assert part.tables["per_protocol_set"].records()[0] == {
        "what": "all submitted", "readings": 3, "results of algorithms": 1,
    }  # fmt: skip
    assert median(part, "R-01") == 10


def test_one_stratum_is_computed_from_the_readings_of_its_cases():
    part = timed(tables={"truth": OF_CASES}, where={"site": "A"})
    assert (median(part, "R-01"), median(part, "R-02")) == (35, 40)


@pytest.mark.parametrize(
    ("plan", "problem"),
    [
        ({"where": {"group": "nobody's"}}, "no row is left where group is nobody's"),
        ({"where": {"site": "A"}}, "No table of this analysis has the column 'site'"),
    ],
)
def test_a_part_that_is_not_there_is_refused(plan, problem):
    rows = {name: [values[0]] for name, values in TIMES.items()}
    with pytest.raises(AnalysisInputError, match=problem):
        run_analysis("reading-time", {"readings": rows}, plan=AnalysisPlan(parameters=TIME, **plan))


def test_a_set_without_a_reading_or_without_flags_is_refused():
    rows = {name: [values[1]] for name, values in TIMES.items()}
    plan = AnalysisPlan(parameters=TIME, analysis_set="per_protocol")
    with pytest.raises(AnalysisInputError, match="every reading is outside"):
        run_analysis("reading-time", {"readings": rows}, plan=plan)
    del rows["flags"]
    with pytest.raises(AnalysisInputError, match="no column 'flags'"):
        run_analysis("reading-time", {"readings": rows}, plan=plan)


def test_plan_says_its_set_and_its_part():
    plan = AnalysisPlan.from_mapping({"analysis_set": "per_protocol", "where": {"group": "other"}}, "roc")
    assert (plan.analysis_set, plan.where) == ("per_protocol", {"group": "other"})
    with pytest.raises(AnalysisInputError, match=f"is not one of {', '.join(ANALYSIS_SETS)}"):
        AnalysisPlan.from_mapping({"analysis_set": "some", "where": ["group"]}, "roc")
