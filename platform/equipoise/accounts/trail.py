"""What people do with their own sign-in, in the site's audit trail."""

from typing import Any

from equipoise.accounts.models import Account
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.services import SITE_CHAIN, entry_append


def own_act_record(account: Account, kind: AuditKind, after: dict[str, Any] | None = None) -> None:
    """Append what a person did to their own account through the browser. Call it last in the transaction."""
    entry_append(
        chain=SITE_CHAIN,
        kind=kind,
        actor_id=account.pk,
        origin=Origin.WEB,
        subject=f"account:{account.pk}",
        after=after,
    )
