"""Bringing Django up for a command, and a site's database to its newest form."""

import os
import sys

import django
from django.apps import apps
from django.core.management import call_command

EXIT_BAD_ENVIRONMENT = 2


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
    """Make the data folder and bring the database to its newest form; guards are (re)installed on the way."""
    from django.conf import settings

    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0, interactive=False)
