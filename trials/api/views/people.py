"""What the site's administrators do about people, apart from any trial."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.accounts.sessions import require_confirmed
from equipoise.api.views import ApiView
from equipoise.audit.kinds import Origin
from equipoise.common.permissions import Permission
from trials.api.serializers import people as shapes
from trials.api.views.acting import account_of, validated
from trials.services.erasure import person_erase


class PersonEraseView(ApiView):
    """The erasure of a person's data."""

    required_permission = Permission.SITE_MANAGE

    @extend_schema(
        operation_id="person_erase",
        request=shapes.PersonEraseSerializer,
        responses=shapes.PersonErasedSerializer,
    )
    def post(self, request: Request) -> HttpResponse:
        """Erase who an e-mail address belongs to, for a reason that does not name them. Asks for a fresh sign-in."""
        administrator = account_of(request)
        require_confirmed(request._request)
        data = validated(shapes.PersonEraseSerializer, request)
        erased = person_erase(
            email=data["email"], reason=data["reason"], actor_id=administrator.id, origin=Origin.WEB
        )
        return HttpResponse(shapes.PersonErasedSerializer(asdict(erased)).data)
