"""The balance report: counts, the worst of them, and words."""

import pytest

from trials.domain.allocation import AllocationItem, AllocationRules, SlotPlan, allocate
from trials.domain.balance import Basis, SideRow, balance_report, side_rows


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
