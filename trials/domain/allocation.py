"""``eq-alloc/1``: who reads what, in which order, with candidate b on which side.

Slots are made, not people: as many per stratum as planned plus the reserve, rounded up to mirrored pairs. The second
slot of a pair has every side of the first reversed, so the sides of an item differ by at most one over any number of
slots from the start of a stratum, and are equal over complete pairs. Within a slot the sides differ by at most one.

Everything is drawn by :mod:`equipoise.common.stable_random` from one sealed seed, one stream per purpose, so that
anybody who is given the seed at unblinding makes the same rows on any machine.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from equipoise.common.stable_random import StableRandom
from trials.domain.ordering import OrderedReading, order_readings

ALGORITHM = "eq-alloc/1"
"""Stored beside the seed. What it means never changes; a new algorithm takes a new name."""
SEED_BITS = 256
_SEED_BYTES = SEED_BITS // 8


class Side(StrEnum):
    """A pane of the reading screen."""

    LEFT = "left"
    RIGHT = "right"

    @property
    def other(self) -> "Side":
        """The opposite pane."""
        return Side.RIGHT if self is Side.LEFT else Side.LEFT


class Phase(StrEnum):
    """The blocks of a slot, in their order."""

    PRACTICE = "practice"
    READING = "reading"
    BLINDING_CHECK = "blinding-check"


@dataclass(frozen=True)
class AllocationItem:
    """An item to be allocated. ``stratum`` is the item's own (not the readers'); sides are balanced within it."""

    id: str
    case: str
    stratum: str = ""


@dataclass(frozen=True)
class SlotPlan:
    """How many slots a stratum of readers gets: those planned, and all with the reserve."""

    stratum: str
    planned: int
    total: int


@dataclass(frozen=True)
class DesignRules:
    """What the protocol says about conditions; read by ``eq-alloc/2`` and ``eq-alloc/3``."""

    kind: str = "single"
    conditions: tuple[str, ...] = ()
    blocked: bool = False
    """Whether the readings of a period are grouped by condition. Mixed where readers may not know the condition."""
    paired: bool = False
    """Whether an item shows two candidates, whose sides are to be balanced."""
    shams: tuple[str, ...] = ()
    """The conditions that show another case's result."""
    washout_days: int = 0
    repeat_days: int = 0
    """Days before the repeats come back, as a period of their own; 0: within the period, by distance."""
    practice_rounds: int = 1
    balanced_order: bool = False
    """Whether the order of conditions is that of a balanced Latin square; with the rest below, ``eq-alloc/3`` alone."""
    case_blocks: int = 0
    """Blocks of cases, each read by a block of readers; 0: none."""
    readers_per_case: int = 0
    """Of every stratum, how many planned readers read a case outside the overlap; 0: all of them read every case."""
    overlap_cases: int = 0
    """Cases that every reader reads beside a part of the others."""


@dataclass(frozen=True)
class AllocationRules:
    """What the protocol says about order, repeats and the blinding check."""

    min_case_distance: int = 5
    repeat_count: int = 0
    repeat_distance: int = 20
    blinding_check_pairs: int = 0
    design: DesignRules | None = None
    """None: ``eq-alloc/1``, pairs of candidates and nothing else."""


@dataclass(frozen=True)
class AllocationRow:
    """One reading to come."""

    stratum: str
    slot: int
    position: int
    phase: Phase
    item: str
    repeat: int
    side_b: Side | None = None
    """The pane that shows candidate b (the algorithm's contour); None where no pair is shown."""
    period: int = 1
    condition: str = ""
    stage: int = 0
    """Of a sequential pair: 1 is committed before 2 is shown; 0 is a reading by itself."""
    min_days: int = 0
    """Days from the reader's last exposure to the case before it may be opened."""
    aid_item: str | None = None
    """The item whose result a sham aid shows."""


@dataclass(frozen=True)
class AllocationSlot:
    """One reader-to-be. ``number`` counts from 1 within the stratum; ``pair`` is shared by two mirrored slots."""

    stratum: str
    number: int
    pair: int
    mirrored: bool
    reserve: bool
    rows: tuple[AllocationRow, ...]
    case_distance: int | None
    """Smallest distance that two readings of one case have; None where no case occurs twice."""
    repeat_distance: int | None
    """Smallest distance between the two readings of a repeated item; None without repeats."""


@dataclass(frozen=True)
class Allocation:
    """All slots, in order of strata and numbers."""

    algorithm: str
    slots: tuple[AllocationSlot, ...]
    notes: tuple[str, ...]
    """What arithmetic did not allow, in words."""

    @property
    def rows(self) -> tuple[AllocationRow, ...]:
        """Every row, slot after slot."""
        return tuple(row for slot in self.slots for row in slot.rows)


def slot_plan(stratum: str, *, participants: int, reserve_percent: int) -> SlotPlan:
    """Return planned plus reserve, rounded up to whole mirrored pairs."""
    if participants < 1:
        raise ValueError(f"participants must be at least 1, got {participants}.")
    if reserve_percent < 0:
        raise ValueError(f"reserve_percent must not be negative, got {reserve_percent}.")
    total = participants + -(-participants * reserve_percent // 100)
    return SlotPlan(stratum=stratum, planned=participants, total=total + total % 2)


def _seed_bytes(seed: int) -> bytes:
    if not 0 <= seed < 1 << SEED_BITS:
        raise ValueError(f"The allocation seed must have at most {SEED_BITS} bits and not be negative.")
    return seed.to_bytes(_SEED_BYTES, "big")


def seed_commitment(seed: int) -> str:
    """Return the SHA-256 of the seed's 32 bytes: what is shown while the seed is sealed."""
    return hashlib.sha256(_seed_bytes(seed)).hexdigest()


def allocation_sha256(rows: Iterable[AllocationRow], *, algorithm: str = ALGORITHM) -> str:
    """Return the hash over every row, in their order, one tab-separated line each."""
    digest = hashlib.sha256(f"{algorithm}\n".encode())
    for row in rows:
        fields: tuple[object, ...] = (
            row.stratum, row.slot, row.position, row.phase, row.item, row.repeat, row.side_b or ""
        )  # fmt: skip
        if algorithm != ALGORITHM:
            fields += (row.period, row.condition, row.stage, row.min_days, row.aid_item or "")
        digest.update(("\t".join(map(str, fields)) + "\n").encode())
    return digest.hexdigest()


def validate_inputs(
    items: Sequence[AllocationItem],
    practice: Sequence[AllocationItem],
    plans: Sequence[SlotPlan],
    rules: AllocationRules,
    *,
    seed: int,
) -> None:
    """Raise ``ValueError`` on inputs from which no allocation can be made."""
    _seed_bytes(seed)
    if not items:
        raise ValueError("There must be at least one item to allocate.")
    for name, values in (
        ("items", [item.id for item in (*items, *practice)]),
        ("strata", [plan.stratum for plan in plans]),
    ):
        twice = [value for value, count in Counter(values).items() if count > 1]
        if twice:
            raise ValueError(
                f"The {name} must differ from each other; given twice: {', '.join(sorted(twice))}."
            )
    for text in [field for item in (*items, *practice) for field in (item.id, item.case)]:
        if not text or not text.isprintable():
            raise ValueError(f"Names of items and cases must be printable and not empty, got {text!r}.")
    shared = {item.case for item in items} & {item.case for item in practice}
    if shared:
        raise ValueError(f"Practice cases must have no item in the trial: {', '.join(sorted(shared))}.")
    if not plans or any(plan.total < 1 or plan.planned > plan.total for plan in plans):
        raise ValueError("There must be strata, each with at least one slot and no fewer slots than planned.")
    if not 0 <= rules.repeat_count <= len(items):
        raise ValueError(f"repeat_count must be in [0, {len(items)}], got {rules.repeat_count}.")
    if not 0 <= rules.blinding_check_pairs <= len(items):
        raise ValueError(
            f"blinding_check_pairs must be in [0, {len(items)}], got {rules.blinding_check_pairs}."
        )
    if rules.min_case_distance < 1 or rules.repeat_distance < 1:
        raise ValueError("Distances must be at least 1.")


def balanced_sides(items: Sequence[AllocationItem], random: StableRandom) -> dict[str, Side]:
    """Return a random side per item, halves within every item stratum and over all (difference at most 1)."""
    by_stratum: dict[str, list[str]] = defaultdict(list)
    for item in items:
        by_stratum[item.stratum].append(item.id)
    extra = Side.LEFT if random.below(2) == 0 else Side.RIGHT
    sides: dict[str, Side] = {}
    for stratum in random.shuffled(sorted(by_stratum)):
        ids = random.shuffled(by_stratum[stratum])
        half = len(ids) // 2
        sides.update(dict.fromkeys(ids[:half], Side.LEFT))
        sides.update(dict.fromkeys(ids[half : 2 * half], Side.RIGHT))
        if len(ids) % 2:
            sides[ids[-1]] = extra
            extra = extra.other
    return sides


def _drawn_repeats(
    sides: Mapping[str, Side], count: int, *, used: Mapping[str, int], random: StableRandom
) -> list[str]:
    """Return the items to repeat: least repeated so far first, as many from either side as arithmetic allows.

    A repeat has its item's side reversed. With an odd count the extra one is taken from the side that has more items,
    so that the sides of the slot stay within one of each other with its repeats.
    """
    by_side: dict[Side, list[str]] = {side: [] for side in Side}
    for item in sorted(random.shuffled(sorted(sides)), key=lambda one: used.get(one, 0)):
        by_side[sides[item]].append(item)
    more = max(Side, key=lambda side: len(by_side[side]))
    if len(by_side[Side.LEFT]) == len(by_side[Side.RIGHT]):
        more = random.choice(tuple(Side))
    half = count // 2
    return by_side[more][: half + count % 2] + by_side[more.other][:half]


@dataclass(frozen=True)
class _Pair:
    """What two mirrored slots share."""

    sides: Mapping[str, Side]
    practice_sides: Mapping[str, Side]
    check_sides: Mapping[str, Side]
    repeats: tuple[str, ...]


class _Stratum:
    """Makes the slots of one stratum."""

    def __init__(
        self,
        seed: int,
        items: Sequence[AllocationItem],
        practice: Sequence[AllocationItem],
        *,
        plan: SlotPlan,
        rules: AllocationRules,
    ) -> None:
        self._seed = seed
        self._items = items
        self._practice = practice
        self._plan = plan
        self._rules = rules
        self._case_of = {item.id: item.case for item in (*items, *practice)}

    def _random(self, purpose: str) -> StableRandom:
        return StableRandom(self._seed, f"{ALGORITHM}:{self._plan.stratum}:{purpose}")

    def _pair(self, pair: int, *, repeated: Mapping[str, int], checked: Mapping[str, int]) -> _Pair:
        rules = self._rules
        sides = balanced_sides(self._items, self._random(f"sides:{pair}"))
        random = self._random(f"check:{pair}")
        order = sorted(
            random.shuffled([item.id for item in self._items]), key=lambda one: checked.get(one, 0)
        )
        chosen = set(order[: rules.blinding_check_pairs])
        return _Pair(
            sides=sides,
            practice_sides=balanced_sides(self._practice, self._random(f"practice-sides:{pair}")),
            check_sides=balanced_sides([item for item in self._items if item.id in chosen], random),
            repeats=tuple(
                _drawn_repeats(
                    sides, rules.repeat_count, used=repeated, random=self._random(f"repeats:{pair}")
                )
            ),
        )

    def slots(self) -> list[AllocationSlot]:
        repeated: Counter[str] = Counter()
        checked: Counter[str] = Counter()
        slots: list[AllocationSlot] = []
        for start in range(0, self._plan.total, 2):
            number = start // 2 + 1
            pair = self._pair(number, repeated=repeated, checked=checked)
            repeated.update(pair.repeats)
            checked.update(pair.check_sides.keys())
            slots.extend(
                self._slot(first, pair=number, content=pair, mirrored=mirrored)
                for first, mirrored in ((start + 1, False), (start + 2, True))
                if first <= self._plan.total
            )
        return slots

    def _slot(self, number: int, *, pair: int, content: _Pair, mirrored: bool) -> AllocationSlot:
        return make_slot(
            stratum=self._plan.stratum,
            number=number,
            pair=pair,
            mirrored=mirrored,
            reserve=number > self._plan.planned,
            sides={
                Phase.PRACTICE: content.practice_sides,
                Phase.READING: content.sides,
                Phase.BLINDING_CHECK: content.check_sides,
            },
            repeats=content.repeats,
            case_of=self._case_of,
            rules=self._rules,
            random_of=lambda phase: self._random(f"order:{number}:{phase}"),
        )


def _distances(rows: Sequence[AllocationRow], case_of: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return the smallest distance within a case and between an item's two readings."""
    by_case: list[int] = []
    by_item: list[int] = []
    last_case: dict[str, int] = {}
    last_item: dict[str, int] = {}
    for row in rows:
        if row.phase is not Phase.READING:
            continue
        case = case_of[row.item]
        if case in last_case:
            by_case.append(row.position - last_case[case])
        if row.item in last_item:
            by_item.append(row.position - last_item[row.item])
        last_case[case] = last_item[row.item] = row.position
    return min(by_case, default=None), min(by_item, default=None)


def make_slot(
    *,
    stratum: str,
    number: int,
    pair: int,
    mirrored: bool,
    reserve: bool,
    sides: Mapping[Phase, Mapping[str, Side]],
    repeats: Sequence[str],
    case_of: Mapping[str, str],
    rules: AllocationRules,
    random_of: Callable[[Phase], StableRandom],
) -> AllocationSlot:
    """Order the readings of one slot, phase after phase, and give each its side."""
    rows: list[AllocationRow] = []
    for phase in Phase:
        readings = [OrderedReading(item=item, case=case_of[item], repeat=1) for item in sorted(sides[phase])]
        if phase is Phase.READING:
            readings += [OrderedReading(item=item, case=case_of[item], repeat=2) for item in sorted(repeats)]
        ordered = order_readings(
            readings,
            min_case_distance=rules.min_case_distance,
            repeat_distance=rules.repeat_distance,
            random=random_of(phase),
        )
        for reading in ordered:
            side = sides[phase][reading.item]
            if mirrored != (reading.repeat == 2):
                side = side.other
            rows.append(
                AllocationRow(
                    stratum=stratum,
                    slot=number,
                    position=len(rows) + 1,
                    phase=phase,
                    item=reading.item,
                    repeat=reading.repeat,
                    side_b=side,
                )
            )
    case_distance, repeat_distance = _distances(rows, case_of)
    return AllocationSlot(
        stratum=stratum,
        number=number,
        pair=pair,
        mirrored=mirrored,
        reserve=reserve,
        rows=tuple(rows),
        case_distance=case_distance,
        repeat_distance=repeat_distance,
    )


def distance_notes(slots: Sequence[AllocationSlot], rules: AllocationRules) -> tuple[str, ...]:
    """Return in words which distances could not be kept."""
    notes = []
    case = [slot.case_distance for slot in slots if slot.case_distance is not None]
    if case and min(case) < rules.min_case_distance:
        below = sum(1 for distance in case if distance < rules.min_case_distance)
        notes.append(
            f"Readings of one case stand at least {min(case)} places apart instead of {rules.min_case_distance} "
            f"in {below} of {len(slots)} slots: the cases with the most items leave no more room."
        )
    repeat = [slot.repeat_distance for slot in slots if slot.repeat_distance is not None]
    if repeat and min(repeat) < rules.repeat_distance:
        below = sum(1 for distance in repeat if distance < rules.repeat_distance)
        notes.append(
            f"Repeated readings stand at least {min(repeat)} places after the first instead of "
            f"{rules.repeat_distance} in {below} of {len(slots)} slots: there are too few readings between them."
        )
    return tuple(notes)


def allocate(
    items: Sequence[AllocationItem],
    *,
    practice: Sequence[AllocationItem] = (),
    plans: Sequence[SlotPlan],
    rules: AllocationRules,
    seed: int,
) -> Allocation:
    """Make every slot of every stratum. Same arguments, same rows; the order in which items are given is immaterial."""
    validate_inputs(items, practice, plans, rules, seed=seed)
    items = sorted(items, key=lambda item: item.id)
    practice = sorted(practice, key=lambda item: item.id)
    slots = [
        slot for plan in plans for slot in _Stratum(seed, items, practice, plan=plan, rules=rules).slots()
    ]
    return Allocation(algorithm=ALGORITHM, slots=tuple(slots), notes=distance_notes(slots, rules))


def replacement_slot(
    withdrawn: AllocationSlot,
    *,
    items: Sequence[AllocationItem],
    practice: Sequence[AllocationItem] = (),
    number: int,
    rules: AllocationRules,
    seed: int,
) -> AllocationSlot:
    """Copy a withdrawn reader's slot: the same items, sides, repeats and check pairs, in an order of its own.

    ``number`` is the new slot's and must not occur in the stratum yet.
    """
    sides: dict[Phase, dict[str, Side]] = {phase: {} for phase in Phase}
    repeats = []
    for row in withdrawn.rows:
        if row.side_b is None:
            raise ValueError(f"Row {row.position} of slot {withdrawn.number} has no side.")
        if row.repeat == 1:
            sides[row.phase][row.item] = row.side_b
        else:
            repeats.append(row.item)
    return make_slot(
        stratum=withdrawn.stratum,
        number=number,
        pair=withdrawn.pair,
        mirrored=False,
        reserve=False,
        sides=sides,
        repeats=repeats,
        case_of={item.id: item.case for item in (*items, *practice)},
        rules=rules,
        random_of=lambda phase: StableRandom(
            seed, f"{ALGORITHM}:{withdrawn.stratum}:replacement:{withdrawn.number}:{number}:{phase}"
        ),
    )
