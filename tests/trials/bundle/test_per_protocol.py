"""The per-protocol set: what decided deviations take out of the tables, the results, the report and the bundle."""

import csv
import json
import re
import shutil
import subprocess
import sys

import pytest

from equipoise.analysis.errors import AnalysisInputError
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import StateConflictError, ValidationFailedError, VersionConflictError
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory, InstituteFactory
from tests.trials.bundle.r_environment import computed_in_r, has_r, reproduced_in_r
from tests.trials.bundle.worlds import preference_read, unblind
from trials.domain.bundle import MANIFEST, write_manifest
from trials.domain.bundle_contents import bundle_read
from trials.domain.review import Act, ReviewAct, ReviewKind, Severity
from trials.domain.states import TrialAction
from trials.models import Analysis, ReviewStep
from trials.reports.bundle import write_bundle
from trials.reports.exports import latest_analyses
from trials.reports.results import results_into
from trials.selectors.tables import is_as_frozen, readings_rows, snapshot_sha256, snapshots_sha256
from trials.selectors.trial import unmet_preconditions
from trials.services.acts import Actor
from trials.services.analysis import (
    FrozenReadings,
    analysis_compute,
    analysis_request,
    analysis_result,
    analysis_store,
)
from trials.services.bundle_import import bundle_import
from trials.services.review import ReviewSubject, review_open, review_step

pytestmark = [pytest.mark.django_db, pytest.mark.db]
WORDS = "Seen and discussed by two."
PER_PROTOCOL = {"analysis_set": "per_protocol"}
PLANNED = {"analysis_plan.primary.analysis_set": "per_protocol"}


def deviation(world, topic, *, excludes=True, **subject):
    """Record a deviation and decide it."""
    made = review_open(
        world.trial,
        kind=ReviewKind.DEVIATION,
        topic=topic,
        subject=ReviewSubject(**subject),
        act=Act(ReviewAct.OPEN),
        text=WORDS,
        actor=world.actor,
    )
    act = Act(ReviewAct.CLOSE, Severity.MAJOR, excludes)
    return review_step(made, act=act, text=WORDS, actor=world.actor)


def flags_of(world):
    """Return the per-protocol flags of the main readings by reader and case."""
    rows = [row for row in readings_rows(world.trial, unblinded=True) if row["task"] == "preference"]
    return {
        (row["participant"], row["case"], row["repeat"]): {
            flag for flag in row["flags"].split() if flag.startswith("not_per_protocol")
        }
        for row in rows
    }


def test_deviations_flag_what_they_are_about_and_nothing_else():
    world = factory.open_world()
    readers = [world.enrol() for _ in range(2)]
    for reader in readers:
        factory.read_everything(reader)
    second = readers[0].readings.filter(phase="reading").order_by("position")[1]
    case = world.trial.items.filter(practice=False).order_by("code")[0].case.code
    deviation(world, "environment", participant="R-01", n=2)
    deviation(world, "order", participant="R-01", n=2)
    deviation(world, "technical", participant="R-02", n=1, excludes=False)
    deviation(world, "case_material", case=case)
    flags = flags_of(world)
    own = (second.participant.code, second.item.case.code, second.repeat)
    expected = {key: {"not_per_protocol:case_material"} if key[1] == case else set() for key in flags}
    expected[own] |= {"not_per_protocol:environment", "not_per_protocol:order"}
    assert flags == expected
    deviation(world, "wrong_person", participant="R-02")
    assert all(
        "not_per_protocol:wrong_person" in own for key, own in flags_of(world).items() if key[0] == "R-02"
    )


def test_a_deviation_about_nothing_that_was_read_takes_nothing_out():
    world = factory.open_world()
    with pytest.raises(ValidationFailedError, match="about no reader, reading or case"):
        deviation(world, "other")
    assert ReviewStep.objects.count() == 1


def test_data_lock_freezes_what_is_excluded_and_trials_frozen_before_stay_as_they_were():
    world = factory.open_world()
    factory.read_everything(world.enrol())
    excluding = deviation(world, "environment", participant="R-01", n=1)
    world.act(TrialAction.CLOSE)
    world.act(TrialAction.DATA_LOCK)
    assert is_as_frozen(world.trial)
    assert snapshot_sha256(world.trial) == world.trial.data_sha256
    older, _ = snapshots_sha256(world.trial)
    last = excluding.steps.order_by("number").last()
    ReviewStep.objects.create(record=excluding, number=3, act="reopen", at=last.at)
    assert not is_as_frozen(world.trial)
    with pytest.raises(StateConflictError, match="differ from those frozen"):
        FrozenReadings(world.trial).require_unchanged()
    # The hash of older versions is over the rows alone.
    world.trial.data_sha256 = older
    assert is_as_frozen(world.trial)


def test_a_deviation_opened_while_data_lock_looks_at_them_makes_it_begin_again(monkeypatch):
    world = factory.open_world()
    factory.read_everything(world.enrol())
    world.act(TrialAction.CLOSE)

    def overtaken(trial, transition):
        unmet = unmet_preconditions(trial, transition)
        deviation(world, "environment", participant="R-01", n=1)
        return unmet

    with monkeypatch.context() as patched:
        patched.setattr("trials.services.trial.unmet_preconditions", overtaken)
        with pytest.raises(VersionConflictError, match="opened or decided while the data were frozen"):
            world.act(TrialAction.DATA_LOCK)
    world.trial.refresh_from_db()
    assert (world.trial.state, world.trial.data_sha256) == ("closed", "")


def test_per_protocol_analysis_is_reported_with_the_full_set_beside_it(tmp_path):
    world = preference_read(**PLANNED)
    deviation(world, "environment", participant="R-01", n=1)
    deviation(world, "order", participant="R-02", n=2)
    unblind(world)
    asked = {
        wanted: analysis_request(
            world.trial,
            name="preference",
            options={},
            external_table=None,
            actor=world.actor,
            analysis_set=wanted,
        )
        for wanted in (None, "all_submitted")
    }
    assert [one.exploratory for one in asked.values()] == [False, False]
    for one in asked.values():
        analysis_store(one.id, analysis_compute(one))
    write_bundle(world.trial, tmp_path / "bundle")
    folder = tmp_path / "bundle"
    index = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    told = {
        one["results"].split("/")[1]: json.loads((folder / one["results"]).read_text())
        for one in index["analyses"]
    }
    primary, full = told["preference"], told["preference-all-submitted"]
    assert (primary["role"], primary["analysis_set"]) == ("primary", "per_protocol")
    assert (full["role"], full["analysis_set"]) == ("secondary", "all_submitted")
    assert primary["data_sha256"] == full["data_sha256"]

    def given(results):
        scores = [
            one for one in results["numbers"] if one["quantity"] == "preference_score" and one["subject"]
        ]
        return {one["subject"]["participant"]: one["n"] for one in scores}

    with (folder / "readings.csv").open(encoding="utf-8", newline="") as source:
        rows = [row for row in csv.DictReader(source) if row["task"] == "preference" and row["repeat"] == "1"]
    assert given(full) == {
        reader: sum(row["participant"] == reader for row in rows) for reader in given(full)
    }
    inside = [row for row in rows if "not_per_protocol" not in row["flags"]]
    assert given(primary) == {
        reader: sum(row["participant"] == reader for row in inside) for reader in given(full)
    }
    assert sum(given(full).values()) - sum(given(primary).values()) == len(rows) - len(inside) > 0
    assert any(
        "left out by protocol deviations (environment 1, order 1)" in note for note in primary["notes"]
    )
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "all submitted readings" in page
    assert "Answered readings outside the per-protocol set" in page
    again = subprocess.run(
        [sys.executable, str(folder / "reproduce.py")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "preference: " in again.stdout
    assert "preference-all-submitted: " in again.stdout
    assert {one.folder.name for one in bundle_read(folder).results} == set(told)
    if has_r():
        in_r = reproduced_in_r(folder)
        assert in_r.returncode == 0, in_r.stdout + in_r.stderr
        assert computed_in_r(in_r)["preference"] > 0


def test_another_set_than_the_planned_one_is_exploratory():
    world = factory.open_world()
    factory.read_everything(world.enrol())
    unblind(world)

    def asked(**wanted):
        return analysis_request(
            world.trial, **({"options": {}, "external_table": None, "actor": world.actor} | wanted)
        )

    assert asked(name="preference", analysis_set="all_submitted").exploratory is False
    other = asked(name="preference", analysis_set="per_protocol")
    assert (other.exploratory, other.options) == (True, {"analysis_set": "per_protocol"})
    entry = AuditEntry.objects.filter(subject=f"analysis:{other.id}").get()
    assert entry.after == {"name": "preference", "exploratory": True, "analysis_set": "per_protocol"}
    with pytest.raises(ValidationFailedError, match="said by itself"):
        asked(name="preference", options={"analysis_set": "per_protocol"})


def test_an_overflow_in_one_analysis_leaves_the_others_in_the_bundle(tmp_path, monkeypatch):
    world = preference_read(readers=2, **PLANNED)
    unblind(world)

    def overflowing(analysis, frozen):
        if not analysis.options:
            return analysis_result(analysis, frozen)
        raise OverflowError("math range error")

    monkeypatch.setattr("trials.reports.results.analysis_result", overflowing)
    reported = results_into(world.trial, FrozenReadings(world.trial), tmp_path)
    assert "preference" in {one.key for one in reported.entries}
    assert reported.not_computed["preference-all-submitted"].endswith("numbers hold: math range error.")


def test_a_planned_run_from_before_analysis_sets_is_made_anew():
    world = preference_read(readers=2, **PLANNED)
    deviation(world, "environment", participant="R-01", n=1)
    unblind(world)
    asked = analysis_request(
        world.trial, name="preference", options={}, external_table=None, actor=world.actor
    )
    computed = analysis_compute(asked)
    analysis_store(asked.id, computed)
    assert [one.id for one in latest_analyses(world.trial)] == [asked.id]
    older = {key: value for key, value in computed["results"].items() if key != "analysis_set"}
    analysis_store(asked.id, computed | {"results": older})
    assert latest_analyses(world.trial) == []


def test_a_bundle_whose_tables_lack_the_flags_gives_no_per_protocol_result(tmp_path):
    world = preference_read(readers=2, **PLANNED)
    deviation(world, "environment", participant="R-01", n=1)
    unblind(world)
    folder = tmp_path / "bundle"
    write_bundle(world.trial, folder)
    trial = brought(folder, "with-flags")
    asked = Analysis(trial=trial, name="preference", exploratory=True, options=PER_PROTOCOL)
    assert analysis_result(asked).analysis_set == "per_protocol"

    shutil.rmtree(folder / "results")
    index = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    (folder / "results.json").write_text(json.dumps(index | {"analyses": []}), encoding="utf-8")
    readings = (folder / "readings.csv").read_text(encoding="utf-8")
    bare = re.sub(r" ?not_per_protocol:environment", "", readings)
    (folder / "readings.csv").write_text(bare, encoding="utf-8")
    (folder / MANIFEST).unlink()
    write_manifest(folder)
    asked.trial = brought(folder, "without-flags")
    with pytest.raises(AnalysisInputError, match="cannot be told from it"):
        analysis_result(asked)


def brought(folder, slug):
    """Import a bundle as somebody of another institute."""
    person = AccountFactory.create(institute=InstituteFactory.create(), is_site_administrator=True)
    return bundle_import(
        folder, institute=person.institute, importer=person, slug=slug, actor=Actor(account_id=person.id)
    )
