"""The part of a trial's protocol that one analysis follows, and how its options are read and checked."""

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from equipoise.analysis.errors import AnalysisInputError

ROLES = ("primary", "secondary", "exploratory")
ALL_SUBMITTED, PER_PROTOCOL = "all_submitted", "per_protocol"
ANALYSIS_SETS = (ALL_SUBMITTED, PER_PROTOCOL)
T = TypeVar("T")

_TRUE_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_PLAN_KEYS = ("name", "role", "confidence_level", "seed", "parameters", "columns", "analysis_set", "where")


@dataclass(frozen=True)
class AnalysisPlan:
    """What was fixed beforehand about one analysis.

    ``parameters`` are the options of the method; ``columns`` maps, per table, the known column names to those of a
    table that was collected elsewhere. Of the readings those of ``analysis_set`` enter, and of these the ones that
    have every value of ``where`` (column -> value; a covariate of the reference standard selects cases). Whatever no
    plan names is exploratory.
    """

    role: str = "exploratory"
    confidence_level: float = 0.95
    seed: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    analysis_set: str = ALL_SUBMITTED
    where: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, document: Mapping[str, Any], name: str) -> "AnalysisPlan":
        """Read the plan of the named analysis from a document with one plan, or with a list under ``analyses``."""
        if not isinstance(document, Mapping):
            raise AnalysisInputError(["The plan is not a mapping of keys to values."])
        entry = document
        if "analyses" in document:
            entries = [
                e for e in document["analyses"] or [] if isinstance(e, Mapping) and e.get("name") == name
            ]
            if not entries:
                return cls()
            entry = entries[0]
        problems = [
            f"The plan of '{name}' has the unknown key '{key}'. Known: {', '.join(_PLAN_KEYS)}."
            for key in entry
            if key not in _PLAN_KEYS
        ]
        role = entry.get("role", "exploratory")
        if role not in ROLES:
            problems.append(f"The plan's role '{role}' is not one of {', '.join(ROLES)}.")
        level = entry.get("confidence_level", 0.95)
        if not _is_level(level):
            problems.append(f"The plan's confidence_level {level!r} is not between 0.5 and 1 (0.95 is 95 %).")
        seed = entry.get("seed")
        if seed is not None and (not isinstance(seed, int) or seed < 0):
            problems.append(f"The plan's seed {seed!r} is not a whole number from 0 up.")
        analysis_set = entry.get("analysis_set", ALL_SUBMITTED)
        if analysis_set not in ANALYSIS_SETS:
            problems.append(
                f"The plan's analysis_set '{analysis_set}' is not one of {', '.join(ANALYSIS_SETS)}."
            )
        where = entry.get("where") or {}
        if not isinstance(where, Mapping):
            problems.append("The plan's where is not a mapping of columns to values.")
        if problems:
            raise AnalysisInputError(problems)
        parameters = dict(entry.get("parameters") or {})
        columns = {table: dict(names) for table, names in (entry.get("columns") or {}).items()}
        wanted = {str(column): str(value) for column, value in where.items()}
        return cls(role, float(level), seed, parameters, columns, analysis_set, wanted)

    @classmethod
    def from_yaml(cls, path: Path, name: str) -> "AnalysisPlan":
        """Read the plan of the named analysis from a YAML file."""
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise AnalysisInputError([f"{path}: there is no such file."]) from error
        except (YAMLError, UnicodeDecodeError) as error:
            raise AnalysisInputError(
                [f"{path.name}: this is not YAML: {' '.join(str(error).split())}"]
            ) from error
        return cls.from_mapping(document or {}, name)


def _is_level(level: object) -> bool:
    return isinstance(level, (int, float)) and not isinstance(level, bool) and 0.5 <= level < 1


def build_options(options_class: type[T], parameters: Mapping[str, Any]) -> T:
    """Return the options of a method from the plan's parameters; refuse every unknown name and unfit value at once."""
    fields = {f.name: f for f in dataclasses.fields(options_class)}  # type: ignore[arg-type]  # always a dataclass
    hints = typing.get_type_hints(options_class)
    known = ", ".join(fields) or "none"
    problems = [
        f"There is no parameter '{name}'. Known: {known}." for name in parameters if name not in fields
    ]
    values: dict[str, Any] = {}
    for name, value in parameters.items():
        if name not in fields:
            continue
        try:
            values[name] = _coerced(value, hints[name])
        except (TypeError, ValueError) as error:
            problems.append(f"Parameter {name}: {error}.")
    if problems:
        raise AnalysisInputError(problems)
    try:
        return options_class(**values)
    except ValueError as error:
        raise AnalysisInputError([str(error)]) from error


def _coerced(value: Any, hint: Any) -> Any:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in {types.UnionType, typing.Union}:
        if value is None or (isinstance(value, str) and value.lower() in {"", "none", "null"}):
            return None
        return _coerced(value, next(a for a in arguments if a is not type(None)))
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"'{value}' is not one of {', '.join(map(str, arguments))}")
        return value
    if origin is tuple:
        items: Sequence[Any] = _split(value) if isinstance(value, str) else value
        return tuple(
            _coerced(item.strip() if isinstance(item, str) else item, arguments[0]) for item in items
        )
    if origin in {dict, Mapping} or hint is Mapping or str(origin).endswith("Mapping'>"):
        if isinstance(value, str):
            value = _pairs(value)
        if not isinstance(value, Mapping):
            raise TypeError("give a mapping of keys to values")
        return {str(k): _coerced(v, arguments[1]) for k, v in value.items()}
    return _coerced_scalar(value, hint)


def _split(text: str) -> list[str]:
    """Split a list at semicolons, or at commas unless the commas belong to an interval such as ``(2.5, 5]``."""
    if ";" in text:
        return text.split(";")
    return [text] if text.lstrip().startswith(("(", "[")) else text.split(",")


def _pairs(text: str) -> dict[str, str]:
    """Read a mapping written as ``pet=0; volume=[0, 20)``."""
    pairs = {}
    for part in text.split(";"):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"'{part.strip()}' is not written as NAME=VALUE")
        pairs[key.strip()] = value.strip()
    return pairs


def _coerced_scalar(value: Any, hint: Any) -> Any:
    if hint is bool:
        if isinstance(value, bool):
            return value
        if str(value).lower() not in _TRUE_WORDS:
            raise ValueError(f"'{value}' is neither true nor false")
        return _TRUE_WORDS[str(value).lower()]
    if hint in {int, float}:
        if isinstance(value, bool):
            raise ValueError(f"'{value}' is not a number")
        try:
            return hint(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"'{value}' is not a number") from error
    return str(value) if hint is str else value
