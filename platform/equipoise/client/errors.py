"""What can go wrong for a program."""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """The base of everything this package raises by itself."""


class ApiError(ClientError):
    """The site refused. ``code`` is one of its fixed list, ``detail`` a sentence, ``data`` what a program needs."""

    def __init__(self, *, status: int, code: str, detail: str, data: Mapping[str, Any]) -> None:
        super().__init__(f"{code} ({status}): {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.data = dict(data)


class UnreachableError(ClientError):
    """The site could not be reached, however often it was tried."""


class JobNotFinishedError(ClientError):
    """A job was still at work when the time to wait had passed."""
