"""Lists come in pages by cursor: ``{results, next, previous}``."""

from rest_framework import pagination


class CursorPagination(pagination.CursorPagination):
    """Newest last by default: ids are UUIDv7, so their order is the order of creation."""

    ordering = "id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
