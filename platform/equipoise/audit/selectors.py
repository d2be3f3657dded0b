"""Reading and verifying the audit trail."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from equipoise.audit.hashing import GENESIS, entry_hash, erasable_hash
from equipoise.audit.models import AuditAddress, AuditEntry, AuditHead, AuditReason


@dataclass(frozen=True)
class ChainReport:
    """What verifying one chain found; ``problems`` is empty for an intact one."""

    chain: str
    entries: int
    head_hash: str
    problems: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def chain_names() -> list[str]:
    """Return every chain: the site's and one per trial that has entries."""
    heads = set(AuditHead.objects.values_list("chain", flat=True))
    return sorted(heads | set(AuditEntry.objects.order_by().values_list("chain", flat=True).distinct()))


def chain_verify(chain: str, *, each: Callable[[AuditEntry], object] | None = None) -> ChainReport:
    """Recompute a chain from its first entry to its head and report every break.

    ``each`` is given every entry as it was verified, for whoever writes the chain down as well.
    """
    problems: list[str] = []
    previous, expected = GENESIS, 1
    altered = _altered_addresses(chain)
    reasons = {r.entry_id: r for r in AuditReason.objects.filter(entry__chain=chain)}
    for entry in AuditEntry.objects.filter(chain=chain).order_by("sequence").iterator(chunk_size=2000):
        place = f"{chain}/{entry.sequence}"
        if entry.sequence != expected:
            problems.append(f"{place}: {expected} was expected; entries are missing before it.")
        if entry.previous_hash != previous:
            problems.append(f"{place}: does not name the entry before it.")
        if not _hash_fits(entry):
            problems.append(f"{place}: its content does not give its hash; it was altered.")
        reason = reasons.get(entry.pk)
        if reason and erasable_hash(reason.salt, reason.text) != entry.reason_hash:
            problems.append(f"{place}: its reason was altered (an erased reason would be absent).")
        if entry.pk in altered:
            problems.append(f"{place}: its network address was altered (an erased one would be absent).")
        previous, expected = entry.hash, entry.sequence + 1
        if each is not None:
            each(entry)
    head = AuditHead.objects.filter(chain=chain).first()
    if head is None or (head.sequence, head.hash) != (expected - 1, previous):
        problems.append(
            f"{chain}: the head does not match the last entry ({expected - 1}); the end was cut or added to."
        )
    return ChainReport(chain=chain, entries=expected - 1, head_hash=previous, problems=tuple(problems))


def _altered_addresses(chain: str) -> set[UUID]:
    """Return the entries whose address is not the one their hash covers; a row apiece is read, none kept."""
    rows = AuditAddress.objects.filter(entry__chain=chain).values_list(
        "entry_id", "salt", "address", "entry__address_hash"
    )
    return {
        entry_id
        for entry_id, salt, address, covered in rows.iterator(chunk_size=2000)
        if erasable_hash(salt, address) != covered
    }


def _hash_fits(entry: AuditEntry) -> bool:
    try:
        return entry_hash(entry) == entry.hash
    except ValueError:
        return False  # an unknown version, or content that could never have been hashed


def entry_export(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as exported: with the actor's pseudonym, everything its hash covers, and the hash."""
    return {
        "version": entry.version,
        "chain": entry.chain,
        "sequence": entry.sequence,
        "id": str(entry.id),
        "kind": entry.kind,
        "created_at": entry.created_at.isoformat(timespec="microseconds"),
        "actor_id": str(entry.actor_id) if entry.actor_id else None,
        "actor_key": entry.actor_key,
        "origin": entry.origin,
        "subject": entry.subject,
        "before": entry.before,
        "after": entry.after,
        "reason_hash": entry.reason_hash,
        **({"address_hash": entry.address_hash} if entry.version > 1 else {}),
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def chain_export(chain: str) -> Iterator[dict[str, Any]]:
    """Yield a chain's entries, first to last."""
    for entry in AuditEntry.objects.filter(chain=chain).order_by("sequence").iterator(chunk_size=2000):
        yield entry_export(entry)
