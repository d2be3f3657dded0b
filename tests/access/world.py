"""Two trials of two institutes with the same people in each, and one of everything that an address can name."""

from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from equipoise.accounts.models import Passkey
from equipoise.archive.models import IngestRun
from equipoise.common.permissions import Role
from equipoise.jobs.services import job_create
from tests.access.matrix import PEOPLE, PROGRAMS
from tests.factories import trials as factory
from tests.factories.accounts import AccountFactory, create_token
from trials.models import Analysis, Rehearsal, ReviewRecord, Trial, Upload, Webhook
from trials.services.invitation import invitation_create, membership_create


@dataclass
class Side:
    """One trial with its people, programs and things."""

    world: factory.PreferenceWorld
    people: dict[str, Any] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)
    things: dict[str, Any] = field(default_factory=dict)

    @property
    def trial(self) -> Trial:
        return self.world.trial


def side(slug: str) -> Side:
    """Return a trial with a member of every role, a token of each kind, and one thing of each kind."""
    world = factory.open_world(slug=slug, cases=6)
    trial = world.trial
    made = Side(world, people={"A": world.administrator, "S": world.statistician})
    made.people["R"] = factory.account_of(world.enrol())
    for letter in "DM":
        made.people[letter] = AccountFactory.create(institute=trial.institute)
        membership_create(trial, made.people[letter], Role(PEOPLE[letter]), actor=world.actor)
    for letter, role in PROGRAMS.items():
        token, made.programs[letter] = create_token(
            trial_id=trial.id, role=role, created_by=world.administrator
        )
    invitation = invitation_create(
        trial, email=f"guest@{slug}.example", role=Role.READER, inviter=world.administrator, actor=world.actor
    ).invitation
    passkey = Passkey.objects.create(
        account=world.administrator,
        label="Key",
        credential_sha256=f"{slug:0>64}",
        credential_id=b"1",
        public_key=b"1",
    )
    now = timezone.now()
    case = trial.cases.order_by("code").first()
    item = trial.items.first()
    assert case is not None
    assert item is not None
    job = job_create(
        kind="trials.ingest", trial_id=trial.id, created_by_id=world.administrator.id, items=[("1", {})]
    )
    made.things = {
        "trial_id": trial.id,
        "trial": trial.slug,
        "job_id": job.id,
        "case_id": case.id,
        "item_id": item.id,
        "invitation_id": invitation.id,
        "membership_id": world.readers[0].membership_id,
        "participant_id": world.readers[0].id,
        "reading_id": world.readers[0].readings.earliest("position").id,
        "token_id": token.id,
        "passkey_id": passkey.id,
        "upload_id": Upload.objects.create(trial=trial, created_by_id=world.administrator.id, created_at=now).id,
        "run_id": IngestRun.objects.create(trial_id=trial.id, institute_id=trial.institute_id).id,
        "rehearsal_id": Rehearsal.objects.create(
            trial=trial, kind="single", protocol_sha256="0" * 64, protocol_version=1, seed=1, created_at=now
        ).id,
        "analysis_id": Analysis.objects.create(trial=trial, name="preference", created_at=now, files_key="none").id,
        "record_id": ReviewRecord.objects.create(trial=trial, kind="query", number=1, topic="other").id,
        "number": 1,
        "webhook_id": Webhook.objects.create(
            trial=trial, url="https://hooks.example/", kinds=[], secret=b"", queued_through=0,
            created_by=world.administrator, created_at=now,
        ).id,
        "study_uid": "1.2.3", "series_uid": "1.2.3.4", "instance_uid": "1.2.3.4.5", "frames": "1",
        "token": "no-such-token", "action": "pause", "name": "readings.csv", "path": "results.json",
    }  # fmt: skip
    return made
