"""An administrator's way through the interface: template, protocol, transitions, analyses, exports."""

import io
import json

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from equipoise.jobs.inline import jobs_run_inline
from tests.factories import trials as factory
from tests.factories.accounts import PASSWORD, AccountFactory
from trials.domain.states import TrialAction
from trials.models import Trial

pytestmark = [pytest.mark.django_db, pytest.mark.db]

API = "/api/v1"


def signed_in(account):
    client = Client()
    client.force_login(account)
    return client


def send(client, method, path, body=None, status=200, **headers):
    response = getattr(client, method)(
        f"{API}{path}", data=json.dumps(body or {}), content_type="application/json", headers=headers
    )
    assert response.status_code == status, response.content
    return response.json() if response.content else None


def finished_world(**options):
    world = factory.open_world(**options)
    for speciality in ("radiology", "radiology", "radiation_oncology"):
        factory.read_everything(world.enrol(speciality=speciality))
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    return world


def test_trial_is_created_from_a_template_by_a_site_administrator_only():
    administrator = AccountFactory.create(is_site_administrator=True)
    body = {"slug": "new-trial", "title": "New", "template": "contour-preference"}
    made = send(signed_in(administrator), "post", "/trials", body, status=201)
    assert made["state"] == "draft"
    assert made["primary_action"] == "lock"
    missing = {
        one["code"] for action in made["actions"] if action["action"] == "lock" for one in action["missing"]
    }
    assert missing == {"items_drawn", "practice_items_present"}
    send(signed_in(AccountFactory.create()), "post", "/trials", {**body, "slug": "other"}, status=403)
    assert Trial.objects.count() == 1


def test_list_shows_trials_in_which_one_is_more_than_a_reader():
    world = factory.open_world()
    reader = world.enrol()
    listed = signed_in(world.administrator).get(f"{API}/trials").json()["results"]
    assert [(row["slug"], row["roles"]) for row in listed] == [("contours", ["administrator"])]
    assert signed_in(reader.membership.account).get(f"{API}/trials").json()["results"] == []


def test_protocol_draft_keeps_its_text_and_names_what_is_wrong_by_line():
    world = factory.preference_world()
    client = signed_in(world.administrator)
    path = f"/trials/{world.trial.id}/protocol"
    response = client.get(f"{API}{path}")
    etag = response.headers["ETag"]
    text = response.json()["text"].replace("questionnaire:", "questionaire:")
    saved = send(client, "put", path, {"text": text}, **{"If-Match": etag})
    assert saved["text"] == text
    line = 1 + text.split("questionaire:")[0].count("\n")
    assert [(one["pointer"], one["line"]) for one in saved["problems"]] == [("/questionaire", line)]
    assert "questionnaire" in saved["problems"][0]["message"]
    stale = send(client, "put", path, {"text": text}, status=412, **{"If-Match": etag})
    assert stale["code"] == "version_conflict"


def test_lock_asks_for_password_reason_and_waiver():
    world = factory.preference_world()
    client = signed_in(world.administrator)
    path = f"/trials/{world.trial.id}/transitions/lock"
    refused = send(client, "post", path, {"reason": "ready", "waiver": "small pilot"}, status=422)
    assert refused["data"]["fields"].keys() == {
        "/password"
    }  # that one has just signed in is not enough to sign
    unwaived = send(client, "post", path, {"reason": "ready", "password": PASSWORD}, status=409)
    assert [one["code"] for one in unwaived["data"]["unmet"]] == ["rehearsed_or_waived"]
    assert Trial.objects.get().state == "draft"
    locked = send(client, "post", path, {"reason": "ready", "waiver": "small pilot", "password": PASSWORD})
    assert locked["state"] == "locked"
    assert len(locked["seed_commitment"]) == 64


def test_results_by_arm_are_refused_before_unblinding_and_computed_after():
    world = factory.open_world(**{"analysis_plan.bootstrap_resamples": 100})
    factory.read_everything(world.enrol())
    client = signed_in(world.administrator)
    path = f"/trials/{world.trial.id}/analyses"
    refused = send(client, "post", path, {"name": "preference"}, status=409)
    assert refused["code"] == "state_conflict"
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    asked = send(client, "post", path, {"name": "preference"}, status=202)
    assert asked["state"] == "queued"
    assert asked["exploratory"] is False
    (job,) = jobs_run_inline()
    assert job.state == "succeeded"
    (done,) = client.get(f"{API}{path}").json()["results"]
    assert done["state"] == "succeeded"
    assert done["findings"]
    figure = done["figures"][0]
    assert client.get(figure["svg_url"]).content.startswith(b"<?xml")
    assert client.get(figure["png_url"]).content.startswith(b"\x89PNG")
    points = client.get(figure["points_url"])
    assert points.headers["Content-Type"] == "application/json"
    assert all(0 <= x <= 1 and 0 <= y <= 1 and words for x, y, words in points.json()["points"])
    assert points.json()["points"]
    results = client.get(done["results_url"]).json()
    assert results["name"] == "preference"
    assert client.get(done["results_url"].replace("results.json", "../../x")).status_code == 404
    other = send(client, "post", path, {"name": "preference", "options": {"n_resamples": 50}}, status=202)
    assert other["exploratory"] is True  # with options of one's own it is not the analysis that was planned


def test_exports_hold_one_row_per_reading_and_no_formula():
    world = factory.open_world()
    reader = world.enrol()
    opened = factory.open_reading(reader)
    factory.answer(reader, opened)
    opened = factory.open_reading(reader)
    factory.answer(reader, opened, comment="=HYPERLINK(1)")
    client = signed_in(world.administrator)
    base = f"{API}/trials/{world.trial.id}/export"
    lines = b"".join(client.get(f"{base}/readings.csv").streaming_content).decode().splitlines()
    assert len(lines) == 1 + 7 + 2
    assert lines[0].startswith("trial,participant,participant_kind,group,experience_years,case,item,slice")
    assert "algorithm" not in "\n".join(lines)
    assert "HYPERLINK" not in "\n".join(lines)
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"{base}/tables.xlsx").content))
    assert book.sheetnames == ["readings", "participants", "environments"]
    lines = b"".join(client.get(f"{base}/environments.csv").streaming_content).decode().splitlines()
    assert lines[0].startswith("trial,participant,session,display,readings,window_width_px_min")
    assert lines[1].startswith(
        "contours,R-01,1,1280x1024+0+0/24,2,1280,800,1280,800,1280,1024,1,100,24,none,0,,0"
    )
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    lines = b"".join(client.get(f"{base}/readings.csv").streaming_content).decode().splitlines()
    assert "'=HYPERLINK(1)" in "\n".join(lines)
    rows = json.loads(b"".join(client.get(f"{base}/readings.json").streaming_content))
    assert len(rows) == 9
    book = openpyxl.load_workbook(io.BytesIO(client.get(f"{base}/tables.xlsx").content))
    assert book.sheetnames == ["readings", "participants", "environments", "allocation"]
    assert book["allocation"].max_row == 1 + 4 * (1 + 7 + 2)
    header = [cell.value for cell in next(book["participants"].rows)]
    assert header[-4:] == [
        "form_speciality",
        "form_experience_years",
        "form_contours_per_month",
        "form_display",
    ]


def test_spreadsheet_has_a_sheet_for_each_table_of_an_analysis():
    world = finished_world()
    client = signed_in(world.statistician)
    body = {"name": "preference", "options": {"n_resamples": 50}}
    send(client, "post", f"/trials/{world.trial.id}/analyses", body, status=202)
    jobs_run_inline()
    book = openpyxl.load_workbook(
        io.BytesIO(client.get(f"{API}/trials/{world.trial.id}/export/tables.xlsx").content)
    )
    assert book.sheetnames[:3] == ["readings", "participants", "environments"]
    # Run with options that are not the plan's, it is marked as exploratory, beside where the planned one would be.
    assert {"preference expl. scores", "preference expl. groups"} <= set(book.sheetnames)


def test_external_table_surfaces_rows_that_mark_both_or_neither():
    world = factory.preference_world()
    client = signed_in(world.administrator)
    text = "participant,item,ai,manual\nR-1,1,1,0\nR-1,2,1,1\nR-1,3,0,0\nR-1,4,0,1\n"
    path = f"{API}/trials/{world.trial.id}/external-tables"
    marks = {"algorithm_mark": "ai", "other_mark": "manual", "both": "algorithm", "neither": "against"}
    response = client.post(path, {"file": SimpleUploadedFile("answers.csv", text.encode()), **marks})
    assert response.status_code == 201, response.content
    table = response.json()
    assert table["imported"] == 4
    assert table["surfaced"] == [{"row": 3, "problem": "both"}, {"row": 4, "problem": "neither"}]
    wrong = client.post(path, {"file": SimpleUploadedFile("a.csv", b"participant,score\nR-1,abc\n"), **marks})
    assert wrong.status_code == 422
    assert "row 2" in wrong.json()["detail"]


def test_monitor_and_audit_tell_progress_and_acts_but_no_answer():
    world = factory.open_world()
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader), choice="right")
    factory.answer(reader, factory.open_reading(reader), choice="right")
    client = signed_in(world.administrator)
    monitor = client.get(f"{API}/trials/{world.trial.id}/monitor").json()
    assert monitor["progress"] == [{"participant": "R-01", "states": ["submitted"] + ["planned"] * 8}]
    (pace,) = monitor["pace"]
    assert (pace["submitted"], pace["planned"], pace["median_wall_s"]) == (1, 9, 5.0)
    trail = client.get(f"{API}/trials/{world.trial.id}/audit").json()
    kinds = [entry["kind"] for entry in trail["results"]]
    assert kinds[:2] == ["reading:submitted", "reading:opened"]
    assert '"right"' not in json.dumps(trail)
    allocation = client.get(f"{API}/trials/{world.trial.id}/allocation").json()
    assert allocation["seed"] is None
    assert allocation["allocated"]["balanced"]
    seen = signed_in(world.statistician).get(f"{API}/trials/{world.trial.id}/allocation").json()
    assert len(seen["seed"]) == 64
