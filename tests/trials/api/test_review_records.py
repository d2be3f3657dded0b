"""Queries and protocol deviations by API and command: state, words, audit, data lock, report, bundle, blinding."""

import csv
import json

import pytest
from django.db import DatabaseError, transaction
from typer.testing import CliRunner

from equipoise.audit.models import AuditEntry
from equipoise.audit.selectors import chain_verify
from equipoise.cli import trial as command
from equipoise.cli import trial_shared
from equipoise.common.errors import StateConflictError
from equipoise.common.permissions import Role
from tests.factories import forms
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from tests.trials.api.test_administration import API, send, signed_in
from trials.domain.states import TrialAction
from trials.models import ReviewRecord, ReviewStep, ReviewText
from trials.reports.exports import deviations_csv
from trials.reports.report_flow import deviations_section
from trials.selectors.report import report_facts
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]

TEXT = "The window was resized in the middle"


def fetch(client, path, status=200):
    response = client.get(f"{API}{path}")
    assert response.status_code == status, response.content
    return response.json()


def opened(client, world, status=201, **changes):
    body = {
        "kind": "deviation",
        "topic": "environment",
        "participant": "R-01",
        "n": 2,
        "text": TEXT,
    } | changes
    return send(client, "post", f"/trials/{world.trial.id}/review-records", body, status=status)


def stepped(client, world, record, status=201, **body):
    path = f"/trials/{world.trial.id}/review-records/{record['id']}/steps"
    return send(client, "post", path, {"text": "Seen and discussed"} | body, status=status)


def test_deviation_runs_from_opening_to_decision_and_holds_data_lock_until_then():
    world = factory.open_world()
    reader = world.enrol()
    factory.read_everything(reader)
    client = signed_in(world.administrator)
    made = opened(client, world)
    assert (made["code"], made["state"], made["n"], made["case"]) == ("D-001", "open", 2, None)
    query = opened(client, world, kind="query", topic="time")
    assert query["code"] == "Q-001"
    world.act(TrialAction.CLOSE)
    with pytest.raises(StateConflictError) as refused:
        world.act(TrialAction.DATA_LOCK)
    assert {one["code"] for one in refused.value.data["unmet"]} == {"queries_answered", "deviations_decided"}
    missing = fetch(client, f"/trials/{world.trial.id}")["actions"][0]["missing"]
    assert {(one["code"], one["link"]) for one in missing} == {
        ("queries_answered", "monitor"),
        ("deviations_decided", "monitor"),
    }
    stepped(client, world, query, act="answer")
    stepped(client, world, made, status=422, act="close")
    closed = stepped(client, world, made, act="close", severity="major", excludes=True)
    assert (closed["state"], closed["severity"], closed["excludes"]) == ("closed", "major", True)
    assert [step["act"] for step in closed["steps"]] == ["open", "close"]
    assert closed["steps"][0]["text"] == TEXT
    world.act(TrialAction.DATA_LOCK)
    opened(client, world, status=409)
    stepped(client, world, made, status=409, act="reopen")
    kinds = AuditEntry.objects.filter(chain=str(world.trial.id), kind__regex="^(query|deviation):")
    assert list(kinds.order_by("sequence").values_list("kind", flat=True)) == [
        "deviation:opened", "query:opened", "query:answered", "deviation:closed",
    ]  # fmt: skip
    assert TEXT not in json.dumps([(one.before, one.after) for one in kinds])
    page = str(deviations_section(report_facts(world.trial)))
    assert "Display or surroundings not as asked" in page
    assert ">major<" in page
    rows = list(csv.DictReader(deviations_csv(world.trial)))
    shown = reader.readings.filter(phase="reading").order_by("position")[1]
    assert [(row["item"], row["act"], row["excluded_from_per_protocol"]) for row in rows] == [
        (shown.item.code, "open", "1"),
        (shown.item.code, "close", "1"),
    ]


def test_nothing_of_a_record_is_edited_and_its_words_can_be_erased():
    world = factory.open_world()
    world.enrol()
    opened(signed_in(world.administrator), world)
    for rows in (ReviewRecord.objects.all(), ReviewStep.objects.all()):
        with pytest.raises(DatabaseError, match="guard"), transaction.atomic():
            rows.update(**({"topic": "other"} if rows.model is ReviewRecord else {"act": "close"}))
        with pytest.raises(DatabaseError, match="guard"), transaction.atomic():
            rows._raw_delete(rows.db)
    ReviewText.objects.all().delete()
    assert chain_verify(str(world.trial.id)).is_intact
    [told] = fetch(signed_in(world.administrator), f"/trials/{world.trial.id}/review-records")["results"]
    assert told["steps"][0]["text"] is None


def test_list_is_filtered_and_paged():
    world = factory.open_world()
    world.enrol()
    world.enrol()
    client = signed_in(world.administrator)
    for number in range(5):
        opened(client, world, kind="query", topic="other", participant=f"R-0{1 + number % 2}", n=None)
    first = opened(client, world)
    stepped(client, world, first, act="answer")
    base = f"/trials/{world.trial.id}/review-records"
    page = fetch(client, f"{base}?kind=query&page_size=3")
    assert [one["code"] for one in page["results"]] == ["Q-001", "Q-002", "Q-003"]
    after = client.get(page["next"]).json()
    assert [one["code"] for one in after["results"]] == ["Q-004", "Q-005"]
    assert after["next"] is None
    assert [one["code"] for one in fetch(client, f"{base}?state=answered")["results"]] == ["D-001"]
    assert len(fetch(client, f"{base}?state=open")["results"]) == 5
    assert len(fetch(client, f"{base}?participant=R-02")["results"]) == 2
    fetch(client, f"{base}?state=gone", status=400)


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.DATA_MANAGER, 201), (Role.BLINDED_MONITOR, 201), (Role.UNBLINDED_STATISTICIAN, 403)],
)
def test_whoever_sees_rows_by_arm_decides_about_no_record(role, status):
    world = factory.open_world()
    world.enrol()
    account = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, account, role, actor=world.actor)
    opened(signed_in(account), world, status=status)
    assert ReviewRecord.objects.count() == (status == 201)


def test_wrong_subjects_are_named_and_nothing_is_stored():
    world = factory.open_world()
    world.enrol()
    client = signed_in(world.administrator)
    case = world.trial.cases.first().code
    for changes, field in (
        ({"participant": "R-77"}, "/participant"),
        ({"n": 99}, "/n"),
        ({"participant": ""}, "/n"),
        ({"case": case}, "/case"),
        ({"case": "C-999", "n": None}, "/case"),
        ({"topic": "time"}, "/topic"),
        ({"text": "."}, "/text"),
    ):
        refused = opened(client, world, status=422, **changes)
        assert field in refused["data"]["fields"], changes
    assert ReviewRecord.objects.count() == 0


def test_disagreements_are_listed_after_closing_without_a_word_of_answers(monkeypatch, tmp_path):
    world = forms.form_world(cases=3)
    for number in range(2):
        reader = forms.labeller(world)
        for _ in range(3):
            seen = forms.open_form(reader)
            where = "mediastinum" if number == 1 and seen.reading.item.code.endswith("1") else "parenchyma"
            forms.submit_form(reader, seen, {"pet_needed": False, "location": where})
    client = signed_in(world.administrator)
    path = f"/trials/{world.trial.id}/adjudication"
    fetch(client, path, status=409)
    world.act(TrialAction.CLOSE)
    told = fetch(client, path)
    item = world.trial.items.get(code__endswith="1")
    row = {"case": item.case.code, "item": item.code, "question": "location", "readers": 2, "minority": 1}
    assert told == {"compared": 6, "results": [row]}
    monkeypatch.setattr(trial_shared, "start", lambda: None)
    file = tmp_path / "adjudication.csv"
    run = CliRunner().invoke(
        command.app,
        ["adjudication", world.trial.slug, "--as", world.administrator.email, "--output", str(file)],
    )
    assert run.exit_code == 0, run.output
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert rows == [{key: str(value) for key, value in row.items()}]


def test_list_by_command(monkeypatch):
    monkeypatch.setattr(trial_shared, "start", lambda: None)
    world = factory.open_world()
    world.enrol()
    client = signed_in(world.administrator)
    made = opened(client, world)
    stepped(client, world, made, act="close", severity="minor", excludes=False)
    run = CliRunner().invoke(command.app, ["review", world.trial.slug, "--as", world.administrator.email])
    assert run.exit_code == 0, run.output
    assert "D-001 closed, minor, stays in the per-protocol set: Display or surroundings" in run.output
    assert "(R-01, case 2)" in run.output
    assert TEXT in run.output
