"""The balance report: counts, the worst of them, and words."""

import pytest

from trials.domain.allocation import AllocationItem, AllocationRules, SlotPlan, allocate
from trials.domain.balance import Basis, PositionRow, SideRow, balance_report, position_report, side_rows


def row(reader, item, side, phase="reading"):
    return SideRow(reader=reader, item=item, phase=phase, side_b=side)


def test_counts_and_worst_imbalance_are_named_in_words():
    report = balance_report(
        [
            row("R-01", "i1", "left"),
            row("R-01", "i2", "left"),
            row("R-01", "i3", "left"),
            row("R-02", "i1", "right"),
        ],
        basis=Basis.READ,
    )
    assert (report.n_rows, report.left, report.right) == (4, 3, 1)
    assert [(count.key, count.difference) for count in report.per_reader] == [("R-01", 3), ("R-02", -1)]
    assert report.worst_reader is not None
    assert report.worst_reader.key == "R-01"
    assert report.balanced is False
    assert report.sentences[0] == (
        "The worst reader is R-01: candidate b on the left 3 times and on the right 0 times, a difference of 3."
    )


def test_an_allocation_is_balanced():
    items = [AllocationItem(f"i{n}", f"c{n}") for n in range(10)]
    allocation = allocate(items, plans=[SlotPlan("a", 4, 4)], rules=AllocationRules(), seed=5)
    report = balance_report(side_rows(allocation.rows), basis=Basis.ALLOCATED)
    assert report.balanced is True
    assert (report.left, report.right) == (20, 20)
    assert report.sentences == (
        "Every reader sees candidate b equally often on the left and on the right.",
        "Every item shows candidate b equally often on the left and on the right.",
    )


def test_other_phases_are_left_out_unless_asked_for():
    rows = [row("R-01", "i1", "left", phase="practice"), row("R-01", "i1", "right")]
    assert balance_report(rows, basis=Basis.READ).left == 0
    assert balance_report(rows, basis=Basis.READ, phases=("practice",)).left == 1


def test_nothing_read_is_said_so():
    report = balance_report([], basis=Basis.READ)
    assert report.sentences == ("Nothing has been read yet.",)
    assert report.balanced is True


def test_a_side_that_is_none_is_refused():
    with pytest.raises(ValueError, match="left or right"):
        balance_report([row("R-01", "i1", "up")], basis=Basis.READ)


def sequence(reader, items, *, period=1, left=()):
    return [PositionRow(reader, period, item, item in left) for item in items]


def test_positions_are_counted_in_thirds_of_each_period_and_the_worst_is_named():
    rows = [
        *sequence("R-01", "abcdef", left="ab"),
        *sequence("R-02", "afdceb", left="af"),
        *sequence("R-02", "abc", period=2, left="c"),
    ]
    report = position_report(rows, basis=Basis.ALLOCATED)
    assert [(one.key, one.thirds) for one in report.per_item] == [
        ("a", (3, 0, 0)),
        ("b", (1, 1, 1)),
        ("c", (0, 2, 1)),
        ("d", (0, 2, 0)),
        ("e", (0, 0, 2)),
        ("f", (1, 0, 1)),
    ]
    assert [(one.key, one.thirds, one.difference) for one in report.per_reader] == [
        ("R-01", (2, 0, 0), 2),
        ("R-02", (2, 0, 1), 2),
    ]
    of_item, of_reader = report.sentences
    assert of_item == (
        "Position, as allocated: the worst item is a, 3, 0 and 0 times in the first, middle and last third of what its "
        "readers read."
    )
    assert of_reader == (
        "Position of sides, as allocated: the worst reader is R-01, for whom candidate b stands on one side in 2 "
        "readings more of one third than of another."
    )


def test_positions_without_sides_or_without_readings_say_no_more_than_there_is():
    one = position_report([PositionRow("R-01", 1, "a")], basis=Basis.READ)
    assert len(one.sentences) == 1
    assert one.sentences[0].startswith("Position, as read: the worst item is a, 1, 0 and 0 times")
    assert position_report([], basis=Basis.READ).sentences == ()
