"""Service tokens of a trial."""

from rest_framework import serializers

from equipoise.accounts.models import ServiceToken
from equipoise.common.permissions import Role
from trials.api.serializers.shape import Shape
from trials.selectors.tokens import token_state

TOKEN_ROLES = [(role.value, role.value) for role in (Role.ALGORITHM, Role.DATA_MANAGER)]
"""The roles that a program can be given through the interface."""


class TokenCreateSerializer(Shape):
    """What a program will be allowed, and until when."""

    label = serializers.CharField(max_length=100)  # type: ignore[assignment]  # a field of this name
    role = serializers.ChoiceField(choices=TOKEN_ROLES)
    expires_at = serializers.DateTimeField()


class TokenSerializer(Shape):
    """A token as people recognise it."""

    id = serializers.UUIDField(read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]  # a field of this name
    prefix = serializers.CharField(read_only=True)
    role = serializers.CharField(read_only=True)
    state = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True)
    revoked_at = serializers.DateTimeField(read_only=True, allow_null=True)
    last_used_at = serializers.DateTimeField(read_only=True, allow_null=True)

    def get_state(self, token: ServiceToken) -> str:
        """Say whether it works."""
        return token_state(token)


class TokenCreatedSerializer(TokenSerializer):
    """A new token with its secret, which is shown this once."""

    secret = serializers.CharField(read_only=True)


class TokenListSerializer(Shape):
    """A trial's tokens."""

    results = TokenSerializer(many=True, read_only=True)
