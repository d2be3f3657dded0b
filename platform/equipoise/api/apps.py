"""The API kit as a Django app: it has one table, the stored answers of idempotent requests."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Errors, paging, permissions, idempotency, schema; no endpoints."""

    name = "equipoise.api"
    label = "api"
