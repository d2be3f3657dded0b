"""Allocation with conditions: balance over any readers, halves within strata, periods, blocks, repeats, golden rows."""

import itertools
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trials.domain.allocation import (
    AllocationItem,
    AllocationRules,
    DesignRules,
    Phase,
    SlotPlan,
    allocation_sha256,
    seed_commitment,
    slot_plan,
)
from trials.domain.balance import Basis, condition_report, condition_rows
from trials.domain.design_allocation import ALGORITHM, allocate, replacement_slot
from trials.domain.published_allocation import proof_problems, published_allocation, regenerated

SAMPLES = Path(__file__).parent / "samples"
SEED = 0x1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0
CROSSOVER = DesignRules(kind="crossover", conditions=("unaided", "aided"), blocked=True, washout_days=28)
SEQUENTIAL = DesignRules(kind="sequential", conditions=("unaided", "aided"))


def items_of(count, *, per_case=1, sites=2):
    """Half of the cases diseased, in turn from two sites."""
    return [
        AllocationItem(
            f"I-{n:04d}",
            f"C-{n // per_case:03d}",
            f"reference={n // per_case % 2}|site={n // per_case % sites}",
        )
        for n in range(count)
    ]


def practice_of(count):
    return [AllocationItem(f"P-{n:04d}", f"Q-{n:03d}") for n in range(count)]


def made(design, *, items=None, practice=(), readers=6, seed=SEED, **rules):
    return allocate(
        items if items is not None else items_of(16),
        practice=practice,
        plans=[slot_plan("all", participants=readers, reserve_percent=25)],
        rules=AllocationRules(design=design, **{"repeat_distance": 2, "min_case_distance": 2, **rules}),
        seed=seed,
    )


def reading_rows(slot):
    return [row for row in slot.rows if row.phase is Phase.READING]


def assert_conditions_balanced(allocation, conditions):
    """Over every prefix of slots an item has each condition in each period equally often, give or take one."""
    counts = defaultdict(Counter)
    for slot in allocation.slots:
        for row in reading_rows(slot):
            if row.repeat == 1:
                counts[row.item, row.period][row.condition] += 1
        for (item, period), seen in counts.items():
            numbers = [seen[name] for name in conditions]
            assert max(numbers) - min(numbers) <= 1, (slot.number, item, period)


def test_crossover_reads_every_case_in_both_conditions_one_per_period():
    for slot in made(CROSSOVER).slots:
        by_item = defaultdict(dict)
        for row in reading_rows(slot):
            by_item[row.item][row.period] = row.condition
        assert {tuple(sorted(periods)) for periods in by_item.values()} == {(1, 2)}
        assert all(set(periods.values()) == {"unaided", "aided"} for periods in by_item.values())
        assert [row.position for row in slot.rows] == list(range(1, len(slot.rows) + 1))


def test_crossover_halves_the_cases_within_every_stratum():
    items = items_of(17)
    stratum = {item.id: item.stratum for item in items}
    for slot in made(CROSSOVER, items=items).slots:
        counts = defaultdict(Counter)
        for row in reading_rows(slot):
            if row.period == 1:
                counts[stratum[row.item]][row.condition] += 1
                counts["all"][row.condition] += 1
        assert all(abs(seen["unaided"] - seen["aided"]) <= 1 for seen in counts.values())


def test_items_of_one_case_are_read_in_one_condition():
    for slot in made(CROSSOVER, items=items_of(24, per_case=3)).slots:
        by_case = defaultdict(set)
        for row in reading_rows(slot):
            by_case[int(row.item[2:]) // 3, row.period].add(row.condition)
        assert all(len(conditions) == 1 for conditions in by_case.values())


def test_conditions_are_blocked_within_a_period_and_block_order_is_balanced_over_readers():
    allocation = made(CROSSOVER, readers=8)
    first = Counter()
    for slot in allocation.slots:
        for period in (1, 2):
            conditions = [row.condition for row in reading_rows(slot) if row.period == period]
            changes = sum(a != b for a, b in itertools.pairwise(conditions))
            assert changes == 1, (slot.number, period)
            first[period, conditions[0]] += 1
    assert first[1, "unaided"] == first[1, "aided"] == len(allocation.slots) // 2
    assert first[2, "unaided"] == first[2, "aided"] == len(allocation.slots) // 2


def test_the_second_period_has_a_new_order_and_the_washout():
    for slot in made(CROSSOVER).slots:
        orders = [[row.item for row in reading_rows(slot) if row.period == period] for period in (1, 2)]
        assert sorted(orders[0]) == sorted(orders[1])
        assert orders[0] != orders[1]
        assert {row.min_days for row in reading_rows(slot) if row.period == 1} == {0}
        assert {row.min_days for row in reading_rows(slot) if row.period == 2} == {28}


def test_sequential_pairs_stand_together_unaided_first():
    for slot in made(SEQUENTIAL, practice=practice_of(2)).slots:
        pairs = [slot.rows[at : at + 2] for at in range(0, len(slot.rows), 2)]
        assert all(first.item == second.item for first, second in pairs)
        assert {
            (first.condition, first.stage, second.condition, second.stage) for first, second in pairs
        } == {("unaided", 1, "aided", 2)}


def test_fully_crossed_turns_the_order_of_conditions_from_reader_to_reader():
    design = DesignRules(kind="fully-crossed", conditions=("a", "b", "c"), blocked=True, washout_days=14)
    orders = []
    for slot in made(design, readers=6).slots:
        by_period = defaultdict(set)
        for row in reading_rows(slot):
            by_period[row.period].add(row.condition)
        assert all(len(conditions) == 1 for conditions in by_period.values())
        orders.append("".join(next(iter(by_period[period])) for period in (1, 2, 3)))
    assert set(orders[:3]) == {"abc", "bca", "cab"}


def test_split_shows_every_item_once_and_concealed_conditions_mixed():
    design = DesignRules(kind="split", conditions=("human", "machine"), blocked=False)
    allocation = made(design, readers=8, items=items_of(40))
    assert_conditions_balanced(allocation, ("human", "machine"))
    for slot in allocation.slots:
        conditions = [row.condition for row in reading_rows(slot)]
        assert len(conditions) == 40
        assert sum(a != b for a, b in itertools.pairwise(conditions)) > 5


def test_repeats_after_days_are_a_last_period_of_their_own():
    design = DesignRules(repeat_days=14)
    allocation = made(design, repeat_count=3)
    used = Counter()
    for slot in allocation.slots:
        repeats = [row for row in reading_rows(slot) if row.repeat == 2]
        assert [row.position for row in repeats] == [17, 18, 19]
        assert {(row.period, row.min_days) for row in repeats} == {(2, 14)}
        if slot.number % 2:
            used.update(row.item for row in repeats)
    assert max(used.values()) - min(used[item.id] for item in items_of(16)) <= 1


def test_repeats_by_distance_stand_in_the_block_of_their_condition():
    for slot in made(CROSSOVER, repeat_count=4, items=items_of(24)).slots:
        first = {row.item: row for row in reading_rows(slot) if row.repeat == 1 and row.period == 1}
        repeats = [row for row in reading_rows(slot) if row.repeat == 2]
        assert len(repeats) == 4
        for row in repeats:
            assert row.period == 1
            assert row.condition == first[row.item].condition
            assert row.position - first[row.item].position >= 2


def test_a_sham_shows_the_result_of_another_case_and_only_in_its_condition():
    design = DesignRules(
        kind="fully-crossed", conditions=("unaided", "aided", "sham"), blocked=True, shams=("sham",)
    )
    items = items_of(12, per_case=2)
    case = {item.id: item.case for item in items}
    for slot in made(design, items=items).slots:
        for row in reading_rows(slot):
            assert (row.aid_item is not None) == (row.condition == "sham")
            if row.aid_item is not None:
                assert case[row.aid_item] != case[row.item]


def test_practice_rounds_repeat_the_practice_items():
    slot = made(replace(CROSSOVER, practice_rounds=3), practice=practice_of(4)).slots[0]
    practice = [row for row in slot.rows if row.phase is Phase.PRACTICE]
    assert [row.repeat for row in practice] == [1] * 4 + [2] * 4 + [3] * 4
    assert slot.rows[:12] == tuple(practice)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["single", "split", "crossover", "fully-crossed", "sequential"]),
    st.integers(2, 20),
    st.integers(1, 9),
    st.integers(0, 2**64),
)
def test_any_first_readers_are_balanced(kind, n_items, readers, seed):
    count = {"single": 0, "split": 3, "fully-crossed": 3}.get(kind, 2)
    conditions = tuple("abc"[:count])
    design = DesignRules(kind=kind, conditions=conditions, blocked=kind in ("crossover", "fully-crossed"))
    allocation = made(design, items=items_of(n_items), readers=readers, seed=seed)
    if kind in ("split", "crossover", "fully-crossed"):
        assert_conditions_balanced(allocation, conditions)
        report = condition_report(
            condition_rows(allocation.rows), conditions=conditions, basis=Basis.ALLOCATED
        )
        assert max(one.difference for one in report.per_item) <= 1


def test_a_replacement_copies_conditions_and_periods_in_a_new_order():
    items, rules = items_of(16), AllocationRules(design=CROSSOVER, min_case_distance=1)
    slot = made(CROSSOVER, items=items).slots[2]
    copy = replacement_slot(slot, items=items, number=99, rules=rules, seed=SEED)

    def facts(one):
        return sorted((row.item, row.period, row.condition, row.repeat, row.min_days) for row in one.rows)

    assert facts(copy) == facts(slot)
    assert [row.item for row in copy.rows] != [row.item for row in slot.rows]
    assert [row.condition for row in copy.rows] == [row.condition for row in slot.rows]
    assert copy == replacement_slot(slot, items=items, number=99, rules=rules, seed=SEED)


def published(design=CROSSOVER):
    items, practice = items_of(8), practice_of(2)
    plans = [SlotPlan("all", planned=3, total=4)]
    rules = AllocationRules(design=design, repeat_count=2, repeat_distance=2, min_case_distance=2)
    allocation = allocate(items, practice=practice, plans=plans, rules=rules, seed=SEED)
    document = published_allocation(
        seed_hex=f"{SEED:064x}",
        commitment_sha256=seed_commitment(SEED),
        sha256=allocation_sha256(allocation.rows, algorithm=ALGORITHM),
        items=items,
        practice=practice,
        plans=plans,
        rules=rules,
    )
    return allocation, document


@pytest.mark.parametrize("design", [CROSSOVER, SEQUENTIAL, DesignRules(repeat_days=14)])
def test_what_is_published_gives_the_same_rows(design):
    allocation, document = published(design)
    assert document["algorithm"] == "eq-alloc/2"
    assert regenerated(document) == allocation
    assert proof_problems(document) == []


def test_an_altered_publication_is_told():
    _, document = published()
    document["items"][0]["stratum"] = "reference=1|site=9"
    assert proof_problems(document)[0].startswith("The seed gives other rows")


def test_the_stored_rows_of_eq_alloc_2_never_change():
    stored = (SAMPLES / "eq-alloc-2.tsv").read_text(encoding="ascii")
    lines = []
    for design in (CROSSOVER, SEQUENTIAL):
        allocation, _ = published(design)
        lines += [
            "\t".join(
                str(value or "")
                for value in (
                    row.stratum, row.slot, row.position, row.phase, row.item, row.repeat, row.side_b,
                    row.period, row.condition, row.stage, row.min_days, row.aid_item,
                )
            )
            for row in allocation.rows
        ]  # fmt: skip
        lines.append(allocation_sha256(allocation.rows, algorithm=ALGORITHM))
    assert "\n".join(lines) + "\n" == stored
