"""One-time links into a trial."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from equipoise.accounts.models import Account
from equipoise.accounts.services import account_create, service_token_revoke
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import NotFoundError, StateConflictError, ValidationFailedError
from equipoise.common.permissions import UNBLINDING_ROLES, Permission, Role
from trials.models import Invitation, Membership, Participant, Trial
from trials.selectors.access import may_be_reader, permissions_in, trial_roles
from trials.selectors.invitation import invitation_of_token
from trials.services.acts import Actor, record

LIFETIME = timedelta(days=14)
INVITABLE_ROLES = frozenset(Role) - {Role.SITE_ADMINISTRATOR, Role.ALGORITHM}


@dataclass(frozen=True)
class NewInvitation:
    """An invitation and its secret, which is shown once."""

    invitation: Invitation
    token: str


def invitation_create(
    trial: Trial, *, email: str, role: Role, inviter: Account, actor: Actor
) -> NewInvitation:
    """Invite a person into a role. Only the hash of the link's token is kept."""
    if role not in INVITABLE_ROLES:
        raise ValidationFailedError.of_fields({"/role": f"Nobody is invited as {role}."})
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    with transaction.atomic():
        invitation = Invitation.objects.create(
            trial=trial,
            email=email.strip().lower(),
            role=role,
            token_sha256=hashlib.sha256(token.encode()).hexdigest(),
            created_by=inviter,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        record(
            trial,
            AuditKind.INVITATION_CREATED,
            actor=actor,
            subject=f"invitation:{invitation.id}",
            after={"role": role},
        )
    return NewInvitation(invitation=invitation, token=token)


def invitation_revoke(invitation: Invitation, *, actor: Actor) -> Invitation:
    """Make a link useless that has not been used."""
    with transaction.atomic():
        revoked = Invitation.objects.filter(
            id=invitation.id, accepted_at__isnull=True, revoked_at__isnull=True
        ).update(revoked_at=timezone.now())
        if not revoked:
            raise StateConflictError(
                "This invitation was already used or revoked.", data={"state": "closed", "allowed": []}
            )
        record(
            invitation.trial, AuditKind.INVITATION_REVOKED, actor=actor, subject=f"invitation:{invitation.id}"
        )
    invitation.refresh_from_db()
    return invitation


def next_participant_code(trial: Trial) -> str:
    """Return the next neutral reader code of the trial."""
    taken = Participant.objects.filter(trial=trial, code__startswith="R-").count()
    return f"R-{taken + 1:02d}"


def _require_role_compatible(trial: Trial, account: Account, role: Role) -> None:
    if role == Role.READER and not may_be_reader(account, trial):
        raise StateConflictError(
            "Whoever has held a role that shows sources or the allocation of this trial cannot read in it.",
            data={"state": "unblinded", "allowed": []},
        )
    own = Membership.objects.filter(trial=trial, account=account, role=Role.READER)
    if role == Role.READER and own.filter(ended_at__isnull=False).exists():
        raise StateConflictError(
            "This person has left the trial as a reader; a reader's place is never given twice.",
            data={"state": "withdrawn", "allowed": []},
        )
    if role in UNBLINDING_ROLES and own.filter(ended_at__isnull=True).exists():
        raise StateConflictError(
            "This person reads in this trial and cannot be given a role that shows sources or the allocation.",
            data={"state": "reader", "allowed": []},
        )


def membership_create(trial: Trial, account: Account, role: Role, *, actor: Actor) -> Membership:
    """Give a person a role; a reader becomes a participant.

    Who has seen sources can no longer read, and who reads cannot be shown them.
    """
    now = timezone.now()
    with transaction.atomic():
        # One grant after the other: two at once could not see each other, nor count the readers.
        Trial.objects.select_for_update(no_key=True).get(id=trial.id)
        _require_role_compatible(trial, account, role)
        membership, created = Membership.objects.get_or_create(
            trial=trial, account=account, role=role, defaults={"created_at": now}
        )
        if created and role == Role.READER:
            participant = Participant.objects.create(
                trial=trial, code=next_participant_code(trial), membership=membership, joined_at=now
            )
            record(
                trial,
                AuditKind.PARTICIPANT_ADDED,
                actor=actor,
                subject=f"participant:{participant.id}",
                after={"code": participant.code},
            )
        elif created or membership.ended_at is not None:
            Membership.objects.filter(id=membership.id).update(ended_at=None)
            membership.ended_at = None
            record(
                trial,
                AuditKind.MEMBERSHIP_GRANTED,
                actor=actor,
                subject=f"membership:{membership.id}",
                after={"role": role},
            )
    return membership


def membership_end(trial: Trial, membership: Membership, *, reason: str, actor: Actor) -> None:
    """End a role, and the tokens the person made here unless another role of theirs may make some.

    Call it last in the transaction of the act that ends it; the reason of a withdrawal stands in its own entry.
    """
    Membership.objects.filter(id=membership.id).update(ended_at=timezone.now())
    account = membership.account
    if Permission.TOKEN_MANAGE not in permissions_in(trial_roles(account, trial)):
        held = account.service_tokens.filter(trial_id=trial.id, revoked_at=None).order_by("id")
        for token in held.select_for_update(no_key=True):
            service_token_revoke(token, actor_id=actor.account_id, origin=actor.origin)
    record(
        trial,
        AuditKind.MEMBERSHIP_REVOKED,
        actor=actor,
        subject=f"membership:{membership.id}",
        before={"role": membership.role},
        reason=reason,
    )


def invitation_accept(token: str, *, display_name: str, password: str, signed_in: Account | None) -> Account:
    """Use a link: make the account (or take the signed-in one) and give it the role. Works once."""
    invitation = invitation_of_token(token)
    with transaction.atomic():
        taken = Invitation.objects.filter(
            id=invitation.id, accepted_at__isnull=True, revoked_at__isnull=True, expires_at__gt=timezone.now()
        ).update(accepted_at=timezone.now())
        if not taken:
            raise NotFoundError("This invitation was used, revoked, or has expired. Ask for a new link.")
        account = signed_in
        if account is None:
            if Account.objects.filter(email__iexact=invitation.email).exists():
                raise StateConflictError(
                    "There is an account for this address already. Sign in first, then open the link again.",
                    data={"state": "account_exists", "allowed": ["sign-in"]},
                )
            account = account_create(
                email=invitation.email,
                display_name=display_name,
                password=password,
                institute=invitation.trial.institute,
            )
        Invitation.objects.filter(id=invitation.id).update(accepted_by=account)
        actor = Actor(account_id=account.id)
        membership_create(invitation.trial, account, Role(invitation.role), actor=actor)
        record(
            invitation.trial,
            AuditKind.INVITATION_ACCEPTED,
            actor=actor,
            subject=f"invitation:{invitation.id}",
            after={"role": invitation.role},
        )
    return account
