"""The base of every view: it says which permission it needs, or it serves nobody."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from equipoise.api.actors import Actor, actor_of
from equipoise.api.addresses import request_address
from equipoise.api.errors import BadShapeError, NotSignedInError, SessionExpiredError
from equipoise.api.filters import list_filter
from equipoise.api.pagination import list_page
from equipoise.api.refusals import refusal_notify
from equipoise.common.errors import ErrorCode, PermissionDeniedError
from equipoise.common.permissions import ROLE_PERMISSIONS, Permission, Role

_SITE_PERMISSIONS = ROLE_PERMISSIONS[Role.SITE_ADMINISTRATOR]
_NUL = chr(0)
_REFUSALS = frozenset({ErrorCode.NOT_FOUND, ErrorCode.PERMISSION_DENIED})


class ApiView(APIView):
    """A view of the API.

    ``required_permission`` is one permission, or one per method (``{"GET": ..., "POST": ...}``). ``PUBLIC`` needs
    nothing, ``SELF`` needs somebody signed in, the site administrator's permissions need that administrator, and
    every other one is refused unless the view's :meth:`authorize` lets it pass: views of a trial override it with
    their ``access_*`` function.
    """

    required_permission: ClassVar[Permission | Mapping[str, Permission]]

    @classmethod
    def permission_for(cls, method: str) -> Permission:
        """Return the permission that a method needs."""
        declared = cls.required_permission
        if isinstance(declared, Permission):
            return declared
        return declared["GET" if method == "HEAD" else method]

    @property
    def actor(self) -> Actor:
        """Return who asks; only in views that need somebody signed in."""
        actor = actor_of(self.request.user)
        if actor is None:
            raise NotSignedInError("Sign in first.")
        return actor

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what no view can mean, then do what the framework does before a view's own method."""
        super().initial(request, *args, **kwargs)
        asked = [value for _, values in request.query_params.lists() for value in values]
        if any(
            _NUL in value for value in (*asked, *map(str, kwargs.values()))
        ):  # PostgreSQL's text holds none: the query would fail there
            raise BadShapeError("A parameter must not hold the character U+0000.")

    def check_permissions(self, request: Request) -> None:
        """Refuse unless the declared permission is granted."""
        if request.method == "OPTIONS":
            self.http_method_not_allowed(request)
        handler = getattr(self, (request.method or "").lower(), None)
        if handler is None:
            return  # the framework answers 405 next
        permission = self.permission_for(request.method or "")
        if permission == Permission.PUBLIC:
            self._check_csrf_of_anonymous(request)
            return
        if actor_of(request.user) is None:
            self._refuse_anonymous(request)
        if permission != Permission.SELF:
            self.authorize(request, permission)

    def authorize(self, request: Request, permission: Permission) -> None:
        """Raise unless the actor holds the permission. Here: the site administrator's own; all else is refused."""
        if permission in _SITE_PERMISSIONS and self.actor.may_on_site(permission):
            return
        raise PermissionDeniedError("You may not do this.", data={"permission": permission.value})

    def note_refusal(self, code: ErrorCode) -> None:
        """Hand a refusal to the audit trail (called after the refused transaction was rolled back)."""
        if code not in _REFUSALS:
            return
        request = self.request
        refusal_notify(
            actor=actor_of(getattr(request, "user", None)),
            subject=f"{request.method}:{type(self).__name__}",
            code=code.value,
            trial_id=self.refusal_trial_id(),
            address=request_address(request),
        )

    def refusal_trial_id(self) -> UUID | None:
        """Return the trial that the address names, if it names one by id."""
        value: Any = self.kwargs.get("trial_id")
        return value if isinstance(value, UUID) else None

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Answers are personal and change: nothing on the way may keep them unless a view says otherwise.

        A list keeps the rows, and is cut to the page, that the caller asks for, if the view did not do so.
        """
        if request.method == "GET" and isinstance(response, Response) and isinstance(response.data, dict):
            try:
                response.data = list_filter(request, response.data) or response.data
                response.data = list_page(request, response.data) or response.data
            except BadShapeError as error:
                response = self.handle_exception(error)
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers.setdefault(
            "Cache-Control", "private, no-cache" if final.has_header("ETag") else "no-store"
        )
        return final

    @staticmethod
    def _refuse_anonymous(request: Request) -> None:
        from django.conf import settings

        if request.COOKIES.get(settings.SESSION_COOKIE_NAME):
            raise SessionExpiredError("Your session has ended; sign in again. Nothing you entered is lost.")
        raise NotSignedInError("Sign in first.")

    @staticmethod
    def _check_csrf_of_anonymous(request: Request) -> None:
        """Signed-in requests were checked by authentication; sign-in itself must not be forged either."""
        from equipoise.api.csrf import csrf_check

        if actor_of(request.user) is None and not request.META.get("HTTP_AUTHORIZATION"):
            csrf_check(request)


class ApiListView(ApiView, ListAPIView[Any]):
    """A list by cursor; give ``serializer_class`` and ``get_queryset``."""


def no_content() -> Response:
    """Return 204."""
    return Response(status=204)
