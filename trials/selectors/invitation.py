"""Invitations by their secret and by their trial."""

import hashlib
from datetime import datetime

from equipoise.accounts.models import Account
from equipoise.common.errors import NotFoundError
from trials.models import Invitation


def invitation_of_token(token: str) -> Invitation:
    """Return the invitation a link speaks of; absent, used and expired ones alike are not found."""
    invitation = (
        Invitation.objects.select_related("trial", "trial__institute")
        .filter(token_sha256=hashlib.sha256(token.encode()).hexdigest())
        .first()
    )
    if invitation is None:
        raise NotFoundError("This invitation was used, revoked, or has expired. Ask for a new link.")
    return invitation


def invitation_state(invitation: Invitation, now: datetime) -> str:
    """Return pending, accepted, revoked or expired."""
    if invitation.accepted_at is not None:
        return "accepted"
    if invitation.revoked_at is not None:
        return "revoked"
    return "expired" if invitation.expires_at <= now else "pending"


def account_exists(email: str) -> bool:
    """Say whether somebody already signs in with this address."""
    return Account.objects.filter(email__iexact=email).exists()
