"""How a request says who sends it: a session cookie with a CSRF token (browsers), or a bearer token (programs)."""

from datetime import timedelta

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from equipoise.accounts.models import Account, ServiceToken
from equipoise.accounts.sessions import SecondFactorRequiredError, second_factor_is_due
from equipoise.accounts.tokens import secret_sha256
from equipoise.api.csrf import csrf_check
from equipoise.api.errors import NotSignedInError

_USE_NOTED_EVERY = timedelta(minutes=10)
"""A token's last use is written at most so often: a program's reads must not become writes."""


class SessionAuthentication(BaseAuthentication):
    """The browser's session; unsafe methods also need the CSRF token.

    Where the site asks the person's role for a second factor, a session that has seen none reaches only the views
    that say ``before_second_factor``: those by which one is set up.
    """

    def authenticate(self, request: Request) -> tuple[Account, None] | None:
        """Return the session's account, or None."""
        user = getattr(request._request, "user", None)
        if not isinstance(user, Account) or not user.is_active:
            return None
        csrf_check(request)
        view = (request.parser_context or {}).get("view")
        if not getattr(view, "before_second_factor", False) and second_factor_is_due(request._request, user):
            raise SecondFactorRequiredError(
                "Your role on this site needs a second factor: set up an authenticator app or a key first."
            )
        return user, None


class ServiceTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <secret>``: one trial, one role, until it expires or is revoked."""

    def authenticate(self, request: Request) -> tuple[ServiceToken, ServiceToken] | None:
        """Return the token as user and as credentials, or None if none was sent."""
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        now = timezone.now()
        token = ServiceToken.objects.filter(secret_sha256=secret_sha256(secret.strip())).first()
        if token is None or token.revoked_at is not None or token.expires_at <= now:
            raise NotSignedInError("The service token is unknown, expired or revoked.")
        if token.last_used_at is None or now - token.last_used_at > _USE_NOTED_EVERY:
            ServiceToken.objects.filter(pk=token.pk).update(last_used_at=now)
        return token, token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge."""
        return "Bearer"


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # the library registers by subclassing
    """Names the session in the schema."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Describe the cookie."""
        return {"type": "apiKey", "in": "cookie", "name": "equipoise_session"}


class ServiceTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # as above
    """Names the bearer token in the schema."""

    target_class = ServiceTokenAuthentication
    name = "serviceToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        """Describe the header."""
        return {"type": "http", "scheme": "bearer"}
