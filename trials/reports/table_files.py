"""One table of a result as a workbook, and as LaTeX for a paper (booktabs)."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.common.safe_cells import NUMBER
from trials.reports.workbook import Workbook

_SPECIAL = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "[": "{[}",  # after the end of a row it would begin that command's option
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "\n": " ",
        "\r": " ",
    }
)
_DIGITS = 4
"""Significant digits of numbers that are not whole."""


def table_workbook(name: str, table: Mapping[str, Any]) -> bytes:
    """Return the table as a workbook of one sheet."""
    out = io.BytesIO()
    with Workbook(out) as book:
        book.sheet(name, table["columns"], table["rows"])
    return out.getvalue()


def table_latex(table: Mapping[str, Any]) -> str:
    """Return the table as a LaTeX ``tabular`` with booktabs rules: numbers right, text left, all characters escaped."""
    columns: Sequence[str] = table["columns"]
    rows: Sequence[Sequence[Any]] = table["rows"]
    right = [
        any(_is_number(row[place]) for row in rows)
        and all(row[place] is None or _is_number(row[place]) for row in rows)
        for place in range(len(columns))
    ]
    lines = [
        "% \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{''.join('r' if one else 'l' for one in right)}}}",
        "\\toprule",
        _line(str(column).replace("_", " ") for column in columns),
        "\\midrule",
        *(_line(_text(cell) for cell in row) for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
        "",
    ]
    return "\n".join(lines)


def _line(cells: Any) -> str:
    return " & ".join(cell.translate(_SPECIAL) for cell in cells) + r" \\"


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return NUMBER.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.{_DIGITS}g}"
    return str(value)
