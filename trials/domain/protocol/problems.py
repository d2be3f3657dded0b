"""One thing that is wrong with a protocol document, and where."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A sentence that says what is wrong and what would be right, with its place in the document."""

    pointer: str
    """JSON pointer (RFC 6901); empty for the whole document."""
    code: str
    message: str
    line: int | None = None
    """Counted from 1; None where the document did not come as text."""
    column: int | None = None


def pointer_of(path: Iterable[str | int]) -> str:
    """Return the JSON pointer of a path of keys and indices."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
