"""Cells that no spreadsheet runs: text that it would take for a formula is quoted."""

import re
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")
"""What is written as a number; a code with zeros before it is none."""


def safe_cell(value: Any) -> Any:
    """Return the value as a cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def safe_text(text: str) -> str:
    """Return a cell of a CSV file that may have been made elsewhere, numbers as they are, as a safe cell."""
    return text if NUMBER.fullmatch(text) else str(safe_cell(text))
