"""What views take from a request: the validated body, the actor, the session."""

from functools import cache
from typing import Any

from rest_framework.request import Request
from rest_framework.serializers import Serializer

from equipoise.accounts.models import Account, ServiceToken
from equipoise.accounts.sessions import require_confirmed
from equipoise.api.errors import NotSignedInError
from equipoise.audit.kinds import Origin
from equipoise.common.errors import PermissionDeniedError
from trials.selectors.access import Caller
from trials.services.acts import Actor


def validated(serializer_class: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    """Return the request's body in the serializer's types, or raise naming each wrong field."""
    data: dict[str, Any] = _kept(serializer_class).run_validation(request.data)
    return data


def shaped(serializer_class: type[Serializer[Any]], document: Any) -> dict[str, Any]:
    """Return what the serializer lets through of a document, in the shapes that it says."""
    data: dict[str, Any] = _kept(serializer_class).to_representation(document)
    return data


@cache
def _kept(serializer_class: type[Serializer[Any]]) -> Serializer[Any]:
    """Return the one serializer of a class that serves every request: making one copies all of its fields.

    It holds neither data nor context, so that nothing of one request reaches another.
    """
    return serializer_class()


def caller_of(request: Request) -> Caller:
    """Return the signed-in person or the program; views that anybody may call do not ask."""
    caller = request.user
    if not isinstance(caller, (Account, ServiceToken)):
        raise NotSignedInError("Sign in first.")
    return caller


def account_of(request: Request) -> Account:
    """Return the signed-in person; a program is refused."""
    caller = caller_of(request)
    if not isinstance(caller, Account):
        raise PermissionDeniedError("This is for people, not for programs.")
    return caller


def require_person_or_program(request: Request) -> None:
    """Raise unless the person was there just now; a program shows its secret with every request."""
    if not isinstance(caller_of(request), ServiceToken):
        require_confirmed(request._request)


def actor_of(request: Request) -> Actor:
    """Return who acts, through the web."""
    return Actor(account_id=caller_of(request).id, origin=Origin.WEB)


def session_key_of(request: Request) -> str:
    """Return the key of the caller's session, to which frames are bound."""
    return str(request.session.session_key)
