"""The garbage collector's share of the work on many rows."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_NEW_OBJECTS = 50_000
"""So many may stand at once before a search; a reading with its answer is about twenty."""


@contextmanager
def collector_slowed() -> Iterator[None]:
    """Have cycles looked for after many new objects, and not after each few hundred as CPython does; then as before.

    Rows of a database become objects by the hundred thousand, none of them in a cycle: a third of the time of reading
    a large trial's readings went into looking through them. Not for images, of which one in a cycle fills the memory.
    """
    before = gc.get_threshold()
    if before[0]:  # 0 is a collector that was switched off
        gc.set_threshold(max(before[0], _NEW_OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
