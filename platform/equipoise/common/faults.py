"""Faults of the machine that pass by themselves or by a person's hand."""

import errno
import sqlite3
from collections.abc import Iterator

_PASSING_SQLITE = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
)
_SHARED_MEMORY = sqlite3.SQLITE_IOERR_SHMSIZE
"""What SQLite says of a full disk when it begins to use a database there: its index of the log cannot be made."""
_DISK_FULL = "53100"
"""PostgreSQL's SQLSTATE ``disk_full``."""


def is_disk_full(exception: BaseException) -> bool:
    """Say whether an exception means that there is no room to write in, on the disk or within a quota.

    The disk may be that of the database, which says so in its own way.
    """
    return any(
        (isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT))
        or _sqlite_code(one) == sqlite3.SQLITE_FULL
        or getattr(one, "sqlite_errorcode", None) == _SHARED_MEMORY
        or getattr(one, "sqlstate", None) == _DISK_FULL
        for one in _causes(exception)
    )


def is_database_away(exception: BaseException) -> bool:
    """Say whether the database did not answer, or was too busy to: the same may be tried again as it is.

    Told by the names that PEP 249 gives to errors, since no framework is known here. What SQLite calls operational
    may be a missing table as well, which does not pass.
    """
    names = {kind.__name__ for kind in type(exception).__mro__}
    if "Error" not in names or not names & {"OperationalError", "InterfaceError"} or is_disk_full(exception):
        return False
    codes = [_sqlite_code(one) for one in _causes(exception) if isinstance(one, sqlite3.Error)]
    return all(code in _PASSING_SQLITE for code in codes)


def _sqlite_code(exception: BaseException) -> int | None:
    """Return SQLite's primary result code."""
    code: int | None = getattr(exception, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _causes(exception: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it was raised from."""
    one: BaseException | None = exception
    while one is not None:
        yield one
        one = one.__cause__
