"""A trial's audit trail for the page that shows it."""

from typing import Any

from equipoise.audit.models import AuditEntry, AuditReason
from trials.models import Trial

PAGE = 100


def audit_page(trial: Trial, *, before: int | None) -> dict[str, Any]:
    """Return the newest entries below a sequence number, with the pseudonym of who acted."""
    entries = AuditEntry.objects.filter(chain=str(trial.id)).order_by("-sequence")
    if before is not None:
        entries = entries.filter(sequence__lt=before)
    page = list(entries[:PAGE])
    reasons = dict(AuditReason.objects.filter(entry__in=page).values_list("entry_id", "text"))
    codes = {
        membership.account_id: f"{membership.role} {str(membership.account_id)[-4:]}"
        for membership in trial.memberships.all()
    }
    codes |= {
        person.membership.account_id: person.code
        for person in trial.participants.select_related("membership")
        if person.membership is not None
    }
    return {
        "results": [
            {
                "sequence": entry.sequence,
                "at": entry.created_at,
                "kind": entry.kind,
                "actor": "system"
                if entry.actor_id is None
                else codes.get(entry.actor_id, entry.actor_key[:8]),
                "origin": entry.origin,
                "subject": entry.subject,
                "reason": reasons.get(entry.id),
                "before": entry.before,
                "after": entry.after,
            }
            for entry in page
        ],
        "next": page[-1].sequence if len(page) == PAGE else None,
    }
