"""Shapes of the session and of a person's own security."""

from typing import Any

from rest_framework import serializers

from equipoise.accounts.second_factor import SecondFactor

FACTORS = [factor.value for factor in SecondFactor]
CONFIRM_BY = ["password", "passkey", "single_sign_on"]


class SessionAccountSerializer(serializers.Serializer[Any]):
    """The signed-in person, to that person. The row id stays here: it would tell the account's age to a reader."""

    email = serializers.EmailField(read_only=True)
    display_name = serializers.CharField(read_only=True)
    is_site_administrator = serializers.BooleanField(read_only=True)


class SessionSerializer(serializers.Serializer[Any]):
    """Who is signed in, what is still asked of them, and the token that unsafe requests send as ``X-CSRFToken``."""

    signed_in = serializers.BooleanField(read_only=True)
    account = SessionAccountSerializer(read_only=True, allow_null=True)
    csrf_token = serializers.CharField(read_only=True)
    awaits = serializers.ListField(child=serializers.ChoiceField(choices=FACTORS), read_only=True)
    """The password was right; one of these comes next."""
    second_factor_due = serializers.BooleanField(read_only=True)
    """The person's role needs a second factor, and this session has seen none."""
    confirmed = serializers.BooleanField(read_only=True)
    """Weighty acts are possible without giving the password again."""
    confirm_by = serializers.ListField(child=serializers.ChoiceField(choices=CONFIRM_BY), read_only=True)
    """By what the person can confirm."""
    single_sign_on = serializers.CharField(read_only=True, allow_null=True)
    """What the button says, where the site has an identity provider."""


class SessionSignInSerializer(serializers.Serializer[Any]):
    """E-mail address and password."""

    email = serializers.EmailField()
    password = serializers.CharField(trim_whitespace=False, max_length=1024)


class CredentialField(serializers.DictField):
    """What the browser's key answered, as ``PublicKeyCredential.toJSON`` gives it."""


class SecondFactorSerializer(serializers.Serializer[Any]):
    """A code, or a key's answer."""

    factor = serializers.ChoiceField(choices=FACTORS)
    code = serializers.CharField(max_length=64, default="", allow_blank=True)
    credential = CredentialField(required=False)


class SessionConfirmSerializer(serializers.Serializer[Any]):
    """The password again, or a key's answer."""

    password = serializers.CharField(trim_whitespace=False, max_length=1024, required=False, allow_blank=True)
    credential = CredentialField(required=False)


class PasswordChangeSerializer(serializers.Serializer[Any]):
    """The password until now, and the new one."""

    current = serializers.CharField(trim_whitespace=False, max_length=1024)
    password = serializers.CharField(trim_whitespace=False, max_length=1024)


class PasskeySerializer(serializers.Serializer[Any]):
    """A key by the name its owner gave it."""

    id = serializers.UUIDField(read_only=True)
    name = serializers.CharField(read_only=True, source="label")
    created_at = serializers.DateTimeField(read_only=True)
    last_used_at = serializers.DateTimeField(read_only=True, allow_null=True)


class SecuritySerializer(serializers.Serializer[Any]):
    """What protects a person's account; ``recovery_codes`` only right after they were made."""

    password = serializers.BooleanField(read_only=True)
    single_sign_on = serializers.BooleanField(read_only=True)
    """The person has signed in through the site's identity provider."""
    totp = serializers.BooleanField(read_only=True)
    passkeys = PasskeySerializer(many=True, read_only=True)
    recovery_codes_left = serializers.IntegerField(read_only=True)
    is_required = serializers.BooleanField(read_only=True)
    recovery_codes = serializers.ListField(child=serializers.CharField(), read_only=True)


class TotpOfferSerializer(serializers.Serializer[Any]):
    """What an authenticator app is set up with."""

    secret = serializers.CharField(read_only=True)
    address = serializers.CharField(read_only=True)
    qr_svg = serializers.CharField(read_only=True)


class TotpCodeSerializer(serializers.Serializer[Any]):
    """The code that the app shows."""

    code = serializers.CharField(max_length=16)


class PasskeyRenameSerializer(serializers.Serializer[Any]):
    """Another name of a key."""

    name = serializers.CharField(max_length=100)


class PasskeyAddSerializer(serializers.Serializer[Any]):
    """A new key."""

    name = serializers.CharField(max_length=100, default="", allow_blank=True)
    credential = CredentialField()
