"""Bringing Django up for a command, and a site's database to its newest form."""

import os
import sys

import django
from django.core.management import call_command

EXIT_BAD_ENVIRONMENT = 2


def django_start() -> None:
    """Load the settings (production unless ``DJANGO_SETTINGS_MODULE`` says otherwise) and the apps; refuse bad ones."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "equipoise.config.settings.production")
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
