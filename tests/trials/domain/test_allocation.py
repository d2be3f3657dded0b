"""The allocation: balance, distances, order of phases, and the same rows on any machine."""

import hashlib
import random
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trials.domain.allocation import (
    ALGORITHM,
    Allocation,
    AllocationItem,
    AllocationRules,
    Phase,
    Side,
    SlotPlan,
    allocate,
    allocation_sha256,
    replacement_slot,
    seed_commitment,
    slot_plan,
)

SAMPLES = Path(__file__).parent / "samples"
SEED = 0x1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0


def items_of(count, *, cases=None, strata=1):
    cases = cases or count
    return [AllocationItem(f"I-{n:04d}", f"C-{n % cases:03d}", f"s{n % strata}") for n in range(count)]


def practice_of(count):
    return [AllocationItem(f"P-{n:04d}", f"Q-{n:03d}") for n in range(count)]


def difference(rows):
    sides = Counter(row.side_b for row in rows)
    return sides[Side.LEFT] - sides[Side.RIGHT]


def assert_balanced(allocation: Allocation) -> None:
    """Sides within one per slot and phase, and per item over every prefix of slots of a stratum and of all slots."""
    for slot in allocation.slots:
        for phase in Phase:
            rows = [row for row in slot.rows if row.phase is phase]
            assert abs(difference(rows)) <= 1, (slot.stratum, slot.number, phase)
            assert abs(difference([row for row in rows if row.repeat == 1])) <= 1
    for group in [*{slot.stratum for slot in allocation.slots}, None]:
        sums: dict[tuple[Phase, str], int] = defaultdict(int)
        for slot in allocation.slots:
            if group is not None and slot.stratum != group:
                continue
            for row in slot.rows:
                if row.repeat == 1:
                    sums[row.phase, row.item] += 1 if row.side_b is Side.LEFT else -1
            assert all(abs(value) <= 1 for value in sums.values()), (group, slot.number)


def assert_complete(allocation: Allocation, items, practice, rules) -> None:
    """Every slot has every item once, the repeats swapped, and phases in order."""
    for slot in allocation.slots:
        assert [row.position for row in slot.rows] == list(range(1, len(slot.rows) + 1))
        phases = [row.phase for row in slot.rows]
        assert phases == sorted(phases, key=list(Phase).index)
        reading = [row for row in slot.rows if row.phase is Phase.READING]
        first = {row.item: row for row in reading if row.repeat == 1}
        second = {row.item: row for row in reading if row.repeat == 2}
        assert sorted(first) == sorted(item.id for item in items)
        assert len(reading) == len(items) + rules.repeat_count
        assert len(second) == rules.repeat_count
        for item, row in second.items():
            side = first[item].side_b
            assert side is not None
            assert row.side_b is side.other
            assert row.position > first[item].position
        assert sorted(row.item for row in slot.rows if row.phase is Phase.PRACTICE) == sorted(
            item.id for item in practice
        )
        check = [row.item for row in slot.rows if row.phase is Phase.BLINDING_CHECK]
        assert len(check) == len(set(check)) == rules.blinding_check_pairs


def small_study(seed: int):
    draw = random.Random(seed)
    count = draw.randint(1, 14)
    items = items_of(count, cases=draw.randint(1, count), strata=draw.randint(1, 3))
    practice = practice_of(draw.randint(0, 3))
    rules = AllocationRules(
        min_case_distance=draw.randint(1, 6),
        repeat_count=draw.randint(0, min(count, 4)),
        repeat_distance=draw.randint(1, 8),
        blinding_check_pairs=draw.randint(0, min(count, 5)),
    )
    plans = [
        slot_plan(f"g{n}", participants=draw.randint(1, 3), reserve_percent=draw.choice((0, 25, 50)))
        for n in range(draw.randint(1, 2))
    ]
    return items, practice, plans, rules, draw.getrandbits(256)


def check_small_study(seed: int) -> None:
    items, practice, plans, rules, alloc_seed = small_study(seed)
    allocation = allocate(items, practice=practice, plans=plans, rules=rules, seed=alloc_seed)
    assert_complete(allocation, items, practice, rules)
    assert_balanced(allocation)


def test_500_generated_small_studies_are_complete_and_balanced():
    for seed in range(500):
        check_small_study(seed)


@pytest.mark.slow
def test_10000_generated_small_studies_are_complete_and_balanced():
    for seed in range(500, 10_500):
        check_small_study(seed)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 31),
    participants=st.integers(1, 7),
    reserve=st.integers(0, 60),
    repeats=st.integers(0, 9),
    seed=st.integers(0, 2**256 - 1),
)
def test_sides_balance_for_odd_numbers_too(count, participants, reserve, repeats, seed):
    items = items_of(count)
    rules = AllocationRules(
        repeat_count=min(repeats, count), repeat_distance=5, blinding_check_pairs=min(3, count)
    )
    plan = slot_plan("all", participants=participants, reserve_percent=reserve)
    allocation = allocate(items, plans=[plan], rules=rules, seed=seed)
    assert len(allocation.slots) == plan.total
    assert_complete(allocation, items, [], rules)
    assert_balanced(allocation)


@settings(max_examples=40, deadline=None)
@given(
    cases=st.integers(1, 12),
    per_case=st.integers(1, 6),
    distance=st.integers(1, 8),
    seed=st.integers(0, 2**64),
)
def test_cases_keep_the_largest_distance_that_arithmetic_allows(cases, per_case, distance, seed):
    items = items_of(cases * per_case, cases=cases)
    rules = AllocationRules(min_case_distance=distance)
    allocation = allocate(items, plans=[SlotPlan("all", 2, 2)], rules=rules, seed=seed)
    for slot in allocation.slots:
        if per_case == 1:
            assert slot.case_distance is None
        else:
            assert slot.case_distance is not None
            assert slot.case_distance >= min(distance, cases)


def test_a_distance_that_cannot_be_kept_is_said_in_words():
    allocation = allocate(
        items_of(9, cases=3),
        plans=[SlotPlan("all", 2, 2)],
        rules=AllocationRules(min_case_distance=5),
        seed=SEED,
    )
    assert [slot.case_distance for slot in allocation.slots] == [3, 3]
    assert allocation.notes == (
        (
            "Readings of one case stand at least 3 places apart instead of 5 in 2 of 2 slots: "
            "the cases with the most items leave no more room."
        ),
    )


def test_repeats_keep_their_distance_where_there_is_room():
    rules = AllocationRules(repeat_count=10, repeat_distance=20)
    allocation = allocate(items_of(100), plans=[SlotPlan("all", 8, 8)], rules=rules, seed=SEED)
    assert min(slot.repeat_distance for slot in allocation.slots) >= 20
    assert allocation.notes == ()


def test_repeats_that_find_no_room_come_as_late_as_they_can():
    rules = AllocationRules(repeat_count=2, repeat_distance=20)
    allocation = allocate(items_of(6), plans=[SlotPlan("all", 2, 2)], rules=rules, seed=SEED)
    assert [slot.repeat_distance for slot in allocation.slots] == [6, 6]
    assert "at least 6 places after the first instead of 20" in allocation.notes[-1]


def test_the_second_slot_of_a_pair_has_every_side_reversed_in_an_order_of_its_own():
    rules = AllocationRules(repeat_count=4, blinding_check_pairs=6)
    allocation = allocate(
        items_of(40), practice=practice_of(3), plans=[SlotPlan("all", 6, 6)], rules=rules, seed=SEED
    )
    for first, second in zip(allocation.slots[::2], allocation.slots[1::2], strict=True):
        assert first.pair == second.pair
        assert (first.mirrored, second.mirrored) == (False, True)
        sides = [
            {(row.phase, row.item, row.repeat): row.side_b for row in slot.rows} for slot in (first, second)
        ]
        assert sides[1] == {key: side.other for key, side in sides[0].items()}
        assert [row.item for row in first.rows] != [row.item for row in second.rows]


def test_sides_are_balanced_within_item_strata():
    items = items_of(30, strata=3)
    allocation = allocate(items, plans=[SlotPlan("all", 4, 4)], rules=AllocationRules(), seed=SEED)
    stratum = {item.id: item.stratum for item in items}
    for slot in allocation.slots:
        for name in ("s0", "s1", "s2"):
            assert difference([row for row in slot.rows if stratum[row.item] == name]) == 0


def test_repeats_and_check_pairs_are_spread_over_the_items():
    rules = AllocationRules(repeat_count=10, blinding_check_pairs=10)
    allocation = allocate(items_of(40), plans=[SlotPlan("all", 8, 8)], rules=rules, seed=SEED)
    repeated = Counter(row.item for row in allocation.rows if row.repeat == 2)
    checked = Counter(row.item for row in allocation.rows if row.phase is Phase.BLINDING_CHECK)
    assert len(checked) == 40
    assert set(checked.values()) == {2}
    assert max(repeated.values()) - min(repeated.values()) <= 2


def test_planned_slots_come_before_reserve_and_both_are_whole_pairs():
    assert slot_plan("a", participants=40, reserve_percent=25) == SlotPlan("a", 40, 50)
    assert slot_plan("a", participants=3, reserve_percent=25) == SlotPlan("a", 3, 4)
    assert slot_plan("a", participants=5, reserve_percent=0) == SlotPlan("a", 5, 6)
    allocation = allocate(
        items_of(4),
        plans=[slot_plan("a", participants=3, reserve_percent=25)],
        rules=AllocationRules(),
        seed=1,
    )
    assert [slot.reserve for slot in allocation.slots] == [False, False, False, True]


def test_same_seed_gives_the_same_rows_whatever_the_order_of_the_items():
    items = items_of(20, cases=7)
    plans = [SlotPlan("a", 2, 4), SlotPlan("b", 2, 2)]
    first = allocate(items, plans=plans, rules=AllocationRules(repeat_count=3), seed=SEED)
    second = allocate(items[::-1], plans=plans, rules=AllocationRules(repeat_count=3), seed=SEED)
    other = allocate(items, plans=plans, rules=AllocationRules(repeat_count=3), seed=SEED + 1)
    assert first == second
    assert allocation_sha256(first.rows) != allocation_sha256(other.rows)


def test_a_stratum_keeps_its_rows_when_another_is_added():
    alone = allocate(items_of(12), plans=[SlotPlan("a", 4, 4)], rules=AllocationRules(), seed=SEED)
    both = allocate(
        items_of(12), plans=[SlotPlan("a", 4, 4), SlotPlan("b", 2, 2)], rules=AllocationRules(), seed=SEED
    )
    assert both.slots[:4] == alone.slots


def golden_allocation() -> Allocation:
    return allocate(
        items_of(13, cases=6, strata=2),
        practice=practice_of(2),
        plans=[SlotPlan("physicians", 3, 4), SlotPlan("students", 1, 2)],
        rules=AllocationRules(min_case_distance=3, repeat_count=3, repeat_distance=5, blinding_check_pairs=4),
        seed=SEED,
    )


def test_the_golden_allocation_comes_out_the_same_on_any_machine():
    lines = [
        "\t".join(
            map(str, (row.stratum, row.slot, row.position, row.phase, row.item, row.repeat, row.side_b))
        )
        for row in golden_allocation().rows
    ]
    text = ALGORITHM + "\n" + "\n".join(lines) + "\n"
    assert text == (SAMPLES / "eq-alloc-1.tsv").read_text(encoding="utf-8")
    assert allocation_sha256(golden_allocation().rows) == hashlib.sha256(text.encode()).hexdigest()


def test_the_commitment_is_the_hash_of_the_seeds_32_bytes():
    assert seed_commitment(1) == hashlib.sha256(b"\0" * 31 + b"\x01").hexdigest()
    with pytest.raises(ValueError, match="256 bits"):
        seed_commitment(2**256)


def test_a_replacement_copies_items_and_sides_in_a_new_order():
    items, practice = items_of(30, cases=15), practice_of(2)
    rules = AllocationRules(repeat_count=4, repeat_distance=8, blinding_check_pairs=5)
    allocation = allocate(items, practice=practice, plans=[SlotPlan("all", 4, 4)], rules=rules, seed=SEED)
    withdrawn = allocation.slots[1]
    new = replacement_slot(withdrawn, items=items, practice=practice, number=5, rules=rules, seed=SEED)
    key = {(row.phase, row.item, row.repeat): row.side_b for row in withdrawn.rows}
    assert {(row.phase, row.item, row.repeat): row.side_b for row in new.rows} == key
    assert [row.item for row in new.rows] != [row.item for row in withdrawn.rows]
    assert {row.slot for row in new.rows} == {5}
    assert new.case_distance is not None
    assert new.case_distance >= 5
    assert new.repeat_distance is not None
    assert new.repeat_distance >= 8


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": []}, "at least one item"),
        ({"items": [AllocationItem("a", "c"), AllocationItem("a", "d")]}, "given twice: a"),
        ({"items": [AllocationItem("a\tb", "c")]}, "printable"),
        ({"practice": [AllocationItem("p", "C-000")]}, "Practice cases"),
        ({"plans": []}, "strata"),
        ({"plans": [SlotPlan("a", 2, 2), SlotPlan("a", 2, 2)]}, "given twice: a"),
        ({"rules": AllocationRules(repeat_count=5)}, "repeat_count"),
        ({"rules": AllocationRules(blinding_check_pairs=5)}, "blinding_check_pairs"),
        ({"rules": AllocationRules(min_case_distance=0)}, "Distances"),
        ({"seed": -1}, "256 bits"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    arguments = {
        "items": items_of(4),
        "plans": [SlotPlan("a", 2, 2)],
        "rules": AllocationRules(),
        "seed": 1,
    } | change
    items = arguments.pop("items")
    with pytest.raises(ValueError, match=message):
        allocate(items, **arguments)


def test_fifty_readers_and_a_thousand_items_take_seconds():
    start = time.perf_counter()
    allocation = allocate(
        items_of(1000, cases=300),
        plans=[SlotPlan("all", 40, 50)],
        rules=AllocationRules(repeat_count=100, blinding_check_pairs=20),
        seed=SEED,
    )
    assert len(allocation.rows) == 50 * 1120
    assert time.perf_counter() - start < 30
