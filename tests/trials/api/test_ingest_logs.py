"""What a run removed, and its deletion, are for the data manager alone; flagged images wait for somebody's eyes."""

import io
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client
from PIL import Image
from typer.testing import CliRunner

from equipoise.archive.ingest import ReviewReason
from equipoise.archive.models import IngestRun
from equipoise.audit.models import AuditEntry
from equipoise.cli.archive import app
from equipoise.common.errors import PermissionDeniedError
from equipoise.common.permissions import Role
from tests.archive.conftest import write_patient
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from trials.domain.states import Precondition
from trials.models import CasePurpose
from trials.selectors.cases import PICTURE_PX, pixels_are_reviewed
from trials.services.ingest import rule_of, trial_ingest_folder, trial_policy
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]


def ingested(folder: Path) -> tuple[factory.PreferenceWorld, IngestRun]:
    world = factory.preference_world()
    write_patient(folder / "sent" / "a", "Secret^Person")
    report = trial_ingest_folder(
        world.trial,
        folder / "sent",
        rules=[rule_of({"source": "expert", "pattern": "GTV-1"})],
        purpose=CasePurpose.TRIAL,
        actor=world.actor,
    )
    return world, report.outcome.run


def client_as(world: factory.PreferenceWorld, role: Role | None) -> Client:
    account = AccountFactory.create()
    if role is not None:
        membership_create(world.trial, account, role, actor=world.actor)
    client = Client()
    client.force_login(account)
    return client


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.DATA_MANAGER, 200),
        (Role.ADMINISTRATOR, 403),
        (Role.UNBLINDED_STATISTICIAN, 403),
        (Role.BLINDED_MONITOR, 403),
        (Role.READER, 404),
        (None, 404),
    ],
)
def test_the_removed_attributes_are_told_to_the_data_manager_alone(tmp_path, role: Role | None, status: int):
    world, run = ingested(tmp_path)
    answer = client_as(world, role).get(f"/api/v1/trials/{world.trial.id}/ingests/{run.id}/removed")
    assert answer.status_code == status
    assert b"Secret" not in answer.content
    if status == 200:
        told = answer.json()
        assert told["deidentification"]["methods"] == ["113100"]
        assert (told["deleted"], told["files_not_listed"]) == (False, 0)
        (name,) = [entry for entry in told["entries"] if entry["keyword"] == "PatientName"]
        assert name == {
            "tag": "(0010,0010)", "keyword": "PatientName", "vr": "PN", "action": "Z", "files": 7, "first_file": 1,
        }  # fmt: skip


def test_another_trial_s_run_is_not_there(tmp_path):
    _, run = ingested(tmp_path)
    other = factory.preference_world(slug="other")
    answer = client_as(other, Role.DATA_MANAGER).get(
        f"/api/v1/trials/{other.trial.id}/ingests/{run.id}/removed"
    )
    assert answer.status_code == 404


def test_the_data_manager_deletes_the_logs_and_the_report_stays_without_names(tmp_path):
    world, run = ingested(tmp_path)
    address = f"/api/v1/trials/{world.trial.id}/ingests/{run.id}"
    assert client_as(world, Role.ADMINISTRATOR).delete(f"{address}/logs").status_code == 403
    assert IngestRun.objects.get(id=run.id).log_key
    manager = client_as(world, Role.DATA_MANAGER)
    assert manager.get(address).json()["files"][0]["path"] == "a/ct-0000.dcm"
    assert manager.delete(f"{address}/logs").status_code == 204
    assert manager.get(address).json()["files"][0]["path"] is None
    assert manager.get(f"{address}/removed").json()["deleted"] is True
    assert AuditEntry.objects.filter(kind="ingest:logs_deleted").count() == 1


def test_the_protocol_chooses_the_options(tmp_path):
    world = factory.preference_world()
    policy = trial_policy(world.trial)
    assert (policy.shift_dates, policy.keep_originals, policy.refuse_burned_in) == (False, False, True)
    chosen = factory.preference_world(
        slug="chosen",
        deidentification={
            "descriptors": "clean",
            "dates": "shift",
            "patient_characteristics": True,
            "device": True,
            "kernel": False,
            "originals": "deidentified_files",
            "burned_in": "review",
        },
    )
    assert trial_policy(chosen.trial).as_json() == {
        "table": "DICOM PS3.15-2026c, table E.1-1",
        "methods": ["113100", "113105", "113107", "113108", "113109"],
        "kernel": False,
        "originals": True,
        "burned_in": "review",
    }


def test_a_flagged_image_holds_protocol_lock_until_somebody_has_looked(tmp_path):
    world = factory.preference_world()
    case = world.trial.cases.first()
    case.flags = [ReviewReason.WRITING_IN_PIXELS.value, "other"]
    case.save(update_fields=["flags"])
    assert not pixels_are_reviewed(world.trial)
    client = client_as(world, Role.ADMINISTRATOR)
    (lock,) = [
        a for a in client.get(f"/api/v1/trials/{world.trial.id}").json()["actions"] if a["action"] == "lock"
    ]
    assert Precondition.PIXELS_REVIEWED in [missing["code"] for missing in lock["missing"]]
    (listed,) = [
        one
        for one in client.get(f"/api/v1/trials/{world.trial.id}/cases").json()["results"]
        if one["waits_to_be_looked_at"]
    ]
    assert listed["code"] == case.code
    address = f"/api/v1/trials/{world.trial.id}/cases/{case.id}/pixels-reviewed"
    reader = client_as(world, Role.READER)
    assert reader.post(address, {"reason": "x"}, content_type="application/json").status_code == 404
    assert client.post(address, {}, content_type="application/json").status_code == 400
    assert not pixels_are_reviewed(world.trial)
    answer = client.post(
        address, {"reason": "The letters are a side marker."}, content_type="application/json"
    )
    assert answer.status_code == 204
    case.refresh_from_db()
    assert case.flags == ["other"]
    assert pixels_are_reviewed(world.trial)
    entry = AuditEntry.objects.get(kind="case:updated")
    assert entry.after == {"flags": ["other"]}
    again = client.post(address, {"reason": "again"}, content_type="application/json")
    assert again.status_code == 409


def command(*arguments: str):
    return CliRunner().invoke(app, [*arguments])


def test_the_command_line_lists_and_deletes_and_takes_a_look_down(tmp_path):
    world, run = ingested(tmp_path)
    manager = AccountFactory.create()
    membership_create(world.trial, manager, Role.DATA_MANAGER, actor=world.actor)
    slug, run_id = world.trial.slug, str(run.id)
    told = command("removed", slug, run_id, "--as", manager.email)
    assert told.exit_code == 0
    assert (
        "Z  (0010,0010)              PN  PatientName  in 7 file(s), first in no. 1"
        in told.output.splitlines()
    )
    assert "Secret" not in told.output
    refused = command("removed", slug, run_id, "--as", world.administrator.email)
    assert isinstance(refused.exception, PermissionDeniedError)
    amiss = command("removed", slug, "seven", "--as", manager.email)
    assert str(amiss.exception) == "'seven' is not the id of an ingest."
    assert command("forget-logs", slug, run_id, "--as", manager.email).output == "2 files were deleted.\n"
    assert IngestRun.objects.get(id=run.id).log_key == ""
    case = world.trial.cases.first()
    case.flags = [ReviewReason.WRITING_IN_PIXELS.value]
    case.save(update_fields=["flags"])
    seen = command("reviewed", slug, case.code, "--as", manager.email, "--reason", "a side marker")
    assert seen.output == f"Case {case.code} was looked at.\n"
    case.refresh_from_db()
    assert case.flags == []


def test_every_frame_of_an_image_can_be_looked_at_as_a_large_picture_by_those_who_take_cases_in():
    world = factory.preference_world()
    cache.clear()
    case = world.trial.cases.first()
    frames = case.images.get().volume.frame_count
    address = f"/api/v1/trials/{world.trial.id}/cases/{case.id}/frames"
    client = client_as(world, Role.DATA_MANAGER)
    pictures = [client.get(f"{address}/{number}.png") for number in (0, frames - 1)]
    assert [answer.status_code for answer in pictures] == [200, 200]
    for answer in pictures:
        picture = Image.open(io.BytesIO(answer.content))
        assert max(picture.size) == PICTURE_PX
    entry = AuditEntry.objects.get(kind="case:viewed")
    assert (entry.subject, entry.after) == (f"case:{case.id}", {"state": "draft"})
    assert client.get(f"{address}/{frames}.png").status_code == 404
    assert client_as(world, Role.READER).get(f"{address}/0.png").status_code == 404
