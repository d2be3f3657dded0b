"""Writing the protocol's draft. The text is kept as it was written; the document is what it says."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import StateConflictError, VersionConflictError
from trials.domain.protocol.document import CheckOutcome, check_document, check_text, to_yaml
from trials.domain.states import TrialState
from trials.models import ProtocolVersion, Trial
from trials.selectors.protocol import protocol_current
from trials.services.acts import Actor, record


def checked_document(*, text: str | None, document: dict[str, Any] | None) -> tuple[CheckOutcome, str]:
    """Check a protocol given as text or as document; return what was found and the text form."""
    if text is not None:
        return check_text(text), text
    outcome = check_document(document or {})
    return outcome, to_yaml(document or {})


def protocol_save(
    trial: Trial, *, text: str | None, document: dict[str, Any] | None, revision: int | None, actor: Actor
) -> tuple[ProtocolVersion, CheckOutcome]:
    """Store a new state of the draft, complete or not. ``revision`` is the one the caller edited."""
    outcome, written = checked_document(text=text, document=document)
    version = protocol_current(trial)
    if trial.state != TrialState.DRAFT or version.locked_at is not None:
        raise StateConflictError(
            f"The protocol of trial {trial.slug} is locked. It changes only by an amendment.",
            data={"state": trial.state, "allowed": []},
        )
    with transaction.atomic():
        changed = ProtocolVersion.objects.filter(id=version.id, locked_at__isnull=True)
        if revision is not None:
            changed = changed.filter(revision=revision)
        if not changed.update(
            text=written,
            document=outcome.document if outcome.document is not None else version.document,
            revision=version.revision + 1,
            updated_at=timezone.now(),
        ):
            raise VersionConflictError(
                "Somebody else saved the protocol meanwhile. Load it again and repeat your change.",
                data={"revision": version.revision},
            )
        title = outcome.protocol.title if outcome.protocol is not None else None
        if title and title != trial.title:
            Trial.objects.filter(id=trial.id).update(title=title)
            trial.title = title
        record(
            trial,
            AuditKind.PROTOCOL_UPDATED,
            actor=actor,
            subject=f"protocol:{version.id}",
            after={"revision": version.revision + 1},
        )
    version.refresh_from_db()
    return version, outcome
