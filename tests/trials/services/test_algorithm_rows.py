"""Algorithms in the tidy table: rows like any participant's, told to nobody by arm before unblinding, never readers."""

import csv
import io

import pytest

from equipoise.analysis.plan import AnalysisPlan
from equipoise.analysis.run import run_analysis
from equipoise.analysis.tables import Table
from tests.factories import trials as factory
from tests.trials.bundle.test_per_protocol import deviation
from trials.domain.results import (
    Failure,
    FailureCode,
    ModelVersion,
    ResultIn,
    ResultTask,
    RunTime,
    UsedInTraining,
)
from trials.domain.states import TrialAction
from trials.models import Reading
from trials.reports.exports import readings_csv
from trials.selectors.allocation import balance_allocated, balance_read
from trials.selectors.monitor import monitor_document
from trials.selectors.report import report_facts
from trials.selectors.tables import readings_columns, readings_rows, snapshot_sha256
from trials.services.analysis import analysis_compute, analysis_request
from trials.services.results import Sent, results_receive

pytestmark = [pytest.mark.django_db, pytest.mark.db]

WEIGHTS = "ab" * 32
PROTOCOL = {
    "algorithms.0.name": "Segmenter",
    "algorithms.0.version": "2.1",
    "algorithms.0.weights_sha256": WEIGHTS,
    "algorithms.0.weights_unknown_because": None,
    "algorithms.0.operating_threshold": "0.4",
    "algorithms.0.operating_threshold_from": "an earlier set",
}


def result(case, **changes):
    fields = {
        "key": f"{case}:{changes.get('repeat', 1)}",
        "case": case,
        "model": ModelVersion("Segmenter", "2.1", WEIGHTS),
        "task": ResultTask.CLASSIFICATION,
        "run": RunTime(2.5, "a machine", "cpu", 1.0),
    }
    return ResultIn(**{**fields, **changes})


def receive(world, *results):
    sent = [Sent(one.key, one.case, one) for one in results]
    reports = results_receive(world.trial, sent, actor=world.actor)
    assert {report.outcome for report in reports} == {"stored"}, reports


@pytest.fixture
def world():
    """An open trial of one reader, with an algorithm's answers for three of its cases and a failure for one."""
    world = factory.open_world(**PROTOCOL)
    reader = world.enrol()
    factory.read_everything(reader)
    receive(
        world,
        result("C-001", probability=0.4),
        result("C-002", probability=0.41, used_in_training=UsedInTraining.TUNING),
        result("C-003", failure=Failure(FailureCode.OUT_OF_MEMORY, "too large"), run=None),
        result("C-001", probability=0.4, repeat=2),
        result("C-007", probability=0.9),  # a practice patient
    )
    return world


def algorithm_rows(world, *, unblinded):
    rows = readings_rows(world.trial, unblinded=unblinded)
    return [row for row in rows if row["participant_kind"] == "algorithm"]


def chosen(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def test_results_are_rows_with_score_decision_time_and_failure(world):
    rows = algorithm_rows(world, unblinded=True)
    assert chosen(rows, "participant", "case", "repeat", "score", "decision", "failure_code", "flags") == [
        ("A-01", "C-001", 1, 0.4, 0, None, ""),
        ("A-01", "C-001", 2, 0.4, 0, None, ""),
        ("A-01", "C-002", 1, 0.41, 1, None, ""),
        ("A-01", "C-003", 1, None, None, "out_of_memory", "failed"),
    ]
    assert chosen(rows, "run_s", "decision_s", "wall_s", "active_s", "device", "used_in_training") == [
        (2.5, 2.5, 2.5, None, "cpu", "no"),
        (2.5, 2.5, 2.5, None, "cpu", "no"),
        (2.5, 2.5, 2.5, None, "cpu", "tuning"),
        (None, None, None, None, "", "no"),
    ]
    assert {tuple(row) for row in rows} == {readings_columns(world.trial)}
    items = {item.case.code: item.code for item in world.trial.items.filter(practice=False)}
    assert [row["item"] for row in rows] == [items.get(row["case"]) for row in rows]

    # before unblinding a row says that there is a result, and nothing of it
    for row in algorithm_rows(world, unblinded=False):
        told = {name for name, value in row.items() if value is not None and value != ""}
        assert told - {"item", "device"} == {
            "trial", "participant", "participant_kind", "case", "repeat", "task", "state", "used_in_training",
        }  # fmt: skip
    lines = list(csv.DictReader(io.StringIO("".join(readings_csv(world.trial)))))
    mine = [line for line in lines if line["participant_kind"] == "algorithm"]
    assert [(line["case"], line["score"], line["run_s"]) for line in mine] == [
        ("C-001", "", ""),
        ("C-001", "", ""),
        ("C-002", "", ""),
        ("C-003", "", ""),
    ]


def test_table_and_frozen_hash_of_a_trial_without_results_are_as_before():
    world = factory.open_world()
    assert "run_s" not in readings_columns(world.trial)
    rows = list(csv.reader(io.StringIO("".join(readings_csv(world.trial)))))
    assert rows[0] == list(readings_columns(world.trial))


def test_algorithm_is_no_reader_in_balance_and_monitor(world):
    readings = Reading.objects.count()
    document = monitor_document(world.trial)
    assert [row["participant"] for row in document["progress"]] == ["R-01"]
    assert [row["participant"] for row in document["pace"]] == ["R-01"]
    assert sum(document["flow"]["readings"].values()) == readings - 1  # all but the practice one
    for balance in (balance_allocated(world.trial), balance_read(world.trial)):
        assert "A-01" not in str(balance)
    frozen = snapshot_sha256(world.trial)
    receive(world, result("C-004", probability=0.1))
    assert snapshot_sha256(world.trial) != frozen


def test_preference_is_of_readers_only(world):
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    analysis = analysis_request(
        world.trial, name="preference", options={}, external_table=None, actor=world.actor
    )
    found = analysis_compute(analysis)["results"]
    assert "Rows of algorithms were left out: a preference is a reader's." in found["notes"]
    scores = [one["n"] for one in found["numbers"] if one["quantity"] == "preference_score"]
    assert scores
    assert max(scores) <= 6


def test_stand_alone_failure_counts_as_wrong_and_use_in_training_is_said(world):
    rows = algorithm_rows(world, unblinded=True)
    truth = {"C-001": 0, "C-002": 1, "C-003": 1}
    columns = list(rows[0])
    readings = Table.of_rows("readings", columns, [[row[name] for name in columns] for row in rows])
    reference = Table.of_rows("truth", ["case", "truth"], [[case, value] for case, value in truth.items()])
    found = run_analysis(
        "roc",
        {"readings": readings, "truth": reference},
        plan=AnalysisPlan(parameters={"task": "classification"}),
        rng_seed=1,
    ).to_json()
    areas = [one for one in found["numbers"] if one["quantity"] == "auc"]
    assert areas[0]["value"] == 0.5  # the failed diseased case ranks below the healthy one
    assert "Apparent performance: 1 of 3 cases" in str(found)


def test_what_is_taken_out_of_the_per_protocol_set_is_out_and_counted_for_algorithms_too(world):
    deviation(world, "case_material", case="C-003")
    assert flags_of_results(world) == {
        "C-001": "",
        "C-002": "",
        "C-003": "failed not_per_protocol:case_material",
    }
    assert outside_of_results(world) == {"The case was not as planned": 1}
    deviation(world, "technical", participant="A-01")
    assert flags_of_results(world) == {
        "C-001": "not_per_protocol:technical",
        "C-002": "not_per_protocol:technical",
        "C-003": "failed not_per_protocol:technical not_per_protocol:case_material",
    }
    assert outside_of_results(world) == {
        "Technical fault": 3,  # C-001 twice
        "Technical fault and The case was not as planned": 1,
    }


def flags_of_results(world):
    rows = readings_rows(world.trial, unblinded=True)
    return {row["case"]: row["flags"] for row in rows if row["participant_kind"] == "algorithm"}


def outside_of_results(world):
    return dict(report_facts(world.trial).conduct.results_outside_per_protocol)
