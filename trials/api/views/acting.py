"""What views take from a request: the validated body, the actor, the session."""

from typing import Any

from rest_framework.request import Request
from rest_framework.serializers import Serializer

from equipoise.audit.kinds import Origin
from trials.services.acts import Actor


def validated(serializer_class: type[Serializer], request: Request) -> dict[str, Any]:
    """Return the request's body in the serializer's types, or raise naming each wrong field."""
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    data: dict[str, Any] = serializer.validated_data
    return data


def actor_of(request: Request) -> Actor:
    """Return who acts, through the web."""
    return Actor(account_id=request.user.id, origin=Origin.WEB)


def session_key_of(request: Request) -> str:
    """Return the key of the caller's session, to which frames are bound."""
    return str(request.session.session_key)
