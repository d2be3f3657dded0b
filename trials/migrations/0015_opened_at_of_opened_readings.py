"""Readings opened before their last opening was kept: it was the first one, as far as is known."""

from typing import Any

from django.db import migrations
from django.db.models import F


def opened_at_fill(apps: Any, _schema_editor: Any) -> None:
    """Take the first opening for the last one."""
    readings = apps.get_model("trials", "Reading").objects
    readings.filter(opened_at=None, first_opened_at__isnull=False).update(opened_at=F("first_opened_at"))


class Migration(migrations.Migration):
    dependencies = [("trials", "0014_attempts_and_returns")]

    operations = [migrations.RunPython(opened_at_fill, migrations.RunPython.noop)]
