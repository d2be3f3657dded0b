"""A reader in the browser: from the invitation to the last answer, through the interface alone."""

import base64
import gzip
import json
import uuid

import numpy as np
import pytest
from django.test import Client

from equipoise.accounts.models import Account
from equipoise.audit.models import AuditEntry
from equipoise.audit.selectors import chain_verify
from equipoise.common.permissions import Role
from equipoise.imaging.outline import OutlinePacket
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD
from trials.models import Draft, Participant, Reading, ReadingEvent, Response
from trials.services.invitation import invitation_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]

API = "/api/v1"


def post(client, path, body=None, status=200, method="post"):
    response = getattr(client, method)(
        f"{API}{path}", data=json.dumps(body or {}), content_type="application/json"
    )
    assert response.status_code == status, response.content
    return response.json() if response.content else None


def invited_reader(world):
    made = invitation_create(
        world.trial,
        email="reader@example.org",
        role=Role.READER,
        inviter=world.administrator,
        actor=world.actor,
    )
    client = Client()
    shown = client.get(f"{API}/invitations/{made.token}").json()
    assert shown["trial_title"] == "Contours"
    assert not shown["account_exists"]
    post(client, f"/invitations/{made.token}/accept", {"display_name": "Dr Reader", "password": PASSWORD})
    return client


def prepared_reader(world):
    client = invited_reader(world)
    slug = world.trial.slug
    state = client.get(f"{API}/reader/{slug}").json()
    assert state["step"] == "consent"
    state = post(client, f"/reader/{slug}/consent", {"version": state["consent"]["version"], "agreed": True})
    assert state["step"] == "questionnaire"
    answers = {
        "speciality": "radiology",
        "experience_years": "4",
        "contours_per_month": 3,
        "display": "laptop",
    }
    state = post(client, f"/reader/{slug}/questionnaire", {"answers": answers})
    assert state["step"] == "instructions"
    state = post(client, f"/reader/{slug}/instructions")
    assert state["step"] == "practice"
    return client


def submit_body(presentation, choice="left"):
    events = factory.events_of(seconds=4, choice=choice)
    return {
        "reading": presentation["reading"],
        "lease": presentation["lease"],
        "key": str(uuid.uuid4()),
        "answer": {"choice": choice, "reason_code": None, "comment": ""},
        "events": [event.__dict__ for event in events],
    }


def test_reader_goes_from_the_invitation_to_done():
    world = factory.open_world()
    client = prepared_reader(world)
    slug = world.trial.slug
    phases = []
    preload = []
    for _ in range(10):
        shown = post(client, f"/reader/{slug}/current/open", {"environment": {"width_px": 1280}})
        phases.append(shown["phase"])
        assert [pane["pane"] for pane in shown["setup"]["panes"]] == ["left", "right"]
        assert len({len(pane["outlines"]) for pane in shown["setup"]["panes"]}) == 1
        if preload:
            assert preload[0]["frames"] == shown["images"][0]["frames"]
        frame = client.get(f"{shown['images'][0]['frames']}{shown['images'][0]['start_frame']}")
        assert frame.status_code == 200
        pixels = np.frombuffer(gzip.decompress(frame.content), dtype="<i2")
        assert pixels.size == shown["images"][0]["rows"] * shown["images"][0]["columns"]
        packet = OutlinePacket.decode(base64.b64decode(shown["setup"]["panes"][0]["outlines"]))
        assert packet.loops[0].shape[1] == 2
        answered = post(client, f"/reader/{slug}/current/submit", submit_body(shown))
        assert answered["late"] is False
        preload = answered["next"]["preload"]
    assert phases == ["practice"] + ["reading"] * 7 + ["blinding-check"] * 2
    assert answered["next"]["step"] == "closing"
    assert preload == []
    state = post(client, f"/reader/{slug}/closing", {"answers": {"could_tell": False}})
    assert state["step"] == "done"
    assert Response.objects.count() == 10
    report = chain_verify(str(world.trial.id))
    assert report.is_intact
    assert report.problems == ()


def test_window_below_the_minimum_and_a_display_not_tested_are_refused_with_what_would_be_right():
    world = factory.open_world(
        **{
            "reading_environment.minimum_window": {"width_px": 1280, "height_px": 720},
            "reading_environment.grey_steps": "required",
        }
    )
    client = prepared_reader(world)
    path = f"/reader/{world.trial.slug}"
    asked = client.get(f"{API}{path}").json()["environment"]
    assert asked == {
        "minimum_window": {"width_px": 1280, "height_px": 720},
        "minimum_colour_depth_bits": None,
        "grey_steps": "required",
        "grey_steps_failing": "warn",
        "fit_displays": [],
    }
    small = {**factory.ENVIRONMENT, "window_width_px": 900, "window_height_px": 700}
    refused = post(client, f"{path}/current/open", {"environment": small}, status=409)
    assert (refused["code"], refused["data"]["problems"][0]["code"]) == (
        "environment_refused",
        "window_too_small",
    )
    assert refused["detail"].startswith(
        "The window is 900 x 700 CSS pixels; this trial needs at least 1280 x 720."
    )
    refused = post(client, f"{path}/current/open", {"environment": factory.ENVIRONMENT}, status=409)
    assert refused["data"]["problems"][0]["code"] == "grey_steps"
    patches = [{"field": field, "shown": 2, "chosen": 2} for field in ("dark", "bright") * 3]
    tested = {"environment": factory.ENVIRONMENT, "answers": patches}
    short = post(client, f"{path}/display-check", {**tested, "answers": patches[1:]}, status=422)
    assert list(short["data"]["fields"]) == ["/answers"]
    wrong = post(client, f"{path}/display-check", {**tested, "answers": None}, status=409)
    assert wrong["code"] == "state_conflict"
    state = post(client, f"{path}/display-check", tested)
    assert (state["step"], state["environment"]["fit_displays"]) == ("practice", ["1280x1024+0+0/24"])
    assert post(client, f"{path}/current/open", {"environment": factory.ENVIRONMENT})["lease"] == 1


def test_same_key_is_acknowledged_again_and_other_body_is_a_conflict():
    world = factory.open_world()
    client = prepared_reader(world)
    path = f"/reader/{world.trial.slug}/current"
    shown = post(client, f"{path}/open")
    body = submit_body(shown)
    first = post(client, f"{path}/submit", body)
    again = post(client, f"{path}/submit", body)
    assert again["next"]["n"] == first["next"]["n"]
    conflict = post(
        client, f"{path}/submit", {**body, "answer": {**body["answer"], "choice": "right"}}, status=409
    )
    assert conflict["code"] == "idempotency_conflict"
    assert Response.objects.count() == 1


def test_older_window_is_told_that_the_reading_was_taken_over_and_its_answer_counts_if_unanswered():
    world = factory.open_world()
    client = prepared_reader(world)
    path = f"/reader/{world.trial.slug}/current"
    old = post(client, f"{path}/open")
    new = post(client, f"{path}/open")
    assert (new["reading"], new["lease"]) == (old["reading"], old["lease"] + 1)
    refused = post(
        client,
        f"{path}/events",
        {"reading": old["reading"], "lease": old["lease"], "events": []},
        status=409,
    )
    assert refused["code"] == "reading_taken_over"
    accepted = post(client, f"{path}/submit", submit_body(old))
    assert accepted["late"] is False
    late = post(client, f"{path}/submit", submit_body(new, choice="right"))
    assert late["late"] is True
    response = Response.objects.get()
    assert response.answer["choice"] == "left"
    assert "older_window" in response.flags


def test_events_of_an_older_window_are_kept_by_the_answer_that_refuses_the_window(flushing_db):
    world = factory.open_world()
    client = prepared_reader(world)
    path = f"/reader/{world.trial.slug}/current"
    old = post(client, f"{path}/open")
    post(client, f"{path}/open")
    left = {name: old[name] for name in ("reading", "lease")}
    left["events"] = submit_body(old)["events"][:2]
    for _ in range(2):
        refused = post(client, f"{path}/events", left, status=409)
        assert (refused["code"], refused["data"]) == ("reading_taken_over", {"lease": 2})
    assert list(ReadingEvent.objects.values_list("lease", "sequence", "kind")) == [
        (1, 0, "first_paint"),
        (1, 1, "pointer"),
    ]
    draft = {name: old[name] for name in ("reading", "lease")} | {"draft": {"choice": "left"}}
    post(client, f"{path}/draft", draft, status=409, method="put")
    assert Draft.objects.count() == 0


def test_reader_is_told_nothing_but_the_open_reading():
    world = factory.open_world()
    client = prepared_reader(world)
    other = factory.open_world(slug="other-trial")
    stranger_token = Reading.objects.filter(trial=other.trial).first()
    assert stranger_token is None
    path = f"/reader/{world.trial.slug}/current"
    shown = post(client, f"{path}/open")
    planned = Reading.objects.filter(
        participant__membership__account__email="reader@example.org", state="planned"
    )
    assert set(planned.values_list("token", flat=True)) == {None}
    for address in (
        f"/trials/{world.trial.id}",
        f"/trials/{world.trial.id}/cases",
        f"/trials/{world.trial.id}/items",
        f"/trials/{world.trial.id}/allocation",
        f"/trials/{world.trial.id}/monitor",
        f"/trials/{world.trial.id}/export/readings.csv",
        f"/trials/{other.trial.id}",
        f"/reader/{other.trial.slug}",
    ):
        answer = client.get(f"{API}{address}")
        assert (address, answer.status_code, answer.json()["code"]) == (address, 404, "not_found")
    body = submit_body(shown)
    wrong = post(client, f"{path}/submit", {**body, "reading": "another"}, status=404)
    assert wrong["code"] == "not_found"
    refusals = AuditEntry.objects.filter(chain=str(world.trial.id), kind="refusal:recorded")
    assert refusals.count() == 6 + 1
    assert AuditEntry.objects.filter(chain=str(other.trial.id), kind="refusal:recorded").count() == 0
    assert client.get(f"{shown['images'][0]['frames']}1").status_code == 404


def test_frames_belong_to_the_session_that_opened_the_reading():
    world = factory.open_world()
    client = prepared_reader(world)
    shown = post(client, f"/reader/{world.trial.slug}/current/open")
    frame = f"{shown['images'][0]['frames']}0"
    assert client.get(frame).status_code == 200
    assert Client().get(frame).status_code == 404


def test_wrong_answer_names_the_field_and_changes_nothing():
    world = factory.open_world()
    client = prepared_reader(world)
    path = f"/reader/{world.trial.slug}/current"
    shown = post(client, f"{path}/open")
    body = submit_body(shown)
    body["answer"] = {"choice": "none", "reason_code": "tired", "comment": ""}
    refused = post(client, f"{path}/submit", body, status=422)
    assert set(refused["data"]["fields"]) == {"/answer/choice", "/answer/reason_code"}
    assert Response.objects.count() == 0
    assert Reading.objects.get(token=shown["reading"]).state == "open"


def test_reader_who_administered_the_trial_cannot_read_it():
    world = factory.open_world()
    made = invitation_create(
        world.trial, email="x@example.org", role=Role.READER, inviter=world.administrator, actor=world.actor
    )
    client = Client()
    client.force_login(world.statistician)
    refused = post(client, f"/invitations/{made.token}/accept", status=409)
    assert refused["code"] == "state_conflict"
    assert not Participant.objects.filter(membership__account=world.statistician).exists()


def test_answer_is_taken_whatever_characters_and_numbers_come_with_it():
    world = factory.open_world()
    client = prepared_reader(world)
    path = f"/reader/{world.trial.slug}/current"
    shown = post(client, f"{path}/open")
    body = submit_body(shown)
    body["answer"]["comment"] = "cut in a smile \ud83d and \x00 null"
    body["events"][1]["data"] = {"far": 1e20, "text": "\udfff\x00", "many": 10**30}
    assert post(client, f"{path}/submit", body)["late"] is False
    response = Response.objects.get()
    assert response.comment.text == "cut in a smile \ufffd and \ufffd null"
    assert post(client, f"{path}/submit", body)["late"] is False
    assert Response.objects.count() == 1


def test_answer_is_taken_with_more_events_than_fit_in_a_batch():
    world = factory.open_world()
    client = prepared_reader(world)
    path = f"/reader/{world.trial.slug}/current"
    shown = post(client, f"{path}/open")
    body = submit_body(shown)
    paint, *rest = body["events"]
    pointer = {**rest[0], "kind": "pointer"}
    moves = [{**pointer, "sequence": 10 + n, "t_ms": 1001.0 + n / 10} for n in range(5001)]
    refused = post(
        client, f"{path}/events", {**{k: body[k] for k in ("reading", "lease")}, "events": moves}, status=422
    )
    assert refused["code"] == "validation_failed"
    body["events"] = [paint, *moves, *({**one, "sequence": one["sequence"] + 10_000} for one in rest)]
    assert post(client, f"{path}/submit", body)["late"] is False
    assert Response.objects.get().timing["wall_s"] == 4.0


def test_closing_answers_are_short_and_plain():
    world = factory.open_world()
    client = prepared_reader(world)
    path = f"/reader/{world.trial.slug}/closing"
    for answers in ({"general": "x" * 2001}, {"general": {"a": 1}}, {"Not a key": "x"}):
        assert post(client, path, {"answers": answers}, status=422)["code"] == "validation_failed"
    assert Participant.objects.get().closing_answers is None


def test_who_takes_an_invitation_begins_a_session_like_any_other(settings):
    settings.SECOND_FACTOR_ROLES = ("data_manager",)
    world = factory.preference_world()
    made = invitation_create(
        world.trial,
        email="new@example.org",
        role=Role.DATA_MANAGER,
        inviter=world.administrator,
        actor=world.actor,
    )
    client = Client()
    post(client, f"/invitations/{made.token}/accept", {"display_name": "Dr New", "password": PASSWORD})

    session = client.get(f"{API}/session").json()
    assert (session["signed_in"], session["second_factor_due"]) == (True, True)
    entry = AuditEntry.objects.get(kind="session:signed_in")
    assert (entry.actor_id, entry.after) == (
        Account.objects.get(email="new@example.org").id,
        {"second_factor": False},
    )
    assert client.session["confirmed_by"] == "password"
    refused = client.get(f"{API}/trials/{world.trial.id}")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_required")
