"""Run by the test in a process of its own: a database in the first schema, filled, brought to the newest, and used.

``first-schema.zip`` was written by the last version that had that schema: every row of a site with one finished trial
and one that a reader is in the middle of, the files of its store, and the finished trial's table of readings.
"""

import base64
import csv
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

FIRST = {
    "accounts": "0001_people",
    "api": "0001_answers",
    "archive": "0001_volumes_masks_runs_and_tokens",
    "audit": "0001_trail",
    "jobs": "0001_queue",
    "trials": "0001_first_schema",
}
SITE = Path(__file__).with_name("first-schema.zip")


def load_rows(apps: Any, tables: list[dict[str, Any]]) -> None:
    """Write rows as they stood, through the models of that time."""
    with transaction.atomic():
        for table in tables:
            model = apps.get_model(table["model"])
            fields = {field.attname: field for field in model._meta.concrete_fields}
            model.objects.bulk_create(
                [
                    model(**{n: _value(fields[n], v) for n, v in zip(table["columns"], row, strict=True)})
                    for row in table["rows"]
                ]
            )


def _value(field: Any, value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    return value if field.get_internal_type() == "JSONField" else field.to_python(value)


def columns_kept(before: str, after: str) -> bool:
    """Tell whether a table still holds everything it held; columns may have come."""
    old, new = (list(csv.DictReader(io.StringIO(text))) for text in (before, after))
    return [{key: row.get(key) for key in old[0]} for row in new] == old


def main() -> dict[str, Any]:
    """Bring the site up, read on in it, and return what was found."""
    from equipoise.config.start import database_prepare, django_start

    django_start()
    settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
    executor = MigrationExecutor(connection)
    first = list(FIRST.items())
    leaves = [node for node in executor.loader.graph.leaf_nodes() if node[0] not in FIRST]
    state = executor.migrate([*leaves, *first])
    with zipfile.ZipFile(SITE) as site:
        tables = json.loads(site.read("rows.json"))
        load_rows(state.apps, tables)
        for name in site.namelist():
            if name.startswith("store/"):
                site.extract(name, settings.DATA_DIR)
        readings, opened = (
            site.read("finished-readings.csv").decode(),
            json.loads(site.read("open-reading.json")),
        )
    database_prepare()

    from equipoise.archive.verify import verify
    from equipoise.audit.guards import guards_differences
    from equipoise.audit.selectors import chain_names, chain_verify
    from tests.factories import trials as factory
    from trials.models import Participant, Response, Trial
    from trials.reports.exports import readings_csv
    from trials.selectors.files import trial_file_digests

    finished = Trial.objects.get(slug="finished")
    reader = Participant.objects.get(trial__slug="going-on")
    before = Response.objects.count()
    shown = factory.open_reading(reader)
    factory.answer(reader, shown)
    return {
        "rows": sum(len(table["rows"]) for table in tables),
        "chains": {name: chain_verify(name).problems for name in chain_names()},
        "guards": guards_differences(),
        "sound": verify(others=trial_file_digests()).sound,
        "readings_kept": columns_kept(readings, "".join(readings_csv(finished))),
        "readings": readings.count("\n") - 1,
        "same_reading": str(shown.reading.token) == opened["token"],
        "answered": Response.objects.count() - before,
    }


if __name__ == "__main__":
    json.dump(main(), sys.stdout)
