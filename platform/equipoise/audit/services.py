"""Writing the audit trail."""

import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.utils import timezone

from equipoise.api.addresses import current_address
from equipoise.api.prepared import Parameter, PreparedQuery, PreparedUpdate
from equipoise.audit.hashing import GENESIS, VERSION, actor_key, canonical, entry_hash, erasable_hash
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.models import AuditAddress, AuditEntry, AuditHead, AuditReason

SITE_CHAIN = "site"
"""The chain of acts that belong to no trial."""
_MAX_TRIES = 200
"""A lost race for the head is retried at once; so many in a row mean a fault, not a crowd."""


class HeadNotTakenError(DatabaseError):
    """The chain's head moved under every try."""


_HEAD = PreparedQuery(
    lambda: AuditHead.objects.select_for_update(no_key=True).filter(chain=Parameter("chain", AuditHead))
)
_MOVED = PreparedUpdate(
    lambda: (
        AuditHead.objects.filter(
            chain=Parameter("chain", AuditHead),
            sequence=Parameter("read_sequence", AuditHead, "sequence"),
            hash=Parameter("read_hash", AuditHead, "hash"),
        ),
        {name: Parameter(name, AuditHead) for name in ("sequence", "hash")},
    )
)


def chain_of(trial_id: UUID | None) -> str:
    """Return the chain that a trial's acts go to (the site's for none)."""
    return str(trial_id) if trial_id else SITE_CHAIN


def entry_append(
    *,
    chain: str,
    kind: AuditKind,
    actor_id: UUID | None,
    origin: Origin,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Append one entry to a chain, inside the caller's transaction and as the last thing it writes.

    Taking the head locks the chain until commit; called last, two hundred readers wait for each other only as long
    as a commit takes. ``before`` and ``after`` hold ids, codes, numbers and hashes, never names or free text;
    ``reason`` is kept apart, erasable, and so is the address of the request that is being served, where the act came
    in by one.
    """
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("entry_append belongs into the transaction of the act it records.")
    salt, address_salt = secrets.token_hex(16), secrets.token_hex(16)
    address = current_address.get() if origin == Origin.WEB else ""
    entry = AuditEntry(
        chain=chain,
        version=VERSION,
        kind=AuditKind(kind).value,
        created_at=timezone.now(),
        actor_id=actor_id,
        actor_key=actor_key(actor_id),
        origin=Origin(origin).value,
        subject=subject,
        before=canonical(before),
        after=canonical(after),
        reason_hash=erasable_hash(salt, reason) if reason else "",
        address_hash=erasable_hash(address_salt, address) if address else "",
    )
    _take_head(entry)
    entry.save(force_insert=True)
    if reason:
        AuditReason.objects.create(entry=entry, salt=salt, text=reason)
    if address:
        AuditAddress.objects.create(entry=entry, salt=address_salt, address=address)
    return entry


def _take_head(entry: AuditEntry) -> None:
    """Give the entry the next place of its chain: UPDATE the head if it is still the one that was read.

    Where the database locks rows, writers queue at the first read; one after the other needs one try.
    """
    for _ in range(_MAX_TRIES):
        head = _HEAD.first(chain=entry.chain)
        if head is None:
            head, _created = AuditHead.objects.get_or_create(chain=entry.chain, defaults={"hash": GENESIS})
        entry.sequence, entry.previous_hash = head.sequence + 1, head.hash
        entry.hash = entry_hash(entry)
        if _MOVED.run(
            chain=entry.chain,
            read_sequence=head.sequence,
            read_hash=head.hash,
            sequence=entry.sequence,
            hash=entry.hash,
        ):
            return
    raise HeadNotTakenError(
        f"The head of chain {entry.chain} moved {_MAX_TRIES} times; the entry was not written."
    )
