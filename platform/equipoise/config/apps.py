"""The composition root as a Django app: it loads Celery once the settings are known, and checks the environment."""

from importlib.metadata import version

from django.apps import AppConfig
from django.conf import settings


class ConfigConfig(AppConfig):
    """Loads what needs settings; has no models."""

    name = "equipoise.config"
    label = "equipoise_config"

    def ready(self) -> None:
        """Make the Celery application current and register the start-up checks."""
        from equipoise.config import celery, checks, periodic  # noqa: F401 - importing registers them

        if settings.SENTRY_DSN:
            from equipoise.config.error_reports import error_reports_start

            error_reports_start(settings.SENTRY_DSN, release=version("equipoise"))
