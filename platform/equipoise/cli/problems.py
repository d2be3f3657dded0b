"""How a command refuses: sentences on stderr, exit code 2, no traceback for what a person can put right."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from equipoise.common.errors import DomainError

EXIT_BAD_INPUT = 2
"""Exit code for bad input; 1 means that the command ran and its answer is "no"."""


class BadInputError(Exception):
    """What was given cannot be used: one sentence per problem."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems: tuple[str, ...] = problems


@contextmanager
def refuse(*kinds: type[Exception], about: str = "") -> Iterator[None]:
    """Turn the named exceptions of a library call into bad input, with what it was about in front."""
    try:
        yield
    except kinds as error:
        prefix = f"{about}: " if about else ""
        raise BadInputError(
            *(f"{prefix}{problem}" for problem in problems_of(error) or [str(error)])
        ) from error


def problems_of(error: Exception) -> Sequence[str]:
    """Return the sentences for an exception that bad input explains, or none for a fault of the program."""
    if isinstance(error, BadInputError):
        return error.problems
    if isinstance(error, DomainError):
        sentences = [one for one in error.data.get("problems", []) if isinstance(one, str)]
        if sentences:
            return sentences
        fields = error.data.get("fields", {})
        sentences = [
            f"{pointer}: {entry['message']}" if pointer else str(entry["message"])
            for pointer, entries in fields.items()
            for entry in entries
        ]
        return sentences or [error.message]
    if isinstance(error, OSError) and error.filename is not None:
        return [f"{error.filename}: {error.strerror}."]
    return []
