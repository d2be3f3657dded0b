"""Every shipped template from allocation to the exported tables, read by simulated readers through the real path."""

import csv
import io
from collections import Counter

import pytest
from typer.testing import CliRunner

from equipoise.cli import trial as command
from tests.factories.templates import follow_up_import, least_cases, new_reader, template_world
from trials.domain.columns import READINGS_COLUMNS
from trials.domain.states import TrialAction
from trials.models import Reading
from trials.rehearsal.readers.crew import simulated_questionnaire, simulated_reader
from trials.rehearsal.simulated_reading import simulated_enrolment, simulated_readings
from trials.selectors.allocation import allocation_proof
from trials.selectors.protocol import protocol_locked, protocol_of_version
from trials.selectors.templates import template_names

pytestmark = [pytest.mark.django_db, pytest.mark.db]

CASES, READERS, SEED = 4, 2, 11
SEVERAL_PASSES = ("crossover", "sequential", "fully-crossed")
"""Designs whose readers read every case of theirs in every condition."""
ANSWER_COLUMNS = {
    "preference": {"preferred"},
    "classification": {"decision", "score"},
    "contouring": {"volume_ml", "slices"},
    "contour-review": {"acceptability", "verdict", "origin_guess"},
}
"""Columns that an answer of the task fills, by kind; a form's are its questions."""


def rehearsed(name):
    """Return a trial that simulated readers have read to its end, and how many readings each gave."""
    world = template_world(name, cases=max(CASES, least_cases(name)), readers=READERS)
    counts = []
    for number in range(1, READERS + 1):
        participant = new_reader(world)
        answers = simulated_questionnaire(world.trial, number=number, seed=SEED)
        simulated_enrolment(participant, answers=answers)
        reader = simulated_reader(world.trial, number=number, seed=SEED)
        counts.append(simulated_readings(participant, reader))
        participant.refresh_from_db()
        assert participant.state == "done"
    return world, counts


def exported(world, folder):
    """Export as the command line does; return the tables by name."""
    done = CliRunner().invoke(
        command.app,
        [
            "export",
            world.trial.slug,
            "--as",
            world.administrator.email,
            "--reason",
            "Test",
            "--output",
            folder,
        ],
    )
    assert done.exit_code == 0, done.output
    return {
        path.name: list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
        for path in folder.glob("*.csv")
    }


@pytest.mark.parametrize("name", template_names())
def test_a_template_runs_from_allocation_to_the_exported_tables(name, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_start", lambda: None)
    world, counts = rehearsed(name)
    follow_up_import(world)
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    trial = world.trial
    protocol = protocol_of_version(protocol_locked(trial))
    assert allocation_proof(trial).holds
    plan = protocol.allocation
    passes = len(plan.design.conditions) if plan.design.kind in SEVERAL_PASSES else 1
    sets = plan.design.case_sets
    # Of 8 cases 4 are a block; 2 are everybody's, and half of the other 6 in a subset.
    own = CASES if sets is None else {"blocks": 4, "subsets": 5}[sets.kind]
    main = own * passes + (1 if plan.hidden_repeats.count else 0)
    practice = protocol.practice.count * (2 if plan.design.kind == "sequential" else 1)
    check = plan.blinding_check.pairs if protocol.has_blinding_check else 0
    assert counts == [practice + main + check] * READERS
    states = set(Reading.objects.filter(trial=trial).values_list("state", flat=True))
    assert states <= {"submitted", "not-assessable"}

    tables = exported(world, tmp_path)
    assert (tmp_path / "tables.xlsx").stat().st_size > 0
    kind = protocol.task.kind
    rows = tables["readings.csv"]
    assert Counter((row["participant"], row["task"]) for row in rows) == {
        (f"R-{number:02d}", task): count
        for number in range(1, READERS + 1)
        for task, count in ((kind, main), ("blinding-check", check))
        if count
    }
    form = {question.key: question for question in protocol.task.form_questions}
    filled = ANSWER_COLUMNS.get(kind) or {
        key for key, question in form.items() if question.required and question.shown_if is None
    }
    assert {*READINGS_COLUMNS, *filled, *form} <= rows[0].keys()
    conditions = Counter(row["condition"] for row in rows if row["repeat"] == "1" and row["task"] == kind)
    assert conditions.keys() == ({one.key for one in protocol.conditions} or {""})
    answered = [row for row in rows if row["state"] == "submitted" and row["task"] == kind]
    assert len(answered) > 0.7 * len(rows)
    for row in answered:
        assert all(row[column] != "" for column in filled), row
        assert 0 < float(row["decision_s"]) <= float(row["wall_s"])
    truth = tables.get("truth.csv", [])
    assert len(truth) == (trial.items.filter(practice=False).count() if kind == "classification" else 0)
