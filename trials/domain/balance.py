"""How even an allocation is, as allocated and as read: the sides of candidate b, and who reads what in which condition.

Sides are counted over the readings of pairs. Conditions are counted within each period: over any readers from the
start of a stratum every item has been allocated to each condition equally often, give or take one. Where readers read
different cases, the readers of every item and the items of every reader are counted too. Order is drawn for each
reader: how often an item comes early or late, and a side, is counted in thirds of the readings.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from trials.domain.allocation import AllocationRow, Phase, Side


class Basis(StrEnum):
    """Which rows were counted."""

    ALLOCATED = "allocated"
    READ = "read"


@dataclass(frozen=True)
class SideRow:
    """One reading's side. ``reader`` is a slot's or a participant's code."""

    reader: str
    item: str
    phase: str
    side_b: str
    """``left`` or ``right``: the pane that shows candidate b."""


@dataclass(frozen=True)
class SideCount:
    """How often candidate b stood left and right for one reader or item."""

    key: str
    left: int
    right: int

    @property
    def difference(self) -> int:
        """Left minus right."""
        return self.left - self.right


@dataclass(frozen=True)
class BalanceReport:
    """The counts, the worst of them, and both in words."""

    basis: Basis
    n_rows: int
    left: int
    right: int
    per_reader: tuple[SideCount, ...]
    per_item: tuple[SideCount, ...]
    worst_reader: SideCount | None
    worst_item: SideCount | None
    sentences: tuple[str, ...]

    @property
    def balanced(self) -> bool:
        """Whether no reader and no item differs by more than one."""
        return all(
            worst is None or abs(worst.difference) <= 1 for worst in (self.worst_reader, self.worst_item)
        )


def side_rows(rows: Iterable[AllocationRow]) -> list[SideRow]:
    """Return allocation rows as side rows; a reader is named ``stratum/slot``."""
    return [
        SideRow(reader=f"{row.stratum}/{row.slot}", item=row.item, phase=row.phase, side_b=row.side_b)
        for row in rows
        if row.side_b is not None
    ]


def _counts(pairs: Iterable[tuple[str, str]]) -> tuple[SideCount, ...]:
    left: dict[str, int] = {}
    right: dict[str, int] = {}
    for key, side in pairs:
        left.setdefault(key, 0)
        right.setdefault(key, 0)
        if side == Side.LEFT:
            left[key] += 1
        elif side == Side.RIGHT:
            right[key] += 1
        else:
            raise ValueError(f"side_b must be left or right, got {side!r}.")
    return tuple(SideCount(key=key, left=left[key], right=right[key]) for key in sorted(left))


def _worst(counts: tuple[SideCount, ...]) -> SideCount | None:
    return max(counts, key=lambda count: abs(count.difference), default=None)


def _sentence(kind: str, worst: SideCount, *, verb: str) -> str:
    if worst.difference == 0:
        return f"Every {kind} {verb} candidate b equally often on the left and on the right."
    return (
        f"The worst {kind} is {worst.key}: candidate b on the left {worst.left} times and on the right "
        f"{worst.right} times, a difference of {abs(worst.difference)}."
    )


def balance_report(
    rows: Iterable[SideRow], *, basis: Basis, phases: Iterable[str] = (Phase.READING,)
) -> BalanceReport:
    """Count the sides of the rows in the given phases."""
    wanted = {str(phase) for phase in phases}
    kept = [row for row in rows if row.phase in wanted]
    per_reader = _counts((row.reader, row.side_b) for row in kept)
    per_item = _counts((row.item, row.side_b) for row in kept)
    worst_reader, worst_item = _worst(per_reader), _worst(per_item)
    word = "allocated" if basis is Basis.ALLOCATED else "read"
    if worst_reader is None or worst_item is None:
        sentences: tuple[str, ...] = (f"Nothing has been {word} yet.",)
    else:
        sentences = (
            _sentence("reader", worst_reader, verb="sees"),
            _sentence("item", worst_item, verb="shows"),
        )
    return BalanceReport(
        basis=basis,
        n_rows=len(kept),
        left=sum(count.left for count in per_reader),
        right=sum(count.right for count in per_reader),
        per_reader=per_reader,
        per_item=per_item,
        worst_reader=worst_reader,
        worst_item=worst_item,
        sentences=sentences,
    )


# --- conditions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ConditionRow:
    """One reading's condition. ``reader`` is a slot's or a participant's code."""

    reader: str
    item: str
    period: int
    condition: str


@dataclass(frozen=True)
class ConditionCount:
    """How often one reader or item has each condition in one period."""

    key: str
    period: int
    counts: tuple[tuple[str, int], ...]
    """Condition and count, in the protocol's order."""

    @property
    def difference(self) -> int:
        """The largest count less the smallest."""
        numbers = [count for _, count in self.counts]
        return max(numbers) - min(numbers)


@dataclass(frozen=True)
class ConditionReport:
    """The counts of conditions, the worst of them, and both in words."""

    conditions: tuple[str, ...]
    per_reader: tuple[ConditionCount, ...]
    per_item: tuple[ConditionCount, ...]
    first_readers: tuple[tuple[str, int], ...]
    """How many readers begin with each condition."""
    sentences: tuple[str, ...]

    @property
    def balanced(self) -> bool:
        """Whether no item differs by more than one in any period, nor the number of readers who begin with each."""
        starts = [count for _, count in self.first_readers]
        even_starts = not starts or max(starts) - min(starts) <= 1
        return even_starts and all(count.difference <= 1 for count in self.per_item)


def condition_rows(rows: Iterable[AllocationRow]) -> list[ConditionRow]:
    """Return the first readings of the allocation's rows; a reader is named ``stratum/slot``."""
    return [
        ConditionRow(
            reader=f"{row.stratum}/{row.slot}", item=row.item, period=row.period, condition=row.condition
        )
        for row in rows
        if row.phase is Phase.READING and row.repeat == 1
    ]


def condition_report(
    rows: Iterable[ConditionRow], *, conditions: Iterable[str], basis: Basis
) -> ConditionReport:
    """Count the conditions; ``rows`` come in the order of each reader's readings."""
    rows, names = list(rows), tuple(conditions)
    per_reader = _condition_counts(((row.reader, row.period, row.condition) for row in rows), names)
    per_item = _condition_counts(((row.item, row.period, row.condition) for row in rows), names)
    began: dict[str, str] = {}
    for row in rows:
        began.setdefault(row.reader, row.condition)
    first = tuple((name, sum(1 for one in began.values() if one == name)) for name in names)
    word = "allocated" if basis is Basis.ALLOCATED else "read"
    if not rows:
        sentences: tuple[str, ...] = (f"Nothing has been {word} yet.",)
    else:
        worst = max(per_item, key=lambda count: count.difference)
        sentences = (
            f"In every period the conditions of an item differ by at most {worst.difference}, as {word}"
            + (f"; the worst is {worst.key} in period {worst.period}." if worst.difference > 1 else "."),
            f"Readers begin with {', '.join(f'{name} ({count})' for name, count in first)}.",
        )
    return ConditionReport(names, per_reader, per_item, first, sentences)


def _condition_counts(
    keys: Iterable[tuple[str, int, str]], names: tuple[str, ...]
) -> tuple[ConditionCount, ...]:
    found: dict[tuple[str, int], dict[str, int]] = {}
    for key, period, condition in keys:
        counts = found.setdefault((key, period), dict.fromkeys(names, 0))
        counts[condition] = counts.get(condition, 0) + 1
    return tuple(
        ConditionCount(key=key, period=period, counts=tuple(counts.items()))
        for (key, period), counts in sorted(found.items())
    )


# --- who reads what -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SetRow:
    """One first reading. ``reader`` is a slot's or a participant's code."""

    stratum: str
    reader: str
    item: str


@dataclass(frozen=True)
class SetCount:
    """How many readers of a stratum read an item, or how many items a reader reads."""

    key: str
    stratum: str
    count: int


@dataclass(frozen=True)
class SetReport:
    """How evenly the cases are shared out, and the worst in words."""

    readers_per_item: tuple[SetCount, ...]
    items_per_reader: tuple[SetCount, ...]
    overlap: tuple[str, ...]
    """The items that every reader has."""
    balanced: bool
    """Whether within every stratum the readers of the other items differ by at most one."""
    sentences: tuple[str, ...]


def set_rows(rows: Iterable[AllocationRow]) -> list[SetRow]:
    """Return the first readings of the allocation's rows; a reader is named ``stratum/slot``."""
    return [
        SetRow(stratum=row.stratum, reader=f"{row.stratum}/{row.slot}", item=row.item)
        for row in rows
        if row.phase is Phase.READING and row.repeat == 1
    ]


def set_report(rows: Iterable[SetRow], *, items: Iterable[str], basis: Basis) -> SetReport:
    """Count the readers of every one of the trial's items and the items of every reader."""
    items = tuple(items)
    readers: dict[tuple[str, str], set[str]] = {}
    of_item: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        readers.setdefault((row.stratum, row.reader), set()).add(row.item)
        of_item[row.stratum, row.item].add(row.reader)
    word = "allocated" if basis is Basis.ALLOCATED else "read"
    if not readers:
        return SetReport((), (), (), True, (f"Nothing has been {word} yet.",))
    own = tuple(SetCount(reader, stratum, len(read)) for (stratum, reader), read in sorted(readers.items()))
    sizes = Counter(stratum for stratum, _ in readers)
    counts = tuple(
        SetCount(item, stratum, len(of_item[stratum, item])) for stratum in sorted(sizes) for item in items
    )
    overlap = tuple(
        item for item in items if all(len(of_item[stratum, item]) == n for stratum, n in sizes.items())
    )
    fewest, most = min(own, key=lambda one: one.count), max(own, key=lambda one: one.count)
    sentences = [
        f"Readers have {fewest.count} items each, as {word}."
        if fewest.count == most.count
        else f"Readers have {fewest.count} ({fewest.key}) to {most.count} ({most.key}) items, as {word}."
    ]
    if overlap:
        sentences.append(f"{len(overlap)} of {len(items)} items are {word} by every reader.")
    balanced = True
    for stratum in sorted(sizes):
        shared = [one for one in counts if one.stratum == stratum and one.key not in set(overlap)]
        if not shared:
            continue
        least, top = min(shared, key=lambda one: one.count), max(shared, key=lambda one: one.count)
        balanced = balanced and top.count - least.count <= 1
        others = "other item" if overlap else "item"
        sentences.append(
            f"Stratum {stratum}: every {others} has {least.count} readers, as {word}."
            if least.count == top.count
            else f"Stratum {stratum}: the {others}s have {least.count} ({least.key}) to {top.count} ({top.key}) "
            f"readers, as {word}."
        )
    return SetReport(counts, own, overlap, balanced, tuple(sentences))


# --- when in a reader's readings ----------------------------------------------------------------------------------

THIRDS = 3


@dataclass(frozen=True)
class PositionRow:
    """One first reading, in the order of its reader's readings. ``reader`` is a slot's or a participant's code."""

    reader: str
    period: int
    item: str
    b_left: bool | None = None
    """Of a pair, whether candidate b stands on the left."""


@dataclass(frozen=True)
class PositionCount:
    """How often something comes in the first, middle and last third of the readings of a period."""

    key: str
    thirds: tuple[int, int, int]

    @property
    def difference(self) -> int:
        """The largest count less the smallest."""
        return max(self.thirds) - min(self.thirds)


@dataclass(frozen=True)
class PositionReport:
    """When cases are read and sides are shown, the worst named."""

    per_item: tuple[PositionCount, ...]
    """Over the readers of the item."""
    per_reader: tuple[PositionCount, ...]
    """Of pairs: readings with candidate b on the left."""
    sentences: tuple[str, ...]


def position_report(rows: Iterable[PositionRow], *, basis: Basis) -> PositionReport:
    """Count in which third of its reader's readings of a period each item comes, and of pairs each side.

    The words name no side and no place of a single reading: of a reader only how far the thirds differ is told.
    """
    by_period: dict[tuple[str, int], list[PositionRow]] = defaultdict(list)
    for row in rows:
        by_period[row.reader, row.period].append(row)
    items: dict[str, list[int]] = defaultdict(lambda: [0] * THIRDS)
    readers: dict[str, list[int]] = defaultdict(lambda: [0] * THIRDS)
    for (reader, _), own in by_period.items():
        for place, row in enumerate(own):
            third = THIRDS * place // len(own)
            items[row.item][third] += 1
            if row.b_left is not None:
                readers[reader][third] += row.b_left
    per_item, per_reader = _position_counts(items), _position_counts(readers)
    if not per_item:
        return PositionReport((), (), ())
    word = "allocated" if basis is Basis.ALLOCATED else "read"
    item = max(per_item, key=lambda one: one.difference)
    first, middle, last = item.thirds
    told = f"the worst item is {item.key}, {first}, {middle} and {last} times in the first, middle and last third"
    sentences = [f"Position, as {word}: {told} of what its readers read."]
    if per_reader:
        worst = max(per_reader, key=lambda one: one.difference)
        sentences.append(
            f"Position of sides, as {word}: the worst reader is {worst.key}, for whom candidate b stands on one side "
            f"in {worst.difference} readings more of one third than of another."
        )
    return PositionReport(per_item, per_reader, tuple(sentences))


def _position_counts(found: Mapping[str, list[int]]) -> tuple[PositionCount, ...]:
    return tuple(PositionCount(key, (one[0], one[1], one[2])) for key, one in sorted(found.items()))
