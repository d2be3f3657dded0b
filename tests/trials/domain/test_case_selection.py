"""Enriched draws: a set share of diseased cases, the same from the same seed."""

import pytest

from trials.domain.case_selection import TooFewCasesError, select_enriched

DISEASED = {f"C-{n:03d}": n % 4 == 0 for n in range(40)} | {"C-040": None}
STORED = ("C-008", "C-010", "C-012", "C-016", "C-019", "C-022", "C-024", "C-025", "C-028", "C-029")
"""Of count 10, half diseased, seed 7. What the algorithm means never changes."""


def drawn(*, count=10, percent=50, seed=7):
    return select_enriched(DISEASED, without_image=3, count=count, percent=percent, seed=seed)


def test_the_share_is_drawn_and_the_rest_counted_by_reason():
    found = drawn()
    assert sum(DISEASED[code] for code in found.drawn) == 5
    assert (found.requested, found.qualifying) == (10, 40)
    assert dict(found.not_drawn) == {"enough_drawn": 30, "no_reference": 1, "no_image": 3}
    assert found.drawn == STORED
    assert drawn(seed=8).drawn != STORED


def test_a_share_that_is_no_whole_number_is_rounded_down():
    assert sum(DISEASED[code] for code in drawn(count=9, percent=30).drawn) == 2


def test_too_few_cases_of_either_kind_are_named():
    with pytest.raises(TooFewCasesError, match="12 cases that are diseased are wanted; there are 10"):
        drawn(count=20, percent=60)
    with pytest.raises(TooFewCasesError, match="36 cases that are not diseased are wanted; there are 30"):
        drawn(count=40, percent=10)
