"""Who acts, from where: what every service needs for its audit entry."""

import uuid
from dataclasses import dataclass

from django.db import transaction

from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.services import entry_append
from trials.models import Participant, Trial

MIN_REASON_CHARACTERS = 3
"""What is shorter says nothing."""


@dataclass(frozen=True)
class Actor:
    """The account behind an act and the way it came in."""

    account_id: uuid.UUID | None
    origin: Origin = Origin.WEB


def record(
    trial: Trial,
    kind: AuditKind,
    *,
    actor: Actor,
    subject: str,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
    reason: str = "",
) -> None:
    """Append the act to the trial's audit chain. Call it last in the service's transaction."""
    entry_append(
        chain=str(trial.id),
        kind=kind,
        actor_id=actor.account_id,
        origin=actor.origin,
        subject=subject,
        before=before,
        after=after,
        reason=reason,
    )


def participant_hold(participant: Participant) -> None:
    """Hold a participant's row to the end of the transaction, and bring it up to date.

    Whatever decides from several rows of one participant (which reading comes next, whether they still take part)
    happens one after the other: two windows of one reader never see two next readings.
    """
    participant.refresh_from_db(from_queryset=Participant.objects.select_for_update(no_key=True))


@transaction.atomic
def export_record(trial: Trial, kind: AuditKind, *, name: str, actor: Actor, reason: str = "") -> None:
    """Record that a table left the trial."""
    record(trial, kind, actor=actor, subject=f"export:{name}", after={"state": trial.state}, reason=reason)
