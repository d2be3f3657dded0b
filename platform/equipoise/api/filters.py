"""Lists are filtered by what their rows show: ``?state=open&stratum=all`` keeps the rows that say so.

A name that is sent twice keeps the rows that say either. Lists that are paged in the database filter there, by the
parameters that their view declares; the others by :func:`list_filter`, which sees no more than the caller does.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rest_framework.request import Request

from equipoise.api.errors import BadShapeError

PAGE_PARAMETERS = frozenset({"page_size", "cursor"})


def list_filter(request: Request, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a whole list with the rows that the caller asks for; None where nothing is asked of it."""
    rows = document.get("results")
    asked = {name: values for name, values in request.query_params.lists() if name not in PAGE_PARAMETERS}
    if not asked or not isinstance(rows, list) or "next" in document:
        return None
    names = _names(rows)
    for name in asked:
        if rows and name not in names:
            raise BadShapeError(
                f"The rows of this list do not say '{name[:64]}'. Filter it by {', '.join(sorted(names))}."
            )
    kept = [row for row in rows if all(_says(row.get(name), values) for name, values in asked.items())]
    return {**document, "results": kept}


def _names(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the fields that hold words, numbers, or lists of them."""
    return {name for row in rows for name, value in row.items() if _is_plain(value)} - {
        name for row in rows for name, value in row.items() if not _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    parts = value if isinstance(value, list | tuple) else [value]
    return not any(isinstance(part, Mapping | list | tuple) for part in parts)


def _says(value: Any, wanted: Sequence[str]) -> bool:
    parts = value if isinstance(value, list | tuple) else [value]
    return any(_text(part) in wanted for part in parts)


def _text(value: Any) -> str:
    """Return a value as JSON would write it, without quotes; nothing is the empty text."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
