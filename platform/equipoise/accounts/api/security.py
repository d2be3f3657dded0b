"""What protects a person's own account. Changing it asks for a fresh proof; a secret is shown in one answer alone."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from equipoise.accounts import second_factor, sessions
from equipoise.accounts.api import serializers as shapes
from equipoise.accounts.models import Account, TotpDevice
from equipoise.accounts.roles import second_factor_is_required
from equipoise.api.views import ApiView
from equipoise.common.errors import PermissionDeniedError
from equipoise.common.permissions import Permission


class OwnSecurityView(ApiView):
    """A view of the signed-in person's own second factors."""

    required_permission = Permission.SELF
    before_second_factor = True

    @property
    def account(self) -> Account:
        """Return the person; a program is refused."""
        if not isinstance(self.request.user, Account):
            raise PermissionDeniedError("This is for people, not for programs.")
        return self.request.user

    def confirmed_account(self, request: Request) -> Account:
        """Return the person, who was there just now: a session that was left open changes no second factor."""
        account = self.account
        sessions.require_confirmed(request._request)
        return account


def _answer(account: Account, codes: list[str] | None = None, code: int = status.HTTP_200_OK) -> Response:
    document: dict[str, Any] = {
        "password": account.has_usable_password(),
        "single_sign_on": account.identities.exists(),
        "totp": TotpDevice.objects.filter(account=account).exists(),
        "passkeys": account.passkeys.order_by("created_at"),
        "recovery_codes_left": account.recovery_codes.filter(used_at__isnull=True).count(),
        "is_required": second_factor_is_required(account),
        "recovery_codes": codes or [],
    }
    return Response(shapes.SecuritySerializer(document).data, status=code)


class SecurityView(OwnSecurityView):
    """What protects the account."""

    @extend_schema(operation_id="security_get", responses=shapes.SecuritySerializer)
    def get(self, request: Request) -> Response:
        """List by what the person signs in."""
        return _answer(self.account)


class PasswordView(OwnSecurityView):
    """The password."""

    @extend_schema(
        operation_id="password_change",
        request=shapes.PasswordChangeSerializer,
        responses=shapes.SecuritySerializer,
    )
    def post(self, request: Request) -> Response:
        """Change the password; other browsers are signed out."""
        account = self.account
        body = shapes.PasswordChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        sessions.session_change_password(request._request, **body.validated_data)
        return _answer(account)


class TotpOfferView(OwnSecurityView):
    """A new authenticator app, first step."""

    @extend_schema(operation_id="totp_offer", request=None, responses=shapes.TotpOfferSerializer)
    def post(self, request: Request) -> Response:
        """Draw a secret and show it once, as text and as a picture to scan."""
        offer = second_factor.totp_offer(self.confirmed_account(request), request._request.session)
        return Response(shapes.TotpOfferSerializer(offer).data)


class TotpView(OwnSecurityView):
    """The authenticator app."""

    @extend_schema(
        operation_id="totp_add", request=shapes.TotpCodeSerializer, responses={201: shapes.SecuritySerializer}
    )
    def post(self, request: Request) -> Response:
        """Add the app, shown to work by a code."""
        account = self.confirmed_account(request)
        body = shapes.TotpCodeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        codes = second_factor.totp_add(account, request._request.session, code=body.validated_data["code"])
        sessions.second_factor_seen(request._request)
        return _answer(account, codes, status.HTTP_201_CREATED)

    @extend_schema(operation_id="totp_remove", responses={200: shapes.SecuritySerializer})
    def delete(self, request: Request) -> Response:
        """Remove the app."""
        account = self.confirmed_account(request)
        second_factor.totp_remove(account)
        return _answer(account)


class PasskeyOfferView(OwnSecurityView):
    """A new key, first step."""

    @extend_schema(operation_id="passkey_offer", request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """Return what ``navigator.credentials.create`` needs."""
        account = self.confirmed_account(request)
        return Response(second_factor.passkey_creation_options(account, request._request.session))


class PasskeyListView(OwnSecurityView):
    """The person's keys."""

    @extend_schema(
        operation_id="passkey_add",
        request=shapes.PasskeyAddSerializer,
        responses={201: shapes.SecuritySerializer},
    )
    def post(self, request: Request) -> Response:
        """Add a key."""
        account = self.confirmed_account(request)
        body = shapes.PasskeyAddSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        _, codes = second_factor.passkey_add(
            account,
            request._request.session,
            label=body.validated_data["name"],
            credential=body.validated_data["credential"],
        )
        sessions.second_factor_seen(request._request)
        return _answer(account, codes, status.HTTP_201_CREATED)


class PasskeyView(OwnSecurityView):
    """One key."""

    @extend_schema(
        operation_id="passkey_rename",
        request=shapes.PasskeyRenameSerializer,
        responses={200: shapes.SecuritySerializer},
    )
    def patch(self, request: Request, passkey_id: UUID) -> Response:
        """Give a key another name."""
        account = self.confirmed_account(request)
        passkey = second_factor.passkey_of(account, passkey_id)
        body = shapes.PasskeyRenameSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        second_factor.passkey_rename(account, passkey, label=body.validated_data["name"])
        return _answer(account)

    @extend_schema(operation_id="passkey_remove", responses={200: shapes.SecuritySerializer})
    def delete(self, request: Request, passkey_id: UUID) -> Response:
        """Remove a key."""
        account = self.confirmed_account(request)
        second_factor.passkey_remove(account, passkey_id)
        return _answer(account)


class RecoveryCodesView(OwnSecurityView):
    """Codes for the day when the second factor is lost."""

    @extend_schema(operation_id="recovery_codes_make", request=None, responses=shapes.SecuritySerializer)
    def post(self, request: Request) -> Response:
        """Make new codes; the old ones are void."""
        account = self.confirmed_account(request)
        return _answer(account, second_factor.recovery_codes_make(account))
