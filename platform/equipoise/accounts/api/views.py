"""The session resource."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from equipoise.accounts import sessions, single_sign_on
from equipoise.accounts.api.serializers import (
    SecondFactorSerializer,
    SessionConfirmSerializer,
    SessionSerializer,
    SessionSignInSerializer,
)
from equipoise.accounts.models import Account
from equipoise.accounts.second_factor import SecondFactor, passkey_request_options, second_factors_of
from equipoise.api.errors import NotSignedInError
from equipoise.api.views import ApiView
from equipoise.common.errors import DomainError
from equipoise.common.permissions import Permission


def _confirm_by(account: Account) -> list[str]:
    ways = ["password"] if account.has_usable_password() else []
    ways += ["passkey"] if account.passkeys.exists() else []
    return ways + (["single_sign_on"] if single_sign_on.is_offered() else [])


def session_document(request: Request) -> dict[str, Any]:
    """Return the session as its owner sees it."""
    web = request._request
    account = web.user if isinstance(web.user, Account) else None
    pending = None if account else sessions.session_pending(web)
    document = SessionSerializer(
        {
            "signed_in": account is not None,
            "account": account,
            "csrf_token": "",
            "awaits": [factor.value for factor in second_factors_of(pending)] if pending else [],
            "second_factor_due": account is not None and sessions.second_factor_is_due(web, account),
            "confirmed": account is not None and sessions.session_is_confirmed(web),
            "confirm_by": _confirm_by(account) if account else [],
            "single_sign_on": (settings.OIDC_NAME or "single sign-on") if settings.OIDC_ISSUER else None,
        }
    ).data
    return {**document, "csrf_token": get_token(web)}


class SessionView(ApiView):
    """Who is signed in; signing in and out."""

    required_permission = Permission.PUBLIC
    before_second_factor = True

    @extend_schema(operation_id="session_get", responses=SessionSerializer)
    def get(self, request: Request) -> Response:
        """Say who is signed in, and give the token for unsafe requests."""
        return Response(session_document(request))

    @extend_schema(
        operation_id="session_sign_in", request=SessionSignInSerializer, responses=SessionSerializer
    )
    def post(self, request: Request) -> Response:
        """Sign in; ``awaits`` says which second factors come next, if any."""
        body = SessionSignInSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sessions.session_sign_in(request._request, **body.validated_data)
        return Response(session_document(request))

    @extend_schema(operation_id="session_sign_out", responses={200: SessionSerializer})
    def delete(self, request: Request) -> Response:
        """Sign out; doing so twice changes nothing."""
        sessions.session_sign_out(request._request)
        return Response(session_document(request))


class SecondFactorView(ApiView):
    """The second step of signing in."""

    required_permission = Permission.PUBLIC
    before_second_factor = True

    @extend_schema(
        operation_id="session_second_factor", request=SecondFactorSerializer, responses=SessionSerializer
    )
    def post(self, request: Request) -> Response:
        """Show the second factor that is awaited."""
        body = SecondFactorSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sessions.session_second_factor(
            request._request,
            factor=SecondFactor(body.validated_data["factor"]),
            code=body.validated_data["code"],
            credential=body.validated_data.get("credential"),
        )
        return Response(session_document(request))


class SessionPasskeyView(ApiView):
    """The question that a key answers, to sign in or to confirm."""

    required_permission = Permission.PUBLIC
    before_second_factor = True

    @extend_schema(operation_id="session_passkey_options", request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """Return what ``navigator.credentials.get`` needs."""
        web = request._request
        account = web.user if isinstance(web.user, Account) else sessions.session_pending(web)
        if account is None:
            raise NotSignedInError("Sign in with your password first.")
        return Response(passkey_request_options(account, web.session))


class SessionConfirmView(ApiView):
    """The person again, for acts that ask for it."""

    required_permission = Permission.SELF
    before_second_factor = True

    @extend_schema(
        operation_id="session_confirm", request=SessionConfirmSerializer, responses=SessionSerializer
    )
    def post(self, request: Request) -> Response:
        """Confirm by password or key; the confirmation holds for a few minutes."""
        body = SessionConfirmSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        if not isinstance(request.user, Account):
            raise NotSignedInError("Only a person can confirm a password.")
        sessions.session_confirm(
            request._request,
            password=body.validated_data.get("password", ""),
            credential=body.validated_data.get("credential"),
        )
        return Response(session_document(request))


class SingleSignOnView(ApiView):
    """The way to the site's identity provider."""

    required_permission = Permission.PUBLIC
    before_second_factor = True

    @extend_schema(
        operation_id="session_sso",
        parameters=[
            OpenApiParameter("confirm", OpenApiTypes.BOOL, description="Ask for a fresh sign-in."),
            OpenApiParameter("to", OpenApiTypes.STR, description="Page of this site to come back to."),
        ],
        responses={302: None},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Send the browser to the provider."""
        confirm = request.query_params.get("confirm") == "true" and isinstance(request.user, Account)
        to = request.query_params.get("to", "/")
        return single_sign_on.sso_begin(request._request, confirm=confirm, to=to)


class SingleSignOnCallbackView(ApiView):
    """The way back from the identity provider."""

    required_permission = Permission.PUBLIC
    before_second_factor = True

    @extend_schema(operation_id="session_sso_callback", responses={302: None})
    def get(self, request: Request) -> HttpResponseBase:
        """Take the provider's answer; whatever is wrong with it is said on the sign-in page."""
        page = single_sign_on.sso_page(request._request)
        try:
            single_sign_on.sso_finish(request._request)
        except DomainError as error:
            return HttpResponseRedirect(f"/sign-in?{urlencode({'problem': error.message, 'to': page})}")
        awaited = sessions.session_pending(request._request)
        return HttpResponseRedirect(f"/sign-in?{urlencode({'to': page})}" if awaited else page)
