"""The database of a backup: a copy as of one moment, its tables' digests, and the way back.

SQLite is copied by its online backup, PostgreSQL dumped by pg_dump within an exported snapshot; what the rows name is
read in the same moment. Sessions are left out, since their keys let whoever has the file sign in.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from equipoise.config.backup.manifest import BackupRefusedError, TableFacts

DEFAULT, SNAPSHOT = "default", "backup-snapshot"
NOT_KEPT = frozenset({"django_session"})
_CHUNK = 2000
_MODULUS = 1 << 256


@dataclass(frozen=True)
class Snapshot:
    """The database as it stood at one moment: a file of it, and the alias by which that moment is read."""

    path: Path
    alias: str


@contextmanager
def snapshot(folder: Path) -> Iterator[Snapshot]:
    """Copy the site's database into a folder, and keep that moment readable until the block is left."""
    if connections[DEFAULT].vendor == "postgresql":
        with _postgresql_snapshot(folder / "dump.pgc") as taken:
            yield taken
    else:
        with _sqlite_snapshot(folder / "db.sqlite3") as taken:
            yield taken


@contextmanager
def _sqlite_snapshot(path: Path) -> Iterator[Snapshot]:
    source = str(connections[DEFAULT].settings_dict["NAME"])
    with (
        closing(sqlite3.connect(f"file:{quote(source)}?mode=ro", uri=True)) as site,
        closing(sqlite3.connect(path)) as copy,
    ):
        site.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        for table in NOT_KEPT:
            copy.execute(f'DELETE FROM "{table}"')  # noqa: S608 - our own names
        copy.commit()
        copy.execute("VACUUM")  # or the deleted rows would still stand in free pages
    reading = connections[DEFAULT].copy(alias=SNAPSHOT)
    reading.settings_dict |= {"NAME": str(path), "OPTIONS": {}}
    connections[SNAPSHOT] = reading
    try:
        yield Snapshot(path, SNAPSHOT)
    finally:
        reading.close()
        del connections[SNAPSHOT]


@contextmanager
def _postgresql_snapshot(path: Path) -> Iterator[Snapshot]:
    with transaction.atomic(durable=True):
        with connections[DEFAULT].cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT pg_export_snapshot()")
            (name,) = cursor.fetchone()
        options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={name}", f"--file={path}"]
        left_out = [f"--exclude-table-data={table}" for table in sorted(NOT_KEPT)]
        _run_postgresql(["pg_dump", *options, *left_out])
        yield Snapshot(path, DEFAULT)


def tables_digest(alias: str, tables: Mapping[str, Sequence[str]] | None = None) -> dict[str, TableFacts]:
    """Return the digest of every table's rows, or of the named columns of the named tables.

    The digest is the sum of the rows' SHA-256 modulo 2^256: the same for the same rows, in whatever order a database
    gives them.
    """
    connection = connections[alias]
    found = {}
    for table, columns in (tables or _tables(connection)).items():
        quoted = ", ".join(_as_text(connection, column) for column in columns)
        total, rows = 0, 0
        with connection.chunked_cursor() as cursor:
            cursor.execute(f"SELECT {quoted} FROM {connection.ops.quote_name(table)}")  # noqa: S608 - names of our tables
            while chunk := cursor.fetchmany(_CHUNK):
                for row in chunk:
                    text = json.dumps([None if value is None else str(value) for value in row])
                    total += int.from_bytes(hashlib.sha256(text.encode()).digest())
                rows += len(chunk)
        found[table] = TableFacts(tuple(columns), rows, f"{total % _MODULUS:064x}")
    return found


def _as_text(connection: BaseDatabaseWrapper, column: str) -> str:
    name = connection.ops.quote_name(column)
    return f"{name}::text" if connection.vendor == "postgresql" else name


def _tables(connection: BaseDatabaseWrapper) -> dict[str, Sequence[str]]:
    with connection.cursor() as cursor:
        return {
            table: sorted(
                column.name for column in connection.introspection.get_table_description(cursor, table)
            )
            for table in sorted(set(connection.introspection.table_names(cursor)) - NOT_KEPT)
        }


def require_no_tables() -> None:
    """Refuse a database in which anything stands."""
    tables = connections[DEFAULT].introspection.table_names()
    if tables:
        raise BackupRefusedError(
            f"The database is not empty: it has {len(tables)} tables. Restore into a new one, "
            "or move db.sqlite3 away first."
        )


def database_load(path: Path) -> None:
    """Put a backup's database into the place of the site's empty one, whole or not at all."""
    connection = connections[DEFAULT]
    connection.close()
    if connection.vendor == "postgresql":
        options = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
        _run_postgresql(["pg_restore", *options, f"--dbname={connection.settings_dict['NAME']}", str(path)])
        return
    target = Path(connection.settings_dict["NAME"])
    for leftover in (target, *(target.with_name(f"{target.name}{end}") for end in ("-wal", "-shm"))):
        leftover.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.restored")
    shutil.copyfile(path, part)
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.chmod(0o640)
    part.rename(target)


def _run_postgresql(command: Sequence[str]) -> None:
    """Run one of PostgreSQL's programs on the site's database; the password goes by the environment."""
    settings = connections[DEFAULT].settings_dict
    program = shutil.which(command[0])
    if program is None:
        raise BackupRefusedError(
            f"{command[0]} is not installed here: install PostgreSQL's client of the server's version or newer."
        )
    options = settings.get("OPTIONS", {})
    named = {
        "PGDATABASE": settings["NAME"],
        "PGUSER": settings["USER"],
        "PGPASSWORD": settings["PASSWORD"],
        "PGHOST": settings["HOST"],
        "PGPORT": settings["PORT"],
        "PGSSLMODE": options.get("sslmode"),
        "PGSSLROOTCERT": options.get("sslrootcert"),
    }
    environment = {**os.environ, **{key: str(value) for key, value in named.items() if value}}
    done = subprocess.run(  # noqa: S603 - a program found on the path, with our own arguments
        [program, "--no-password", *command[1:]], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupRefusedError(f"{command[0]} refused: {done.stderr.strip()}")
