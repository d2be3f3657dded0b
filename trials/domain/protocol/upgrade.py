"""From older schemas to the current one.

A reader of schema n is never edited once protocols of it are stored. When schema 2 comes, ``upgrade_1_to_2`` is added
to the table; documents are brought forward step by step and the stored ones stay as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any

from trials.domain.protocol.v1 import SCHEMA

CURRENT_SCHEMA = SCHEMA
Document = Mapping[str, Any]

UPGRADES: dict[str, Callable[[Document], Document]] = {}
"""Schema name -> the step to the next schema."""


class UnknownSchemaError(ValueError):
    """The document names a schema that this version does not read."""


def upgraded(document: Document) -> Document:
    """Return the document in the current schema."""
    while (schema := document.get("schema")) != CURRENT_SCHEMA:
        step = UPGRADES.get(schema) if isinstance(schema, str) else None
        if step is None:
            raise UnknownSchemaError(f"The schema must be {CURRENT_SCHEMA}; got {schema!r}.")
        document = step(document)
    return document
