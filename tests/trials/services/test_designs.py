"""Designs whose readers read different conditions or cases, from protocol lock to the planned analysis."""

import pytest

from equipoise.common.errors import ValidationFailedError
from tests.factories import bone_scans as bones
from tests.trials.rehearsal.test_repeated import DIFFERENT_READERS
from tests.trials.rehearsal.test_single_run import draft_of
from trials.domain.rehearsal import RehearsalPlan
from trials.domain.rehearsal_gate import gate_report
from trials.domain.states import TrialAction
from trials.models import AllocationRow, Reading, Slot
from trials.rehearsal.gate import gate_expected, gate_runs
from trials.rehearsal.gate_inputs import gate_inputs
from trials.rehearsal.run import rehearse
from trials.selectors.allocation import allocation_document, allocation_proof
from trials.services.participant import participant_withdraw

pytestmark = [pytest.mark.django_db, pytest.mark.db]

KIND, SETS = "allocation.design.kind", "allocation.design.case_sets"
DESIGNS = {
    "parallel": {KIND: "parallel"},
    "split-plot": {KIND: "fully-crossed", SETS: {"kind": "blocks", "blocks": 2}},
    "incomplete": {SETS: {"kind": "subsets", "readers_per_case": 2, "overlap_cases": 2}},
}
READ_BY_ONE = {"parallel": 8, "split-plot": 8, "incomplete": 10}
"""Readings of one reader: of 8 cases, 4 in 2 conditions, and 2 of the overlap with half of the others in 2."""


def of_readers(count):
    return {"allocation.strata": [{"key": "all", "label": "All readers", "participants": count}]}


def world_of(name, *, readers=4, cases=8, **changes):
    return bones.bone_scan_world(cases=cases, **{**of_readers(readers), **DESIGNS[name], **changes})


@pytest.mark.parametrize("name", list(DESIGNS))
def test_a_design_is_rehearsed_locked_and_its_replacements_keep_the_balance(name):
    world = world_of(name)
    report = rehearse(world.trial, seed=1, plan=RehearsalPlan(), say=lambda *_: None)
    assert report.passed, report.problems
    assert report.cells.planned == 4 * READ_BY_ONE[name]
    assert not Slot.objects.exists()  # the rehearsal's allocation is not the trial's
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    proof = allocation_proof(world.trial)
    assert proof.algorithm == "eq-alloc/3"
    assert proof.holds
    leaving = world.enrol()
    slot = Slot.objects.get(participant=leaving)
    participant_withdraw(leaving, reason_code="no_time", reason="No time", actor=world.actor)
    after = world.enrol()
    taken = Slot.objects.get(participant=after)
    assert taken.replaces_id == slot.id

    def facts(of):
        rows = AllocationRow.objects.filter(slot=of)
        return sorted(rows.values_list("item__code", "phase", "repeat", "condition", "period", "min_days"))

    assert facts(taken) == facts(slot)
    assert Reading.objects.filter(participant=after, phase="reading").count() == READ_BY_ONE[name]
    assert allocation_proof(world.trial).holds


def test_nobody_sees_before_unblinding_which_group_a_reader_is_in():
    world = world_of("parallel")
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    seen = allocation_document(world.trial, world.administrator)
    assert seen["conditions_allocated"]["per_reader"] == []
    assert seen["conditions_allocated"]["sentences"][1] == "Readers begin with unaided (3), aided (3)."
    assert seen["sets_allocated"] is None
    unblinded = allocation_document(world.trial, world.statistician)
    counts = [row["counts"] for row in unblinded["conditions_allocated"]["per_reader"]]
    assert sorted(counts) == [[0, 8]] * 3 + [[8, 0]] * 3


def test_the_balance_says_who_reads_what():
    world = world_of("incomplete")
    world.act(TrialAction.LOCK)
    seen = allocation_document(world.trial, world.administrator)["sets_allocated"]
    assert seen["balanced"] is True
    assert seen["sentences"] == [
        "Readers have 5 items each, as allocated.",
        "2 of 8 items are allocated by every reader.",
        "Stratum all: every other item has 3 readers, as allocated.",
    ]


def test_cases_that_do_not_fill_the_blocks_are_refused_at_protocol_lock():
    world = world_of("split-plot", cases=6)
    with pytest.raises(ValidationFailedError, match="3 cannot be shared by 2 blocks with at least 2 each"):
        world.act(TrialAction.LOCK)
    assert not Slot.objects.exists()


@pytest.mark.parametrize("name", ["parallel", "incomplete"])
def test_the_planned_analysis_of_a_design_passes_its_repeated_rehearsal(name):
    """Bias, coverage and type I error of the primary analysis on the design's own allocation."""
    changes = {**DESIGNS[name], "items.count": 90, **of_readers(12)}
    trial = draft_of("bone-scan-mrmc", **changes)
    inputs, sha256 = gate_inputs(trial, DIFFERENT_READERS)
    repeats = 40
    found = gate_report(
        gate_runs(inputs, range(1, repeats + 1)),
        gate_expected(inputs),
        protocol_sha256=sha256,
        repeats=repeats,
        first_seed=1,
    )
    assert found.passed, found.problems
    assert found.expected.set_to == pytest.approx(0.06)
    assert found.power > found.type_one
