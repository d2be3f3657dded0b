"""An audit trail for the page that shows it and for the files it leaves as: filtered, people by their codes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from equipoise.audit.models import AuditAddress, AuditEntry, AuditReason
from trials.models import Trial

PAGE = 100
SYSTEM = "system"
"""Whoever acts where no account and no token does."""
AUDIT_COLUMNS = (
    "chain", "sequence", "at", "kind", "actor", "actor_key", "origin", "address", "subject", "before", "after",
    "reason", "reason_hash", "address_hash", "previous_hash", "hash",
)  # fmt: skip
_KEY_SHOWN = 8
"""Characters of the keyed hash by which somebody without a code is told."""
_CHUNK = 1000


@dataclass(frozen=True)
class AuditFilter:
    """Which entries are asked for; what is left empty keeps none out."""

    who: str = ""
    """As the page names people: a code, the beginning of a keyed hash, or ``system``."""
    what: str = ""
    """A kind (``reading:submitted``), or what was acted on (``reading``)."""
    since: datetime | None = None
    until: datetime | None = None
    """The first moment that is too late."""


def audit_codes(chain: str) -> dict[UUID, str]:
    """Return what the people of a trial's trail are called, by account; the site's trail knows no codes."""
    trial = _trial_of(chain)
    if trial is None:
        return {}
    codes = {
        membership.account_id: f"{membership.role} {str(membership.account_id)[-4:]}"
        for membership in trial.memberships.all()
    }
    return codes | {
        person.membership.account_id: person.code
        for person in trial.participants.select_related("membership")
        if person.membership is not None
    }


def _trial_of(chain: str) -> Trial | None:
    try:
        return Trial.objects.filter(id=UUID(chain)).first()
    except ValueError:
        return None


def audit_entries(chain: str, asked: AuditFilter, *, codes: dict[UUID, str]) -> QuerySet[AuditEntry]:
    """Return the entries of a chain that are asked for, first to last."""
    entries = AuditEntry.objects.filter(chain=chain).order_by("sequence")
    if asked.who == SYSTEM:
        entries = entries.filter(actor_id=None)
    elif asked.who:
        named = [account_id for account_id, code in codes.items() if code == asked.who]
        by_key = Q(actor_key__startswith=asked.who) if len(asked.who) >= _KEY_SHOWN else Q(pk__in=())
        entries = entries.filter(Q(actor_id__in=named) | by_key)
    if asked.what:
        entries = (
            entries.filter(kind=asked.what)
            if ":" in asked.what
            else entries.filter(kind__startswith=f"{asked.what}:")
        )
    if asked.since is not None:
        entries = entries.filter(created_at__gte=asked.since)
    if asked.until is not None:
        entries = entries.filter(created_at__lt=asked.until)
    return entries


def audit_page(trial: Trial, *, before: int | None, asked: AuditFilter | None = None) -> dict[str, Any]:
    """Return the newest entries below a sequence number, and by what they can be filtered."""
    chain = str(trial.id)
    codes = audit_codes(chain)
    entries = audit_entries(chain, asked or AuditFilter(), codes=codes).order_by("-sequence")
    if before is not None:
        entries = entries.filter(sequence__lt=before)
    page = list(entries[:PAGE])
    kinds = AuditEntry.objects.filter(chain=chain).order_by("kind").values_list("kind", flat=True).distinct()
    return {
        "results": _documents(page, codes),
        "next": page[-1].sequence if len(page) == PAGE else None,
        "people": [*sorted(set(codes.values())), SYSTEM],
        "kinds": list(kinds),
    }


def audit_rows(chain: str, asked: AuditFilter) -> Iterator[dict[str, Any]]:
    """Yield the entries of a chain that are asked for, first to last, as :data:`AUDIT_COLUMNS`."""
    codes = audit_codes(chain)
    block: list[AuditEntry] = []
    for entry in audit_entries(chain, asked, codes=codes).iterator(chunk_size=_CHUNK):
        block.append(entry)
        if len(block) == _CHUNK:
            yield from _documents(block, codes)
            block = []
    yield from _documents(block, codes)


def _documents(entries: list[AuditEntry], codes: dict[UUID, str]) -> list[dict[str, Any]]:
    reasons = dict(AuditReason.objects.filter(entry__in=entries).values_list("entry_id", "text"))
    addresses = dict(AuditAddress.objects.filter(entry__in=entries).values_list("entry_id", "address"))
    return [
        {
            "chain": entry.chain,
            "sequence": entry.sequence,
            "at": entry.created_at,
            "kind": entry.kind,
            "actor": SYSTEM
            if entry.actor_id is None
            else codes.get(entry.actor_id, entry.actor_key[:_KEY_SHOWN]),
            "actor_key": entry.actor_key,
            "origin": entry.origin,
            "address": addresses.get(entry.id),
            "subject": entry.subject,
            "before": entry.before,
            "after": entry.after,
            "reason": reasons.get(entry.id),
            "reason_hash": entry.reason_hash,
            "address_hash": entry.address_hash,
            "previous_hash": entry.previous_hash,
            "hash": entry.hash,
        }
        for entry in entries
    ]
