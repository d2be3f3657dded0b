"""Random orders with minimum distances: readings of one case apart, an item's second reading apart from its first.

Readings are drawn one after the other from those that may stand at the next place. A reading that could not be placed
later without breaking a distance is drawn now; otherwise every one is equally likely. Where the distances cannot be
kept, the distance between cases is lowered step by step, then that between repeats; the caller reads from the result
what was reached.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from equipoise.common.stable_random import StableRandom

_ATTEMPTS = 40
"""Random orders tried at one pair of distances before the orderly one."""
_NOT_ADJACENT = 2
"""The distance between cases that is given up last: a repeat may rather come a little early."""
_GUESSES = 8
"""Blind draws from the pool before it is searched."""


@dataclass(frozen=True)
class OrderedReading:
    """What is put in order. ``repeat`` 2 is the second reading of the item."""

    item: str
    case: str
    repeat: int = 1


def order_readings(
    readings: Sequence[OrderedReading], *, min_case_distance: int, repeat_distance: int, random: StableRandom
) -> list[OrderedReading]:
    """Return the readings in random order, both distances kept where arithmetic allows.

    A distance is a difference of positions: 1 is adjacent.
    """
    if not readings:
        return []
    repeats = [reading for reading in readings if reading.repeat > 1]
    highest = len(readings) - len(repeats) if repeats else 1
    for between_repeats in _falling(min(repeat_distance, highest)):
        for between_cases in _falling(_arithmetic_limit(readings, min_case_distance)):
            for attempt in range(_ATTEMPTS + 1):
                order = _Draw(
                    readings,
                    between_cases=between_cases,
                    between_repeats=max(between_repeats, between_cases),
                    random=random,
                    orderly=attempt == _ATTEMPTS,
                ).run()
                if order is not None:
                    return order
            if repeats and between_cases <= _NOT_ADJACENT:
                break
    order = _Draw(
        readings, between_cases=1, between_repeats=min(repeat_distance, highest), random=random, orderly=False
    ).run()
    assert order is not None  # with no distance between cases there is always a reading that may stand next
    return order


def _falling(start: int) -> range:
    return range(max(1, start), 0, -1)


def _arithmetic_limit(readings: Sequence[OrderedReading], wanted: int) -> int:
    """Return the largest distance, up to the one wanted, at which the most frequent cases can be spread at all."""
    counts = Counter(reading.case for reading in readings)
    most = max(counts.values())
    if most == 1:
        return 1
    with_most = sum(1 for count in counts.values() if count == most)
    return max(1, min(wanted, (len(readings) - with_most) // (most - 1)))


class _Draw:
    """One attempt at an order."""

    def __init__(
        self,
        readings: Sequence[OrderedReading],
        *,
        between_cases: int,
        between_repeats: int,
        random: StableRandom,
        orderly: bool,
    ) -> None:
        self._between_cases = between_cases
        self._between_repeats = between_repeats
        self._random = random
        self._orderly = orderly
        self._length = len(readings)
        repeats = [reading for reading in readings if reading.repeat > 1]
        self._repeat_of = {reading.item: reading for reading in repeats}
        self._pool = [reading for reading in readings if reading.repeat == 1]
        self._place = {reading: index for index, reading in enumerate(self._pool)}
        self._unplaced_firsts = {reading.item for reading in self._pool} & set(self._repeat_of)
        self._ready: dict[int, list[OrderedReading]] = defaultdict(list)
        self._left = Counter(reading.case for reading in readings)
        self._with_count = Counter(self._left.values())
        self._last: dict[str, int] = {}

    def run(self) -> list[OrderedReading] | None:
        """Return the order, or None where the draw came to a dead end."""
        order: list[OrderedReading] = []
        for position in range(self._length):
            for reading in self._ready.pop(position, ()):
                self._add(reading)
            chosen = self._choose(position)
            if chosen is None:
                return None
            self._take(chosen, position)
            order.append(chosen)
        return order

    def _add(self, reading: OrderedReading) -> None:
        self._place[reading] = len(self._pool)
        self._pool.append(reading)

    def _take(self, reading: OrderedReading, position: int) -> None:
        index = self._place.pop(reading)
        moved = self._pool.pop()
        if moved is not reading:
            self._pool[index] = moved
            self._place[moved] = index
        count = self._left[reading.case]
        self._with_count[count] -= 1
        self._with_count[count - 1] += 1
        self._left[reading.case] = count - 1
        self._last[reading.case] = position
        if reading.item in self._unplaced_firsts:
            self._unplaced_firsts.discard(reading.item)
            self._ready[position + self._between_repeats].append(self._repeat_of[reading.item])

    def _may_stand(self, reading: OrderedReading, position: int) -> bool:
        last = self._last.get(reading.case)
        return last is None or position - last >= self._between_cases

    def _count_at_least(self, position: int) -> int:
        """Return the number of readings left from which on a case must be drawn now, or it can never be spread."""
        if self._between_cases == 1:
            return 1
        cases = 0
        for count in sorted(
            (count for count, n in self._with_count.items() if n and count > 1), reverse=True
        ):
            cases += self._with_count[count]
            latest = self._length - 1 - (count - 1) * self._between_cases
            if cases > latest - position:
                return count
        return 1

    def _choose(self, position: int) -> OrderedReading | None:
        at_least = self._count_at_least(position)
        first_now = len(self._unplaced_firsts) >= self._length - self._between_repeats - position
        must_be_first = bool(self._unplaced_firsts) and first_now
        if at_least == 1 and not must_be_first and not self._orderly:
            for _ in range(min(_GUESSES, len(self._pool))):
                guess = self._random.choice(self._pool)
                if self._may_stand(guess, position):
                    return guess
        candidates = [
            reading
            for reading in self._pool
            if self._left[reading.case] >= at_least
            and (not must_be_first or (reading.repeat == 1 and reading.item in self._unplaced_firsts))
            and self._may_stand(reading, position)
        ]
        if self._orderly and candidates:
            most = max(self._left[reading.case] for reading in candidates)
            candidates = [reading for reading in candidates if self._left[reading.case] == most]
        return self._random.choice(candidates) if candidates else None
