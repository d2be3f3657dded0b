"""What is removed once it is old enough. Each layer says what it has; readings and audit entries are never among it.

The rules by name and their days are the site's (``EQUIPOISE_RETENTION``). What was removed is counted in the audit
trail, by rule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.models import AuditAddress, RefusalCount
from equipoise.audit.services import SITE_CHAIN, entry_append

Found = Callable[[datetime], QuerySet[Any]]
"""Rows whose time had come by a moment."""
Remove = Callable[[QuerySet[Any]], object]


@dataclass(frozen=True)
class RetentionRule:
    """One kind of what does not stay."""

    name: str
    found: Found
    remove: Remove


_RULES: dict[str, RetentionRule] = {}


def _delete(rows: QuerySet[Any]) -> object:
    return rows.delete()


def register_retention(name: str, found: Found, *, remove: Remove = _delete) -> None:
    """Have rows removed after the days that the site gives under this name."""
    _RULES[name] = RetentionRule(name, found, remove)


def retention_due(*, now: datetime | None = None) -> dict[str, int]:
    """Return how many rows of each kind are past their time."""
    return {rule.name: rows.count() for rule, rows in _due(now or timezone.now())}


def retention_apply(*, now: datetime | None = None, origin: Origin = Origin.WORKER) -> dict[str, int]:
    """Remove what is past its time; return how many rows by kind, of which the audit trail keeps those there were.

    Raises
    ------
    ExceptionGroup
        If a rule could not be applied. Nothing of its kind is removed then; every other rule was applied.
    """
    removed: dict[str, int] = {}
    errors: list[Exception] = []
    for rule, rows in _due(now or timezone.now()):
        try:
            removed[rule.name] = _remove(rule, rows, origin=origin)
        except Exception as error:  # one rule's trouble keeps no other from its turn
            errors.append(error)
    if errors:
        raise ExceptionGroup("Not everything that is past its time could be removed.", errors)
    return removed


@transaction.atomic
def _remove(rule: RetentionRule, rows: QuerySet[Any], *, origin: Origin) -> int:
    """Remove rows and say so in the audit trail, both or neither; return how many went."""
    due = rows.count()
    if not due:
        return 0
    rule.remove(rows)
    count = due - rows.all().count()
    if count:
        entry_append(
            chain=SITE_CHAIN,
            kind=AuditKind.RETENTION_APPLIED,
            actor_id=None,
            origin=origin,
            subject="site",
            after={rule.name: count},
        )
    return count


def _due(now: datetime) -> list[tuple[RetentionRule, QuerySet[Any]]]:
    due = []
    for name in sorted(_RULES):
        days = settings.RETENTION_DAYS[name]
        if days:
            due.append((_RULES[name], _RULES[name].found(now - timedelta(days=days))))
    return due


register_retention("addresses", lambda before: AuditAddress.objects.filter(entry__created_at__lt=before))
register_retention("refusals", lambda before: RefusalCount.objects.filter(minute__lt=before))
