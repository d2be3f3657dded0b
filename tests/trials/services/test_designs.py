"""Designs whose readers read different conditions or cases, from protocol lock to the planned analysis."""

import re

import pytest

from equipoise.common.errors import ValidationFailedError
from tests.factories import bone_scans as bones
from tests.trials.rehearsal.test_repeated import DIFFERENT_READERS
from tests.trials.rehearsal.test_single_run import draft_of
from trials.domain.protocol.document import check_text
from trials.domain.rehearsal import RehearsalPlan
from trials.domain.rehearsal_gate import gate_report
from trials.domain.states import TrialAction
from trials.models import AllocationRow, Reading, Slot
from trials.rehearsal.gate import gate_expected, gate_runs
from trials.rehearsal.gate_inputs import gate_inputs
from trials.rehearsal.run import rehearse
from trials.selectors.allocation import allocation_document, allocation_proof
from trials.selectors.templates import template
from trials.services.participant import participant_withdraw

pytestmark = [pytest.mark.django_db, pytest.mark.db]

SETS = "allocation.design.case_sets"
DESIGNS = {
    "parallel": {},
    "split-plot": {SETS: {"kind": "blocks", "blocks": 2}},
    "incomplete": {SETS: {"kind": "subsets", "readers_per_case": 2, "overlap_cases": 2}},
    "latin-square": {},
}
"""Of the templates bone-scan-DESIGN: what makes them fit for 4 readers and 8 cases."""
READ_BY_ONE = {"parallel": 8, "split-plot": 8, "incomplete": 10, "latin-square": 24}
"""Readings of one reader: 8 cases; 4 in 2 conditions; 2 of the overlap and half of the others in 2; 8 in 3."""
PRIMARY = {"latin-square": "heat_map minus unaided"}
"""What the primary analysis compares, where it is not the one aided condition with the unaided one."""


def of_readers(count):
    return {"allocation.strata": [{"key": "all", "label": "All readers", "participants": count}]}


def world_of(name, *, readers=4, cases=8, **changes):
    changes = {**of_readers(readers), **DESIGNS[name], **changes}
    return bones.bone_scan_world(name=f"bone-scan-{name}", cases=cases, **changes)


def shipped_sets(name):
    """Return the sets of cases as the template has them."""
    return check_text(template(f"bone-scan-{name}").text).document["allocation"]["design"]["case_sets"]


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


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        (
            "incomplete",
            [
                "Readers have 5 items each, as allocated.",
                "2 of 8 items are allocated by every reader.",
                "Stratum all: every other item has 3 readers, as allocated.",
            ],
        ),
        (
            "split-plot",
            [
                "Readers have 4 items each, as allocated.",
                "Stratum all: every item has 3 readers, as allocated.",
            ],
        ),
    ],
)
def test_the_balance_says_who_reads_what(name, sentences):
    world = world_of(name)
    world.act(TrialAction.LOCK)
    seen = allocation_document(world.trial, world.administrator)["sets_allocated"]
    assert seen["balanced"] is True
    assert seen["sentences"] == sentences


def test_the_orders_of_a_latin_square_are_in_the_balance():
    world = world_of("latin-square", readers=6, cases=4)
    world.act(TrialAction.LOCK)
    seen = allocation_document(world.trial, world.administrator)["conditions_allocated"]["sentences"]
    assert seen[0] == "In every period the conditions of an item differ by at most 1, as allocated."
    assert sorted(re.findall(r"\((\d)\)", seen[1])) == ["2", "3", "3"]  # of 6 readers and 2 in reserve


def test_cases_that_do_not_fill_the_blocks_are_refused_at_protocol_lock():
    world = world_of("split-plot", cases=6)
    with pytest.raises(ValidationFailedError, match="3 cannot be shared by 2 blocks with at least 2 each"):
        world.act(TrialAction.LOCK)
    assert not Slot.objects.exists()


@pytest.mark.parametrize("name", list(DESIGNS))
def test_the_planned_analysis_of_a_template_passes_its_repeated_rehearsal(name):
    """Bias, coverage and type I error of the primary analysis on the design's own allocation, as it ships."""
    trial = draft_of(
        f"bone-scan-{name}",
        **{
            "items.count": 90,
            **of_readers(12),
            **({SETS: shipped_sets(name)} if SETS in DESIGNS[name] else {}),
        },
    )
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
    assert found.expected.quantity.endswith(PRIMARY.get(name, "aided minus unaided"))
    assert found.power > found.type_one
