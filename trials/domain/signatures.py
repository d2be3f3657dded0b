"""Electronic signatures: what a signature means, what it is bound to, and how its own hash is made."""

import hashlib
import hmac
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import rfc8785

from equipoise.common.permissions import Permission
from trials.domain.states import TrialAction

SIGNATURE_SCHEMA = "equipoise-signature/1"
"""What of a signature is hashed, and how. Never edited: signatures outlive the code."""
BEGINS, ENDS = "<!-- signatures -->", "<!-- /signatures -->"
"""Around the part of a report that prints its signatures, which is not of what they sign."""


class Meaning(StrEnum):
    """What a person says by signing. Stored; none is renamed."""

    PROTOCOL_APPROVED = "protocol_approved"
    DATA_APPROVED = "data_approved"
    ALLOCATION_RELEASED = "allocation_released"
    REPORT_APPROVED = "report_approved"

    @property
    def words(self) -> str:
        """What is printed."""
        return _WORDS[self]

    @property
    def permission(self) -> Permission:
        """The right without which nobody signs this."""
        return _PERMISSIONS[self]


_WORDS = {
    Meaning.PROTOCOL_APPROVED: "approved the protocol for lock",
    Meaning.DATA_APPROVED: "approved the blind review and the data for data lock",
    Meaning.ALLOCATION_RELEASED: "released the allocation",
    Meaning.REPORT_APPROVED: "reviewed and approved the report",
}
_PERMISSIONS = {
    Meaning.PROTOCOL_APPROVED: Permission.TRIAL_LOCK,
    Meaning.DATA_APPROVED: Permission.TRIAL_DATA_LOCK,
    Meaning.ALLOCATION_RELEASED: Permission.TRIAL_UNBLIND,
    Meaning.REPORT_APPROVED: Permission.ANALYSIS_VIEW,
}
SIGNED_ACTIONS = {
    TrialAction.LOCK: Meaning.PROTOCOL_APPROVED,
    TrialAction.DATA_LOCK: Meaning.DATA_APPROVED,
    TrialAction.UNBLIND: Meaning.ALLOCATION_RELEASED,
}
"""The acts that are signed as they are done, and what the signature on each means."""


def signature_sha256(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a signature over everything that it says: who, when, what, of which record."""
    named = {
        name: fields[name]
        for name in (
            "id", "trial", "meaning", "record", "record_sha256", "signer", "name_hash", "factors", "signed_at",
        )
    }  # fmt: skip
    return hashlib.sha256(rfc8785.dumps({"schema": SIGNATURE_SCHEMA, **named})).hexdigest()


def name_hash(salt: str, name: str) -> str:
    """Return the salted hash that binds a printed name to its signature."""
    return hmac.new(salt.encode(), name.encode(), hashlib.sha256).hexdigest()


def report_sha256(page: str) -> str:
    """Return the hash of a report's content: of the page without the part that prints its signatures."""
    return hashlib.sha256(report_with(page, "").encode()).hexdigest()


def report_with(page: str, printed: str) -> str:
    """Return the page with other words where its signatures are printed."""
    before, begins, rest = page.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    return f"{before}{begins}{printed}{ends}{after}" if begins and ends else page
