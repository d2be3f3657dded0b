"""The bundle of a trial is kept in the store, and asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction

from equipoise.archive.storage import StoredFile, StoreKind, default_store
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.common.errors import StateConflictError
from equipoise.jobs.models import Job
from equipoise.jobs.services import job_create
from trials.domain.bundle import REPORT, manifest_sha256, zip_into
from trials.domain.signatures import report_sha256
from trials.domain.state_acts import StateAct, is_open_to
from trials.domain.states import TrialState
from trials.models import PublicBundle, StoredBundle, Trial
from trials.selectors.bundle import JOB_KIND
from trials.selectors.tables import is_blinded
from trials.services.acts import Actor, record

Kept = TypeVar("Kept", StoredBundle, PublicBundle)


def require_unblinded(trial: Trial) -> None:
    """Refuse a trial of which nothing may be told by arm."""
    if is_blinded(trial):
        raise StateConflictError(
            f"The trial is {trial.state}: its bundle holds results by arm and is made after unblinding.",
            data={"state": trial.state, "allowed": []},
        )


@dataclass(frozen=True)
class PackedBundle:
    """A bundle that was written to the store and has no row yet."""

    trial_id: UUID
    begun_at: datetime
    file: StoredFile
    manifest_sha256: str
    report_sha256: str
    file_count: int
    not_computed: Mapping[str, str]

    def keep(self) -> StoredBundle:
        """Name the file by the trial's row, in place of an older one. An archived trial keeps what it has."""
        with transaction.atomic():
            trial = Trial.objects.select_for_update(no_key=True).get(id=self.trial_id)
            if not is_open_to(trial.state, StateAct.BUNDLE):
                raise StateConflictError(
                    f"The trial is {trial.state}: the bundle of an unblinded trial alone can be replaced.",
                    data={"state": trial.state, "allowed": []},
                )
            kept = kept_row_replace(
                StoredBundle,
                trial,
                self.file,
                manifest_sha256=self.manifest_sha256,
                report_sha256=self.report_sha256,
                file_count=self.file_count,
                not_computed=dict(self.not_computed),
                made_at=self.begun_at,
            )
            record(
                trial,
                AuditKind.REPORT_STORED,
                actor=Actor(account_id=None, origin=Origin.WORKER),
                subject=f"bundle:{kept.id}",
                after={"report_sha256": self.report_sha256, "manifest_sha256": self.manifest_sha256},
            )
        return kept

    def discard(self) -> None:
        """Delete the file that no row names."""
        default_store().delete(self.file.key)


def kept_row_replace(model: type[Kept], trial: Trial, file: StoredFile, **facts: Any) -> Kept:
    """Name a stored file by the trial's one row of a kind; an older row's file goes with the commit."""
    rows = model._default_manager
    older = rows.filter(trial=trial).first()
    kept, _ = rows.update_or_create(
        trial=trial,
        defaults={
            "files_key": file.key,
            "file_sha256": file.sha256,
            "size_bytes": file.size_bytes,
            **facts,
        },
    )
    if older is not None:
        transaction.on_commit(lambda: default_store().delete(older.files_key))
    return kept


def folder_store(trial: Trial, folder: Path) -> StoredFile:
    """Write a folder into the trial's exports as one zipped file."""
    return default_store().write(
        lambda sink: zip_into(folder, sink),
        institute_id=trial.institute_id,
        trial_id=trial.id,
        kind=StoreKind.EXPORTS,
    )


def bundle_pack(
    trial: Trial, folder: Path, *, begun_at: datetime, file_count: int, not_computed: Mapping[str, str]
) -> PackedBundle:
    """Write a bundle's folder, of which the first row was read at ``begun_at``, into the store as one file."""
    file = folder_store(trial, folder)
    report = (folder / REPORT).read_text(encoding="utf-8")
    return PackedBundle(
        trial.id,
        begun_at,
        file,
        manifest_sha256(folder),
        report_sha256(report),
        file_count,
        not_computed,
    )


def bundle_request(trial: Trial, *, reason: str, actor: Actor) -> Job:
    """Queue the making of the trial's bundle; the trail that goes into it says so already."""
    require_unblinded(trial)
    if trial.state == TrialState.ARCHIVED:
        raise StateConflictError(
            "The trial is archived: the bundle it was archived with is kept and can be downloaded.",
            data={"state": trial.state, "allowed": []},
        )
    with transaction.atomic():
        record(
            trial,
            AuditKind.EXPORT_CREATED,
            actor=actor,
            subject="export:bundle",
            after={"state": trial.state},
            reason=reason,
        )
        return job_create(
            kind=JOB_KIND,
            trial_id=trial.id,
            created_by_id=actor.account_id,
            items=[("bundle", {"trial_id": str(trial.id)})],
            unit="bundle",
        )
