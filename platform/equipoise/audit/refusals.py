"""Refused requests: an entry in the trial's chain if the caller is a member, else a count per minute and address."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from equipoise.api.actors import Actor
from equipoise.audit.hashing import keyed_hash
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.models import AuditEntry, RefusalCount
from equipoise.audit.services import SITE_CHAIN, chain_of, entry_append

MAX_ENTRIES_PER_MINUTE = 20
"""Of one actor in one chain: a member's loop of refused requests must not fill the disk either."""

MembershipCheck = Callable[[UUID, UUID], bool]
"""(account or token id, trial id) -> whether the caller belongs to the trial."""

_membership_checks: list[MembershipCheck] = []


def register_membership_check(check: MembershipCheck) -> None:
    """Let the layer that knows memberships say who is a member. Without one, nobody is."""
    _membership_checks[:] = [check]


def refusal_record(
    *,
    actor_id: UUID | None,
    origin: Origin,
    subject: str,
    code: str,
    trial_id: UUID | None = None,
    address: str = "",
) -> AuditEntry | None:
    """Record a refusal in a transaction of its own, after the refused one was rolled back."""
    is_member = bool(actor_id and trial_id and any(check(actor_id, trial_id) for check in _membership_checks))
    with transaction.atomic():
        chain = chain_of(trial_id) if is_member else SITE_CHAIN
        if not is_member or _recent_entries(chain, actor_id) >= MAX_ENTRIES_PER_MINUTE:
            _count(keyed_hash("address", address or str(actor_id)))
            return None
        return entry_append(
            chain=chain,
            kind=AuditKind.REFUSAL_RECORDED,
            actor_id=actor_id,
            origin=origin,
            subject=subject[:128],
            after={"code": code},
        )


def record_from_api(
    *, actor: Actor | None, subject: str, code: str, trial_id: UUID | None, address: str
) -> None:
    """Serve the API kit's hook."""
    refusal_record(
        actor_id=actor.id if actor else None,
        origin=Origin.WEB,
        subject=subject,
        code=code,
        trial_id=trial_id,
        address=address,
    )


def _recent_entries(chain: str, actor_id: UUID | None) -> int:
    return AuditEntry.objects.filter(
        chain=chain,
        kind=AuditKind.REFUSAL_RECORDED.value,
        actor_id=actor_id,
        created_at__gte=timezone.now() - timedelta(minutes=1),
    ).count()


def _count(address_key: str) -> None:
    minute = timezone.now().replace(second=0, microsecond=0)
    RefusalCount.objects.get_or_create(minute=minute, address_key=address_key)
    RefusalCount.objects.filter(minute=minute, address_key=address_key).update(count=F("count") + 1)
