"""What a reading task provides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from trials.domain.protocol.v1 import ProtocolV1
from trials.models import Reading, Response


@dataclass(frozen=True)
class CheckedAnswer:
    """An answer as it will be stored: without its free text, which is kept apart."""

    stored: dict[str, Any]
    comment: str
    not_assessable: bool


class ReadingTask(Protocol):
    """One kind of question put to a participant."""

    name: str

    def check_answer(self, answer: Mapping[str, Any], *, protocol: ProtocolV1, phase: str) -> CheckedAnswer:
        """Return the answer in its stored form, or raise ``ValidationFailedError`` naming each wrong field."""
        ...

    def present(self, reading: Reading, *, protocol: ProtocolV1) -> dict[str, Any]:
        """Return what the browser needs beside the image: question, choices, drawn material; no source, no case."""
        ...

    def tidy_columns(self, reading: Reading, response: Response | None, *, unblinded: bool) -> dict[str, Any]:
        """Return this task's columns of ``readings.csv``; columns that name an arm stay empty while blinded."""
        ...
