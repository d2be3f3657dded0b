"""Analyses of a part of the readings: a group, a condition, the cases of a stratum; always exploratory, always told."""

import pytest

from equipoise.audit.models import AuditEntry
from equipoise.jobs.inline import job_run_inline
from tests.factories import trials as factory
from tests.trials.api.test_administration import API, send, signed_in
from tests.trials.bundle.worlds import preference_finished
from trials.reports.exports import latest_analyses
from trials.reports.report_results import results_section
from trials.selectors.parts import MOST_VALUES, parts_of
from trials.selectors.report import report_facts
from trials.selectors.tables import form_columns, readings_rows

pytestmark = [pytest.mark.django_db, pytest.mark.db]


@pytest.fixture
def world():
    world = preference_finished()
    for number, case in enumerate(world.trial.cases.filter(purpose="trial").order_by("code")):
        case.covariates = {"site": "AB"[number % 2], "volume_ml": number, "scanner": "one"}
        case.save(update_fields=["covariates"])
    return world


def address(world):
    return f"/trials/{world.trial.id}/analyses"


def listed(client, world):
    return client.get(API + address(world)).json()


def computed(client, world, where):
    body = {"name": "preference", "options": {}, "where": where}
    made = send(client, "post", address(world), body, status=202)
    assert job_run_inline(made["job_id"]).state == "succeeded"
    return next(one for one in listed(client, world)["results"] if one["id"] == made["id"])


def answered(world, wanted):
    """Count the first answered readings of the main task that ``wanted`` says yes to."""
    rows = [
        row
        for row in readings_rows(world.trial, unblinded=True)
        if row["task"] == "preference" and row["repeat"] == 1 and row["state"] == "submitted"
    ]
    return sum(1 for row in rows if wanted(row))


def n_of(analysis):
    scores = [one for one in analysis["numbers"] if one["quantity"] == "preference_score" and one["subject"]]
    return sum(one["n"] for one in scores)


def test_parts_are_what_parts_the_readings_in_more_than_one_and_few(world):
    site, volumes = ("A", "B"), tuple(sorted(map(str, range(6))))
    found = {one.column: one.values for one in parts_of(world.trial)}
    groups = found.pop("group")
    assert len(groups) == 2
    assert found == {"site": site, "volume_ml": volumes}
    for number, case in enumerate(world.trial.cases.filter(purpose="trial")):
        case.covariates = {"reading": number, f"only_{number}": 1}
        case.save(update_fields=["covariates"])
    assert [one.column for one in parts_of(world.trial)] == ["group", "reading"]
    assert MOST_VALUES >= 6


def test_a_covariate_called_as_an_answer_of_the_readers_is_no_part(world):
    asked = next(iter(form_columns(world.trial)))
    for number, case in enumerate(world.trial.cases.filter(purpose="trial")):
        case.covariates = {asked: "AB"[number % 2], "site": "AB"[number % 2]}
        case.save(update_fields=["covariates"])
    assert [one.column for one in parts_of(world.trial)] == ["group", "site"]
    body = {"name": "preference", "where": {asked: "A"}}
    refused = send(signed_in(world.administrator), "post", address(world), body, status=422)
    assert list(refused["data"]["fields"]) == [f"/where/{asked}"]


def test_an_analysis_of_a_part_is_computed_from_it_alone_marked_recorded_and_reported(world):
    client = signed_in(world.administrator)
    told = listed(client, world)["parts"]
    [group, other] = next(one["values"] for one in told if one["column"] == "group")
    of_group = computed(client, world, {"group": group})
    assert (of_group["where"], of_group["exploratory"]) == ({"group": group}, True)
    assert n_of(of_group) == answered(world, lambda row: row["group"] == group) > 0
    assert f"Computed from a part of the readings alone: where group is {group}." in of_group["notes"]
    cases = {case.code for case in world.trial.cases.filter(covariates__site="A")}
    of_both = computed(client, world, {"group": other, "site": "A"})
    wanted = answered(world, lambda row: row["group"] == other and row["case"] in cases)
    assert n_of(of_both) == wanted > 0
    entry = AuditEntry.objects.get(subject=f"analysis:{of_both['id']}")
    assert entry.after == {
        "name": "preference",
        "exploratory": True,
        "where": {"group": other, "site": "A"},
    }
    # A part never stands for the whole in the workbook, the bundle or the report; how often it was computed is told.
    assert latest_analyses(world.trial) == []
    page = str(results_section(report_facts(world.trial), [], {}))
    assert f"preference where group is {group} (" in page
    assert f"preference where group is {other} and site is A (" in page


def test_a_part_that_is_none_is_refused(world):
    client = signed_in(world.administrator)
    for where in ({"group": "nobody's"}, {"volume_cm": "1"}, {"participant": "R-01"}):
        refused = send(client, "post", address(world), {"name": "preference", "where": where}, status=422)
        assert list(refused["data"]["fields"]) == [f"/where/{next(iter(where))}"]
    assert not world.trial.analyses.exists()


def test_nothing_is_told_of_parts_before_unblinding():
    world = factory.open_world()
    for speciality in ("radiology", "other_medical"):
        factory.read_everything(world.enrol(speciality=speciality))
    assert listed(signed_in(world.administrator), world)["parts"] == []
