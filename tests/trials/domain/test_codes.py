"""Neutral codes."""

import pytest

from trials.domain.codes import algorithm_code, case_code, item_code, number_of, reader_code


def test_codes_read_as_people_write_them():
    assert (case_code(17), reader_code(4), algorithm_code(1), item_code(42)) == (
        "C-017",
        "R-04",
        "A-01",
        "I-0042",
    )
    assert (case_code(1234), reader_code(123)) == ("C-1234", "R-123")


def test_a_code_gives_its_number_back():
    assert number_of(case_code(1234)) == 1234


@pytest.mark.parametrize("text", ["C17", "c-017", "C-", "C-1", "CC-017", ""])
def test_what_is_no_code_is_refused(text):
    with pytest.raises(ValueError, match="like C-017"):
        number_of(text)


def test_numbers_count_from_one():
    with pytest.raises(ValueError, match="at least 1"):
        case_code(0)
