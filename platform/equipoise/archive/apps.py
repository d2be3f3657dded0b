"""The archive as a Django app."""

from django.apps import AppConfig


class ArchiveConfig(AppConfig):
    """Image volumes, masks, ingestion, storage."""

    name = "equipoise.archive"
    label = "archive"

    def ready(self) -> None:
        """Have old tokens and uploads swept, and frames closed at sign-out."""
        from equipoise.archive import housekeeping

        housekeeping.start()
