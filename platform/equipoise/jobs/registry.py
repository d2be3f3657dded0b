"""Who does what: handlers by kind, and what a handler is given and may give back.

A handler does the work of one item. It gets the item's payload and a context, and returns a JSON-able result, or an
:class:`Outcome` whose ``effect`` writes rows. The effect runs in the one transaction that also marks the item done,
after the fence was checked: an item may start twice, but it takes effect once. Whatever a handler writes elsewhere
(files) must be harmless to write twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from equipoise.common.errors import DomainError

Payload = Mapping[str, Any]


class JobCancelledError(Exception):
    """Raised inside a handler by ``check_cancelled``; let it pass."""


class ClaimLostError(Exception):
    """The lease ran out and another worker holds the item: nothing this one does counts any more."""


class RetryLaterError(Exception):
    """Raised by a handler when the cause may pass (a lock, a full disk, a network): the item is queued again."""


class JobContext(Protocol):
    """What a handler may ask and say while it works."""

    job_id: UUID
    item_id: UUID
    item_key: str
    trial_id: UUID | None
    created_by_id: UUID | None
    attempt: int
    """1 at the first start."""

    def progress(self, done: int, total: int, message_code: str = "") -> None:
        """Say how far the item is; written at most twice a second, outside any transaction of the work."""

    def check_cancelled(self) -> None:
        """Raise if the job was cancelled or the claim lost; call between steps."""


@dataclass(frozen=True)
class Outcome:
    """A result together with the rows to write when, and only when, it counts.

    With a ``refusal`` the item ends as failed, for that reason, and its effect is written all the same: a failure
    that is itself worth a row. ``discard`` is called if the effect was refused or broke, outside its transaction.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    effect: Callable[[], None] | None = None
    refusal: DomainError | None = None
    discard: Callable[[], None] | None = None


Handler = Callable[[Payload, JobContext], Outcome | Mapping[str, Any] | None]
Exhausted = Callable[[Payload, str], None]
"""Writes what remains of an item that was started too often and never ended; it gets the payload and a sentence."""


@dataclass(frozen=True)
class HandlerSpec:
    """A registered handler."""

    kind: str
    handle: Handler
    queue: str
    max_attempts: int
    exhausted: Exhausted | None = None
    at_once: int | None = None


_HANDLERS: dict[str, HandlerSpec] = {}


def job_handler(
    kind: str,
    *,
    queue: str = "default",
    max_attempts: int = 5,
    exhausted: Exhausted | None = None,
    at_once: int | None = None,
) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of a kind of job.

    ``max_attempts`` bounds starts, whether they ended by :class:`RetryLaterError` or by the death of the worker;
    ``exhausted`` is called in the transaction that then fails the item. ``at_once`` keeps one job from taking more
    workers than so many.
    """

    def register(handle: Handler) -> Handler:
        existing = _HANDLERS.get(kind)
        if existing is not None and existing.handle.__qualname__ != handle.__qualname__:
            raise ValueError(f"Job kind {kind!r} already has a handler.")
        _HANDLERS[kind] = HandlerSpec(kind, handle, queue, max_attempts, exhausted, at_once)
        return handle

    return register


def handler_of(kind: str) -> HandlerSpec:
    """Return the handler of a kind."""
    try:
        return _HANDLERS[kind]
    except KeyError:
        known = ", ".join(sorted(_HANDLERS)) or "none"
        raise LookupError(f"No handler is registered for jobs of kind {kind!r}; known: {known}.") from None
