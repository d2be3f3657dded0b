"""The published allocation: seed, commitment and rows, and the command by which anybody makes them again."""

import csv
import json

import pytest
from typer.testing import CliRunner

from equipoise.audit.models import AuditEntry
from equipoise.cli import trial as command
from equipoise.common.errors import PermissionDeniedError
from tests.factories import trials as factory
from trials.domain.states import TrialAction
from trials.models import Slot
from trials.services.participant import participant_withdraw

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture(autouse=True)
def started(monkeypatch):
    monkeypatch.setattr(command, "_start", lambda: None)


def run(*arguments):
    return CliRunner().invoke(command.app, [str(argument) for argument in arguments])


def world_with_a_replacement():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    participant_withdraw(reader, reason_code="no_time", reason="On leave", actor=world.actor)
    world.enrol()
    return world


def test_administrator_is_refused_until_unblinding_and_served_after_it(tmp_path):
    world = world_with_a_replacement()
    refused = run("allocation", world.trial.slug, "--as", world.administrator.email)
    assert isinstance(refused.exception, PermissionDeniedError)
    assert world.trial.sealed_seed.seed_hex not in refused.output
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    shown = run("allocation", world.trial.slug, "--as", world.administrator.email, "--output", tmp_path)
    assert shown.exit_code == 0, shown.output
    sealed = world.trial.sealed_seed
    assert f"Seed: {sealed.seed_hex}" in shown.output
    assert shown.output.count(sealed.allocation_sha256) == 3
    assert "belong together" in shown.output
    rows = list(csv.DictReader((tmp_path / "allocation.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 5 * (1 + 7 + 2)
    copied = [row for row in rows if row["replaces_slot"]]
    assert {(row["slot"], row["replaces_slot"], row["participant"]) for row in copied} == {("5", "1", "R-02")}


def test_statistician_may_look_before_and_the_look_is_recorded():
    world = world_with_a_replacement()
    shown = run("allocation", world.trial.slug, "--as", world.statistician.email)
    assert shown.exit_code == 0, shown.output
    entry = AuditEntry.objects.get(chain=str(world.trial.id), subject="export:allocation")
    assert entry.actor_id == world.statistician.id
    assert entry.origin == "cli"


def test_rows_that_the_seed_does_not_give_are_found():
    world = world_with_a_replacement()
    Slot.objects.filter(number=2).update(number=22)
    shown = run("allocation", world.trial.slug, "--as", world.statistician.email)
    assert shown.exit_code == 1
    assert "do NOT belong together" in shown.output


def test_anybody_makes_the_rows_again_without_a_server(tmp_path):
    world = factory.preference_world()
    world.act(TrialAction.LOCK)
    run("allocation", world.trial.slug, "--as", world.statistician.email, "--output", tmp_path)
    file = tmp_path / "allocation.json"
    checked = run("check-allocation", file)
    assert checked.exit_code == 0, checked.output
    assert (
        f"40 rows made again from the seed (SHA-256): {world.trial.sealed_seed.allocation_sha256}"
        in checked.output
    )
    document = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**document, "seed": f"{1:064x}"}), encoding="utf-8")
    other = run("check-allocation", file)
    assert other.exit_code == 1
    assert "not the one that was committed to" in other.output
    assert "The seed gives other rows" in other.output
    file.write_text("{}", encoding="utf-8")
    assert "no published allocation" in str(run("check-allocation", file).exception)
