"""Structured logs: one JSON object per line, without personal data.

Lines carry ids, codes, durations and counts. Whatever could name a person (addresses, e-mail, free text, request
bodies) is not logged; the access log is ours (path template, status, milliseconds), not the server's. Of an exception
the log holds kind and place: its words may quote a file's header or what somebody typed.
"""

import json
import logging
import os
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from django.db.utils import OperationalError

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request being served; the same as in its ``X-Request-Id`` answer header."""

_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {
    "message",
    "asctime",
    "taskName",
}
_PERSONAL = frozenset(
    {"request", "email", "user", "ip", "address", "password", "data", "status_code", "sinfo"}
)
"""Extras that Django and others attach and that may name a person."""


class JsonFormatter(logging.Formatter):
    """One line of JSON per record."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON; extras that may be personal are left out."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        for key, value in record.__dict__.items():
            if key not in _STANDARD and key not in _PERSONAL and not key.startswith("_"):
                line[key] = value if isinstance(value, int | float | str | bool | None) else str(value)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = exception_text(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def exception_text(exception: BaseException | None) -> str:
    """Return where an exception and those behind it arose and what they are, without their words."""
    parts: list[str] = []
    seen: set[int] = set()
    while exception is not None and id(exception) not in seen:
        seen.add(id(exception))
        places = "".join(traceback.format_list(traceback.extract_tb(exception.__traceback__)))
        parts.append(f"{places}{type(exception).__module__}.{type(exception).__qualname__}{_told(exception)}")
        behind = None if exception.__suppress_context__ else exception.__context__
        exception = exception.__cause__ or behind
    return "\nafter:\n".join(parts)


def _told(exception: BaseException) -> str:
    """Return the words that are the system's or the database server's own: a full disk, a lost connection."""
    if isinstance(exception, OSError) and exception.errno:
        return f": {os.strerror(exception.errno)}"
    if isinstance(exception, OperationalError):
        return f": {exception}"
    return ""


def _message(record: logging.LogRecord) -> str:
    """Return the record's text; Django's lines about refused requests name the address's template, not its values."""
    if isinstance(record.args, dict) and "exc" in record.args:  # Celery's, of a task that broke off
        return str(record.msg) % {**record.args, "exc": "(see exception)", "traceback": ""}
    text, request = record.getMessage(), getattr(record, "request", None)
    path = getattr(request, "path", "").strip("/")
    if not path:
        return text
    match = getattr(request, "resolver_match", None)
    return text.replace(path, match.route if match else "(unknown)")


def logging_settings(level: str) -> dict[str, Any]:
    """Return Django's ``LOGGING`` for a level."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "equipoise.config.logs.JsonFormatter"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "django.db.backends": {"level": "WARNING"},
            "fontTools": {"level": "WARNING"},
            "highdicom": {"level": "WARNING"},
            "matplotlib": {"level": "WARNING"},
            "equipoise": {"level": level},
        },
    }
