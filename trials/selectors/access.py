"""Load a trial and check the right to it in one call.

A trial that does not exist and one in which the caller is nobody answer alike. Readers and algorithms are nobody
outside their own interfaces: a reader who asks for anything else of a trial is told that it is not there.
"""

import uuid
from typing import TypeAlias

from equipoise.accounts.models import Account, ServiceToken
from equipoise.api.actors import Actor as JobActor
from equipoise.api.prepared import Parameter, PreparedQuery
from equipoise.common.errors import NotFoundError, PermissionDeniedError
from equipoise.common.permissions import ROLE_PERMISSIONS, UNBLINDING_ROLES, Permission, Role
from trials.models import Membership, Participant, Trial

Caller: TypeAlias = Account | ServiceToken
"""Who calls: a signed-in person, or a program with a token of one trial and one role."""

_NAMELESS_ROLES = frozenset({Role.READER, Role.ALGORITHM})
_OWN_PARTICIPANT = PreparedQuery(
    lambda: Participant.objects.select_related("trial", "membership").filter(
        trial__slug=Parameter("slug", Trial),
        membership__account_id=Parameter("account", Membership),
        membership__ended_at__isnull=True,
    )[:1]
)


def trial_roles(caller: Caller, trial: Trial) -> frozenset[Role]:
    """Return the roles the caller holds in the trial now."""
    if isinstance(caller, ServiceToken):
        return frozenset({Role(caller.role)}) if caller.trial_id == trial.id else frozenset()
    roles = Membership.objects.filter(trial=trial, account_id=caller.id, ended_at__isnull=True)
    return frozenset(Role(role) for role in roles.values_list("role", flat=True))


def permissions_in(roles: frozenset[Role]) -> frozenset[Permission]:
    """Return everything the roles allow together."""
    return frozenset().union(*(ROLE_PERMISSIONS[role] for role in roles)) if roles else frozenset()


def access_trial(caller: Caller, trial_id: uuid.UUID, permission: Permission) -> Trial:
    """Return the trial if the caller may do this to it."""
    trial = Trial.objects.filter(id=trial_id).first()
    return _checked(caller, trial, permission)


def access_trial_by_slug(caller: Caller, slug: str, permission: Permission) -> Trial:
    """Return the trial of that short name if the caller may do this to it."""
    trial = Trial.objects.filter(slug=slug).first()
    return _checked(caller, trial, permission)


def _checked(caller: Caller, trial: Trial | None, permission: Permission) -> Trial:
    absent = NotFoundError("There is no such trial, or you are not part of it.")
    if trial is None:
        raise absent
    roles = trial_roles(caller, trial)
    if permission in permissions_in(roles):
        return trial
    if roles - _NAMELESS_ROLES:
        held = ", ".join(sorted(role.value.replace("_", " ") for role in roles))
        raise PermissionDeniedError(f"Your role in this trial ({held}) does not allow this ({permission}).")
    raise absent


def access_participant(caller: Caller, slug: str) -> Participant:
    """Return the caller's own participant in a trial."""
    participant = None
    if isinstance(caller, Account):
        participant = _OWN_PARTICIPANT.first(slug=slug, account=caller.id)
    if participant is None:
        raise NotFoundError("There is no such trial, or you do not read in it.")
    return participant


def may_be_reader(account: Account, trial: Trial) -> bool:
    """Say whether a person has never held a role that shows sources or allocation rows of this trial."""
    return not Membership.objects.filter(
        trial=trial, account=account, role__in=[role.value for role in UNBLINDING_ROLES]
    ).exists()


def access_jobs_of_trial(*, actor: JobActor, trial_id: uuid.UUID, permission: Permission) -> None:
    """Refuse unless somebody may see or stop the jobs of a trial; the job kit asks, knowing nothing of trials."""
    if actor.is_program:
        held = (
            frozenset({actor.token_role})
            if actor.token_trial_id == trial_id and actor.token_role
            else frozenset()
        )
    else:
        rows = Membership.objects.filter(trial_id=trial_id, account_id=actor.id, ended_at__isnull=True)
        held = frozenset(Role(role) for role in rows.values_list("role", flat=True))
    if permission in permissions_in(held):
        return
    if held - _NAMELESS_ROLES:
        raise PermissionDeniedError(f"Your role in this trial does not allow this ({permission}).")
    raise NotFoundError("There is no such trial, or you are not part of it.")


def is_member(actor_id: uuid.UUID, trial_id: uuid.UUID) -> bool:
    """Say whether a person or program belongs to the trial; the audit trail asks before it chains a refusal."""
    if Membership.objects.filter(trial_id=trial_id, account_id=actor_id, ended_at__isnull=True).exists():
        return True
    return ServiceToken.objects.filter(id=actor_id, trial_id=trial_id).exists()


def roles_of_account(account_id: uuid.UUID) -> frozenset[Role]:
    """Return every role a person holds now, in whatever trial; signing in asks."""
    held = Membership.objects.filter(account_id=account_id, ended_at__isnull=True)
    return frozenset(Role(role) for role in held.values_list("role", flat=True).distinct())
