"""Volumes from before there were UIDs get the ones that an image without any gets.

Nothing to undo: the columns go with the migration before.
"""

from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db import migrations


def _uid(kind: str, trial_id: UUID, name: str) -> str:
    """As ``archive.deidentification.derived_uids`` did when this was written."""
    digest = sha256(f"{kind}/{trial_id}/{name}".encode()).digest()
    return f"2.25.{UUID(bytes=digest[:16], version=5).int}"


def name_volumes(apps: Any, schema_editor: Any) -> None:
    volumes = apps.get_model("archive", "StoredVolume").objects.filter(series_uid="")
    for volume in volumes.only("trial_id", "patient_key", "pixel_hash").iterator(chunk_size=500):
        volume.study_uid = _uid("study", volume.trial_id, volume.patient_key or volume.pixel_hash)
        volume.series_uid = _uid("series", volume.trial_id, volume.pixel_hash)
        volume.frame_of_reference_uid = _uid("frame-of-reference", volume.trial_id, volume.pixel_hash)
        volume.save(update_fields=["study_uid", "series_uid", "frame_of_reference_uid"])


class Migration(migrations.Migration):
    dependencies = [("archive", "0002_uids_of_volumes")]

    operations = [migrations.RunPython(name_volumes, migrations.RunPython.noop)]
