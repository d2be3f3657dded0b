"""The archive as a Django app."""

from django.apps import AppConfig


class ArchiveConfig(AppConfig):
    """Image volumes, masks, ingestion, storage."""

    name = "equipoise.archive"
    label = "archive"
