"""Where a request comes from, as far as the site can know."""

from collections.abc import Callable
from contextvars import ContextVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request

from equipoise.common.network import client_address

MAX_CHARACTERS = 64
"""An address of IPv6 has 39; one with a zone of its own may be longer and is cut."""
current_address: ContextVar[str] = ContextVar("current_address", default="")
"""Of the request that is being served; empty where none is, or where nobody can know."""


def request_address(request: HttpRequest | Request) -> str:
    """Return the network address of whoever sent a request, behind the site's own proxies."""
    return client_address(
        str(request.META.get("REMOTE_ADDR", "")),
        str(request.META.get("HTTP_X_FORWARDED_FOR", "")),
        settings.TRUSTED_PROXIES,
    )


class RequestAddressMiddleware:
    """Keeps whose request it is while it is served, for the audit entries of what it does."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        token = current_address.set(request_address(request)[:MAX_CHARACTERS])
        try:
            return self.get_response(request)
        finally:
            current_address.reset(token)
