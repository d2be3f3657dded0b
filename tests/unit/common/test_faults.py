"""Which errors mean that the machine has no room, or that the database was away: told by real ones."""

import errno
import os
import sqlite3

import kombu.exceptions
import psycopg
import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError

from equipoise.common.faults import is_database_away, is_disk_full


def raised(kind, cause):
    """Return Django's error as Django raises it from a driver's."""
    error = kind("words")
    error.__cause__ = cause
    return error


def sqlite_error(folder, provoke):
    with sqlite3.connect(folder / "one.sqlite3", timeout=0) as one:
        one.execute("CREATE TABLE rows (value)")
        with pytest.raises(sqlite3.OperationalError) as found:
            provoke(one)
    one.close()
    return found.value


def fill(one):
    one.execute("PRAGMA max_page_count = 3")
    one.execute("INSERT INTO rows VALUES (zeroblob(100000))")


def lock(one):
    (path,) = [row[2] for row in one.execute("PRAGMA database_list")]
    one.execute("BEGIN IMMEDIATE")
    other = sqlite3.connect(path, timeout=0)
    try:
        other.execute("BEGIN IMMEDIATE")
    finally:
        other.close()


@pytest.mark.parametrize(
    ("provoke", "full", "away"),
    [(fill, True, False), (lock, False, True), (lambda one: one.execute("SELECT * FROM none"), False, False)],
    ids=["full", "locked", "no such table"],
)
def test_what_sqlite_says(tmp_path, provoke, full, away):
    error = sqlite_error(tmp_path, provoke)
    for told in (error, raised(OperationalError, error)):
        assert (is_disk_full(told), is_database_away(told)) == (full, away)


@pytest.mark.parametrize(
    ("error", "full", "away"),
    [
        (raised(OperationalError, psycopg.errors.DiskFull("no room")), True, False),
        (raised(OperationalError, psycopg.OperationalError("connection refused")), False, True),
        (raised(OperationalError, psycopg.errors.QueryCanceled("statement timeout")), False, True),
        (raised(InterfaceError, psycopg.InterfaceError("the connection is closed")), False, True),
        (raised(ProgrammingError, psycopg.errors.UndefinedTable("none")), False, False),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), True, False),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), True, False),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES)), False, False),
        (raised(RuntimeError, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), True, False),
        (kombu.exceptions.OperationalError("no broker"), False, False),
        (KeyError("x"), False, False),
    ],
)
def test_what_others_say(error, full, away):
    assert (is_disk_full(error), is_database_away(error)) == (full, away)
