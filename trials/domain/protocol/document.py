"""The protocol as people and programs hand it in: checked at once, everything wrong named with its place.

Stored form and hash are those of the canonical document: every default spelt out, RFC 8785 bytes, no floats.
"""

import difflib
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import rfc8785
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from equipoise.common.errors import ValidationFailedError
from trials.domain.protocol import yaml_view
from trials.domain.protocol.completeness import lock_problems
from trials.domain.protocol.problems import Problem, pointer_of
from trials.domain.protocol.tasks import KINDS
from trials.domain.protocol.upgrade import CURRENT_SCHEMA, UnknownSchemaError, upgraded
from trials.domain.protocol.v1 import ProtocolV1

_MAX_PRUNINGS = 8
"""How often wrong parts are taken out to see what else is missing."""

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class CheckOutcome:
    """What a document holds and what is wrong with it."""

    document: dict[str, Any] | None
    """What was read, as it was written; None where the text could not be read at all."""
    protocol: ProtocolV1 | None
    """The protocol, if the document has no problems. It may still lack what protocol lock needs."""
    problems: tuple[Problem, ...]
    """What is wrong: must be put right before the document counts as a protocol."""
    lock_problems: tuple[Problem, ...]
    """What is missing or inconsistent: must be put right before protocol lock."""

    @property
    def ready_to_lock(self) -> bool:
        """Whether the protocol is complete."""
        return self.protocol is not None and not self.problems and not self.lock_problems


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return the document as YAML that reads back as the same document."""
    return yaml_view.to_yaml(document)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the protocol, from which the form is drawn."""
    return ProtocolV1.model_json_schema(by_alias=True)


def canonical_document(protocol: ProtocolV1) -> dict[str, Any]:
    """Return the document that is stored: every default spelt out, decimals as their one text."""
    return protocol.model_dump(mode="json", by_alias=True)


def canonical_bytes(document: Mapping[str, Any] | ProtocolV1) -> bytes:
    """Return the RFC 8785 bytes. A protocol is taken as its canonical document, a document as it stands."""
    if isinstance(document, ProtocolV1):
        document = canonical_document(document)
    return bytes(rfc8785.dumps(without_floats(document)))


def protocol_sha256(document: Mapping[str, Any] | ProtocolV1) -> str:
    """Return the hash that freezes a protocol."""
    return hashlib.sha256(canonical_bytes(document)).hexdigest()


def without_floats(value: Any) -> Any:
    """Return the value with every float as decimal text, as YAML reading keeps it."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"A protocol holds finite numbers only, got {value}.")
        return yaml_view.plain_decimal(repr(value))
    if isinstance(value, Mapping):
        return {str(key): without_floats(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_floats(one) for one in value]
    return value


def load_protocol(document: Mapping[str, Any]) -> ProtocolV1:
    """Return a stored document's protocol, brought forward to the current schema, or raise with every problem."""
    outcome = check_document(document)
    if outcome.protocol is None:
        raise ValidationFailedError.of_fields({one.pointer: one.message for one in outcome.problems})
    return outcome.protocol


def check_text(text: str) -> CheckOutcome:
    """Check a YAML text. Every problem carries its line and column."""
    read = yaml_view.read_yaml(text)
    if not isinstance(read.value, dict):
        if not read.problems:
            read.problems.append(
                Problem(
                    "", "not_a_mapping", "A protocol is a list of 'key: value' lines, starting with schema."
                )
            )
        return CheckOutcome(None, None, tuple(read.problems), ())
    outcome = _check(read.value, tuple(read.problems))
    return replace(
        outcome,
        problems=_placed(outcome.problems, read.places),
        lock_problems=_placed(outcome.lock_problems, read.places),
    )


def check_document(document: Mapping[str, Any]) -> CheckOutcome:
    """Check a document that came as JSON, from the form or from storage."""
    try:
        plain = without_floats(document)
    except ValueError as error:
        return CheckOutcome(None, None, (Problem("", "number", str(error)),), ())
    return _check(plain, ())


def _placed(problems: Iterable[Problem], places: Mapping[str, tuple[int, int]]) -> tuple[Problem, ...]:
    """Return the problems with the place of the part, or of the nearest part around it, in order of lines."""
    placed = []
    for problem in problems:
        if problem.line is None:
            pointer = problem.pointer
            while pointer and pointer not in places:
                pointer = pointer.rpartition("/")[0]
            line, column = places.get(pointer, (1, 1))
            problem = replace(problem, line=line, column=column)
        placed.append(problem)
    return tuple(sorted(placed, key=lambda one: (one.line or 0, one.column or 0)))


def _check(document: dict[str, Any], found: tuple[Problem, ...]) -> CheckOutcome:
    try:
        current = upgraded(document)
    except UnknownSchemaError:
        current = {**document, "schema": CURRENT_SCHEMA}
        given = document.get("schema")
        message = (
            f"Say which schema the document follows: schema: {CURRENT_SCHEMA}."
            if given is None
            else f"This version reads the schema {CURRENT_SCHEMA}; got {given!r}."
        )
        found = (*found, Problem("/schema", "unknown_schema", message))
    protocol, problems = _validated(current)
    unread = {one.pointer for one in found if one.pointer}
    problems = (*found, *(one for one in problems if one.pointer not in unread))
    rest = protocol or _pruned(current)
    missing: tuple[Problem, ...] = ()
    if rest is not None:
        wrong = tuple(one.pointer for one in problems)
        missing = tuple(one for one in lock_problems(rest) if not _inside(one.pointer, wrong))
    return CheckOutcome(document, None if problems else protocol, problems, missing)


def _inside(pointer: str, wrong: tuple[str, ...]) -> bool:
    """Say whether a problem stands in, or is the consequence of, a part that is known to be wrong."""
    return any(
        pointer == one or pointer.startswith(one + "/") or one.startswith(pointer + "/") for one in wrong
    )


def _validated(document: Mapping[str, Any]) -> tuple[ProtocolV1 | None, tuple[Problem, ...]]:
    try:
        return ProtocolV1.model_validate_json(json.dumps(document)), ()
    except ValidationError as error:
        return None, tuple(_problem(one, document) for one in error.errors(include_url=False))


def _pruned(document: Mapping[str, Any]) -> ProtocolV1 | None:
    """Return the protocol without its wrong parts, to see what else is missing."""
    remaining: Any = json.loads(json.dumps(document))
    for _ in range(_MAX_PRUNINGS):
        try:
            return ProtocolV1.model_validate_json(json.dumps(remaining))
        except ValidationError as error:
            paths = {_path(one, remaining) for one in error.errors(include_url=False)}
        for path in sorted(paths, key=lambda one: tuple(map(str, one)), reverse=True):
            _remove(remaining, path)
    return None


def _remove(document: Any, path: Path) -> None:
    """Take the part out; where it is not there (a missing key), take out what lacks it."""
    holder, parents = document, []
    for step, part in enumerate(path):
        present = part in holder if isinstance(holder, dict) else _is_index(holder, part)
        if not present:
            if step > 0:
                _remove(document, path[:step])
            return
        parents.append(holder)
        holder = holder[part]
    if parents:
        del parents[-1][path[-1]]


def _is_index(holder: object, part: object) -> bool:
    return isinstance(holder, list) and isinstance(part, int) and part < len(holder)


def _path(error: ErrorDetails, document: Mapping[str, Any]) -> Path:
    """Return the place of an error as keys and indices of the document: without the names of union members."""
    path: list[str | int] = []
    holder: Any = document
    for part in error["loc"]:
        if (isinstance(holder, dict) and part in holder) or _is_index(holder, part):
            holder = holder[part]
        elif not (error["type"] == "missing" and part == error["loc"][-1]):
            continue
        path.append(part)
    return tuple(path)


def _problem(error: ErrorDetails, document: Mapping[str, Any]) -> Problem:
    path = _path(error, document)
    kind = error["type"]
    name = str(path[-1]) if path else "the document"
    if kind == "extra_forbidden":
        return Problem(pointer_of(path), "unknown_key", _unknown_key(name, _keys_at(path[:-1])))
    if kind == "missing":
        return Problem(pointer_of(path), "missing", f"'{name}' is needed here.")
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        kinds = ", ".join(KINDS)
        return Problem(pointer_of((*path, "kind")), "wrong_value", f"'kind' must be one of {kinds}.")
    context = error.get("ctx", {})
    want = _WANTED.get(kind)
    said = want.format(**context) if want is not None else error["msg"][:1].lower() + error["msg"][1:]
    value = error["input"]
    got = f"; got {_shown(value)}" if not isinstance(value, dict | list) else ""
    return Problem(pointer_of(path), _CODES.get(kind, "wrong_value"), f"'{name}': {said}{got}.")


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + '..."'


def _unknown_key(name: str, known: Iterable[str]) -> str:
    known = sorted(known)
    near = difflib.get_close_matches(name.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    if near:
        return f"'{name}' is not known here. Did you mean '{near[0]}'?"
    return f"'{name}' is not known here. Known: {', '.join(known)}."


_WANTED = {
    "string_type": "must be text (put it in quotes)",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "tuple_type": "must be a list",
    "model_type": "must hold keys of its own",
    "model_attributes_type": "must hold keys of its own",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
}
_CODES = {
    **dict.fromkeys(
        (kind for kind in _WANTED if kind.endswith("_type") or kind in {"decimal_parsing", "int_from_float"}),
        "wrong_type",
    ),
    **dict.fromkeys(
        ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "string_too_long"),
        "out_of_range",
    ),
}


def _keys_at(path: Path) -> set[str]:
    """Return the keys that the schema knows at a place of the document."""
    schema = json_schema()
    parts = schema.get("$defs", {})
    here = [schema]
    for step in path:
        found: list[dict[str, Any]] = []
        for one in _resolved(here, parts):
            if isinstance(step, int):
                found += [entry for entry in (one.get("items"),) if isinstance(entry, dict)]
                found += one.get("prefixItems", [])
            else:
                found += [entry for entry in (one.get("properties", {}).get(step),) if entry is not None]
        here = found
    return {key for one in _resolved(here, parts) for key in one.get("properties", {})}


def _resolved(schemas: Iterable[dict[str, Any]], parts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas with references and alternatives followed."""
    result = []
    todo = list(schemas)
    while todo:
        one = todo.pop()
        if "$ref" in one:
            todo.append(parts[one["$ref"].rpartition("/")[2]])
            continue
        todo += [*one.get("anyOf", []), *one.get("oneOf", []), *one.get("allOf", [])]
        result.append(one)
    return result
