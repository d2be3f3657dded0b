"""What programs are told of a trial, and how a message to them is signed.

The events of a trial are a view of its audit trail: in order, without gaps that fill later, and nothing of them by arm
or of an answer.
"""

import base64
import hashlib
import hmac
from enum import StrEnum

from equipoise.audit.kinds import AuditKind


class EventKind(StrEnum):
    """What programs can be told of."""

    READING_SUBMITTED = "reading.submitted"
    TRIAL_STATE_CHANGED = "trial.state_changed"
    JOB_FINISHED = "job.finished"


EVENT_OF_AUDIT_KIND: dict[str, EventKind] = {
    AuditKind.READING_SUBMITTED.value: EventKind.READING_SUBMITTED,
    AuditKind.JOB_FINISHED.value: EventKind.JOB_FINISHED,
    **{
        kind.value: EventKind.TRIAL_STATE_CHANGED
        for kind in (
            AuditKind.TRIAL_LOCKED,
            AuditKind.TRIAL_OPENED,
            AuditKind.TRIAL_PAUSED,
            AuditKind.TRIAL_RESUMED,
            AuditKind.TRIAL_CLOSED,
            AuditKind.TRIAL_DATA_LOCKED,
            AuditKind.TRIAL_UNBLINDED,
            AuditKind.TRIAL_ARCHIVED,
            AuditKind.TRIAL_ABANDONED,
        )
    },
}
"""Which entries of the audit trail are events."""

SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins, not one
SIGNATURE_VERSION = "v1"


def secret_text(secret: bytes) -> str:
    """Return a secret as it is given to a program, once."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, *, event_id: str, timestamp: int, body: bytes) -> str:
    """Return the ``webhook-signature`` of a message, as standardwebhooks.com has it: HMAC-SHA256 of id.time.body."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return f"{SIGNATURE_VERSION},{base64.b64encode(digest).decode()}"
