"""The last step: the bundle is made and kept, the trial archived with its hash; who may take the bundle away."""

import hashlib
import io
import zipfile

import pytest
from django.test import Client
from typer.testing import CliRunner

from equipoise.archive.storage import default_store
from equipoise.audit.models import AuditEntry
from equipoise.cli import trial as command
from equipoise.common.errors import StateConflictError
from equipoise.common.permissions import Role
from equipoise.jobs.inline import job_run_inline
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory
from tests.trials.bundle.worlds import unblind
from trials.domain.states import PreconditionsUnmetError, TransitionRefusedError, TrialAction
from trials.models import StoredBundle
from trials.reports.bundle import bundle_make
from trials.services.analysis import analysis_request
from trials.services.invitation import membership_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]

PASSWORD = "a long enough password"


@pytest.fixture(autouse=True)
def started(monkeypatch):
    monkeypatch.setattr(command, "_start", lambda: None)


def run(*arguments):
    return CliRunner().invoke(command.app, [str(argument) for argument in arguments])


def finished_world():
    world = factory.open_world()
    factory.read_everything(world.enrol())
    return unblind(world)


def signed_in(world):
    world.administrator.set_password(PASSWORD)
    world.administrator.save()
    client = Client()
    client.force_login(world.administrator)
    return client


def stored_files():
    return list(default_store().keys())


def test_a_trial_is_archived_with_the_hash_of_its_bundle_by_command():
    world = finished_world()
    done = run("archive", world.trial.slug, "--as", world.administrator.email, "--reason", "Published")
    assert done.exit_code == 0, done.output
    world.trial.refresh_from_db()
    assert world.trial.state == "archived"
    kept = StoredBundle.objects.get(trial=world.trial)
    assert kept.manifest_sha256 in done.output
    content = default_store().read(kept.files_key)
    assert hashlib.sha256(content).hexdigest() == kept.file_sha256
    with zipfile.ZipFile(io.BytesIO(content)) as files:
        assert hashlib.sha256(files.read("manifest.json")).hexdigest() == kept.manifest_sha256
        assert len(files.namelist()) == kept.file_count
    entry = AuditEntry.objects.filter(chain=str(world.trial.id)).order_by("sequence").last()
    assert (entry.kind, entry.after) == (
        "trial:archived",
        {"state": "archived", "bundle_sha256": kept.manifest_sha256},
    )


def test_only_an_unblinded_trial_with_its_bundle_is_archived():
    world = factory.open_world()
    factory.read_everything(world.enrol())
    with pytest.raises(TransitionRefusedError, match="the trial must be unblinded"):
        world.act(TrialAction.ARCHIVE)
    refused = run("archive", world.trial.slug, "--as", world.administrator.email, "--reason", "Early")
    assert isinstance(refused.exception, TransitionRefusedError)
    unblind(world)
    with pytest.raises(PreconditionsUnmetError, match="The bundle of the trial must be made"):
        world.act(TrialAction.ARCHIVE)
    world.trial.refresh_from_db()
    assert world.trial.state == "unblinded"
    assert not StoredBundle.objects.exists()


def test_a_bundle_is_out_of_date_once_a_further_analysis_has_ended():
    world = finished_world()
    bundle_make(world.trial).keep()
    before = StoredBundle.objects.get()
    analysis = analysis_request(
        world.trial, name="preference", options={}, external_table=None, actor=world.actor
    )
    job_run_inline(analysis.job_id)
    with pytest.raises(PreconditionsUnmetError, match="after the last of its analyses"):
        world.act(TrialAction.ARCHIVE)
    bundle_make(world.trial).keep()
    assert StoredBundle.objects.get().files_key != before.files_key
    assert world.act(TrialAction.ARCHIVE).state == "archived"


def test_an_older_bundle_leaves_the_store_and_an_archived_trial_keeps_its_own(
    django_capture_on_commit_callbacks,
):
    world = finished_world()
    bundle_make(world.trial).keep()
    first = StoredBundle.objects.get().files_key
    with django_capture_on_commit_callbacks(execute=True):
        bundle_make(world.trial).keep()
    kept = StoredBundle.objects.get()
    assert first not in stored_files()
    late = bundle_make(world.trial)
    world.act(TrialAction.ARCHIVE)
    with pytest.raises(StateConflictError, match="an unblinded trial alone"):
        late.keep()
    late.discard()
    assert StoredBundle.objects.get().files_key == kept.files_key
    assert late.file.key not in stored_files()
    assert kept.files_key in stored_files()


# --- in the browser ------------------------------------------------------------------------------------------------


def test_administrator_makes_downloads_and_archives():
    world = finished_world()
    client = signed_in(world)
    base = f"/api/v1/trials/{world.trial.id}"
    assert client.get(f"{base}/bundle").json()["made_at"] is None
    assert client.get(f"{base}/export/bundle.zip").status_code == 404
    missing = client.get(base).json()["actions"][0]
    assert (missing["action"], missing["allowed"]) == ("archive", False)
    assert missing["missing"][0]["link"] == "analyses"

    made = client.post(f"{base}/bundle", {"reason": "For the archive"}, content_type="application/json")
    assert made.status_code == 202, made.content
    job_run_inline(made.json()["job_id"])
    told = client.get(f"{base}/bundle").json()
    assert told["current"] is True
    answer = client.get(f"{base}/export/bundle.zip")
    assert answer.status_code == 200
    assert answer.streaming
    content = b"".join(answer.streaming_content)
    assert len(content) == int(answer["Content-Length"]) == told["size_bytes"]
    assert hashlib.sha256(content).hexdigest() == told["file_sha256"]
    kinds = AuditEntry.objects.filter(chain=str(world.trial.id), subject="export:bundle.zip")
    assert [entry.kind for entry in kinds] == ["export:downloaded"]

    archived = client.post(
        f"{base}/transitions/archive", {"password": PASSWORD}, content_type="application/json"
    )
    assert archived.status_code == 200, archived.content
    assert archived.json()["state"] == "archived"
    again = client.post(f"{base}/bundle", {"reason": "Once more"}, content_type="application/json")
    assert again.status_code == 409
    assert "is kept and can be downloaded" in again.json()["detail"]
    assert client.get(f"{base}/export/bundle.zip").status_code == 200


def test_nobody_gets_a_bundle_before_unblinding_or_without_sight_of_results():
    world = factory.open_world()
    factory.read_everything(world.enrol())
    client = signed_in(world)
    base = f"/api/v1/trials/{world.trial.id}"
    for step in (TrialAction.CLOSE, TrialAction.DATA_LOCK):
        for answer in (
            client.get(f"{base}/bundle"),
            client.post(f"{base}/bundle", {"reason": "Early"}, content_type="application/json"),
            client.get(f"{base}/export/bundle.zip"),
        ):
            assert answer.status_code == 409
            assert "made after unblinding" in answer.json()["detail"]
        world.act(step)
    world.act(TrialAction.UNBLIND)
    bundle_make(world.trial).keep()
    for role, expected in (
        (Role.DATA_MANAGER, 403),
        (Role.BLINDED_MONITOR, 403),
        (Role.UNBLINDED_STATISTICIAN, 200),
    ):
        person = AccountFactory.create(institute=world.trial.institute)
        membership_create(world.trial, person, role, actor=world.actor)
        other = Client()
        other.force_login(person)
        assert other.get(f"{base}/export/bundle.zip").status_code == expected, role
