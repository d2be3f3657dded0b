"""How numbers are put into words: rounded for the sentence, never for the file."""

import math
from typing import Any

from equipoise.analysis.results import NOT_STATED, Number

_SMALLEST_P = 0.0001
_EXACT_P_FROM = 0.001


def decimal(value: float | None, digits: int = 2) -> str:
    """Return a number rounded to nearest, or the words for one that is not defined."""
    if value is None or math.isnan(value):
        return NOT_STATED
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def percent(value: float | None, digits: int = 1) -> str:
    """Return a share (0 to 1) in per cent."""
    return NOT_STATED if value is None else f"{decimal(100 * value, digits)} %"


def interval_words(number: Number, digits: int = 2, *, scale: float = 1.0, unit: str = "") -> str:
    """Return "(95 % CI 0.81 to 0.93)", or why there is none."""
    if number.low is None or number.high is None or number.confidence_level is None:
        return f"(no interval: {number.reason or 'not defined'})"
    level = f"{100 * number.confidence_level:g} % CI"
    if number.low == number.high:
        return f"({level} without width: the data show no variation)"
    return f"({level} {decimal(scale * number.low, digits)} to {decimal(scale * number.high, digits)}{unit})"


def estimate_words(number: Number, digits: int = 2, *, scale: float = 1.0, unit: str = "") -> str:
    """Return "0.87 (95 % CI 0.81 to 0.93)"."""
    if number.value is None:
        return f"{NOT_STATED} ({number.reason})"
    return f"{decimal(scale * number.value, digits)}{unit} {interval_words(number, digits, scale=scale, unit=unit)}"


def p_words(pvalue: float | None) -> str:
    """Return "p = 0.032", with four digits below 0.001."""
    if pvalue is None or math.isnan(pvalue):
        return f"p {NOT_STATED}"
    if pvalue < _SMALLEST_P:
        return "p < 0.0001"
    return f"p = {pvalue:.4f}" if pvalue < _EXACT_P_FROM else f"p = {pvalue:.3f}"


def exact_p(pvalue: float | None) -> str:
    """Return a p value with four significant digits, for captions that must state it exactly."""
    return f"p {NOT_STATED}" if pvalue is None or math.isnan(pvalue) else f"p = {pvalue:.4g}"


def count_words(count: int, singular: str, plural: str = "") -> str:
    """Return "1 reader" or "3 readers"."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def listing(words: list[str], limit: int = 5) -> str:
    """Return a short list in words, with the number left out."""
    shown = ", ".join(words[:limit])
    return shown if len(words) <= limit else f"{shown} and {len(words) - limit} more"


def seconds_words(value: Any) -> str:
    """Return seconds as "2 min 12 s" above a minute, with one decimal below ten seconds."""
    if value is None or math.isnan(float(value)):
        return NOT_STATED
    seconds = float(value)
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def sentence_case(words: str) -> str:
    """Return words with a capital first letter and the rest as they are (ROC stays ROC)."""
    return words[:1].upper() + words[1:]
