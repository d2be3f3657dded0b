"""Cells that no spreadsheet runs: text that it would take for a formula is quoted, and read back as it was.

A spreadsheet takes an apostrophe before a cell as the mark of text. The quoting loses nothing: text that already
looks quoted gets one apostrophe more, so that taking one away always gives what was written. Numbers are no formulas.
"""

import re
from typing import Any

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?")
"""What is written as a number; a code with zeros before it is none."""


def safe_cell(value: Any) -> Any:
    """Return the value as a cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and _FORMULA.match(value) and not NUMBER.fullmatch(value):
        return "'" + value
    return value


def read_cell(text: str) -> str:
    """Return what :func:`safe_cell` was given."""
    return text[1:] if _QUOTED.match(text) else text
