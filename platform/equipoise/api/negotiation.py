"""Content negotiation: this API speaks JSON, whatever the Accept header hopes for."""

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation


class JsonNegotiation(BaseContentNegotiation):
    """Takes the view's first renderer, so that an error is JSON even where a file was asked for."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        """Return the parser of the request's media type, or None."""
        content_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((p for p in parsers if p.media_type in (content_type, "*/*")), None)

    def select_renderer(
        self, request: Any, renderers: Any, format_suffix: str | None = None
    ) -> tuple[Any, str]:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type
