"""Cells of CSV files: no formula runs, numbers are numbers, and everything is read as what it was."""

import pytest

from equipoise.common.safe_cells import read_cell, safe_cell


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+both", "-left", "@home", "'=quoted", "''-twice", "\tindented", "-01", "+3", "-", "-1e9999"],
)
def test_a_formula_is_quoted_and_read_as_it_was(text):
    assert safe_cell(text) == "'" + text
    assert read_cell(safe_cell(text)) == text


@pytest.mark.parametrize(
    "text", ["-3.5", "-2", "0", "1e-7", "-1.5e+30", "left", "'single", "''", "", "O'Brien"]
)
def test_numbers_and_plain_words_stay(text):
    assert safe_cell(text) == text
    assert read_cell(text) == text


def test_what_is_no_text_stays():
    assert [safe_cell(one) for one in (-3.5, -2, None, True)] == [-3.5, -2, None, True]
