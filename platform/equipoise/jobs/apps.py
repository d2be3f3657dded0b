"""Jobs as a Django app."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """The queue in the database, the doorbell on the broker, the worker's side."""

    name = "equipoise.jobs"
    label = "jobs"
