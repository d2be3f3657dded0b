"""Service tokens of a trial: what its administrators see of them, never the secret."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from equipoise.accounts.models import ServiceToken
from equipoise.common.errors import NotFoundError
from trials.models import Trial


def tokens_of(trial: Trial) -> QuerySet[ServiceToken]:
    """Return the trial's tokens, newest first, ended ones included."""
    return ServiceToken.objects.filter(trial_id=trial.id).order_by("-created_at", "-id")


def token_of(trial: Trial, token_id: UUID) -> ServiceToken:
    """Return one token of the trial."""
    token = tokens_of(trial).filter(id=token_id).first()
    if token is None:
        raise NotFoundError("There is no such token in this trial.")
    return token


def token_state(token: ServiceToken) -> str:
    """Say whether a token works: ``active``, ``expired`` or ``revoked``."""
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at <= timezone.now() else "active"
