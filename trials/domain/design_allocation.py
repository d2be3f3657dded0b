"""``eq-alloc/2``: who reads what in which condition and period, for every design with conditions or without sides.

Slots are made in blocks of as many as there are conditions (two where there is one): within a block every slot shifts
the condition of every item by one, so that over any number of slots from the start of a stratum an item has been
allocated to each condition (in each period) equally often, give or take one. With two conditions that is the mirrored
pair of ``eq-alloc/1``; sides of a pair of candidates are mirrored within it in the same way.

Crossover: for each reader a random half of the *cases*, drawn within every stratum (reference standard, site), is read
in the first condition in period 1, the other half in the second; in period 2 the reverse. Conditions are blocked
within a period, the order of the blocks is balanced over readers, and the order of cases is drawn anew in every
period.

Everything is drawn by :mod:`equipoise.common.stable_random` from one sealed seed, one stream per purpose.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from equipoise.common.stable_random import StableRandom
from trials.domain.allocation import (
    Allocation,
    AllocationItem,
    AllocationRow,
    AllocationRules,
    AllocationSlot,
    DesignRules,
    Phase,
    Side,
    SlotPlan,
    balanced_sides,
    distance_notes,
    validate_inputs,
)
from trials.domain.ordering import OrderedReading, order_readings

ALGORITHM = "eq-alloc/2"
"""Stored beside the seed. What it means never changes; a new algorithm takes a new name."""

_STAGES = (1, 2)


def slots_of_a_block(design: DesignRules) -> int:
    """Return how many slots turn through the conditions before anything is drawn anew."""
    count = len(design.conditions)
    return 2 * count if design.balanced_order and count % 2 else max(2, count)


def condition_order(design: DesignRules, turn: int, shift: int) -> list[int]:
    """Return the order of the conditions at place ``shift`` of a block of slots whose first row is ``turn``.

    Every row of the plain square shifts the one before by one place. The balanced square (Williams 1949) begins with
    0, 1, n-1, 2, n-2, ...: over its rows every condition follows every other equally often. With an odd number of
    conditions it has twice as many rows, the second half in reverse.
    """
    count = max(1, len(design.conditions))
    first = list(range(count))
    if design.balanced_order:
        first = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(count)]
        if count % 2 and shift // count % 2:
            first.reverse()
    return [(place + turn + shift) % count for place in first]


@dataclass(frozen=True)
class Cell:
    """One reading of a block before the block is put in order."""

    item: str
    repeat: int
    condition: str
    side_b: Side | None
    min_days: int
    aid_item: str | None


@dataclass(frozen=True)
class Block:
    """Readings in one run: a phase, a period, and within it one condition where conditions are blocked."""

    phase: Phase
    period: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Shared:
    """What the slots of one block of slots share."""

    base: Mapping[str, int]
    """Case -> the index of the condition it begins with, in the block's first slot."""
    turns: tuple[int, ...]
    """Per period, which block of conditions comes first in the block's first slot."""
    sides: Mapping[str, Side]
    check_sides: Mapping[str, Side]
    repeats: tuple[str, ...]
    shams: Mapping[str, str]


class SlotMaker:
    """Makes the slots of one stratum of readers, or of a part of it that reads ``items`` alone.

    ``algorithm`` and ``part`` name the streams, so that every algorithm and every part has streams of its own.
    """

    def __init__(
        self,
        seed: int,
        items: Sequence[AllocationItem],
        practice: Sequence[AllocationItem],
        *,
        stratum: str,
        rules: AllocationRules,
        design: DesignRules,
        algorithm: str = ALGORITHM,
        part: str = "",
    ) -> None:
        self._seed, self._stratum = seed, stratum
        self._stream = f"{algorithm}:{stratum}:{part}"
        self._items, self._practice = items, practice
        self._rules, self._design = rules, design
        self._case_of = {item.id: item.case for item in (*items, *practice)}
        self._conditions = design.conditions or ("",)

    def _random(self, purpose: str) -> StableRandom:
        return StableRandom(self._seed, f"{self._stream}{purpose}")

    def slots(self, plan: SlotPlan) -> list[AllocationSlot]:
        """Make every slot of the plan."""
        size = slots_of_a_block(self._design)
        repeated: Counter[str] = Counter()
        checked: Counter[str] = Counter()
        slots: list[AllocationSlot] = []
        for start in range(0, plan.total, size):
            number = start // size + 1
            shared = self.shared(number, repeated=repeated, checked=checked)
            repeated.update(shared.repeats)
            checked.update(shared.check_sides.keys())
            for shift in range(min(size, plan.total - start)):
                place = start + shift + 1
                slot = self.ordered(
                    self.blocks(shared, shift),
                    number=place,
                    pair=number,
                    mirrored=shift % 2 == 1,
                    reserve=place > plan.planned,
                    purpose=f"order:{place}",
                )
                slots.append(slot)
        return slots

    # --- what a block of slots shares -------------------------------------------------------------------------------

    def shared(self, number: int, *, repeated: Mapping[str, int], checked: Mapping[str, int]) -> Shared:
        """Draw what the slots of a block of slots share."""
        rules, count = self._rules, len(self._conditions)
        turns = self._random(f"turns:{number}")
        random = self._random(f"check:{number}")
        order = sorted(
            random.shuffled([item.id for item in self._items]), key=lambda one: checked.get(one, 0)
        )
        chosen = set(order[: rules.blinding_check_pairs])
        sides: dict[str, Side] = {}
        check_sides: dict[str, Side] = {}
        if self._design.paired:
            sides = balanced_sides(self._items, self._random(f"sides:{number}"))
            sides |= balanced_sides(self._practice, self._random(f"practice-sides:{number}"))
            check_sides = balanced_sides([item for item in self._items if item.id in chosen], random)
        return Shared(
            base=self._first_conditions(self._random(f"conditions:{number}")),
            turns=tuple(turns.below(count) for _ in range(self.periods)),
            sides=sides,
            check_sides=check_sides,
            repeats=self._repeats(self._random(f"repeats:{number}"), used=repeated),
            shams=self._shams(self._random(f"shams:{number}")) if self._design.shams else {},
        )

    @property
    def periods(self) -> int:
        """How many periods the first readings take."""
        return {"crossover": 2, "fully-crossed": len(self._conditions)}.get(self._design.kind, 1)

    def _first_conditions(self, random: StableRandom) -> dict[str, int]:
        """Return a condition per case, in equal shares within every stratum and over all (give or take one)."""
        count = len(self._conditions)
        by_stratum: dict[str, list[str]] = defaultdict(list)
        for case, stratum in sorted({(item.case, item.stratum) for item in self._items}):
            by_stratum[stratum].append(case)
        following = random.below(count)
        first: dict[str, int] = {}
        for stratum in random.shuffled(sorted(by_stratum)):
            for case in random.shuffled(by_stratum[stratum]):
                first[case] = following
                following = (following + 1) % count
        for number, case in enumerate(sorted({item.case for item in self._practice})):
            first[case] = number % count
        return first

    def _repeats(self, random: StableRandom, *, used: Mapping[str, int]) -> tuple[str, ...]:
        """Return the items to repeat: least repeated so far first."""
        order = sorted(random.shuffled([item.id for item in self._items]), key=lambda one: used.get(one, 0))
        return tuple(order[: self._rules.repeat_count])

    def _shams(self, random: StableRandom) -> dict[str, str]:
        """Return for every item an item of another case: each case lends its result to one other."""
        lent: dict[str, str] = {}
        for items in (self._items, self._practice):
            by_case: dict[str, list[str]] = defaultdict(list)
            for item in items:
                by_case[item.case].append(item.id)
            cases = random.shuffled(sorted(by_case))
            if len(cases) < 2:
                continue
            for case, other in zip(cases, [*cases[1:], cases[0]], strict=True):
                lent |= {item: random.choice(sorted(by_case[other])) for item in sorted(by_case[case])}
        return lent

    # --- the blocks of one slot -------------------------------------------------------------------------------------

    def blocks(self, shared: Shared, shift: int) -> list[Block]:
        """Return the readings of the slot at place ``shift`` of its block of slots, not yet in order."""
        blocks = self._practice_blocks(shared, shift)
        for period in range(1, self.periods + 1):
            blocks += self._period_blocks(shared, shift, period)
        if self._design.repeat_days and shared.repeats:
            blocks += self._split(
                Phase.READING,
                self.periods + 1,
                [
                    self._cell(item, shared, shift, period=1, repeat=2, min_days=self._design.repeat_days)
                    for item in sorted(shared.repeats)
                ],
                turn=shared.turns[0],
                shift=shift,
            )
        if shared.check_sides:
            checks = [
                replace(self._cell(item, shared, shift, period=1), side_b=turned(side, shift))
                for item, side in sorted(shared.check_sides.items())
            ]
            blocks.append(Block(Phase.BLINDING_CHECK, 1, tuple(checks)))
        return blocks

    def _practice_blocks(self, shared: Shared, shift: int) -> list[Block]:
        if not self._practice:
            return []
        return [
            Block(
                Phase.PRACTICE,
                1,
                tuple(self._cell(item.id, shared, shift, period=1, repeat=number) for item in self._practice),
            )
            for number in range(1, self._design.practice_rounds + 1)
        ]

    def _period_blocks(self, shared: Shared, shift: int, period: int) -> list[Block]:
        min_days = self._design.washout_days if period > 1 else 0
        cells = [self._cell(item.id, shared, shift, period=period, min_days=min_days) for item in self._items]
        if period == 1 and not self._design.repeat_days:
            cells += [self._cell(item, shared, shift, period=1, repeat=2) for item in sorted(shared.repeats)]
        return self._split(Phase.READING, period, cells, turn=shared.turns[period - 1], shift=shift)

    def _split(
        self, phase: Phase, period: int, cells: Sequence[Cell], *, turn: int, shift: int
    ) -> list[Block]:
        """Return one block per condition in the slot's order, or one block where conditions are mixed."""
        if not self._design.blocked:
            return [Block(phase, period, tuple(cells))]
        order = [self._conditions[place] for place in condition_order(self._design, turn, shift)]
        blocks = [Block(phase, period, tuple(c for c in cells if c.condition == name)) for name in order]
        return [block for block in blocks if block.cells]

    def _cell(
        self,
        item: str,
        shared: Shared,
        shift: int,
        *,
        period: int,
        repeat: int = 1,
        min_days: int = 0,
    ) -> Cell:
        condition = self._conditions[self._condition_index(item, shared, shift, period)]
        side = shared.sides.get(item)
        is_second = repeat == 2 and item not in {one.id for one in self._practice}
        shown = self._conditions if self._design.kind == "sequential" else (condition,)
        return Cell(
            item=item,
            repeat=repeat,
            condition=condition,
            side_b=None if side is None else turned(side, shift + (1 if is_second else 0)),
            min_days=min_days,
            aid_item=shared.shams.get(item) if set(shown) & set(self._design.shams) else None,
        )

    def _condition_index(self, item: str, shared: Shared, shift: int, period: int) -> int:
        kind, count = self._design.kind, len(self._conditions)
        if kind in ("single", "sequential"):
            return 0
        if kind == "fully-crossed":
            # Every item of a period in one condition; the order of conditions turns from slot to slot.
            return condition_order(self._design, shared.turns[0], shift)[period - 1]
        return (shared.base[self._case_of[item]] + shift + period - 1) % count

    # --- order ------------------------------------------------------------------------------------------------------

    def ordered(
        self,
        blocks: Sequence[Block],
        *,
        number: int,
        pair: int,
        mirrored: bool,
        reserve: bool,
        purpose: str,
    ) -> AllocationSlot:
        """Put every block in an order of its own and number the readings through."""
        rows: list[AllocationRow] = []
        for place, block in enumerate(blocks):
            for cell in self._order(block, self._random(f"{purpose}:{place}")):
                rows += self._rows(cell, block, number=number, first_position=len(rows) + 1)
        case_distance, repeat_distance = _distances(rows, self._case_of)
        return AllocationSlot(
            stratum=self._stratum,
            number=number,
            pair=pair,
            mirrored=mirrored,
            reserve=reserve,
            rows=tuple(rows),
            case_distance=case_distance,
            repeat_distance=repeat_distance,
        )

    def _order(self, block: Block, random: StableRandom) -> list[Cell]:
        firsts = {cell.item for cell in block.cells if cell.repeat == 1}
        by_key = {}
        for cell in sorted(block.cells, key=lambda one: (one.item, one.repeat)):
            second = cell.repeat > 1 and cell.item in firsts
            by_key[cell.item, 2 if second else 1] = cell
        readings = [
            OrderedReading(item=item, case=self._case_of[item], repeat=repeat) for item, repeat in by_key
        ]
        ordered = order_readings(
            readings,
            min_case_distance=self._rules.min_case_distance,
            repeat_distance=self._rules.repeat_distance,
            random=random,
        )
        return [by_key[one.item, one.repeat] for one in ordered]

    def _rows(self, cell: Cell, block: Block, *, number: int, first_position: int) -> list[AllocationRow]:
        row = AllocationRow(
            stratum=self._stratum,
            slot=number,
            position=first_position,
            phase=block.phase,
            item=cell.item,
            repeat=cell.repeat,
            side_b=cell.side_b,
            period=block.period,
            condition=cell.condition,
            min_days=cell.min_days,
            aid_item=cell.aid_item,
        )
        if self._design.kind != "sequential":
            return [row]
        shams = self._design.shams
        return [
            replace(
                row,
                position=first_position + stage - 1,
                stage=stage,
                condition=self._conditions[stage - 1],
                min_days=cell.min_days if stage == 1 else 0,
                aid_item=cell.aid_item if self._conditions[stage - 1] in shams else None,
            )
            for stage in _STAGES
        ]


def turned(side: Side, times: int) -> Side:
    """Return the side after so many turns."""
    return side.other if times % 2 else side


def _distances(rows: Sequence[AllocationRow], case_of: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return the smallest distance within a case and between an item's two readings, within a period."""
    by_case: list[int] = []
    by_item: list[int] = []
    last_case: dict[tuple[int, str], int] = {}
    last_item: dict[tuple[int, str], int] = {}
    for row in rows:
        if row.phase is not Phase.READING or row.stage == 2:
            continue
        case, item = (row.period, case_of[row.item]), (row.period, row.item)
        if case in last_case:
            by_case.append(row.position - last_case[case])
        if item in last_item:
            by_item.append(row.position - last_item[item])
        last_case[case] = last_item[item] = row.position
    return min(by_case, default=None), min(by_item, default=None)


def design_of(rules: AllocationRules) -> DesignRules:
    """Return the rules of the design, without which there is no condition to allocate."""
    if rules.design is None:
        raise ValueError("The allocation of conditions needs the rules of the design.")
    return rules.design


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
    design = design_of(rules)
    items = sorted(items, key=lambda item: item.id)
    practice = sorted(practice, key=lambda item: item.id)
    slots = [
        slot
        for plan in plans
        for slot in SlotMaker(seed, items, practice, stratum=plan.stratum, rules=rules, design=design).slots(
            plan
        )
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
    algorithm: str = ALGORITHM,
) -> AllocationSlot:
    """Copy a withdrawn reader's slot: the same items, conditions, periods, sides and repeats, blocks newly ordered.

    ``number`` is the new slot's and must not occur in the stratum yet.
    """
    design = design_of(rules)
    maker = SlotMaker(
        seed,
        sorted(items, key=lambda item: item.id),
        sorted(practice, key=lambda item: item.id),
        stratum=withdrawn.stratum,
        rules=rules,
        design=design,
        algorithm=algorithm,
    )
    key: Callable[[AllocationRow], tuple[str, int, int, str]] = lambda row: (  # noqa: E731 - named for groupby
        row.phase,
        row.period,
        row.repeat if row.phase is Phase.PRACTICE else 0,
        row.condition if design.blocked else "",
    )
    firsts = [row for row in withdrawn.rows if row.stage != 2]
    second = {(row.phase, row.period, row.item, row.repeat): row for row in withdrawn.rows if row.stage == 2}
    blocks = [
        Block(
            Phase(phase),
            period,
            tuple(
                Cell(
                    item=row.item,
                    repeat=row.repeat,
                    condition=row.condition,
                    side_b=row.side_b,
                    min_days=row.min_days,
                    aid_item=second.get((row.phase, row.period, row.item, row.repeat), row).aid_item,
                )
                for row in rows
            ),
        )
        for (phase, period, _, _), rows in groupby(firsts, key=key)
    ]
    return maker.ordered(
        blocks,
        number=number,
        pair=withdrawn.pair,
        mirrored=False,
        reserve=False,
        purpose=f"replacement:{withdrawn.number}:{number}",
    )
