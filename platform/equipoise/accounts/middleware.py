"""Ends sessions that have lasted too long or were left, before anything else looks at who is signed in."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from equipoise.accounts.models import Account
from equipoise.accounts.sessions import session_expire, session_has_expired


class SessionExpiryMiddleware:
    """Signs out whose session has expired; the request goes on as of nobody and is told so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request."""
        has_cookie = bool(request.session.session_key)
        if has_cookie and isinstance(request.user, Account) and session_has_expired(request):
            session_expire(request)
        return self.get_response(request)
