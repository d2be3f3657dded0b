"""`equipoise trial rehearse`: what it prints, when it exits with 1, and what it leaves."""

import json

import pytest
from typer.testing import CliRunner

from equipoise.cli import trial as command
from equipoise.cli.problems import BadInputError
from equipoise.common.errors import PermissionDeniedError
from tests.factories import trials as factory
from tests.factories.bone_scans import bone_scan_world
from tests.factories.templates import template_draft
from trials.models import Rehearsal, RehearsalState

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture(autouse=True)
def started(monkeypatch):
    monkeypatch.setattr(command, "_start", lambda: None)


def run(*arguments):
    return CliRunner().invoke(command.app, ["rehearse", *(str(argument) for argument in arguments)])


def test_rehearsal_that_goes_through_says_so_and_is_kept():
    world = factory.preference_world()
    done = run(world.trial.slug, "--as", world.administrator.email, "--seed", 5)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert "6 cases, 6 items, 3 simulated readers, 27 of 27 readings done, 0 not assessable." in lines[0]
    assert lines[1].startswith("A reader needs about ")
    assert any(", set 54.5 %" in line for line in lines)
    assert lines[-1] == "The rehearsal went through; protocol lock can lean on it."
    kept = Rehearsal.objects.get()
    assert (kept.state, kept.seed, kept.report["cells"]["missing"]) == (RehearsalState.PASSED, 5, [])


def test_plan_of_a_file_sets_the_readers_and_the_report_can_be_json(tmp_path):
    world = factory.preference_world()
    plan = tmp_path / "plan.yaml"
    plan.write_text("preference:\n  mean_logit: -1.2\n  side_logit: 0\n", encoding="utf-8")
    done = run(world.trial.slug, "--as", world.administrator.email, "--plan", plan, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["passed"] is True
    assert report["estimates"][0]["set_to"] == pytest.approx(25.1, abs=0.1)
    assert Rehearsal.objects.get().plan["preference"]["mean_logit"] == -1.2


def test_plan_with_an_unknown_key_is_refused_before_anything_runs(tmp_path):
    world = factory.preference_world()
    plan = tmp_path / "plan.yaml"
    plan.write_text("readers: {skil_lowest: 0.1}\n", encoding="utf-8")
    refused = run(world.trial.slug, "--as", world.administrator.email, "--plan", plan)
    assert isinstance(refused.exception, BadInputError)
    assert "/readers/skil_lowest" in str(refused.exception)
    assert not Rehearsal.objects.exists()


def test_missing_cells_are_listed_and_the_command_exits_with_1(tmp_path):
    world = bone_scan_world(cases=4, practice=8, **{"practice.pass_mark_percent": 100})
    plan = tmp_path / "plan.json"
    plan.write_text('{"classification": {"auc_unaided": 0.5, "auc_aided": 0.5}}', encoding="utf-8")
    failed = run(world.trial.slug, "--as", world.administrator.email, "--plan", plan)
    assert failed.exit_code == 1, failed.output
    assert "planned readings have no answer: R-01 " in failed.output
    assert "The rehearsal did NOT go through." in failed.output
    assert Rehearsal.objects.get().state == RehearsalState.FAILED


def test_statistician_may_not_rehearse():
    world = factory.preference_world()
    refused = run(world.trial.slug, "--as", world.statistician.email)
    assert isinstance(refused.exception, PermissionDeniedError)
    assert not Rehearsal.objects.exists()


def test_repeated_rehearsal_gives_the_same_in_one_process_and_in_two():
    world = bone_scan_world(cases=20)
    arguments = (world.trial.slug, "--as", world.administrator.email, "--repeats", 20, "--json")
    one, two = (run(*arguments, "--processes", processes) for processes in (1, 2))
    assert one.stdout, (one.exception, one.stderr)
    assert two.stdout, (two.exception, two.stderr)
    found = [json.loads(done.stdout) | {"seconds": 0} for done in (one, two)]
    assert found[0] == found[1]
    assert (found[0]["repeats"], found[0]["computed"], found[0]["seeds"]) == (20, 40, "1 to 20")
    kept = Rehearsal.objects.order_by("created_at")
    assert [(row.kind, row.repeats) for row in kept] == [("repeated", 20)] * 2
    assert one.exit_code == two.exit_code == (0 if kept[0].state == RehearsalState.PASSED else 1)


def test_repeated_rehearsal_of_what_cannot_be_set_is_refused():
    world = template_draft("contour-review", cases=2, readers=2)
    refused = run(world.trial.slug, "--as", world.administrator.email, "--repeats", 20)
    assert "Rehearse the trial once instead" in str(refused.exception)
    assert not Rehearsal.objects.exists()
