"""Which roles an account holds anywhere, told by the layer that knows memberships; and which need a second factor."""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings

from equipoise.accounts.models import Account
from equipoise.common.permissions import Role

RoleLookup = Callable[[UUID], frozenset[Role]]
"""Account id -> the roles it holds now, in any trial."""

_lookups: list[RoleLookup] = []


def register_role_lookup(lookup: RoleLookup) -> None:
    """Let the layer that knows memberships say who holds what."""
    _lookups[:] = [lookup]


def roles_held(account: Account) -> frozenset[Role]:
    """Return every role the account holds now."""
    own = {Role.SITE_ADMINISTRATOR} if account.is_site_administrator else set()
    return frozenset(own).union(*(lookup(account.pk) for lookup in _lookups))


def second_factor_is_required(account: Account) -> bool:
    """Whether the site asks this person for a second factor."""
    chosen = frozenset(settings.SECOND_FACTOR_ROLES)
    return bool(chosen) and bool(chosen & roles_held(account))
