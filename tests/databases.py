"""Databases of their own for processes that tests start: nothing of one run is there in the next."""

import contextlib
import uuid
from collections.abc import Iterator

import psycopg


@contextlib.contextmanager
def postgresql_database(url: str, prefix: str) -> Iterator[str]:
    """Make an empty database on the server of a database's address, give its address, and drop it in the end."""
    server, name = url.rsplit("/", 1)[0], f"{prefix}_{uuid.uuid4().hex[:12]}"
    maintenance = f"{server}/postgres"
    with psycopg.connect(maintenance, autocommit=True) as database:
        database.execute(f'CREATE DATABASE "{name}"')
    try:
        yield f"{server}/{name}"
    finally:
        with psycopg.connect(maintenance, autocommit=True) as database:
            database.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
