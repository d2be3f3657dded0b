"""The session resource."""

from typing import Any

from django.middleware.csrf import get_token
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from equipoise.accounts import sessions
from equipoise.accounts.api.serializers import (
    SessionConfirmSerializer,
    SessionSerializer,
    SessionSignInSerializer,
)
from equipoise.accounts.models import Account
from equipoise.api.errors import NotSignedInError
from equipoise.api.views import ApiView
from equipoise.common.permissions import Permission


def _session(request: Request) -> dict[str, Any]:
    user = request._request.user
    is_account = isinstance(user, Account)
    account = SessionSerializer(
        {"signed_in": is_account, "account": user if is_account else None, "csrf_token": ""}
    )
    return {**account.data, "csrf_token": get_token(request._request)}


class SessionView(ApiView):
    """Who is signed in; signing in and out."""

    required_permission = Permission.PUBLIC

    @extend_schema(operation_id="session_get", responses=SessionSerializer)
    def get(self, request: Request) -> Response:
        """Say who is signed in, and give the token for unsafe requests."""
        return Response(_session(request))

    @extend_schema(
        operation_id="session_sign_in", request=SessionSignInSerializer, responses=SessionSerializer
    )
    def post(self, request: Request) -> Response:
        """Sign in."""
        body = SessionSignInSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sessions.session_sign_in(request._request, **body.validated_data)
        return Response(_session(request))

    @extend_schema(operation_id="session_sign_out", responses={200: SessionSerializer})
    def delete(self, request: Request) -> Response:
        """Sign out; doing so twice changes nothing."""
        sessions.session_sign_out(request._request)
        return Response(_session(request))


class SessionConfirmView(ApiView):
    """The password again, for acts that ask for it."""

    required_permission = Permission.SELF

    @extend_schema(
        operation_id="session_confirm", request=SessionConfirmSerializer, responses=SessionSerializer
    )
    def post(self, request: Request) -> Response:
        """Confirm; the confirmation holds for a few minutes."""
        body = SessionConfirmSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        if not isinstance(request.user, Account):
            raise NotSignedInError("Only a person can confirm a password.")
        sessions.session_confirm(request._request, **body.validated_data)
        return Response(_session(request))
