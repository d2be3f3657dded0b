"""Start-up check: are the guards in place?"""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register

from equipoise.audit.guards import guards_differences


@register(Tags.database)
def guards_check(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """List guards that are missing or altered. A warning: `migrate`, which mends it, runs these checks first."""
    if not databases:
        return []
    return [
        Warning(sentence, hint="Run `manage.py migrate`.", id="equipoise.W100")
        for sentence in guards_differences()
    ]
