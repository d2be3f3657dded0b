"""The report: one page that needs nothing else; counts are those of the tables, numbers those of the results."""

import csv
import json
import math
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.utils import timezone
from openpyxl import load_workbook
from typer.testing import CliRunner

from equipoise.cli import trial as command
from equipoise.common.errors import StateConflictError
from equipoise.common.permissions import Role
from equipoise.jobs.inline import job_run_inline
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from tests.factories.contouring import draw_everything, open_contouring_world
from tests.trials.bundle.worlds import bone_scans_finished, preference_finished, unblind
from trials.domain.bundle_contents import bundle_read
from trials.domain.states import TrialAction
from trials.models import Analysis, AnalysisState, Participant
from trials.reports.bundle import bundle_make, write_bundle
from trials.reports.report import report_html
from trials.reports.report_page import shown
from trials.services.analysis import analysis_request
from trials.services.invitation import membership_create
from trials.services.participant import participant_withdraw

pytestmark = [pytest.mark.django_db, pytest.mark.db]

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Every element with its attributes and the text in it."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self._open = [], []
        self.feed(text)
        self.close()
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag, attrs):
        element = {
            "tag": tag,
            "attrs": dict(attrs),
            "text": "",
            "parents": [one["tag"] for one in self._open],
        }
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self._open:
            element["text"] += data

    def all(self, tag, **attributes):
        return [
            one
            for one in self.elements
            if one["tag"] == tag
            and all(one["attrs"].get(k.replace("_", "-")) == v for k, v in attributes.items())
        ]

    def boxes(self):
        return {
            one["attrs"]["data-box"]: int(one["attrs"]["data-count"])
            for one in self.all("g")
            if "data-box" in one["attrs"]
        }

    def parts(self):
        """Return the counts that each box is said to be made of."""
        found, box = {}, None
        for one in self.elements:
            if "data-box" in one["attrs"]:
                box = found.setdefault(one["attrs"]["data-box"], [])
            elif "data-part" in one["attrs"]:
                box.append(int(one["attrs"]["data-part"]))
        return found


def bundle_of(world, folder):
    write_bundle(world.trial, folder)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def rows(folder, name):
    with (folder / name).open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def told(folder):
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))["analyses"]


def unfinished_world():
    """Return a trial with a reader who finished, one who stopped, one who withdrew, one in their place, one invited."""
    world = factory.open_world()
    factory.read_everything(world.enrol())
    half = world.enrol(speciality="radiation_oncology")
    for _ in range(3):
        factory.answer(half, factory.open_reading(half), choice="left")
    participant_withdraw(world.enrol(), reason_code="no_time", reason="On leave", actor=world.actor)
    instead = world.enrol()
    assert instead.slot.replaces is not None
    account = AccountFactory.create(institute=world.administrator.institute)
    membership_create(world.trial, account, Role.READER, actor=world.actor)
    return unblind(world)


# --- counts --------------------------------------------------------------------------------------------------------


def compare_flow(page, folder, trial):
    """Every count of the diagram is that of the tables, and what leaves and what goes on add up."""
    boxes = page.boxes()
    readings = [row for row in rows(folder, "readings.csv") if row["participant_kind"] == "reader"]
    states = Counter(row["state"] for row in readings)
    assert boxes["readings"] == len(readings)
    assert boxes["readings-answered"] == states["submitted"] + states["not-assessable"]
    assert boxes.get("readings-unanswered", 0) == len(readings) - boxes["readings-answered"]
    kinds = [count for key, count in boxes.items() if key.startswith("answered-")]
    assert not kinds or sum(kinds) == boxes["readings-answered"]
    if "slices" in boxes:
        assert boxes["slices"] == boxes["slices-qualifying"] + boxes.get("slices-failed", 0)
        assert boxes["slices-qualifying"] == boxes["items"] + boxes.get("slices-not-drawn", 0)
    assert boxes["items"] == trial.items.filter(practice=False).count()
    assert boxes["cases"] == boxes["cases-with-item"] + boxes.get("cases-without-item", 0)
    assert boxes["cases-with-item"] == len({row["case"] for row in readings})
    readers = [row for row in rows(folder, "participants.csv") if row["kind"] == "reader"]
    assert boxes["readers"] == len(readers) == boxes["readers-kept"] + boxes.get("readers-withdrawn", 0)
    assert boxes.get("readers-withdrawn", 0) == sum(1 for row in readers if row["state"] == "withdrawn")
    placed = len({row["slot"] for row in rows(folder, "allocation.csv") if row["participant"]})
    assert boxes["slots"] == boxes.get("slots-free", 0) + placed
    with_place, without = page.parts().get("readers") or (placed, 0)
    assert with_place == placed
    assert boxes["readers"] == placed + without
    summed = {"readings-unanswered", "readings-answered", "slots", "readers-withdrawn", "readers-kept"}
    summed |= {"slices-failed", "slices-not-drawn"}
    for key, parts in page.parts().items():
        if key in summed:
            assert sum(parts) == boxes[key], key


def compare_numbers(page, folder):
    """Every number of results.json stands in the report, in full beside the rounded one, in the same order."""
    printed = [one for one in page.all("tr") if "data-number" in one["attrs"]]
    by_name = {one["name"]: one["numbers"] for one in told(folder)}
    ids = [one["attrs"].get("id") or "" for one in page.all("h3")]
    order = [one.removeprefix("result-") for one in ids if one.startswith("result-")]
    assert sorted(order) == sorted(by_name)
    expected = [number for name in order for number in by_name[name]]
    assert len(printed) == len(expected) > 0
    values = [one for one in page.all("td") if "data-value" in one["attrs"] and "details" in one["parents"]]
    bounds = iter([one for one in page.all("span") if "data-low" in one["attrs"]])
    p_values = [one for one in page.all("td") if "data-p" in one["attrs"]]
    for row, value, p_cell, number in zip(printed, values, p_values, expected, strict=True):
        assert row["attrs"]["data-number"] == number["quantity"]
        assert json.loads(row["attrs"]["data-subject"]) == number["subject"]
        text = value["attrs"]["data-value"]
        assert (float(text) if text else None) == number["value"]
        if number["value"] is not None:
            assert value["text"].split()[0] == shown(number["value"])
            assert math.isclose(float(value["text"].split()[0]), number["value"], rel_tol=6e-4, abs_tol=1e-12)
        assert (float(p_cell["attrs"]["data-p"]) if p_cell["attrs"]["data-p"] else None) == number["pvalue"]
        if number["interval"] is not None:
            bound = next(bounds)
            assert float(bound["attrs"]["data-low"]) == number["interval"]["low"]
            assert float(bound["attrs"]["data-high"]) == number["interval"]["high"]
    assert next(bounds, None) is None


def compare_page(page, text, world):
    """Nothing in it comes from elsewhere, runs, or names a person."""
    assert not re.search(r"https?://|//[a-z]|url\((?!#)|@import|javascript:", text)
    assert not page.all("script")
    assert not page.all("img")
    assert not page.all("link")
    assert not [
        one for one in page.elements if any(name == "style" or name.startswith("on") for name in one["attrs"])
    ]
    ids = [one["attrs"]["id"] for one in page.elements if "id" in one["attrs"]]
    assert len(ids) == len(set(ids))
    for one in page.elements:
        link = one["attrs"].get("href")
        assert link is None or (link.startswith("#") and link[1:] in ids), link
    [policy] = [one["attrs"]["content"] for one in page.all("meta", http_equiv="Content-Security-Policy")]
    assert policy.startswith("default-src 'none'; ")
    readers = Participant.objects.filter(trial=world.trial).exclude(membership=None)
    people = [world.administrator, *(one.membership.account for one in readers)]
    for person in people:
        assert person.email not in text
        assert person.display_name not in text
        assert str(person.id) not in text


def test_report_of_a_preference_trial_holds_the_tables_counts_and_the_results_numbers(tmp_path):
    world = preference_finished()
    folder = tmp_path / "bundle"
    page = bundle_of(world, folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    compare_flow(page, folder, world.trial)
    compare_numbers(page, folder)
    compare_page(page, text, world)
    marks = {one["text"] for one in page.all("span") if (one["attrs"].get("class") or "").startswith("mark ")}
    assert marks <= {"primary", "secondary", "exploratory"}
    assert "not for publication as it stands" in page.all("header")[0]["text"]
    assert "primary" in marks
    [primary] = [one for one in told(folder) if one["role"] == "primary"]
    results = json.loads((folder / primary["results"]).read_text(encoding="utf-8"))
    findings = [one["text"] for one in page.all("p", **{"class": "finding"})]
    assert findings[0] == results["findings"][0]
    assert set(results["findings"]) <= set(findings)
    assert len(page.all("figure")) >= len(results["figures"])
    for one in told(folder):
        assert one["data_sha256"] in text
        assert one["method"] in page.all("main")[0]["text"]
    assert world.trial.data_sha256 in text
    assert "GRRAS" in text
    assert "STARD 2015" not in text
    assert not page.all("span", **{"class": "mark apparent"})


def test_report_of_readings_missing_withdrawn_and_not_assessed_adds_up(tmp_path):
    world = unfinished_world()
    folder = tmp_path / "bundle"
    page = bundle_of(world, folder)
    compare_flow(page, folder, world.trial)
    boxes = page.boxes()
    assert boxes["readers-withdrawn"] == 1
    assert boxes["readings-unanswered"] > 0
    unanswered = next(one for one in page.all("g") if one["attrs"].get("data-box") == "readings-unanswered")
    assert "the trial was closed" in unanswered["text"]
    deviations = {
        row["text"].rstrip("0123456789"): int(re.search(r"\d+$", row["text"])[0])
        for row in page.all("tr")
        if re.search(r"\d+$", row["text"]) and "section" in row["parents"]
    }
    assert deviations["Readings not done"] == boxes["readings-unanswered"]
    assert deviations["Readers withdrawn"] == 1


def test_report_of_bone_scans_marks_apparent_performance_and_offers_stard(tmp_path):
    world = bone_scans_finished(used_in_training="training")
    text = report_html(world.trial)
    page = Page(text)
    assert "apparent performance" in page.all("header")[0]["text"]
    captions = [one["text"] for one in page.all("figcaption") if "Flow" not in one["text"]]
    marked = [one for one in captions if "apparent performance of " in one]
    assert len(marked) >= 3
    assert "STARD 2015" in text
    assert "STARD-AI" in text
    assert "is not a score of quality" in text
    assert "neither is offered" in text
    assert "CONSORT-AI is for trials that randomise patients" in text
    compare_page(page, text, world)


def test_report_of_a_contouring_trial_is_whole(tmp_path):
    world = open_contouring_world(cases=2)
    for pixels in range(2):
        draw_everything(world.enrol(), pixels=pixels)
    unblind(world)
    page = bundle_of(world, tmp_path / "bundle")
    compare_flow(page, tmp_path / "bundle", world.trial)
    compare_numbers(page, tmp_path / "bundle")


def test_words_of_the_protocol_cannot_become_markup(tmp_path):
    world = preference_finished(readers=2)
    world.trial.title = "<script>alert(1)</script> & <b>bold</b>"
    world.trial.save()
    text = report_html(world.trial)
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in text


def analysed(world, name, **options):
    """Run an analysis as an administrator does from the page; return its row."""
    row = analysis_request(world.trial, name=name, options=options, external_table=None, actor=world.actor)
    job_run_inline(row.job_id)
    row.refresh_from_db()
    assert row.state == "succeeded", row.message
    return row


@pytest.mark.parametrize("planned_was_run", [True, False])
def test_exploratory_rerun_stands_beside_the_planned_primary_result(planned_was_run, tmp_path):
    world = bone_scans_finished()
    if planned_was_run:
        planned = analysed(world, "mrmc").results
    rerun = analysed(world, "mrmc", metric="sensitivity").results
    assert rerun["role"] == "exploratory"
    folder = tmp_path / "bundle"
    page = bundle_of(world, folder)

    entries = {one["results"]: one for one in told(folder) if one["name"] == "mrmc"}
    own, beside = "results/mrmc/results.json", "results/mrmc-exploratory/results.json"
    assert {key: (one["planned"], one["role"]) for key, one in entries.items()} == {
        own: (True, "primary"),
        beside: (False, "exploratory"),
    }
    assert entries[beside]["numbers"] == rerun["numbers"]
    primary = json.loads((folder / own).read_text(encoding="utf-8"))
    assert primary["numbers"] == entries[own]["numbers"] != rerun["numbers"]
    if planned_was_run:
        assert primary["numbers"] == planned["numbers"]
    assert json.loads((folder / beside).read_text(encoding="utf-8"))["parameters"]["metric"] == "sensitivity"
    by_name = Counter(row["analysis"] for row in rows(folder, "numbers.csv"))
    assert by_name["mrmc"] > 0
    assert by_name["mrmc-exploratory"] > 0
    metrics = {
        row["analysis"]: row["value"]
        for row in rows(folder, "parameters.csv")
        if row["parameter"] == "metric"
    }
    assert metrics["mrmc-exploratory"] == "sensitivity" != metrics["mrmc"]
    kept = {
        (one.told["role"], one.planned) for one in bundle_read(folder).results if one.told["name"] == "mrmc"
    }
    assert kept == {("primary", True), ("exploratory", False)}

    header = page.all("header")[0]["text"]
    assert primary["findings"][0] in header
    assert "No primary finding" not in header
    heads = {one["attrs"]["id"]: one["text"] for one in page.all("h3") if "id" in one["attrs"]}
    assert heads["result-mrmc"].endswith("primary")
    assert heads["result-mrmc-exploratory"].endswith("exploratory")
    articles = [one["text"] for one in page.all("article")]
    [marked] = [one for one in articles if "not with the options of this run" in one]
    assert rerun["findings"][0] in marked
    assert "metric = sensitivity" in page.all("main")[0]["text"]
    sheets = load_workbook(folder / "tables.xlsx").sheetnames
    assert any(one.startswith("mrmc expl. ") for one in sheets)
    assert any(one.startswith("mrmc ") and "expl." not in one for one in sheets) is planned_was_run
    assert all(len(one) <= 31 for one in sheets)
    compare_page(page, (folder / "report.html").read_text(encoding="utf-8"), world)


# --- for whom, and when --------------------------------------------------------------------------------------------


def test_no_report_before_unblinding(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_start", lambda: None)
    world = factory.open_world()
    factory.read_everything(world.enrol())
    client = Client()
    client.force_login(world.administrator)
    for action in (None, TrialAction.CLOSE, TrialAction.DATA_LOCK):
        if action is not None:
            world.act(action)
        with pytest.raises(StateConflictError, match="made after unblinding"):
            report_html(world.trial)
        refused = client.get(f"/api/v1/trials/{world.trial.id}/export/report.html")
        assert refused.status_code == 409
        assert "made after unblinding" in refused.json()["detail"]
        output = tmp_path / "report.html"
        done = CliRunner().invoke(
            command.app,
            ["report", world.trial.slug, "--as", world.administrator.email, "--output", str(output)],
        )
        assert isinstance(done.exception, StateConflictError)
        assert not output.exists()


def test_report_by_command_and_in_the_browser_for_those_who_may_see_results(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_start", lambda: None)
    world = factory.open_world()
    factory.read_everything(world.enrol())
    unblind(world)
    output = tmp_path / "report.html"
    arguments = ["report", world.trial.slug, "--as", world.administrator.email, "--output", str(output)]
    done = CliRunner().invoke(command.app, arguments)
    assert done.exit_code == 0, done.output
    client = Client()
    client.force_login(world.administrator)
    address = f"/api/v1/trials/{world.trial.id}/export/report.html"
    missing = client.get(address)
    assert missing.status_code == 404
    assert "make the bundle first" in missing.json()["detail"]
    bundle_make(world.trial).keep()
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.content.decode() == output.read_text(encoding="utf-8")
    assert answer["Content-Security-Policy"].startswith("sandbox")
    assert answer["Content-Disposition"].startswith("inline")
    manager = AccountFactory.create(institute=world.trial.institute)
    membership_create(world.trial, manager, Role.DATA_MANAGER, actor=world.actor)
    other = Client()
    other.force_login(manager)
    assert other.get(address).status_code == 403
    now = timezone.now()
    Analysis.objects.create(
        trial=world.trial,
        name="preference",
        state=AnalysisState.SUCCEEDED,
        created_at=now,
        finished_at=now,
    )
    outdated = client.get(address)
    assert outdated.status_code == 409
    assert "make the bundle again" in outdated.json()["detail"]
    world.trial.state = "archived"
    world.trial.save()
    assert client.get(address).content == answer.content
