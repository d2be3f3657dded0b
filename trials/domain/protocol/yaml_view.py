"""The protocol as YAML 1.2: read with the place of every key, written from a document.

A document is what JSON can hold, without floats: a number with a decimal point is kept as its own text ("0.7").
Reading refuses aliases, tags, duplicate keys, several documents, and anything too large or too deep.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import SafeRepresenter

from trials.domain.protocol.parts import decimal_text
from trials.domain.protocol.problems import Problem, pointer_of

MAX_CHARACTERS = 256 * 1024
"""The longest text that is read."""
MAX_DEPTH = 20
_DECIMAL = re.compile(r"^-?\d+\.\d+$")
_TAG = "tag:yaml.org,2002:"

Path = tuple[str | int, ...]


@dataclass
class YamlDocument:
    """What was read: the document, where each part stands, and what is wrong with the text."""

    value: Any = None
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """JSON pointer -> line and column, counted from 1: of the key in a mapping, of the entry in a list."""
    problems: list[Problem] = field(default_factory=list)


def _problem(path: Path, node: Node, code: str, message: str) -> Problem:
    mark = node.start_mark
    return Problem(pointer_of(path), code, message, mark.line + 1, mark.column + 1)


def _syntax_problem(error: YAMLError) -> Problem:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    said = (error.problem if isinstance(error, MarkedYAMLError) else None) or str(error).splitlines()[0]
    return Problem(
        "",
        "not_yaml",
        f"This is not YAML: {said}.",
        None if mark is None else mark.line + 1,
        None if mark is None else mark.column + 1,
    )


def _too_much(text: str) -> Problem | None:
    """Return why the text is refused before anything is built from it."""
    depth = documents = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        mark = event.start_mark
        place = (mark.line + 1, mark.column + 1)
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            return Problem(
                "", "alias", "Anchors and aliases (& and *) are not read: write the part out.", *place
            )
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if documents > 1:
                return Problem("", "several_documents", "A protocol is one document: remove the ---.", *place)
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                return Problem("", "too_deep", f"Parts may be nested {MAX_DEPTH} deep, no deeper.", *place)
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
    return None


def read_yaml(text: str) -> YamlDocument:
    """Return the document of a text with the place of every part; problems instead of exceptions."""
    read = YamlDocument()
    if len(text) > MAX_CHARACTERS:
        read.problems.append(
            Problem(
                "", "too_large", f"The text has {len(text)} characters; at most {MAX_CHARACTERS} are read."
            )
        )
        return read
    reader = YAML(typ="safe", pure=True)
    reader.allow_duplicate_keys = True  # told below, all of them, by line
    try:
        refusal = _too_much(text)
        node = reader.compose(io.StringIO(text)) if refusal is None else None
    except YAMLError as error:
        read.problems.append(_syntax_problem(error))
        return read
    if refusal is not None:
        read.problems.append(refusal)
    elif node is None:
        read.problems.append(Problem("", "empty", "The document is empty.", 1, 1))
    else:
        read.places[""] = (node.start_mark.line + 1, node.start_mark.column + 1)
        read.value = _value(node, (), read)
    return read


def _value(node: Node, path: Path, read: YamlDocument) -> Any:
    if isinstance(node, MappingNode):
        return _mapping(node, path, read)
    if isinstance(node, SequenceNode):
        return _sequence(node, path, read)
    if isinstance(node, ScalarNode):
        return _scalar(node, path, read)
    raise TypeError(f"A YAML node of an unknown kind: {type(node).__name__}.")


def _refuse_tag(node: Node, path: Path, read: YamlDocument, *, plain: str) -> None:
    if str(node.tag) != _TAG + plain:
        read.problems.append(_problem(path, node, "tag", f"Tags such as {node.tag} are not read: remove it."))


def _mapping(node: MappingNode, path: Path, read: YamlDocument) -> dict[str, Any]:
    _refuse_tag(node, path, read, plain="map")
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, ScalarNode) else None
        if not isinstance(key, str):
            read.problems.append(_problem(path, key_node, "key", "A key must be a plain word."))
            continue
        here = (*path, key)
        if key in result:
            first = read.places[pointer_of(here)][0]
            read.problems.append(
                _problem(
                    here, key_node, "duplicate_key", f"'{key}' stands here twice; first in line {first}."
                )
            )
            continue
        read.places[pointer_of(here)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        result[key] = _value(value_node, here, read)
    return result


def _sequence(node: SequenceNode, path: Path, read: YamlDocument) -> list[Any]:
    _refuse_tag(node, path, read, plain="seq")
    result = []
    for index, entry in enumerate(node.value):
        here = (*path, index)
        read.places[pointer_of(here)] = (entry.start_mark.line + 1, entry.start_mark.column + 1)
        result.append(_value(entry, here, read))
    return result


def _scalar(node: ScalarNode, path: Path, read: YamlDocument) -> str | int | bool | None:
    tag, text = str(node.tag).removeprefix(_TAG), str(node.value)
    if tag in {"str", "timestamp"}:
        return text
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() == "true"
    try:
        if tag == "int":
            return int(text.replace("_", ""), 0 if re.match(r"^[-+]?0[xo]", text) else 10)
        if tag == "float":
            return plain_decimal(text)
    except ValueError:
        read.problems.append(_problem(path, node, "number", f"This number cannot be read: {text}."))
        return None
    read.problems.append(_problem(path, node, "tag", f"Tags such as {node.tag} are not read: remove it."))
    return None


def plain_decimal(text: str) -> str:
    """Return the text of a number without exponent; a plain decimal stays as it was written."""
    if _DECIMAL.match(text):
        return text
    try:
        value = Decimal(text.replace("_", ""))
    except ArithmeticError as error:
        raise ValueError(text) from error
    if not value.is_finite() or abs(value.adjusted()) > 30:
        raise ValueError(text)
    return decimal_text(value)


class _Representer(SafeRepresenter):
    """Writes long texts as blocks and decimal numbers without quotes."""


def _represent_text(representer: SafeRepresenter, text: str) -> ScalarNode:
    if _DECIMAL.match(text):
        return representer.represent_scalar(_TAG + "float", text)
    lines = text.split("\n")
    style = "|" if len(lines) > 1 else None
    if not all(line.isprintable() for line in lines):
        style = '"'  # escapes what an editor would not show
    return representer.represent_scalar(_TAG + "str", text, style=style)


_Representer.add_representer(str, _represent_text)


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return the document as YAML that reads back as the same document."""
    writer: Any = YAML(typ="safe", pure=True)
    writer.Representer = _Representer
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False
    writer.allow_unicode = True
    writer.width = 110
    stream = io.StringIO()
    writer.dump(dict(document), stream)
    return stream.getvalue()
