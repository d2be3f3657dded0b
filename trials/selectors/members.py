"""Who holds which role in a trial, readers apart: those are known by their codes."""

from typing import Any

from equipoise.common.permissions import Role
from trials.models import Trial


def members_document(trial: Trial) -> list[dict[str, Any]]:
    """Return every role of the trial's team, ended ones last."""
    rows = trial.memberships.exclude(role=Role.READER).select_related("account")
    return [
        {
            "id": row.id,
            "name": row.account.display_name,
            "email": row.account.email,
            "role": row.role,
            "created_at": row.created_at,
            "ended_at": row.ended_at,
        }
        for row in sorted(rows, key=lambda one: (one.ended_at is not None, one.created_at))
    ]
