"""Random choices that must come out the same in ten years, on any machine and any numpy.

numpy promises the raw stream of a bit generator (NEP 19), not what ``Generator.shuffle`` makes of it. Whatever is
hashed, audited or regenerated (allocation, item draw) uses this module alone; simulation and resampling use
``numpy.random.Generator`` and record numpy's version.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

ALGORITHM = "eq-stable/1"
"""Stored beside every seed. The meaning of a name is never changed; a new algorithm takes a new name."""

_WORD_BITS = 64

T = TypeVar("T")


def purpose_words(purpose: str) -> tuple[int, ...]:
    """Return the eight 32-bit words that stand for a purpose in a seed sequence."""
    digest = hashlib.sha256(purpose.encode()).digest()
    return tuple(int.from_bytes(digest[i : i + 4], "big") for i in range(0, 32, 4))


class StableRandom:
    """A stream of random choices for one purpose under one seed.

    Parameters
    ----------
    seed : int
        Non-negative, of any size (the allocation seed has 256 bits).
    purpose : str
        What the stream is for. Streams of different purposes are independent.
    """

    def __init__(self, seed: int, purpose: str) -> None:
        if seed < 0:
            raise ValueError(f"seed must be non-negative, got {seed}.")
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, *purpose_words(purpose)]))

    def word(self) -> int:
        """Return the next 64 raw bits."""
        return int(self._bits.random_raw())

    def below(self, limit: int) -> int:
        """Return an integer in ``[0, limit)``, every one equally likely (rejection sampling)."""
        if not 1 <= limit <= 1 << _WORD_BITS:
            raise ValueError(f"limit must be in [1, 2**64], got {limit}.")
        accepted_below = (1 << _WORD_BITS) - (1 << _WORD_BITS) % limit
        while True:
            word = self.word()
            if word < accepted_below:
                return word % limit

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """Return the values in random order (Fisher-Yates, from the last place down)."""
        result = list(values)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result

    def sample(self, values: Sequence[T], count: int) -> list[T]:
        """Return ``count`` different values in random order."""
        if not 0 <= count <= len(values):
            raise ValueError(f"count must be in [0, {len(values)}], got {count}.")
        return self.shuffled(values)[:count]

    def choice(self, values: Sequence[T]) -> T:
        """Return one of the values."""
        return values[self.below(len(values))]
