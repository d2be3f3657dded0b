"""Progress for a person at a terminal; silence in a pipe."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


def with_progress(items: Iterable[Item], *, label: str, total: int | None = None) -> Iterator[Item]:
    """Yield the items; when stderr is a terminal, keep a line `label: 3 of 7` there while it lasts."""
    if not sys.stderr.isatty():
        yield from items
        return
    if total is None and isinstance(items, Sized):
        total = len(items)
    of_total = "" if total is None else f" of {total}"
    try:
        for number, item in enumerate(items, start=1):
            sys.stderr.write(f"\r\x1b[K{label}: {number}{of_total}")
            sys.stderr.flush()
            yield item
    finally:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


@contextmanager
def progress_line() -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows `step: 3 of 7` in one line on a terminal's stderr, and nothing in a pipe."""
    on_terminal = sys.stderr.isatty()

    def show(step: str, done: int, total: int) -> None:
        if on_terminal:
            sys.stderr.write(f"\r\x1b[K{step}: {done} of {total}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if on_terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
