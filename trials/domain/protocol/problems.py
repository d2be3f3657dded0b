"""One thing that is wrong with a protocol document, and where."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MISSING = "missing"
INCONSISTENT = "inconsistent"


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


def missing(pointer: str, message: str) -> Problem:
    """Return that something is not there."""
    return Problem(pointer, MISSING, message)


def inconsistent(pointer: str, message: str) -> Problem:
    """Return that something contradicts another part."""
    return Problem(pointer, INCONSISTENT, message)


def needed(needs: Iterable[tuple[str, object, str]]) -> Iterator[Problem]:
    """Yield a problem for each (pointer, value, message) whose value is None."""
    for pointer, value, message in needs:
        if value is None:
            yield missing(pointer, message)


def repeated(pointer: str, names: Iterable[str], what: str) -> Iterator[Problem]:
    """Yield a problem for each name that stands more than once."""
    for name, count in Counter(names).items():
        if count > 1:
            yield inconsistent(
                pointer, f"{what} '{name}' stands {count} times; each must have a name of its own."
            )
