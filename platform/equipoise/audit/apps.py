"""The audit trail as a Django app. Guards of immutable rows are (re)installed after every migration."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AuditConfig(AppConfig):
    """Append-only, hash-chained entries and the guards of immutable rows."""

    name = "equipoise.audit"
    label = "audit"

    def ready(self) -> None:
        """Install guards after migrations, and check them at start."""
        from equipoise.api.refusals import register_refusal_recorder
        from equipoise.audit import checks, guards  # noqa: F401 - importing the checks registers them
        from equipoise.audit.refusals import record_from_api

        post_migrate.connect(guards.install_after_migrate, sender=self, dispatch_uid="equipoise.audit.guards")
        register_refusal_recorder(record_from_api)
