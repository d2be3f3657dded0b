"""Who acts, from where: what every service needs for its audit entry."""

import uuid
from dataclasses import dataclass

from django.core.cache import cache
from django.db import transaction

from equipoise.api.prepared import Parameter, PreparedQuery
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.services import entry_append
from trials.models import Participant, Trial

MIN_REASON_CHARACTERS = 3
"""What is shorter says nothing."""
LOOK_NOTED_EVERY_S = 3600
"""A page of a hundred pictures, looked at again and again, is one look."""


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


_HELD = PreparedQuery(
    lambda: Participant.objects.select_for_update(no_key=True).filter(id=Parameter("id", Participant))
)


def participant_hold(participant: Participant) -> None:
    """Hold a participant's row to the end of the transaction, and bring it up to date.

    Whatever decides from several rows of one participant (which reading comes next, whether they still take part)
    happens one after the other: two windows of one reader never see two next readings.
    """
    held = _HELD.first(id=participant.id)
    if held is None:
        raise Participant.DoesNotExist(f"Participant {participant.id} was deleted meanwhile.")
    participant.become(held)


def look_record(
    trial: Trial,
    kind: AuditKind,
    *,
    subject: str,
    actor: Actor,
    after: dict[str, object] | None = None,
) -> None:
    """Record that somebody looks at images, sources, outcomes or results: once an hour, person, thing and state."""
    noted = f"look:{actor.account_id}:{trial.id}:{trial.state}:{kind}:{subject}"
    if not cache.add(noted, 1, LOOK_NOTED_EVERY_S):
        return
    try:
        with transaction.atomic():
            record(trial, kind, actor=actor, subject=subject, after={"state": trial.state, **(after or {})})
    except BaseException:
        cache.delete(noted)
        raise


@transaction.atomic
def export_record(trial: Trial, kind: AuditKind, *, name: str, actor: Actor, reason: str = "") -> None:
    """Record that a table left the trial."""
    record(trial, kind, actor=actor, subject=f"export:{name}", after={"state": trial.state}, reason=reason)
