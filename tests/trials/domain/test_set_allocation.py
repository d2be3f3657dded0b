"""Parallel groups, blocks and subsets of cases, balanced Latin squares: balance over any readers, golden rows."""

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
    allocation_sha256,
    seed_commitment,
    slot_plan,
)
from trials.domain.allocators import algorithm_of, allocate, replacement_slot
from trials.domain.balance import Basis, set_report, set_rows
from trials.domain.published_allocation import proof_problems, published_allocation, regenerated
from trials.domain.set_allocation import ALGORITHM, case_blocks_of, overlap_of, set_problems

SAMPLES = Path(__file__).parent / "samples"
SEED = 0x1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0_1234_5678_9ABC_DEF0
PARALLEL = DesignRules(kind="parallel", conditions=("a", "b", "c"))
BLOCKS = DesignRules(kind="fully-crossed", conditions=("a", "b"), blocked=True, case_blocks=3)
SUBSETS = DesignRules(
    kind="crossover", conditions=("a", "b"), blocked=True, readers_per_case=3, overlap_cases=4
)
PAIRS = DesignRules(paired=True, readers_per_case=2, overlap_cases=4)
DESIGNS = (
    PARALLEL,
    BLOCKS,
    replace(BLOCKS, kind="crossover"),
    SUBSETS,
    replace(SUBSETS, kind="fully-crossed"),
    replace(SUBSETS, kind="split"),
    replace(SUBSETS, kind="sequential"),
    PAIRS,
)


def items_of(count, *, per_case=1):
    """Half of the cases diseased, in turn from two sites."""
    return [
        AllocationItem(
            f"I-{n:04d}",
            f"C-{n // per_case:03d}",
            f"reference={n // per_case % 2}|site={n // per_case // 2 % 2}",
        )
        for n in range(count)
    ]


def made(design, *, items=None, readers=12, seed=SEED, strata=("all",), **rules):
    return allocate(
        items if items is not None else items_of(40),
        plans=[slot_plan(name, participants=readers, reserve_percent=25) for name in strata],
        rules=AllocationRules(design=design, **{"repeat_distance": 2, "min_case_distance": 2, **rules}),
        seed=seed,
    )


def first_readings(slot):
    return [row for row in slot.rows if row.phase is Phase.READING and row.repeat == 1 and row.stage < 2]


def spread(counts):
    return max(counts) - min(counts)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(DESIGNS), st.integers(32, 50), st.integers(0, 2**64))
def test_over_any_first_readers_items_are_read_and_shown_equally_often(design, n_items, seed):
    items = items_of(n_items)
    common = {one.id for one in items if one.case in overlap_of(items, design, seed=seed)}
    assert len(common) == design.overlap_cases
    reads = dict.fromkeys((item.id for item in items if item.id not in common), 0)
    seen = defaultdict(Counter)
    for slot in made(design, items=items, seed=seed).slots:
        rows = first_readings(slot)
        read = {row.item for row in rows}
        assert common <= read
        for item in read - common:
            reads[item] += 1
        assert spread(reads.values()) <= 1
        for row in rows:
            seen[row.item, row.period][row.condition if design.conditions else row.side_b] += 1
        for (item, period), shown in seen.items():
            if design.kind != "sequential":
                names = design.conditions or ("left", "right")
                assert spread([shown[name] for name in names]) <= 1, (item, period)


def test_readers_of_parallel_groups_read_everything_in_one_condition_balanced_within_every_stratum():
    allocation = made(PARALLEL, readers=7, strata=("radiologists", "students"))
    groups = defaultdict(list)
    for slot in allocation.slots:
        conditions = {row.condition for row in slot.rows}
        assert len(conditions) == 1
        assert {row.item for row in slot.rows} == {item.id for item in items_of(40)}
        groups[slot.stratum] += conditions
    for own in groups.values():
        for count in range(1, len(own) + 1):
            counts = Counter(own[:count])
            assert spread([counts[name] for name in PARALLEL.conditions]) <= 1


def test_small_strata_of_parallel_groups_do_not_add_up_to_an_imbalance():
    strata = [f"s{n}" for n in range(9)]
    for seed in range(20):
        slots = made(PARALLEL, readers=1, strata=strata, seed=seed).slots
        planned = Counter(slot.rows[0].condition for slot in slots if not slot.reserve)
        assert sorted(planned.values()) == [3, 3, 3]


def test_blocks_of_cases_are_the_same_for_all_readers_and_share_out_every_stratum():
    items = items_of(44)
    blocks = case_blocks_of(items, BLOCKS, seed=SEED)
    assert sorted(case for block in blocks for case in block) == sorted(item.case for item in items)
    stratum = {item.case: item.stratum for item in items}
    for part in (str, lambda name: name.partition("|")[0]):
        for name in {part(one) for one in stratum.values()}:
            assert spread([sum(part(stratum[case]) == name for case in block) for block in blocks]) <= 1
    cases = {item.id: item.case for item in items}
    read = [
        frozenset(cases[row.item] for row in slot.rows)
        for slot in made(BLOCKS, items=items, strata=("a", "b")).slots
    ]
    assert Counter(read).keys() == set(blocks)
    for slot in made(BLOCKS, items=items).slots:
        shown = defaultdict(set)
        for row in first_readings(slot):
            shown[row.item].add(row.condition)
        assert all(conditions == {"a", "b"} for conditions in shown.values())


def test_a_reader_of_subsets_has_even_shares_of_strata_and_of_first_conditions():
    for kind in ("crossover", "split"):
        items = items_of(40)
        stratum = {item.id: item.stratum.partition("|")[0] for item in items}
        for slot in made(replace(SUBSETS, kind=kind), items=items).slots:
            rows = [row for row in first_readings(slot) if row.period == 1]
            assert spread(Counter(stratum[row.item] for row in rows).values()) <= 2
            assert spread(Counter(row.condition for row in rows).values()) <= 2


def test_cases_outside_the_overlap_have_the_set_number_of_planned_readers():
    for design in (SUBSETS, replace(SUBSETS, kind="fully-crossed"), PAIRS):
        allocation = made(design)
        planned = [row for slot in allocation.slots if not slot.reserve for row in slot.rows]
        report = set_report(
            set_rows(planned), items=[item.id for item in items_of(40)], basis=Basis.ALLOCATED
        )
        assert len(report.overlap) == 4
        counts = {one.count for one in report.readers_per_item if one.key not in report.overlap}
        assert counts == {design.readers_per_case}
        assert report.balanced
        assert report.sentences[-1] == (
            f"Stratum all: every other item has {design.readers_per_case} readers, as allocated."
        )


def test_the_set_report_names_the_worst_item_and_reader():
    rows = set_rows(made(BLOCKS, items=items_of(44), readers=4).rows)
    report = set_report(rows, items=[item.id for item in items_of(44)], basis=Basis.READ)
    least = min(report.readers_per_item, key=lambda one: one.count)
    assert least.count == 2 - 0
    unread = set_report(rows[:1], items=["I-none", rows[0].item], basis=Basis.READ)
    assert unread.sentences == (
        "Readers have 1 items each, as read.",
        "1 of 2 items are read by every reader.",
        "Stratum all: every other item has 0 readers, as read.",
    )


@pytest.mark.parametrize("count", [3, 4, 5, 6])
def test_in_a_balanced_latin_square_every_condition_follows_every_other_equally_often(count):
    names = tuple("abcdef"[:count])
    design = DesignRules(kind="fully-crossed", conditions=names, blocked=True, balanced_order=True)
    rows = 2 * count if count % 2 else count
    follows, places = Counter(), Counter()
    for slot in made(design, items=items_of(4), readers=rows).slots[:rows]:
        order = [name for name, _ in itertools.groupby(row.condition for row in first_readings(slot))]
        assert sorted(order) == list(names)
        follows.update(itertools.pairwise(order))
        places.update(enumerate(order))
    assert follows == dict.fromkeys(itertools.permutations(names, 2), rows // count)
    assert set(places.values()) == {rows // count}


def test_items_of_one_case_stay_together_and_repeats_come_from_the_readers_own():
    items = items_of(60, per_case=3)
    for design in (BLOCKS, replace(SUBSETS, overlap_cases=2)):
        for slot in made(design, items=items, repeat_count=3).slots:
            read = Counter(int(row.item[2:]) // 3 for row in first_readings(slot) if row.period == 1)
            assert set(read.values()) == {3}
            repeats = [row for row in slot.rows if row.repeat == 2]
            assert len(repeats) == 3
            assert {row.item for row in repeats} <= {row.item for row in first_readings(slot)}


def test_a_replacement_copies_group_and_cases_in_a_new_order():
    for design in (PARALLEL, BLOCKS, SUBSETS, PAIRS):
        rules = AllocationRules(design=design, min_case_distance=1)
        slot = made(design).slots[4]
        copy = replacement_slot(slot, items=items_of(40), number=99, rules=rules, seed=SEED)

        def facts(one):
            return sorted(
                (row.item, row.period, row.condition, str(row.side_b), row.min_days) for row in one.rows
            )

        assert facts(copy) == facts(slot)
        assert [row.item for row in copy.rows] != [row.item for row in slot.rows]


@pytest.mark.parametrize(
    ("design", "readers", "items", "words"),
    [
        (replace(BLOCKS, case_blocks=10), 20, 30, "reference=0: 15 cannot be shared by 10 blocks"),
        (SUBSETS, 11, 40, "11 readers are no multiple of the 3 readers of a case"),
        (
            replace(SUBSETS, kind="fully-crossed"),
            9,
            40,
            "the 3 readers who share the cases are no multiple of the 2",
        ),
        (replace(SUBSETS, overlap_cases=40), 12, 40, "leaves none of the 40 to share out"),
        (replace(SUBSETS, readers_per_case=1, overlap_cases=0), 12, 40, "leave a reader fewer than 2"),
    ],
)
def test_cases_that_cannot_be_shared_out_are_refused_in_words(design, readers, items, words):
    plans = [slot_plan("all", participants=readers, reserve_percent=0)]
    assert words in " ".join(set_problems(items_of(items), plans, design))
    with pytest.raises(ValueError, match=words):
        made(design, readers=readers, items=items_of(items))


def published(design):
    items = items_of(16)
    plans = [
        slot_plan("x", participants=6, reserve_percent=0),
        slot_plan("y", participants=3, reserve_percent=30),
    ]
    rules = AllocationRules(design=design, repeat_count=2, repeat_distance=2, min_case_distance=2)
    assert algorithm_of(rules) == ALGORITHM
    allocation = allocate(items, plans=plans, rules=rules, seed=SEED)
    document = published_allocation(
        seed_hex=f"{SEED:064x}",
        commitment_sha256=seed_commitment(SEED),
        sha256=allocation_sha256(allocation.rows, algorithm=ALGORITHM),
        items=items,
        practice=(),
        plans=plans,
        rules=rules,
    )
    return allocation, document


@pytest.mark.parametrize("design", [PARALLEL, BLOCKS, SUBSETS, PAIRS])
def test_what_is_published_gives_the_same_rows(design):
    design = replace(design, readers_per_case=min(design.readers_per_case, 1)) if design is PAIRS else design
    allocation, document = published(design)
    assert document["algorithm"] == "eq-alloc/3"
    assert regenerated(document) == allocation
    assert proof_problems(document) == []
    document["items"][0]["stratum"] = "reference=1|site=9"
    assert proof_problems(document) or design.kind == "parallel"


def test_the_stored_rows_of_eq_alloc_3_never_change():
    balanced = DesignRules(
        kind="fully-crossed", conditions=("a", "b", "c"), blocked=True, balanced_order=True
    )
    lines = []
    for design in (PARALLEL, BLOCKS, SUBSETS, balanced):
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
    assert "\n".join(lines) + "\n" == (SAMPLES / "eq-alloc-3.tsv").read_text(encoding="ascii")
