"""What every simulated reader gives: an answer as the server takes it, and what happened until it was sent."""

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

from trials.models import Item, Reading

Step = tuple[str, float, dict[str, Any]]
"""Kind of event, seconds after the first paint, data."""


@dataclass(frozen=True)
class SimulatedAnswer:
    """One reading as a simulated reader did it."""

    body: dict[str, Any]
    steps: tuple[Step, ...]
    """In order; the first is ``first_paint`` at 0 and the last ``submit``."""


class SimulatedReader(Protocol):
    """Somebody who reads without a screen."""

    def answer(self, reading: Reading) -> SimulatedAnswer:
        """Read what was opened."""
        ...


def item_key(item: Item) -> int:
    """Return the number under which an item has random numbers of its own."""
    return int.from_bytes(hashlib.sha256(item.code.encode()).digest()[:4], "big")


def case_key(item: Item) -> int:
    """Return the number under which an item's case has random numbers of its own."""
    return int.from_bytes(hashlib.sha256(item.case.code.encode()).digest()[:4], "big")
