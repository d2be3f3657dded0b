"""Enriched draws: a set share of diseased cases, the same from the same seed."""

from collections import Counter

import pytest

from trials.domain.case_selection import TooFewCasesError, select_cases, select_enriched

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


SITES = {code: "ABB C"[n % 5].strip() for n, code in enumerate(DISEASED)}
"""Of 40 cases 8 of site A, 16 of B, 8 of C and 8 without a site."""
STRATIFIED = ("C-005", "C-008", "C-012", "C-020", "C-022", "C-028", "C-029", "C-032", "C-037", "C-039")
PLAIN = ("C-004", "C-005", "C-015", "C-017", "C-018", "C-029", "C-031", "C-033", "C-034", "C-039")
CODES = [code for code in DISEASED if code != "C-040"]


def of_sites(codes):
    return Counter(SITES[code] for code in codes)


def in_strata(count, *, seed=7, codes=CODES):
    return select_cases(codes, without_image=0, count=count, named=(), seed=seed, strata=SITES).drawn


def test_every_stratum_has_its_share_and_the_same_seed_draws_the_same_cases():
    assert of_sites(in_strata(10)) == {"A": 2, "B": 4, "C": 2, "": 2}
    for count in range(1, 40):
        for site, number in of_sites(in_strata(count)).items():
            assert abs(number - count * of_sites(CODES)[site] / 40) < 1
    assert in_strata(10) == in_strata(10, codes=CODES[::-1]) == STRATIFIED
    assert in_strata(10, seed=8) != STRATIFIED
    assert in_strata(40) == tuple(CODES)


def test_the_share_of_diseased_cases_is_drawn_within_strata_too():
    found = select_enriched(DISEASED, without_image=0, count=20, percent=50, seed=7, strata=SITES)
    for kind in (True, False):
        codes = [code for code in found.drawn if DISEASED[code] is kind]
        assert len(codes) == 10
        all_sites = of_sites([code for code, one in DISEASED.items() if one is kind])
        for site, number in of_sites(codes).items():
            assert abs(number - 10 * all_sites[site] / all_sites.total()) < 1


def test_without_strata_the_older_algorithm_draws():
    plain = select_cases(CODES, without_image=0, count=10, named=(), seed=7).drawn
    assert plain == PLAIN
