"""Start-up check: are the guards in place?"""

from collections.abc import Sequence
from typing import Any

from django.core import checks

from equipoise.audit.guards import guards_differences


@checks.register(checks.Tags.database)
def guards_check(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """List guards that are missing or altered. A warning: `migrate`, which mends it, runs these checks first."""
    if not databases:
        return []
    return [
        checks.Warning(sentence, hint="Run `manage.py migrate`.", id="equipoise.W100")
        for sentence in guards_differences()
    ]
