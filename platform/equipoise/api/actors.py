"""Who is asking, as a value: what services and access functions are given instead of the request."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from equipoise.common.permissions import Permission, Role, role_allows


@dataclass(frozen=True)
class Actor:
    """A signed-in person, a program with a service token, or the person behind the command line."""

    id: UUID
    """Of the account, or of the service token."""
    is_site_administrator: bool = False
    token_trial_id: UUID | None = None
    """For a program: the only trial it may touch."""
    token_role: Role | None = None
    origin: str = "web"
    """``web``, ``cli`` or ``worker``; stands in the audit entry."""

    @property
    def is_program(self) -> bool:
        """Whether this is a service token rather than a person."""
        return self.token_trial_id is not None

    def may_on_site(self, permission: Permission) -> bool:
        """Whether the site administrator's role, if held, grants the act."""
        return self.is_site_administrator and role_allows(Role.SITE_ADMINISTRATOR, permission)

    def token_allows(self, trial_id: UUID, permission: Permission) -> bool:
        """Whether a program's token covers the act in the trial."""
        return (
            self.token_trial_id == trial_id
            and self.token_role is not None
            and role_allows(self.token_role, permission)
        )


def actor_of(user: Any) -> Actor | None:
    """Return the actor of a request's user (an account or a service token), or None if nobody is signed in."""
    if not getattr(user, "is_authenticated", False):
        return None
    if hasattr(user, "secret_sha256"):
        return Actor(id=user.pk, token_trial_id=user.trial_id, token_role=Role(user.role))
    return Actor(id=user.pk, is_site_administrator=user.is_site_administrator)
