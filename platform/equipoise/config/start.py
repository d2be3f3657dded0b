"""Bringing Django up for a command, and a site's database to its newest form."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.apps import apps
from django.core.management import call_command

EXIT_BAD_ENVIRONMENT = 2
_MIGRATION_LOCK = 4_202_611_281
"""Which of PostgreSQL's advisory locks is ours; any number will do that nobody else uses in this database."""


def django_start() -> None:
    """Load the settings (production unless ``DJANGO_SETTINGS_MODULE`` says otherwise) and the apps; refuse bad ones.

    Where Django is up already it stays as it is: setting it up again closes every log handler of the process, and
    absl's (which Keras brings) closes the stream it writes to, standard error among them.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "equipoise.config.settings.production")
    if not apps.ready:
        django.setup()
    from django.conf import settings

    for problem in settings.ENVIRONMENT_PROBLEMS:
        sys.stderr.write(f"{problem}\n")
    if settings.ENVIRONMENT_PROBLEMS:
        raise SystemExit(EXIT_BAD_ENVIRONMENT)


def database_prepare() -> None:
    """Make the data folder and bring the database to its newest form; guards are (re)installed on the way.

    Processes that start together do it one after the other, and who comes second finds nothing to do.
    """
    from django.conf import settings

    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time():
        call_command("migrate", verbosity=0, interactive=False)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    from django.conf import settings
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATION_LOCK])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])
        return
    with (settings.DATA_DIR / "migration.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
