"""``eq-alloc/3``: designs in which readers differ by more than order. Who reads in which condition, and which cases.

Parallel groups: every reader reads in one condition. Conditions are dealt to the slots of a stratum in random
permutations, so that over any number of slots from its start they differ by at most one.

Blocks of cases (split-plot): the cases are dealt to blocks once for the whole trial, within every stratum of cases;
blocks are dealt to slots like the conditions of parallel groups. Within its block a slot is made as ``eq-alloc/2``
makes it, so that over any readers of a block its items are balanced over conditions and periods.

Subsets with an overlap: some cases, drawn in proportion from every stratum, are read by everybody. The others are dealt
anew in every round: a round is as many slots as there are planned readers per reader of a case, and gives every case to
one of them. Over any number of slots from the start of a stratum the readers of these cases differ by at most one, and
so do their conditions.

A balanced Latin square for the order of conditions changes nothing else.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from equipoise.common.stable_random import StableRandom
from trials.domain.allocation import (
    Allocation,
    AllocationItem,
    AllocationRules,
    AllocationSlot,
    DesignRules,
    SlotPlan,
    balanced_sides,
    distance_notes,
    validate_inputs,
)
from trials.domain.design_allocation import Shared, SlotMaker, design_of, slots_of_a_block, turned
from trials.domain.design_allocation import replacement_slot as design_replacement_slot

ALGORITHM = "eq-alloc/3"
"""Stored beside the seed. What it means never changes; a new algorithm takes a new name."""
MIN_CASES = 2
"""Diseased and other cases, each, in what one reader reads: an estimate from less has no variance."""


def is_needed(design: DesignRules | None) -> bool:
    """Say whether a design asks for something that the earlier algorithms do not know."""
    return design is not None and bool(
        design.kind == "parallel"
        or design.balanced_order
        or design.case_blocks
        or design.readers_per_case
        or design.overlap_cases
    )


def set_problems(
    items: Sequence[AllocationItem], plans: Sequence[SlotPlan], design: DesignRules
) -> list[str]:
    """Return a sentence for everything that keeps cases from being shared out as the design says; none where nothing.

    Every reader needs diseased and other cases, or no accuracy of theirs can be estimated.
    """
    sizes = Counter(_class_of(stratum) for _, stratum in {(item.case, item.stratum) for item in items})
    if design.case_blocks:
        return [
            f"{_named(name)} {count} cannot be shared by {design.case_blocks} blocks with at least {MIN_CASES} each: "
            "take fewer blocks or more cases."
            for name, count in sorted(sizes.items())
            if count < MIN_CASES * design.case_blocks
        ]
    if not design.readers_per_case:
        return []
    if design.overlap_cases >= sizes.total():
        told = f"The overlap of {design.overlap_cases} cases leaves none of the {sizes.total()} to share out"
        return [f"{told}: make it smaller."]
    problems = []
    for plan in plans:
        parts, rest = divmod(plan.planned, design.readers_per_case)
        turns = len(design.conditions) if design.kind == "fully-crossed" else 1
        if rest or not parts:
            problems.append(
                f"Stratum {plan.stratum}: {plan.planned} readers are no multiple of the {design.readers_per_case} "
                "readers of a case, so that some cases would be read more often than others."
            )
            continue
        if parts % turns:
            problems.append(
                f"Stratum {plan.stratum}: the {parts} readers who share the cases are no multiple of the {turns} "
                "conditions, so that the order of conditions would not be balanced over the readers of a case."
            )
            continue
        for name, count in sorted(sizes.items()):
            common = count * design.overlap_cases // sizes.total()
            least = (count - common) // turns // (parts // turns) + common
            if least < MIN_CASES:
                problems.append(
                    f"{_named(name)} {count} shared by {parts} readers leave a reader fewer than {MIN_CASES}: let more "
                    "readers read a case, or take more cases."
                )
    return problems


def _class_of(stratum: str) -> str:
    """Return the part of a stratum of cases that says its reference standard; the whole stratum has covariates too."""
    return stratum.partition("|")[0]


def _named(name: str) -> str:
    return f"Cases of {name}:" if name else "Cases:"


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
    problems = set_problems(items, plans, design)
    if problems:
        raise ValueError(" ".join(problems))
    items = sorted(items, key=lambda item: item.id)
    practice = sorted(practice, key=lambda item: item.id)
    dealt: Counter[int] = Counter()
    slots = []
    for plan in plans:
        stratum = _Stratum(seed, items, practice, plan=plan, rules=rules, design=design)
        slots += stratum.slots(dealt)
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
    """Copy a withdrawn reader's slot: the same cases, group, conditions and repeats, blocks newly ordered."""
    return design_replacement_slot(
        withdrawn, items=items, practice=practice, number=number, rules=rules, seed=seed, algorithm=ALGORITHM
    )


def overlap_of(items: Sequence[AllocationItem], design: DesignRules, *, seed: int) -> frozenset[str]:
    """Return the cases that every reader reads: drawn for the whole trial, in proportion from every stratum."""
    if not design.overlap_cases:
        return frozenset()
    random = StableRandom(seed, f"{ALGORITHM}:overlap")
    ranked: list[tuple[Fraction, int, str]] = []
    for place, cases in enumerate(_cases_by_stratum(items, random)):
        ranked += [(Fraction(2 * rank + 1, 2 * len(cases)), place, case) for rank, case in enumerate(cases)]
    return frozenset(case for _, _, case in sorted(ranked)[: design.overlap_cases])


def case_blocks_of(
    items: Sequence[AllocationItem], design: DesignRules, *, seed: int
) -> list[frozenset[str]]:
    """Return the cases of every block: dealt for the whole trial, in equal shares of every stratum of cases."""
    random = StableRandom(seed, f"{ALGORITHM}:blocks")
    order = [case for cases in _cases_by_stratum(items, random) for case in cases]
    return _dealt(order, design.case_blocks, first=random.below(design.case_blocks))


def _cases_by_stratum(items: Sequence[AllocationItem], random: StableRandom) -> list[list[str]]:
    """Return the cases of every stratum in random order; strata of one reference standard stand together."""
    by_stratum: dict[str, list[str]] = defaultdict(list)
    for case, stratum in sorted({(item.case, item.stratum) for item in items}):
        by_stratum[stratum].append(case)
    order = random.shuffled(sorted(by_stratum))
    classes = random.shuffled(sorted({_class_of(stratum) for stratum in order}))
    order.sort(key=lambda stratum: classes.index(_class_of(stratum)))
    return [random.shuffled(by_stratum[stratum]) for stratum in order]


def _dealt(cases: Sequence[str], parts: int, *, first: int) -> list[frozenset[str]]:
    """Deal the cases to so many parts, one after the other."""
    hands: list[list[str]] = [[] for _ in range(parts)]
    for number, case in enumerate(cases):
        hands[(first + number) % parts].append(case)
    return [frozenset(hand) for hand in hands]


class _Stratum:
    """Makes the slots of one stratum of readers."""

    def __init__(
        self,
        seed: int,
        items: Sequence[AllocationItem],
        practice: Sequence[AllocationItem],
        *,
        plan: SlotPlan,
        rules: AllocationRules,
        design: DesignRules,
    ) -> None:
        self._seed, self._items, self._practice = seed, items, practice
        self._plan, self._rules, self._design = plan, rules, design

    def _random(self, purpose: str) -> StableRandom:
        return StableRandom(self._seed, f"{ALGORITHM}:{self._plan.stratum}:{purpose}")

    def _maker(
        self, items: Sequence[AllocationItem], *, design: DesignRules | None = None, part: str = ""
    ) -> SlotMaker:
        return SlotMaker(
            self._seed,
            items,
            self._practice,
            stratum=self._plan.stratum,
            rules=self._rules,
            design=design or self._design,
            algorithm=ALGORITHM,
            part=part,
        )

    def slots(self, dealt: Counter[int]) -> list[AllocationSlot]:
        """Return the slots; ``dealt`` counts how often each group or block was planned in the strata before."""
        design = self._design
        if design.kind == "parallel":
            groups = [
                self._maker(self._items, design=_of_one(design, condition), part=f"group {condition}:")
                for condition in design.conditions
            ]
            return self._interleaved(groups, dealt)
        if design.case_blocks:
            blocks = [
                self._maker([item for item in self._items if item.case in cases], part=f"block {number}:")
                for number, cases in enumerate(case_blocks_of(self._items, design, seed=self._seed), start=1)
            ]
            return self._interleaved(blocks, dealt)
        if design.readers_per_case:
            return list(self._subsets())
        return self._maker(self._items).slots(self._plan)

    # --- groups of readers, blocks of cases -------------------------------------------------------------------------

    def _interleaved(self, parts: Sequence[SlotMaker], dealt: Counter[int]) -> list[AllocationSlot]:
        """Deal the slots to the parts in random permutations; within a part they are made one after the other."""
        order = self._order(len(parts), dealt)
        counts = Counter(order)
        made = [
            iter(maker.slots(SlotPlan(self._plan.stratum, planned=counts[number], total=counts[number])))
            for number, maker in enumerate(parts)
        ]
        slots = []
        for number, part in enumerate(order, start=1):
            slot = next(made[part])
            slots.append(
                replace(
                    slot,
                    number=number,
                    reserve=number > self._plan.planned,
                    rows=tuple(replace(row, slot=number) for row in slot.rows),
                )
            )
        return slots

    def _order(self, parts: int, dealt: Counter[int]) -> list[int]:
        """Return the part of every slot. Where the planned slots end within a permutation, it begins with the parts
        that were planned least in the strata before, so that small strata do not add up to an imbalance."""
        order: list[int] = []
        for start in range(0, self._plan.total, parts):
            permutation = self._random(f"parts:{start // parts + 1}").shuffled(range(parts))
            if start < self._plan.planned < start + parts:
                permutation.sort(key=lambda part: dealt[part])
            order += permutation
        dealt.update(order[: self._plan.planned])
        return order[: self._plan.total]

    # --- subsets with an overlap ------------------------------------------------------------------------------------

    def _subsets(self) -> Iterator[AllocationSlot]:
        design = self._design
        overlap = overlap_of(self._items, design, seed=self._seed)
        others = [item for item in self._items if item.case not in overlap]
        parts = self._plan.planned // design.readers_per_case
        turns = slots_of_a_block(design)
        repeated: Counter[str] = Counter()
        checked: Counter[str] = Counter()
        for number in range(self._plan.total):
            turn, place = divmod(number, parts)
            if place == 0:
                if turn % turns == 0:
                    shared = self._shared(overlap, number=turn // turns + 1)
                hands = self._hands(others, shared, turn=turn % turns, parts=parts, number=turn + 1)
            cases = hands[place] | overlap
            items = [item for item in self._items if item.case in cases]
            own = self._own(
                shared, items, overlap, turn=turn % turns, number=number, repeated=repeated, checked=checked
            )
            repeated.update(own.repeats)
            checked.update(own.check_sides.keys())
            maker = self._maker(items)
            yield maker.ordered(
                maker.blocks(own, 0),
                number=number + 1,
                pair=number // 2 + 1,
                mirrored=False,
                reserve=number + 1 > self._plan.planned,
                purpose=f"order:{number + 1}",
            )

    def _shared(self, overlap: frozenset[str], *, number: int) -> Shared:
        """Draw what a turn of rounds shares: conditions and sides even within the overlap and within the others."""
        shared = self._maker(self._items).shared(number, repeated={}, checked={})
        base, sides = dict(shared.base), dict(shared.sides)
        for part, inside in (("others:", False), ("overlap:", True)):
            items = [item for item in self._items if (item.case in overlap) == inside]
            own = self._maker(items, part=part).shared(number, repeated={}, checked={})
            base |= own.base
            sides |= own.sides
        return replace(shared, base=base, sides=sides)

    def _hands(
        self, others: Sequence[AllocationItem], shared: Shared, *, turn: int, parts: int, number: int
    ) -> list[frozenset[str]]:
        """Deal the cases outside the overlap to the slots of a round, in equal shares of every stratum.

        Cases that begin with the same condition are dealt together, so that every slot has equal shares of them too.
        Where every period has one condition, a slot takes the cases whose turn it is to begin with the slot's.
        """
        random, count = self._random(f"round:{number}"), max(1, len(self._design.conditions))
        by_first: dict[int, list[str]] = defaultdict(list)
        for cases in _cases_by_stratum(others, random):
            for case in cases:
                by_first[(shared.base[case] + turn) % count].append(case)
        if self._design.kind != "fully-crossed":
            order = [case for first in sorted(by_first) for case in by_first[first]]
            return _dealt(order, parts, first=random.below(parts))
        hands = [frozenset[str]()] * parts
        for first in range(count):
            places = range(first, parts, count)
            for place, hand in zip(
                places, _dealt(by_first[first], len(places), first=random.below(len(places))), strict=True
            ):
                hands[place] = hand
        return hands

    def _own(
        self,
        shared: Shared,
        items: Sequence[AllocationItem],
        overlap: frozenset[str],
        *,
        turn: int,
        number: int,
        repeated: Counter[str],
        checked: Counter[str],
    ) -> Shared:
        """Return what one slot is made of: cases outside the overlap turn with the rounds, the rest with the slots."""
        rules, design = self._rules, self._design
        practised = {item.case for item in self._practice}
        by_slot = overlap | practised
        case_of = {item.id: item.case for item in (*items, *self._practice)}
        crossed = design.kind == "fully-crossed"
        turns = tuple(number if crossed else first + number for first in shared.turns)
        chosen = _least_used(items, checked, rules.blinding_check_pairs, self._random(f"check:{number + 1}"))
        sides = {
            item: turned(side, number if case_of[item] in by_slot else turn)
            for item, side in shared.sides.items()
            if item in case_of
        }
        again = _least_used(items, repeated, rules.repeat_count, self._random(f"repeats:{number + 1}"))
        return Shared(
            base={
                case: shared.base[case] + (number if case in by_slot else turn)
                for case in set(case_of.values())
            },
            turns=turns,
            sides=sides,
            check_sides=balanced_sides(chosen, self._random(f"check-sides:{number + 1}"))
            if design.paired
            else {},
            repeats=tuple(item.id for item in again),
            shams=shared.shams,
        )


def _least_used(
    items: Sequence[AllocationItem], used: Counter[str], count: int, random: StableRandom
) -> list[AllocationItem]:
    """Return so many of the items, those used least so far first."""
    return sorted(random.shuffled(items), key=lambda item: used[item.id])[:count]


def _of_one(design: DesignRules, condition: str) -> DesignRules:
    """Return the design of one group: every item once, in its condition."""
    shams = tuple(one for one in design.shams if one == condition)
    return replace(design, kind="single", conditions=(condition,), blocked=False, shams=shams)
