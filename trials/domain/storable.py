"""JSON from outside, made so that both databases and the canonical form (RFC 8785) can hold it.

What a browser sends may hold half a character (a text cut in the middle of an emoji), a null character, or a number
that JSON's canonical form does not know. An answer is never refused for that: the one bad character or number is
replaced, and everything else stays as it was.
"""

import re
from typing import Any

MAX_DEPTH = 20
MAX_EXACT = 2**53 - 1
"""The largest whole number that every JSON reader gives back as it was."""
REPLACEMENT = "\ufffd"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable_text(text: str) -> str:
    """Return the text with null characters and halves of characters replaced by U+FFFD."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def storable(value: Any, *, depth: int = 0) -> Any:
    """Return a JSON value with every text cleaned and numbers beyond 2**53 as text.

    Raises
    ------
    ValueError
        If objects and lists are nested more than ``MAX_DEPTH`` deep.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"Objects and lists may be nested {MAX_DEPTH} deep.")
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable_text(str(key)): storable(one, depth=depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [storable(one, depth=depth + 1) for one in value]
    if isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) <= MAX_EXACT:
        return str(value)
    return value
