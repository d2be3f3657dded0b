"""The declared kinds of entry are those that the product writes, and no others."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from equipoise.audit.kinds import AuditKind

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "platform" / "equipoise", ROOT / "trials")


def kinds_named(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Yield every ``AuditKind.X``, and whether it is handed on whole; else the trail is only read."""
    read = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) or (isinstance(node, ast.Attribute) and node.attr == "value")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="AuditKind"), attr=name):
                yield name, id(node) not in read


def written_kinds() -> Counter[str]:
    written: Counter[str] = Counter()
    for folder in SOURCES:
        for path in folder.rglob("*.py"):
            written.update(name for name, whole in kinds_named(ast.parse(path.read_text())) if whole)
    return written


def test_reading_the_trail_is_told_from_writing_it():
    told = ast.parse(
        "record(t, AuditKind.A)\nfilter(kind=AuditKind.B.value)\nx == AuditKind.C\n{K: AuditKind.D}"
    )
    assert dict(kinds_named(told)) == {"A": True, "B": False, "C": False, "D": True}


def test_every_declared_kind_is_written_and_every_written_one_declared():
    declared = set(AuditKind.__members__)
    written = set(written_kinds())
    assert declared - written == set(), "declared, but no act leaves it: write it, or take it out of kinds.py"
    assert written - declared == set(), "named in the code, but not declared in kinds.py"


def test_kinds_are_subject_and_action_and_no_two_alike():
    values = [kind.value for kind in AuditKind]
    assert [value for value in values if value.count(":") != 1 or value != value.lower()] == []
    assert len(set(AuditKind.__members__)) == len(values), "an alias hides a second name of one value"
