"""Comparison of computed values with a reference case's ``expected``, number by number.

The rule is that of the case files: ``|got - expected| <= atol + rtol |expected|`` for every number, integers
equal, ``null`` for what is not defined or not reached, and the strings ``inf``, ``-inf``, ``nan`` for these.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from numbers import Integral, Real
from typing import Any

NUMBER_WORDS: dict[str, float] = {"inf": math.inf, "+inf": math.inf, "-inf": -math.inf, "nan": math.nan}
"""Words (lower case) that stand for a number JSON cannot hold."""

_BOUND = re.compile(r"\b(rtol|atol)\s+([0-9.]+(?:e[+-]?[0-9]+)?)", re.IGNORECASE)


@dataclass(frozen=True)
class Tolerance:
    """Bounds of one value; `overrides` maps a key under ``expected`` to the bounds that hold below it."""

    rtol: float
    atol: float
    overrides: Mapping[str, "Tolerance"]

    def below(self, key: str) -> "Tolerance":
        """Return the bounds for what lies under a key: `cox` also names `cox_continuous_efron`."""
        for name, tolerance in self.overrides.items():
            if key == name or key.startswith(f"{name}_"):
                return tolerance
        return self


def tolerance_of(entry: Mapping[str, Any]) -> Tolerance:
    """Read a case's ``tolerance``: `rtol`, `atol`, texts such as ``"rtol 1e-5"`` under the keys they are for.

    Raises
    ------
    ValueError
        If a bound is missing, negative or not a number, or a text names none.
    """
    bounds = {name: float(entry[name]) for name in ("rtol", "atol") if name in entry}
    if len(bounds) != 2 or any(not 0 <= bound < math.inf for bound in bounds.values()):
        raise ValueError(
            f"'tolerance' must give 'rtol' and 'atol' as nonnegative numbers, not {dict(entry)!r}."
        )
    overrides = {}
    for key, text in entry.items():
        if key in bounds or key == "comment":
            continue
        own = {name.lower(): float(number) for name, number in _BOUND.findall(str(text))}
        if not own:
            raise ValueError(f"'tolerance.{key}' must name 'rtol' or 'atol' with a number, not {text!r}.")
        overrides[key] = Tolerance(**(bounds | own), overrides={})
    return Tolerance(**bounds, overrides=overrides)


@dataclass
class Comparison:
    """The running result of comparing one case."""

    not_compared: tuple[str, ...]
    n_compared: int = 0
    problems: list[str] | None = None

    def __post_init__(self) -> None:
        self.problems = []

    def compare(self, got: Any, expected: Any, *, tolerance: Tolerance, path: str = "") -> None:
        """Walk ``expected``; every leaf that is not excluded must have its counterpart in ``got``."""
        if path and self._excluded(path):
            return
        if isinstance(expected, Mapping):
            self._compare_mapping(got, expected, tolerance=tolerance, path=path)
        elif isinstance(expected, list):
            self._compare_list(got, expected, tolerance=tolerance, path=path)
        else:
            self.n_compared += 1
            problem = leaf_problem(plain(got), expected, tolerance=tolerance)
            if problem is not None:
                self._note(path, problem)

    def _compare_mapping(
        self, got: Any, expected: Mapping[str, Any], *, tolerance: Tolerance, path: str
    ) -> None:
        if not isinstance(got, Mapping):
            self._note(path, f"must be a mapping, not {got!r}")
            return
        for key, value in expected.items():
            below = f"{path}.{key}" if path else key
            if key in got:
                self.compare(got[key], value, tolerance=tolerance.below(key), path=below)
            elif any(not self._excluded(leaf) for leaf in _leaves(value, below)):
                self._note(below, "was not computed")

    def _compare_list(self, got: Any, expected: list[Any], *, tolerance: Tolerance, path: str) -> None:
        items = plain(got)
        if not isinstance(items, list | tuple) or len(items) != len(expected):
            self._note(path, f"must have {len(expected)} entries, not {items!r}")
            return
        for index, (item, value) in enumerate(zip(items, expected, strict=True)):
            self.compare(item, value, tolerance=tolerance, path=f"{path}.{index}" if path else str(index))

    def _excluded(self, path: str) -> bool:
        return any(
            fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}.*") for pattern in self.not_compared
        )

    def _note(self, path: str, problem: str) -> None:
        assert self.problems is not None
        self.problems.append(f"{path}: {problem}.")


def plain(value: Any) -> Any:
    """Return arrays as lists and NumPy scalars as Python numbers."""
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else value


def leaf_problem(got: Any, expected: Any, *, tolerance: Tolerance) -> str | None:
    """Return what is wrong with one value, or None when it agrees."""
    if isinstance(expected, str) and expected.lower() in NUMBER_WORDS and not isinstance(got, str):
        expected = NUMBER_WORDS[expected.lower()]
    if expected is None:
        undefined = got is None or (isinstance(got, Real) and not math.isfinite(got))
        return None if undefined else f"got {got!r}, expected no value"
    if isinstance(expected, str | bool):
        return (
            None if type(got) is type(expected) and got == expected else f"got {got!r}, expected {expected!r}"
        )
    if got is None:
        return None if math.isnan(expected) else f"got no value, expected {expected!r}"
    if not isinstance(got, Real) or isinstance(got, bool):
        return f"got {got!r}, expected {expected!r}"
    agrees = _numbers_agree(got, expected, tolerance=tolerance)
    return None if agrees else f"got {got!r}, expected {expected!r}"


def _numbers_agree(got: Real, expected: float, *, tolerance: Tolerance) -> bool:
    if isinstance(got, Integral) and isinstance(expected, int):
        return int(got) == expected
    number = float(got)
    if math.isnan(expected) or math.isinf(expected):
        return number == expected or (math.isnan(number) and math.isnan(expected))
    return abs(number - expected) <= tolerance.atol + tolerance.rtol * abs(expected)


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _leaves(below, f"{path}.{index}")
    else:
        yield path
