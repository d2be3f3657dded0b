"""Numbers as they come back from a database's JSON."""

import json
from typing import Any

_MOST_DIGITS = 20
"""Of a whole number that stays one: an unsigned number of 64 bits, as seeds are."""


class StoredDecoder(json.JSONDecoder):
    """Reads floats as they were stored: PostgreSQL writes 1.6e60 as a whole number of 61 digits."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"parse_int": _whole, **options})


def _whole(text: str) -> int | float:
    return int(text) if len(text.lstrip("-")) <= _MOST_DIGITS else float(text)
