"""What a reading task provides, and how a further one is added.

A task says how its answer is checked, what its screen is sent, and which columns its answers fill. Who reads what and
when, in which condition, what is timed, kept and acknowledged is the platform's and the same for all of them.

A sixth task
------------
1. *Protocol*: a part in ``trials/domain/protocol/tasks.py`` (``kind: my-task``, a member of ``Task``), what protocol
   lock needs of it in ``task_checks.py``, and which units of item it is read on (``slice``, ``scan``, ``volume``).
2. *Server*: a folder ``trials/reading_tasks/my_task/`` with a class that satisfies :class:`ReadingTask` and the
   serializer of its setup; one line in ``registry.py``. Answers go through the same open, events, draft, commit,
   submit and amend as every other task's.
3. *Browser*: a folder ``frontend/src/features/reading/tasks/my-task/`` that exports a ``Task`` (``task.ts`` says how),
   one line in ``registry.ts``. Types come from the OpenAPI schema: run ``make schema`` after step 2.
4. *Simulated reader*: a pure model in ``equipoise.simulation`` and, in ``trials/rehearsal/readers/``, what makes of its
   answer what a browser would send (``SimulatedReader``).
5. *Table*: what readers can agree on (``judged``), and the columns that ``tidy_columns`` fills; further ones are named
   in ``columns`` and appended to ``readings.csv`` of that task's trials.

Large parts of an answer (a mask) travel inside the JSON answer as base64; ``check_answer`` hands them over as
``files`` and they are kept in the store, their hashes in the answer. A draft may hold up to 16 MiB.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from rest_framework import serializers

from equipoise.common.errors import ValidationFailedError
from trials.domain.protocol.tasks import TaskPart
from trials.domain.protocol.v1 import ProtocolV1
from trials.models import Reading, Response

COMMENT_MAX_CHARACTERS = 2000
REASON_CODE = "reason_code"
"""The key of every task's answer that says why there is none; null in every other answer."""


@dataclass(frozen=True)
class CheckedAnswer:
    """An answer as it will be stored: without its free text, which is kept apart."""

    stored: dict[str, Any]
    """Plain values. ``reason_code`` is always among them."""
    comment: str
    not_assessable: bool
    files: Mapping[str, bytes] = field(default_factory=dict)
    """What is too large for a row, by name; kept in the store."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Free text by question; kept apart like the comment, so that it can be erased."""
    flags: tuple[str, ...] = ()
    """What is to be known of the answer: a contradiction in it, for one. Flagged, never corrected."""


@dataclass(frozen=True)
class ShownWindow:
    """A display window as the reading screen offers it."""

    key: str
    """The key that chooses it; empty where it has none."""
    label: str
    width: int
    level: int


@dataclass(frozen=True)
class Presented:
    """What a task's screen is sent when a reading opens, beside the images. No source, no case, no file name."""

    question: str
    setup: dict[str, Any]
    """The task's own part, written by its ``setup_serializer``; ``kind`` is the task's name."""
    windows: tuple[ShownWindow, ...] = ()
    start_window: int = 0
    inverted: bool = False
    scroll: bool = False
    start_frame: int | None = None
    """The frame of the first image that is shown first; None for the item's own."""
    value_range: tuple[int, int] = (-1200, 3000)
    """Between which stored values a window may lie."""


@dataclass(frozen=True)
class Feedback:
    """What a reader is told after a practice reading, where the protocol shows the reference standard."""

    correct: bool | None
    """None where the answer is neither right nor wrong."""
    text: str


class ReadingTask(Protocol):
    """One kind of question put to a participant."""

    name: str
    """The ``kind`` of its part of the protocol."""
    setup_serializer: type[serializers.Serializer[Any]]
    """Whitelists what ``present`` sends as ``setup``, and types it for the browser."""
    columns: tuple[str, ...]
    """Columns of ``readings.csv`` that only this task has."""

    def check_answer(
        self, answer: Mapping[str, Any], *, reading: Reading, protocol: ProtocolV1
    ) -> CheckedAnswer:
        """Return the answer in its stored form, or raise ``ValidationFailedError`` naming each wrong field."""
        ...

    def present(self, reading: Reading, *, protocol: ProtocolV1) -> Presented:
        """Return what the browser needs beside the images: question, choices, drawn material."""
        ...

    def tidy_columns(
        self, reading: Reading, response: Response | None, *, protocol: ProtocolV1, unblinded: bool
    ) -> dict[str, Any]:
        """Return this task's columns of ``readings.csv``; columns that name an arm stay empty while blinded."""
        ...

    def judged(self, answer: Mapping[str, Any], *, protocol: ProtocolV1) -> Mapping[str, str]:
        """Return the parts of a stored answer on which readers agree or not, by question; none where there are none."""
        ...

    def feedback(self, reading: Reading, checked: CheckedAnswer, *, protocol: ProtocolV1) -> Feedback | None:
        """Return how a practice answer stands to the reference standard; None where there is nothing to say."""
        ...


def task_part(protocol: ProtocolV1) -> TaskPart:
    """Return the protocol's task, which a locked protocol has."""
    if protocol.task is None:
        raise LookupError("The protocol has no task, yet a reading asks for one.")
    return protocol.task


def check_common(
    answer: Mapping[str, Any], *, keys: tuple[str, ...], part: TaskPart
) -> tuple[dict[str, str], str]:
    """Check what every answer has: no unknown key, a known reason, a comment of bearable length.

    Returns the problems by JSON pointer (the task adds its own and raises) and the comment.
    """
    problems = {
        f"/answer/{key}": f"'{key}' is not part of a {part.kind} answer."  # type: ignore[attr-defined]
        for key in sorted(set(answer) - {*keys, REASON_CODE, "comment"})
    }
    reason = answer.get(REASON_CODE)
    reasons = {one.code for one in part.cannot_assess}
    if reason is not None and reason not in reasons:
        problems[f"/answer/{REASON_CODE}"] = (
            f"Cannot assess needs one of the reasons {', '.join(sorted(reasons))}; got {reason!r}."
        )
    comment = answer.get("comment") or ""
    if not isinstance(comment, str) or len(comment) > COMMENT_MAX_CHARACTERS:
        problems["/answer/comment"] = (
            f"The comment must be text of at most {COMMENT_MAX_CHARACTERS} characters."
        )
    return problems, str(comment).strip()


def refuse(problems: Mapping[str, str]) -> None:
    """Raise if there is any problem."""
    if problems:
        raise ValidationFailedError.of_fields(dict(problems))
