"""Lists come in pages by cursor: ``{results, next, previous}``.

Lists that grow without bound are paged in the database by :class:`CursorPagination`. The others are whole unless the
caller asks for pages of them: :func:`list_page`.
"""

import re
from collections.abc import Mapping
from typing import Any

from rest_framework import pagination
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from equipoise.api.errors import BadShapeError

MAX_PAGE_SIZE = 200


class CursorPagination(pagination.CursorPagination):
    """Newest last by default: ids are UUIDv7, so their order is the order of creation."""

    ordering = "id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = MAX_PAGE_SIZE


def list_page(request: Request, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the page of a whole list that the caller asks for with ``page_size``; None where nobody asks.

    The cursor is the id (or code) of the last row that the caller has, so that rows that come or go elsewhere in the
    list move no page.
    """
    rows, size = document.get("results"), request.query_params.get("page_size")
    if not isinstance(rows, list) or size is None or "next" in document:
        return None
    if not re.fullmatch("[0-9]{1,6}", size) or not 1 <= int(size) <= MAX_PAGE_SIZE:
        raise BadShapeError(f"page_size must be 1 to {MAX_PAGE_SIZE}.")
    start, cursor = 0, request.query_params.get("cursor")
    if cursor is not None:
        places = [place for place, row in enumerate(rows) if _name(row) == cursor]
        if not places:
            raise BadShapeError(
                "The row of this cursor is not in the list any more; begin again without one."
            )
        start = places[0] + 1
    page = rows[start : start + int(size)]
    more = page and start + len(page) < len(rows)
    address = request.build_absolute_uri()
    return {
        **document,
        "results": page,
        "next": replace_query_param(address, "cursor", _name(page[-1])) if more else None,
    }


def _name(row: Any) -> str:
    """Return what a row is known by; rows without a name of their own are in no list that is paged."""
    name = row.get("id") or row.get("code") or row.get("name") if isinstance(row, Mapping) else None
    if name is None:
        raise BadShapeError("This list has no pages.")
    return str(name)
