"""The reference trials, each from its shipped template: draft, rehearsals, protocol lock, readings, report, bundle."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from equipoise.jobs.inline import job_run_inline
from tests.factories.bone_scans import ai_result
from tests.factories.templates import follow_up_import, new_reader, template_draft
from trials.domain.bundle import bundle_problems
from trials.domain.rehearsal import RehearsalKind, RehearsalPlan
from trials.domain.states import TrialAction
from trials.models import RehearsalState
from trials.rehearsal.readers.crew import crew_of
from trials.rehearsal.simulated_reading import simulated_enrolment, simulated_readings
from trials.reports.bundle import write_bundle
from trials.selectors.allocation import allocation_proof
from trials.selectors.protocol import protocol_current
from trials.selectors.rehearsal import rehearsal_document, rehearsal_lacking
from trials.services.reference import references_import
from trials.services.rehearsal import rehearsal_request
from trials.services.trial import trial_transition

pytestmark = [pytest.mark.django_db, pytest.mark.db]

SEED = 3


@dataclass(frozen=True)
class ReferenceTrial:
    """A reference trial: its template, and how many read what."""

    template: str
    cases: int
    readers: int
    repeats: int
    """Of the repeated rehearsal; 0 where so few cases are read that their C-indices hardly differ (it is repeated with
    the template's own number in `test_repeated_survival`)."""
    computed: frozenset[str]
    """Analyses that the bundle holds."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Of the protocol, by dotted path."""


FEW_RESAMPLES = {"analysis_plan.bootstrap_resamples": 200}
SUBGROUPS = [
    {"name": "subgroups", "value": "volume_reference_ml,slice_thickness_mm,pet,location"},
    {"name": "labels", "value": "pet=labeller_1+labeller_2"},
]
SCANS = frozenset({"mrmc", "roc", "operating-point", "reading-time"})
PAIRS = frozenset({"preference", "reading-time", "agreement"})
OUTLINES = frozenset({"observer-variability", "segmentation-performance", "reading-time"})
TRIALS = {
    "contour preference": ReferenceTrial("contour-preference", 12, 6, 30, PAIRS, FEW_RESAMPLES),
    "contouring time and variability": ReferenceTrial(
        "contouring-variability", 3, 3, 200, OUTLINES, FEW_RESAMPLES
    ),
    "bone-scan reading": ReferenceTrial("bone-scan-mrmc", 20, 6, 200, SCANS, FEW_RESAMPLES),
    "performance by subgroup": ReferenceTrial(
        "performance-by-subgroup",
        6,
        2,
        200,
        OUTLINES,
        {**FEW_RESAMPLES, "analysis_plan.primary.parameters": SUBGROUPS},
    ),
    "prognostic value": ReferenceTrial(
        "prognostic-value", 6, 1, 0, OUTLINES - {"observer-variability"} | {"survival"}, FEW_RESAMPLES
    ),
    "explanation survey": ReferenceTrial(
        "saliency-survey", 8, 3, 200, frozenset({"survey", "reading-time"}), FEW_RESAMPLES
    ),
}


NO_FOLLOW_UP = ["Not rehearsed: no simulation gives the external data 'follow_up'."]
LONGER = ("bone-scan reading", "performance by subgroup")


def rehearsed(world, kind, repeats=1):
    """Rehearse the draft as its administrator would; return what is kept of it."""
    made = rehearsal_request(
        world.trial, kind=kind, repeats=repeats, seed=SEED, plan=RehearsalPlan(), actor=world.actor
    )
    job_run_inline(made.job_id)
    made.refresh_from_db()
    return made


def covariates_csv(trial):
    """Return what a subgroup analysis needs of each case, as it comes in with the reference standard."""
    lines = ["case,truth,status,source,date,labellers,slice_thickness_mm,labeller_1,labeller_2,location"]
    for n, case in enumerate(trial.cases.filter(purpose="trial").order_by("code")):
        group = ("1.25,{},parenchyma", "3,{},mediastinum", "6,{},chest_wall")[n % 3]
        labels = f"{int(n % 4 == 0)},{int(n % 4 < 2)}"
        lines.append(f"{case.code},,pending,Reports,2026-01-31,L1 and L2,{group.format(labels)}")
    return ("\n".join(lines) + "\n").encode()


def read_by_everybody(world, readers):
    crew = crew_of(world.trial, seed=SEED)
    for number in range(1, readers + 1):
        participant = new_reader(world)
        simulated_enrolment(participant, answers=crew.questionnaire(number))
        simulated_readings(participant, crew.reader(number))


def reproduced(folder):
    return subprocess.run(
        [sys.executable, str(folder / "reproduce.py")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def run_through(one, folder):
    world = template_draft(one.template, cases=one.cases, readers=one.readers, **one.changes)
    if one.template == "performance-by-subgroup":
        references_import(world.trial, content=covariates_csv(world.trial), actor=world.actor)
    assert "has not been rehearsed" in rehearsal_lacking(world.trial)
    single = rehearsed(world, RehearsalKind.SINGLE)
    assert single.state == RehearsalState.PASSED, single.message
    told = [
        row["findings"]
        for row in rehearsal_document(single)["report"]["analyses"]
        if row["role"] == "primary"
    ]
    assert (told == [NO_FOLLOW_UP]) == ("survival" in one.computed)
    if one.repeats:
        repeated = rehearsed(world, RehearsalKind.REPEATED, one.repeats)
        assert repeated.state == RehearsalState.PASSED, repeated.message
        assert all(check["holds"] for check in rehearsal_document(repeated)["gate"]["checks"])
    assert rehearsal_lacking(world.trial) is None
    world.trial = trial_transition(
        world.trial, TrialAction.LOCK, reason="Rehearsed", waiver="", actor=world.actor
    )
    assert allocation_proof(world.trial).holds
    world.act(TrialAction.OPEN)
    if one.template.startswith("bone-scan"):
        for number, case in enumerate(world.trial.cases.filter(purpose="trial").order_by("code")):
            ai_result(world, case, probability=0.3 + 0.4 * (number % 2) + 0.01 * number)
    read_by_everybody(world, one.readers)
    follow_up_import(world)
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)

    bundle = write_bundle(world.trial, folder)
    assert not bundle.not_computed
    assert bundle_problems(folder) == []
    told = json.loads((folder / "results.json").read_text(encoding="utf-8"))["analyses"]
    assert {entry["name"] for entry in told} == one.computed
    primary = protocol_current(world.trial).document["analysis_plan"]["primary"]["analysis"]
    assert [entry["name"] for entry in told if entry["role"] == "primary"] == [primary]
    assert world.trial.title in (folder / "report.html").read_text(encoding="utf-8")
    if one.template == "performance-by-subgroup":
        [performance] = [entry for entry in told if entry["role"] == "primary"]
        seen = {value for n in performance["numbers"] for value in n["subject"].values()}
        assert {"(0, 2.5]", "(2.5, 5]", "(5, inf)", "parenchyma", "mediastinum", "chest_wall"} <= seen
    done = reproduced(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    for entry in told:
        assert (
            f"{entry['results'].split('/')[1]}: {len(entry['numbers'])} numbers, equal; same data"
            in done.stdout
        )


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONGER else name for name in TRIALS]
)
def test_a_reference_trial_runs_from_its_template_to_a_bundle_that_gives_its_numbers_again(name, tmp_path):
    run_through(TRIALS[name], tmp_path / "bundle")
