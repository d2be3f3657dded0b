"""Neutral codes that people see instead of names and row ids: case ``C-017``, participant ``R-04``, item ``I-0042``."""

import re

_CODE = re.compile(r"^([A-Z])-(\d{2,6})$")
CASE_PREFIX, READER_PREFIX, ALGORITHM_PREFIX, ITEM_PREFIX = "C", "R", "A", "I"
_DIGITS = {CASE_PREFIX: 3, READER_PREFIX: 2, ALGORITHM_PREFIX: 2, ITEM_PREFIX: 4}


def _code(prefix: str, number: int) -> str:
    if number < 1:
        raise ValueError(f"number must be at least 1, got {number}.")
    return f"{prefix}-{number:0{_DIGITS[prefix]}d}"


def case_code(number: int) -> str:
    """Return ``C-017`` for 17."""
    return _code(CASE_PREFIX, number)


def reader_code(number: int) -> str:
    """Return ``R-04`` for 4."""
    return _code(READER_PREFIX, number)


def algorithm_code(number: int) -> str:
    """Return ``A-01`` for 1."""
    return _code(ALGORITHM_PREFIX, number)


def item_code(number: int) -> str:
    """Return ``I-0042`` for 42."""
    return _code(ITEM_PREFIX, number)


def number_of(code: str) -> int:
    """Return the number of a code."""
    match = _CODE.match(code)
    if match is None:
        raise ValueError(f"A code is a letter, a hyphen and digits, like C-017; got {code!r}.")
    return int(match.group(2))
