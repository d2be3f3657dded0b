"""The public form of a trial's bundle is kept in the store, and asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.db import transaction

from equipoise.archive.storage import StoredFile, default_store
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.common.errors import StateConflictError
from equipoise.common.permissions import Role
from equipoise.jobs.models import Job
from equipoise.jobs.services import job_create
from trials.domain.bundle import manifest_sha256
from trials.models import PublicBundle, StoredBundle, Trial
from trials.selectors.bundle import PUBLIC_JOB_KIND, publishable_bundle
from trials.services.acts import Actor, record
from trials.services.bundle import folder_store, kept_row_replace, require_unblinded
from trials.services.erasure import MIN_NAME_CHARACTERS


def require_publishable(trial: Trial) -> StoredBundle:
    """Return the bundle of which a public form can be made; refuse where there is none that is up to date."""
    require_unblinded(trial)
    kept = publishable_bundle(trial)
    if kept is None:
        raise StateConflictError(
            "The public form is made of the bundle, and there is none that is up to date; make the bundle first.",
            data={"state": trial.state, "allowed": []},
        )
    return kept


def reader_names(trial: Trial) -> frozenset[str]:
    """Return names and e-mail addresses of the trial's readers, which nothing public may hold.

    A short name stands in too many words to be looked for.
    """
    people = trial.memberships.filter(role=Role.READER).values_list("account__display_name", "account__email")
    texts = {text.strip() for person in people for text in person}
    return frozenset(text for text in texts if len(text) >= MIN_NAME_CHARACTERS)


def public_export_record(trial: Trial, *, comments_reviewed: bool, actor: Actor, reason: str) -> None:
    """Record that the public form is made, and whether its maker says that the comments were reviewed."""
    record(
        trial,
        AuditKind.EXPORT_CREATED,
        actor=actor,
        subject="export:public-bundle",
        after={"state": trial.state, "comments_reviewed": comments_reviewed},
        reason=reason,
    )


@dataclass(frozen=True)
class PackedPublicBundle:
    """A public form that was written to the store and has no row yet."""

    trial_id: UUID
    begun_at: datetime
    file: StoredFile
    manifest_sha256: str
    made_of_sha256: str
    file_count: int
    not_computed: Mapping[str, str]
    has_words: bool

    def keep(self) -> PublicBundle:
        """Name the file by the trial's row, in place of an older one."""
        with transaction.atomic():
            trial = Trial.objects.select_for_update(no_key=True).get(id=self.trial_id)
            kept = kept_row_replace(
                PublicBundle,
                trial,
                self.file,
                manifest_sha256=self.manifest_sha256,
                made_of_sha256=self.made_of_sha256,
                file_count=self.file_count,
                not_computed=dict(self.not_computed),
                has_words=self.has_words,
                made_at=self.begun_at,
            )
            record(
                trial,
                AuditKind.REPORT_STORED,
                actor=Actor(account_id=None, origin=Origin.WORKER),
                subject=f"public-bundle:{kept.id}",
                after={"manifest_sha256": self.manifest_sha256, "made_of_sha256": self.made_of_sha256},
            )
        return kept

    def discard(self) -> None:
        """Delete the file that no row names."""
        default_store().delete(self.file.key)


def public_bundle_pack(
    trial: Trial,
    folder: Path,
    *,
    begun_at: datetime,
    made_of_sha256: str,
    file_count: int,
    not_computed: Mapping[str, str],
    has_words: bool,
) -> PackedPublicBundle:
    """Write a public form's folder into the store as one file."""
    file = folder_store(trial, folder)
    return PackedPublicBundle(
        trial.id, begun_at, file, manifest_sha256(folder), made_of_sha256, file_count, not_computed, has_words
    )


def public_bundle_request(trial: Trial, *, reason: str, comments_reviewed: bool, actor: Actor) -> Job:
    """Queue the making of the public form of the kept bundle."""
    require_publishable(trial)
    with transaction.atomic():
        public_export_record(trial, comments_reviewed=comments_reviewed, actor=actor, reason=reason)
        return job_create(
            kind=PUBLIC_JOB_KIND,
            trial_id=trial.id,
            created_by_id=actor.account_id,
            items=[
                ("public-bundle", {"trial_id": str(trial.id), "comments_reviewed": comments_reviewed}),
            ],
            unit="bundle",
        )
