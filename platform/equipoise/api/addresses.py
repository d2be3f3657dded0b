"""Where a request comes from, as far as the site can know."""

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

from equipoise.common.network import client_address


def request_address(request: HttpRequest | Request) -> str:
    """Return the network address of whoever sent a request, behind the site's own proxies."""
    return client_address(
        str(request.META.get("REMOTE_ADDR", "")),
        str(request.META.get("HTTP_X_FORWARDED_FOR", "")),
        settings.TRUSTED_PROXIES,
    )
