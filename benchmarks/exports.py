"""How fast a large trial leaves as CSV, JSON and Parquet, and how much memory that takes.

    .venv/bin/python benchmarks/exports.py [--rows 1000000] [--database-url postgresql://...]

A site of its own in a temporary folder (SQLite), or in the empty database that is named. The rows are copies of a
reading that was really given, in one trial; each export runs in a process of its own, so that its peak memory is its
own. What is written goes to a file, as the command and the web server write it.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))
PER_READER = 1000
EXPORTS = ("readings.csv", "readings.parquet", "readings.json")
SLUG = "contours"
AIM_MEMORY_MIB = 512.0
"""Of a process that writes an export, however many rows it has; Django and the libraries take the greater part."""


def start() -> None:
    """Start Django on the database that the environment names."""
    from equipoise.config.start import database_prepare, django_start

    django_start()
    database_prepare()


def fill(rows: int) -> None:
    """Make a trial with one reading that was given, then copies of it by many readers, made by the database itself."""
    from django.db import connection

    from tests.factories import trials as factory
    from trials.models import AllocationRow, Participant, Reading, Response

    world = factory.open_world()
    given = world.enrol()
    practice = given.readings.filter(phase="practice").count()
    for _ in range(practice + 1):
        factory.answer(given, factory.open_reading(given))
    reading = given.readings.exclude(phase="practice").get(state="submitted")
    response = reading.responses.get()
    slot = reading.allocation_row.slot
    last = slot.rows.order_by("-position").first().position
    AllocationRow.objects.bulk_create(
        AllocationRow(slot=slot, phase="reading", position=last + 1 + n, item=reading.item, repeat=n + 2)
        for n in range(PER_READER)
    )
    Participant.objects.bulk_create(
        Participant(trial=world.trial, code=f"X-{number:05d}", group=given.group, state=given.state,
                    experience_years=given.experience_years, joined_at=given.joined_at)
        for number in range(-(-rows // PER_READER))
    )  # fmt: skip
    new_id = "gen_random_uuid()" if connection.vendor == "postgresql" else "lower(hex(randomblob(16)))"
    places = (
        f"FROM {Reading._meta.db_table} r, {Participant._meta.db_table} p, {AllocationRow._meta.db_table} a "
        "WHERE r.id = %s AND p.code LIKE 'X-%%' AND a.slot_id = %s AND a.position > %s"
    )
    own = {"id": new_id, "participant_id": "p.id", "allocation_row_id": "a.id", "token": "NULL"}
    own |= {"position": "a.position", "repeat": "a.repeat"}
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_copied(Reading, own, 'r')} {places}",
            [*_bound(Reading, reading.id, slot.id), last],
        )
        own = {"id": new_id, "reading_id": "n.id", "idempotency_key": new_id}
        cursor.execute(
            f"{_copied(Response, own, 's')} FROM {Response._meta.db_table} s, {Reading._meta.db_table} n "
            f"JOIN {Participant._meta.db_table} p ON p.id = n.participant_id WHERE s.id = %s AND p.code LIKE 'X-%%'",
            _bound(Response, response.id),
        )


def _copied(model, own: dict[str, str], alias: str) -> str:
    """Return the beginning of a statement that copies a row, with columns of its own."""
    names = [field.column for field in model._meta.concrete_fields]
    values = ", ".join(own.get(name, f"{alias}.{name}") for name in names)
    return f"INSERT INTO {model._meta.db_table} ({', '.join(names)}) SELECT {values}"


def _bound(model, *ids: uuid.UUID) -> list[object]:
    """Return ids as the database keeps them."""
    from django.db import connection

    return [model._meta.pk.get_db_prep_value(one, connection) for one in ids]


def write(name: str, target: Path) -> float:
    """Write one export; print its rows a second and this process's peak memory, and return that, in MiB."""
    from trials.models import Reading, Trial
    from trials.reports.columnar import readings_parquet
    from trials.reports.exports import readings_csv, readings_json

    trial = Trial.objects.get(slug=SLUG)
    rows = Reading.objects.filter(trial=trial).exclude(phase="practice").count()
    before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started, processor_before_s = time.perf_counter(), time.process_time()
    with target.open("wb") as sink:
        if name.endswith(".parquet"):
            sink.writelines(readings_parquet(trial))
        else:
            lines = readings_csv(trial) if name.endswith(".csv") else readings_json(trial)
            sink.writelines(line.encode() for line in lines)
    seconds = time.perf_counter() - started
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name}: {rows} rows in {seconds:.1f} s ({time.process_time() - processor_before_s:.1f} s of processor), "
        f"{rows / seconds:.0f} rows/s, {target.stat().st_size / 2**20:.0f} MiB; "
        f"memory {before_mib:.0f} MiB before, {peak_mib:.0f} MiB at its peak; "
        f"load of the machine {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return peak_mib


def main() -> int:
    """Measure and print; 1 if an export takes more memory than it may."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument(
        "--database-url", default="", help="An empty PostgreSQL database; SQLite without it."
    )
    arguments.add_argument("--write", default="", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.write:
        start()
        peak_mib = write(options.write, Path(os.environ["EQUIPOISE_DATA_DIR"]) / options.write)
        return 0 if peak_mib < AIM_MEMORY_MIB else 1
    with tempfile.TemporaryDirectory(prefix="equipoise-benchmark-") as folder:
        os.environ |= {
            "EQUIPOISE_DATA_DIR": folder,
            "DJANGO_SETTINGS_MODULE": "equipoise.config.settings.production",
        }
        if options.database_url:
            os.environ["EQUIPOISE_DATABASE_URL"] = options.database_url
        start()
        started = time.perf_counter()
        fill(options.rows)
        print(f"{options.rows} readings made in {time.perf_counter() - started:.0f} s", flush=True)
        commands = ([sys.executable, __file__, "--write", name] for name in EXPORTS)
        return max([subprocess.run(command, check=False).returncode for command in commands])


if __name__ == "__main__":
    sys.exit(main())
