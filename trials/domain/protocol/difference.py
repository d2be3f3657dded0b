"""In what two versions of a protocol differ: by part, in words, and blind to how they were written down.

Both are compared in their canonical form, so that a default that was spelt out, another order of keys, or another way
to write a number is no difference. Entries of a list are told by the name they carry, not by their place.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trials.domain.protocol.document import canonical_document, check_document
from trials.domain.protocol.problems import pointer_of

_NAMES = ("key", "source", "value", "code", "number", "name", "event")
"""By which of its fields an entry of a list is known, the first that all of its entries have."""
_MAX_SHOWN = 160
"""Characters of a value that are shown in a sentence; the change itself holds all of it."""
_CONTEXT = 40

_Path = tuple[str | int, ...]


class ChangeKind(StrEnum):
    """What happened to a part."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    """The entries of a list are the same in another order."""


@dataclass(frozen=True)
class Change:
    """One part in which the newer document differs."""

    pointer: str
    """JSON pointer into the newer document; of what was removed, into the older one."""
    kind: ChangeKind
    before: Any
    after: Any
    words: str


@dataclass(frozen=True)
class _Place:
    """A part of the two documents: its path, and what people call it."""

    path: _Path
    label: tuple[str, ...]

    def key(self, name: str) -> "_Place":
        return _Place((*self.path, name), (*self.label, name.replace("_", " ")))

    def entry(self, index: int, name: str) -> "_Place":
        return _Place((*self.path, index), (*self.label, name))


def protocol_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return every change from one document to another, in the order of the newer one.

    If either of them is no valid protocol yet, both are compared as they were written.
    """
    older, newer = check_document(before).protocol, check_document(after).protocol
    if older is None or newer is None:
        return tuple(_mappings(before, after, _Place((), ())))
    return tuple(_mappings(canonical_document(older), canonical_document(newer), _Place((), ())))


def _mappings(before: Mapping[str, Any], after: Mapping[str, Any], place: _Place) -> Iterator[Change]:
    for key in (*after, *(one for one in before if one not in after)):
        yield from _values(before.get(key), after.get(key), place.key(key))


def _values(before: Any, after: Any, place: _Place) -> Iterator[Change]:
    if before == after and isinstance(before, bool) == isinstance(after, bool):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _mappings(before, after, place)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, place)
    elif before in (None, [], {}):
        yield _change(ChangeKind.ADDED, place, None, after)
    elif after in (None, [], {}):
        yield _change(ChangeKind.REMOVED, place, before, None)
    else:
        yield _change(ChangeKind.CHANGED, place, before, after)


def _lists(before: list[Any], after: list[Any], place: _Place) -> Iterator[Change]:
    old, new = _named(before, after)
    for name, (index, value) in new.items():
        if name in old:
            yield from _values(old[name][1], value, place.entry(index, name))
        else:
            yield _change(ChangeKind.ADDED, place.entry(index, name), None, value)
    for name, (index, value) in old.items():
        if name not in new:
            yield _change(ChangeKind.REMOVED, place.entry(index, name), value, None)
    kept = [name for name in old if name in new]
    now = [name for name in new if name in old]
    if kept != now:
        yield _change(ChangeKind.MOVED, place, kept, now)


def _named(
    before: list[Any], after: list[Any]
) -> tuple[dict[str, tuple[int, Any]], dict[str, tuple[int, Any]]]:
    """Return the entries of both lists by the name each is known by, with their places."""
    name = next((one for one in _NAMES if _tells_apart(one, before) and _tells_apart(one, after)), None)
    if name is not None:
        return _by((f"“{entry[name]}”" for entry in before), before), _by(
            (f"“{entry[name]}”" for entry in after), after
        )
    if _is_set(before) and _is_set(after):
        return _by(map(_shown, before), before), _by(map(_shown, after), after)
    return (
        _by((f"no. {place}" for place in range(1, len(before) + 1)), before),
        _by((f"no. {place}" for place in range(1, len(after) + 1)), after),
    )


def _by(names: Iterator[str], entries: list[Any]) -> dict[str, tuple[int, Any]]:
    return {name: (index, entry) for index, (name, entry) in enumerate(zip(names, entries, strict=True))}


def _tells_apart(name: str, entries: Sequence[Any]) -> bool:
    if not all(isinstance(entry, Mapping) and entry.get(name) is not None for entry in entries):
        return False
    return len({str(entry[name]) for entry in entries}) == len(entries)


def _is_set(entries: Sequence[Any]) -> bool:
    return all(isinstance(entry, str | int) for entry in entries) and len(set(map(str, entries))) == len(
        entries
    )


def _change(kind: ChangeKind, place: _Place, before: Any, after: Any) -> Change:
    return Change(pointer_of(place.path), kind, before, after, _words(kind, place, before, after))


def _words(kind: ChangeKind, place: _Place, before: Any, after: Any) -> str:
    where = ", ".join(place.label)
    where = where[:1].upper() + where[1:]
    match kind:
        case ChangeKind.ADDED:
            return f"{where}: added {_shown(after)}."
        case ChangeKind.REMOVED:
            return f"{where}: removed {_shown(before)}."
        case ChangeKind.MOVED:
            return f"{where}: the order became {', '.join(after)}."
        case ChangeKind.CHANGED:
            old, new = _apart(before, after)
            return f"{where}: {old} became {new}."


def _apart(before: Any, after: Any) -> tuple[str, str]:
    """Return both values as shown; of long texts the part around the first difference."""
    if not (isinstance(before, str) and isinstance(after, str)) or max(len(before), len(after)) <= _MAX_SHOWN:
        return _shown(before), _shown(after)
    same = next(
        (place for place, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
        min(len(before), len(after)),
    )
    start = max(0, same - _CONTEXT)
    ahead = "…" if start else ""
    return _shown(ahead + before[start:]), _shown(ahead + after[start:])


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = f"“{value}”" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
