"""Start-up checks of the installation as a whole."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def environment_check(**_: Any) -> list[CheckMessage]:
    """List every unusable environment variable at once."""
    return [
        Error(problem, id=f"equipoise.E{number:03d}")
        for number, problem in enumerate(settings.ENVIRONMENT_PROBLEMS, 1)
    ]


class EnvironmentRefusedError(SystemExit):
    """Raised instead of starting with a configuration that is not what was asked for."""


def require_valid_environment() -> None:
    """Refuse to start a server or worker while the environment has problems."""
    if settings.ENVIRONMENT_PROBLEMS:
        raise EnvironmentRefusedError("\n".join(settings.ENVIRONMENT_PROBLEMS))
