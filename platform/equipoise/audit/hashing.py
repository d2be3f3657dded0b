"""What of an entry is hashed, and how. Versions are never edited: entries outlive the code."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import rfc8785
from django.conf import settings
from django.utils.crypto import salted_hmac

VERSION = 2
"""SHA-256 over RFC 8785 JSON, 1 of :func:`hashed_fields_v1`, 2 of :func:`hashed_fields_v2`."""
GENESIS = "0" * 64
"""Stands where the first entry of a chain names its predecessor."""


def hashed_fields_v1(entry: Any) -> dict[str, Any]:
    """Return the fields of an entry (a row, or its export) that version 1 covers."""
    return {
        "version": 1,
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
        "previous_hash": entry.previous_hash,
    }


def hashed_fields_v2(entry: Any) -> dict[str, Any]:
    """Return what version 2 covers: version 1's fields, and the salted hash of where a request came from."""
    return {**hashed_fields_v1(entry), "version": 2, "address_hash": entry.address_hash}


def entry_hash(entry: Any) -> str:
    """Return the SHA-256 of an entry under its version's rule."""
    if entry.version == VERSION:
        fields = hashed_fields_v2(entry)
    elif entry.version == 1:
        if getattr(entry, "address_hash", ""):
            raise ValueError(f"Entry {entry.chain}/{entry.sequence} of version 1 names an address.")
        fields = hashed_fields_v1(entry)
    else:
        raise ValueError(
            f"Entry {entry.chain}/{entry.sequence} has version {entry.version}; {VERSION} is the newest known."
        )
    return hashlib.sha256(rfc8785.dumps(fields)).hexdigest()


def keyed_hash(purpose: str, value: str) -> str:
    """Return an HMAC under the site's key: equal for equal values, meaningless without the key."""
    return salted_hmac(
        f"equipoise.audit.{purpose}", value, secret=settings.SECRET_KEY, algorithm="sha256"
    ).hexdigest()


def actor_key(actor_id: UUID | None) -> str:
    """Return the pseudonym under which exports name an actor."""
    return keyed_hash("actor", str(actor_id)) if actor_id else ""


def erasable_hash(salt: str, text: str) -> str:
    """Return the salted hash of words or of an address; without the salt they cannot be guessed at."""
    return hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest()


def canonical(value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Refuse at the door what RFC 8785 could not hash later, and return the value."""
    if value is not None:
        rfc8785.dumps(dict(value))
    return value
