"""Connections that notice when the network or the server has gone silent, on both of their ends.

Without limits a lost network leaves a thread waiting until the kernel gives up, and the server holding the locks of a
transaction that nobody will end, for two hours each.
"""

from typing import Any, ClassVar, TypeVar

import psycopg
from django.db.backends.postgresql import base
from psycopg.abc import PQGen

CONNECT_S = 5
"""For each of the server's addresses."""
USABLE_S = 5.0
"""How long a kept connection may take to say that it still works, at the start of a request."""
WEB_STATEMENT_S = 20
"""After which the server ends a statement of a web process, or a transaction in which it does nothing."""
WEB_ANSWER_S = WEB_STATEMENT_S + 5.0
"""After which a web process gives up a server that keeps silent even so."""
WORKER_ANSWER_S = 600.0
"""A worker's statements may be long. Migrations, backups and other commands may take what they need."""

_WAKE_S = 0.1
_IDLE_S, _INTERVAL_S, _PROBES = 10, 5, 3
_UNSENT_MS = 20_000
_CLIENT = {
    "connect_timeout": CONNECT_S,
    "keepalives_idle": _IDLE_S,
    "keepalives_interval": _INTERVAL_S,
    "keepalives_count": _PROBES,
    "tcp_user_timeout": _UNSENT_MS,
}
"""What libpq is told: a machine that is gone is noticed within half a minute."""
_SERVER = {
    "tcp_keepalives_idle": _IDLE_S,
    "tcp_keepalives_interval": _INTERVAL_S,
    "tcp_keepalives_count": _PROBES,
    "tcp_user_timeout": _UNSENT_MS,
}
"""What the server is asked to do in turn, so that the locks of a machine that is gone are let go."""

Value = TypeVar("Value")


class SilentServerError(psycopg.OperationalError):
    """The server did not answer in time; the connection was given up."""


class Connection(psycopg.Connection[Any]):
    """A connection whose server must answer within a time."""

    answer_s: float | None = None

    def wait(self, gen: PQGen[Value], interval: float = _WAKE_S, timeout: float | None = None) -> Value:
        """Wait for the server; without an answer in time the connection is closed, since its state is unknown."""
        limit = self.answer_s if timeout is None else timeout
        try:
            return super().wait(gen, interval, timeout=limit)
        except psycopg.errors._WaitTimeout:
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise SilentServerError(f"The server did not answer within {limit} s.") from None


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, with the limits of this process."""

    answer_s: ClassVar[float | None] = None
    statement_s: ClassVar[int | None] = None

    def get_connection_params(self) -> dict[str, Any]:
        """Add the limits to what the address of the database says, which has the last word."""
        params = super().get_connection_params()
        server: dict[str, int] = dict(_SERVER)
        if self.statement_s is not None:
            server["statement_timeout"] = server["idle_in_transaction_session_timeout"] = (
                self.statement_s * 1000
            )
        options = " ".join(f"-c {name}={value}" for name, value in server.items())
        return {**_CLIENT, **params, "options": f"{options} {params.get('options', '')}".strip()}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        """Connect; the class of the connection is all that differs from Django's."""
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        made = Connection.connect(**conn_params)
        made.answer_s = self.answer_s
        return made

    def is_usable(self) -> bool:
        """Ask a kept connection whether it works, for a short time."""
        if not isinstance(self.connection, Connection) or self.answer_s is None:
            return super().is_usable()
        self.connection.answer_s = min(USABLE_S, self.answer_s)
        try:
            return super().is_usable()
        finally:
            self.connection.answer_s = self.answer_s


def limit_web_process() -> None:
    """Let no statement of this process keep a person waiting for long."""
    DatabaseWrapper.answer_s, DatabaseWrapper.statement_s = WEB_ANSWER_S, WEB_STATEMENT_S


def limit_worker_process() -> None:
    """Let no statement of this process hold a job for ever."""
    DatabaseWrapper.answer_s = WORKER_ANSWER_S
