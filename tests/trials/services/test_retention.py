"""What is past its time is removed, and nothing else: never readings, never the audit trail."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from typer.testing import CliRunner

from equipoise.accounts.models import ServiceToken
from equipoise.api.addresses import current_address
from equipoise.archive.models import IngestRun
from equipoise.archive.storage import StoreKind, default_store
from equipoise.audit.kinds import AuditKind
from equipoise.audit.models import AuditEntry, RefusalCount
from equipoise.audit.retention import retention_apply, retention_due
from equipoise.audit.selectors import chain_verify
from equipoise.cli import admin
from equipoise.common.permissions import Role
from equipoise.config import env
from equipoise.jobs.models import Job
from equipoise.jobs.services import job_create
from tests.factories import trials as factory
from tests.factories.accounts import create_token
from tests.jobs import handlers  # noqa: F401 - importing registers them
from trials.domain.states import TrialAction
from trials.models import Draft, Invitation, Response
from trials.selectors.notifications import NOTIFY_JOB
from trials.services.acts import record
from trials.services.invitation import invitation_create

pytestmark = [pytest.mark.django_db, pytest.mark.db]

ALL = dict.fromkeys(env.RETENTION_DAYS, 0)


@pytest.fixture
def world(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "var"
    settings.STORAGE_URL = f"file:{tmp_path / 'var' / 'store'}"
    world = factory.open_world(cases=3, **{"items.selection.count": 3})
    reader = world.enrol()
    factory.answer(reader, factory.open_reading(reader))
    Draft.objects.create(
        reading=factory.open_reading(reader).reading, lease=1, body={"mask": "x"}, saved_at=timezone.now()
    )
    create_token(trial_id=world.trial.id, role="algorithm", expires_at=timezone.now() + timedelta(days=1))
    invitation_create(
        world.trial,
        email="ada@example.org",
        role=Role.DATA_MANAGER,
        inviter=world.administrator,
        actor=world.actor,
    )
    for kind in ("tests.effect", NOTIFY_JOB):
        job_create(kind=kind, trial_id=world.trial.id, created_by_id=None, items=[])
    job_create(kind="tests.effect", trial_id=world.trial.id, created_by_id=None, items=[("waits", {})])
    place = {"institute_id": world.trial.institute_id, "trial_id": world.trial.id}
    log = default_store().write(lambda sink: sink.write(b"names"), kind=StoreKind.INGEST_LOGS, **place)
    IngestRun.objects.create(**place, finished_at=timezone.now(), log_key=log.key)
    with transaction.atomic():
        token = current_address.set("192.0.2.7")
        record(world.trial, AuditKind.TRIAL_PAUSED, actor=world.actor, subject="trial:x")
        current_address.reset(token)
    RefusalCount.objects.create(minute=timezone.now(), address_key="k", count=1)
    world.log_key = log.key
    return world


def after(days):
    return timezone.now() + timedelta(days=days, minutes=1)


def test_nothing_goes_before_its_time(world):
    assert retention_apply(now=after(29)) == ALL
    assert not AuditEntry.objects.filter(kind="retention:applied").exists()
    assert default_store().read(world.log_key) == b"names"


def test_each_kind_goes_after_its_days_and_is_counted_in_the_trail(world, django_capture_on_commit_callbacks):
    entries, readings = AuditEntry.objects.count(), list(Response.objects.values())
    assert retention_due(now=after(31)) == ALL | {"notifications": 1}
    assert Job.objects.count() == 3, "counting removes nothing"
    assert retention_apply(now=after(31)) == ALL | {"notifications": 1}
    assert retention_apply(now=after(105)) == ALL | {"invitations": 1, "refusals": 1}
    assert [one.email for one in Invitation.objects.all()] == ["erased@invalid"]
    assert retention_apply(now=after(105)) == ALL, "once is enough"
    with django_capture_on_commit_callbacks(execute=True):
        assert retention_apply(now=after(367)) == ALL | {
            "addresses": 1,
            "jobs": 1,
            "tokens": 1,
            "ingest-logs": 1,
        }
    assert [job.state for job in Job.objects.all()] == ["queued"], "what is still to be done stays"
    assert not ServiceToken.objects.exists()
    assert Draft.objects.exists(), "the trial is open: somebody may go on with it"
    assert IngestRun.objects.get().log_key == ""
    assert world.log_key not in set(default_store().keys())
    assert AuditEntry.objects.get(kind="ingest:logs_deleted").chain == str(world.trial.id)
    world.act(TrialAction.ABANDON)
    assert retention_apply(now=after(367)) == ALL | {"drafts": 1}
    told = AuditEntry.objects.filter(kind="retention:applied").order_by("sequence")
    assert [one.after for one in told] == [
        {"notifications": 1},
        {"invitations": 1},
        {"refusals": 1},
        {"addresses": 1},
        {"ingest-logs": 1},
        {"jobs": 1},
        {"tokens": 1},
        {"drafts": 1},
    ]
    assert list(Response.objects.values()) == readings
    assert AuditEntry.objects.count() > entries
    for chain in ("site", str(world.trial.id)):
        assert chain_verify(chain).problems == ()


def test_logs_of_a_trial_that_is_gone_go_too(world, django_capture_on_commit_callbacks):
    gone = uuid.uuid4()
    place = {"institute_id": world.trial.institute_id, "trial_id": gone}
    log = default_store().write(lambda sink: sink.write(b"names"), kind=StoreKind.INGEST_LOGS, **place)
    run = IngestRun.objects.create(**place, finished_at=timezone.now(), log_key=log.key)
    with django_capture_on_commit_callbacks(execute=True):
        assert retention_apply(now=after(367))["ingest-logs"] == 2
    assert retention_due(now=after(367))["ingest-logs"] == 0
    assert {world.log_key, log.key}.isdisjoint(default_store().keys())
    told = AuditEntry.objects.get(chain=str(gone))
    assert (told.kind, told.subject, told.after) == ("ingest:logs_deleted", f"ingest:{run.id}", {"files": 1})
    assert chain_verify(str(gone)).problems == ()


def test_rule_that_fails_removes_nothing_and_keeps_no_other_from_its_turn(world, monkeypatch):
    def broken(**_):
        raise RuntimeError("The chain is held.")

    monkeypatch.setattr("trials.services.ingest.entry_append", broken)
    with pytest.raises(ExceptionGroup) as raised:
        retention_apply(now=after(367))
    assert [str(error) for error in raised.value.exceptions] == ["The chain is held."]
    assert IngestRun.objects.get().log_key == world.log_key
    assert default_store().read(world.log_key) == b"names"
    assert not ServiceToken.objects.exists()
    told = AuditEntry.objects.filter(kind="retention:applied").order_by("sequence")
    assert [next(iter(one.after)) for one in told] == [
        "addresses",
        "invitations",
        "jobs",
        "notifications",
        "refusals",
        "tokens",
    ]


def test_site_says_how_long_and_zero_is_never(world, settings):
    settings.RETENTION_DAYS = env.retention_days("jobs=0 notifications=7 drafts=0")
    assert "jobs" not in retention_due(now=after(36_000))
    assert retention_due(now=after(8))["notifications"] == 1


def test_command_counts_first_and_then_removes(world, settings, monkeypatch):
    monkeypatch.setattr(admin, "_start", lambda: None)
    RefusalCount.objects.update(minute=timezone.now() - timedelta(days=91))
    for arguments in (["clean-up", "--dry-run"], ["clean-up"]):
        run = CliRunner().invoke(admin.app, arguments)
        assert (run.exit_code, "refusals: 1\n" in run.output) == (0, True)
    assert not RefusalCount.objects.exists()


def test_person_is_erased_by_command(world, monkeypatch):
    monkeypatch.setattr(admin, "_start", lambda: None)
    run = CliRunner().invoke(admin.app, ["erase", "ada@example.org", "--reason", "Asked for"])
    assert run.exit_code == 0, run.output
    assert run.output.startswith("Erased: accounts 0, invitations 1, texts 0.")
    assert not Invitation.objects.filter(email="ada@example.org").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mail=3", "must name kinds out of"),
        ("jobs=soon", "must give jobs as whole days, or 0 for never"),
        ("jobs", "must be name=value pairs"),
    ],
)
def test_days_that_cannot_be_read_are_a_sentence(text, words):
    (problem,) = env.read_environment({"EQUIPOISE_RETENTION": text}).problems
    assert problem.startswith(f"EQUIPOISE_RETENTION {words}")
