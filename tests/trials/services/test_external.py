"""Data that were collected elsewhere: who may change what until when, what is refused, what is set beside it."""

import copy

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from equipoise.analysis.errors import AnalysisInputError
from equipoise.archive.selectors import stored_mask_array
from equipoise.audit.guards import guards_lifted
from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry
from equipoise.common.errors import StateConflictError, ValidationFailedError, VersionConflictError
from equipoise.jobs.inline import job_run_inline
from equipoise.metrics import longest_axial_diameter_mm
from tests.factories import trials as factory
from trials.domain.states import TrialAction
from trials.models import Contour, ExternalTable
from trials.reports.report import report_html
from trials.selectors.external import external_lacking
from trials.selectors.protocol import amendment_standing, protocol_locked
from trials.selectors.report import conduct
from trials.selectors.tables import snapshot_sha256
from trials.services import external
from trials.services.analysis import analysis_request
from trials.services.external import external_table_import
from trials.services.protocol import protocol_amend

pytestmark = [pytest.mark.django_db, pytest.mark.db]

FOLLOW_UP = {
    "external_data": [
        {
            "key": "follow_up",
            "table": "survival",
            "collected": "From the hospital's registry.",
            "patients": "trial",
            "columns": [{"column": "time", "in_file": "days"}, {"column": "event", "in_file": "died"}],
        }
    ],
    "analysis_plan.secondary": [
        {
            "key": "prognosis",
            "name": "Prognostic value",
            "analysis": "survival",
            "data": "follow_up",
            "parameters": [{"name": "time_unit", "value": "days"}],
        }
    ],
}
DAYS = (30, 400, 80, 700, 150, 900)
DIED = (1, 0, 1, 1, 1, 0)


def follow_up_world():
    world = factory.preference_world(**FOLLOW_UP)
    world.act(TrialAction.LOCK)
    world.act(TrialAction.OPEN)
    return world


def codes(world):
    return sorted(world.trial.cases.filter(purpose="trial").values_list("code", flat=True))


def table_of(cases, *, days=DAYS, stage=(1, 2, 1, 3, 2, 1)):
    rows = [f"{c},{d},{e},{s}" for c, d, e, s in zip(cases, days, DIED, stage, strict=True)]
    return "\n".join(["case,days,died,stage", *rows]).encode()


def brought(world, content, *, key="follow_up", file_name="registry.csv", **options):
    return external_table_import(
        world.trial, content=content, file_name=file_name, key=key, actor=world.actor, **options
    )


def analysed(world, table, **options):
    analysis = analysis_request(
        world.trial, name="survival", options=options, external_table=table, actor=world.actor
    )
    assert [job_run_inline(analysis.job_id).state] == ["succeeded"]
    analysis.refresh_from_db()
    return analysis


def test_follow_up_is_set_beside_what_was_measured_of_the_contours():
    world = follow_up_world()
    table = brought(world, table_of(codes(world)))
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK):
        world.act(action)
    with pytest.raises(StateConflictError, match="after unblinding"):
        analysed(world, table)
    world.act(TrialAction.UNBLIND)
    analysis = analysed(world, table)
    assert (analysis.exploratory, analysis.results["role"]) == (False, "secondary")
    measured = {
        one["subject"]["measurement"] for one in analysis.results["numbers"] if one["quantity"] == "c_index"
    }
    sources = ("algorithm", "expert")
    sizes = {f"{what}.{one}" for what in ("volume_ml", "longest_axial_diameter_mm") for one in sources}
    assert measured == {"stage", *sizes}
    contours = [Contour.objects.get(case__code=code, source="expert") for code in codes(world)]
    volumes = sorted(one.mask.volume_ml for one in contours)
    split = next(
        row for row in analysis.results["tables"]["log-rank"]["rows"] if row[0] == "volume_ml.expert"
    )
    assert split[1] == pytest.approx((volumes[2] + volumes[3]) / 2, rel=1e-12)

    longest = sorted(
        longest_axial_diameter_mm(stored_mask_array(one.mask), factory.SPACING_MM).length_mm
        for one in contours
    )
    split = next(
        row
        for row in analysis.results["tables"]["log-rank"]["rows"]
        if row[0] == "longest_axial_diameter_mm.expert"
    )
    assert split[1] == pytest.approx((longest[2] + longest[3]) / 2, rel=1e-12)
    assert "kaplan-meier-volume-ml-expert" in analysis.results["figures"]
    assert "measured here" in analysis.results["notes"][0]
    page = report_html(world.trial)
    assert "From the hospital&#x27;s registry." in page
    assert "external data: follow_up" in page
    assert analysed(world, table, time_divisor=30).exploratory is True


def test_the_same_table_changes_nothing_and_another_one_is_a_new_version_until_data_lock():
    world = follow_up_world()
    cases = codes(world)
    first = brought(world, table_of(cases))
    before = AuditEntry.objects.count()
    again = brought(world, table_of(cases), file_name="the-same-again.csv")
    assert (again.id, ExternalTable.objects.count(), AuditEntry.objects.count()) == (first.id, 1, before)
    second = brought(world, table_of(cases, days=(31, *DAYS[1:])))
    assert (second.version, AuditEntry.objects.order_by("-sequence").first().kind) == (2, "result:replaced")
    with pytest.raises(StateConflictError, match="imported anew since"):
        analysis_request(world.trial, name="survival", options={}, external_table=first, actor=world.actor)
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK):
        world.act(action)
    with pytest.raises(StateConflictError, match="no longer change"):
        brought(world, table_of(cases))
    assert ExternalTable.objects.count() == 2


def test_an_imported_table_cannot_change_and_a_changed_one_is_not_unblinded():
    world = follow_up_world()
    table = brought(world, table_of(codes(world)))
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK):
        world.act(action)
    case, _, *others = table.rows["rows"][0]
    changes = {
        "rows": {**table.rows, "rows": [[case, 31, *others], *table.rows["rows"][1:]]},
        "columns": {"time": "weeks"},
        "patients": "other",
        "kind": "readings",
        "rule": {"both": "tie"},
    }
    one = ExternalTable.objects.filter(id=table.id)
    for name, changed in changes.items():
        with (
            pytest.raises(IntegrityError, match="trials_externaltable cannot be changed"),
            transaction.atomic(),
        ):
            one.update(**{name: changed})
        with guards_lifted():
            one.update(**{name: changed})
        with pytest.raises(StateConflictError, match="hash must match"):
            world.act(TrialAction.UNBLIND)
        with guards_lifted():
            one.update(**{name: getattr(table, name)})
    world.act(TrialAction.UNBLIND)


def test_an_import_while_the_data_are_frozen_makes_data_lock_begin_again(monkeypatch):
    world = follow_up_world()
    cases = codes(world)
    brought(world, table_of(cases))
    world.act(TrialAction.CLOSE)

    def overtaken(trial):
        digest = snapshot_sha256(trial)
        brought(world, table_of(cases, days=(31, *DAYS[1:])))
        return digest

    with monkeypatch.context() as patched:
        patched.setattr("trials.services.trial.snapshot_sha256", overtaken)
        with pytest.raises(VersionConflictError, match="imported while the data were frozen"):
            world.act(TrialAction.DATA_LOCK)
    world.trial.refresh_from_db()
    assert (world.trial.state, world.trial.data_sha256) == ("closed", "")
    for action in (TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)


def test_data_with_a_name_wait_for_protocol_lock():
    world = factory.preference_world(**FOLLOW_UP)
    with pytest.raises(StateConflictError, match="after protocol lock"):
        brought(world, b"case,time,event\nX1,1,1\n", kind="survival")
    assert ExternalTable.objects.count() == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda text: text.replace(",1,1", ",2,1", 1),
            "registry.csv row 2, column event: '2' is neither 0 nor 1.",
        ),
        (lambda text: text.replace("30,", "-3,", 1), "registry.csv row 2, column time: -3 is below 0."),
        (lambda text: text.replace("days", "weeks"), "the plan names column 'days'"),
        (
            lambda text: text + "\nC-999,1,1,1",
            "registry.csv row 8, column case: there is no case 'C-999' in the trial.",
        ),
        (lambda text: text + "\n" + text.splitlines()[1], "registry.csv row 8: a second row for case"),
        (lambda text: text.replace("stage", "volume_ml.expert"), "has the name of what is measured here"),
    ],
)
def test_a_table_with_a_fault_is_refused_whole(change, sentence):
    world = follow_up_world()
    before = AuditEntry.objects.count()
    with pytest.raises(AnalysisInputError) as refused:
        brought(world, change(table_of(codes(world)).decode()).encode())
    assert any(sentence in problem for problem in refused.value.problems), refused.value.problems
    assert (ExternalTable.objects.count(), AuditEntry.objects.count()) == (0, before)


def test_results_of_planned_external_data_stay_hidden_until_unblinding():
    """A bystander's table is shown at any time; the plan's own is not analysed, nor seen, before."""
    world = follow_up_world()
    client = Client()
    client.force_login(world.administrator)
    address = f"/api/v1/trials/{world.trial.id}/external-tables"
    assert client.get(address).json()["declared"] == [
        {
            "key": "follow_up",
            "table": "survival",
            "patients": "trial",
            "collected": "From the hospital's registry.",
            "imported": False,
        }
    ]
    others = [f"X{number}" for number in range(6)]
    bystander = brought(
        world,
        table_of(others).replace(b"days", b"time").replace(b"died", b"event"),
        key="others",
        kind="survival",
    )
    analysed(world, bystander)
    planned = brought(world, table_of(codes(world)))
    listed = {one["key"]: one for one in client.get(address).json()["results"]}
    assert (listed["follow_up"]["planned"], listed["others"]["planned"]) == (True, False)
    assert listed["follow_up"]["file_sha256"] == planned.file_sha256
    analyses = client.get(f"/api/v1/trials/{world.trial.id}/analyses").json()["results"]
    assert [(one["data_key"], one["exploratory"]) for one in analyses] == [("others", True)]
    body = {"name": "survival", "external_table": str(planned.id)}
    refused = client.post(f"/api/v1/trials/{world.trial.id}/analyses", body, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (409, "state_conflict")


def amended(world, change):
    locked = protocol_locked(world.trial)
    document = copy.deepcopy(locked.document)
    change(document)
    return protocol_amend(
        world.trial,
        text=None,
        document=document,
        reason="The registry has sent more",
        amends=locked.version,
        actor=world.actor,
    )


def declare(key):
    return lambda document: document["external_data"].append(
        {"key": key, "table": "survival", "collected": "From a registry.", "patients": "other"}
    )


def others_table():
    text = table_of([f"X{number}" for number in range(6)])
    return text.replace(b"days", b"time").replace(b"died", b"event")


@pytest.mark.parametrize("key", ["others", ""])
def test_a_look_at_external_data_before_data_lock_ends_amendments_of_the_plan(key):
    world = follow_up_world()
    analysis = analysed(world, brought(world, others_table(), key=key, kind="survival"))

    def named(name):
        return lambda document: document["analysis_plan"]["secondary"][0].update(name=name)

    # Nobody has read what came out.
    assert conduct(world.trial).looks == 0
    assert amended(world, named("Another name"))[0].version == 2
    read_results(world, analysis)
    assert conduct(world.trial).looks == 1
    for change, part in ((named("A third name"), "/analysis_plan"), (declare("more"), "/external_data")):
        with pytest.raises(ValidationFailedError) as refused:
            amended(world, change)
        told = {key: one["message"] for key, (one,) in refused.value.data["fields"].items()}
        assert any(
            "data have been looked at" in words for key, words in told.items() if key.startswith(part)
        ), told
    assert amended(world, lambda document: document.update(summary="Fine"))[0].version == 3


def read_results(world, analysis, *, account=None):
    """Read the results page and a file of the analysis, twice."""
    client = Client()
    client.force_login(account or world.administrator)
    address = f"/api/v1/trials/{world.trial.id}/analyses"
    for _ in range(2):
        listed = client.get(address).json()["results"]
        assert str(analysis.id) in {one["id"] for one in listed}
        assert client.get(f"{address}/{analysis.id}/files/results.json").status_code == 200


def test_a_result_is_looked_at_when_it_is_read_once_by_each_person_from_the_draft_on():
    world = factory.preference_world()
    table = brought(world, others_table(), key="", kind="survival")
    analysis = analysed(world, table)
    assert conduct(world.trial).looks == 0
    read_results(world, analysis)
    assert conduct(world.trial).looks == 1
    world.act(TrialAction.LOCK)
    # The plan was locked with that knowledge; what somebody reads afterwards ends its amendments.
    assert not amendment_standing(world.trial).looked_by_arm
    read_results(world, analysis)
    assert conduct(world.trial).looks == 1
    read_results(world, analysis, account=world.statistician)
    assert conduct(world.trial).looks == 2
    assert amendment_standing(world.trial).looked_by_arm
    states = AuditEntry.objects.filter(kind=AuditKind.ANALYSIS_LOOKED).order_by("sequence")
    assert [one.after["state"] for one in states] == ["draft", "locked"]


def test_a_table_is_not_imported_under_terms_that_were_amended_while_it_was_read(monkeypatch):
    world = follow_up_world()

    def read_slowly(content, file_name, **options):
        def other_words(document):
            document["external_data"][0]["collected"] = "From another registry."

        amended(world, other_words)
        return read(content, file_name, **options)

    read = external._read
    monkeypatch.setattr(external, "_read", read_slowly)
    with pytest.raises(VersionConflictError, match="amended while the table was read"):
        brought(world, table_of(codes(world)))
    assert not world.trial.external_tables.exists()


def test_analyses_after_unblinding_are_no_looks_before_data_lock():
    world = follow_up_world()
    table = brought(world, table_of(codes(world)))
    for action in (TrialAction.CLOSE, TrialAction.DATA_LOCK, TrialAction.UNBLIND):
        world.act(action)
    analysed(world, table)
    assert conduct(world.trial).looks == 0


def test_data_that_were_imported_openly_cannot_be_declared_afterwards():
    world = follow_up_world()
    brought(world, others_table(), key="others", kind="survival")
    with pytest.raises(ValidationFailedError) as refused:
        amended(world, declare("others"))
    words = refused.value.data["fields"]["/external_data/1"][0]["message"]
    assert "The data 'others' were imported before the protocol names them" in words
    assert "declared first and imported after" in words


def test_a_table_counts_only_as_the_newest_version_of_the_protocol_declares_it():
    world = follow_up_world()
    content = table_of(codes(world))
    brought(world, content)
    assert external_lacking(world.trial) == []

    def of_others(document):
        document["external_data"][0]["patients"] = "other"

    amended(world, of_others)
    assert external_lacking(world.trial) == ["follow_up"]
    world.act(TrialAction.CLOSE)
    with pytest.raises(StateConflictError, match="Import anew"):
        world.act(TrialAction.DATA_LOCK)
    assert (brought(world, content).version, external_lacking(world.trial)) == (2, [])
    world.act(TrialAction.DATA_LOCK)
