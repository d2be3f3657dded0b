"""A trial's protocol: its draft, its versions, in what they differ, and amendments."""

from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.api.errors import BadShapeError
from equipoise.api.etags import etag_of, require_match
from equipoise.api.views import ApiView
from equipoise.common.permissions import Permission
from trials.api.serializers import protocol as shapes
from trials.api.views.acting import actor_of, validated
from trials.api.views.signatures import signer_of
from trials.api.views.trial_view import TrialView
from trials.domain.protocol.difference import protocol_changes
from trials.domain.protocol.document import CheckOutcome, json_schema
from trials.models import ProtocolVersion, Trial
from trials.selectors.protocol import protocol_current, protocol_locked, protocol_numbered
from trials.services.protocol import (
    CheckedAmendment,
    amendment_check,
    checked_document,
    protocol_amend,
    protocol_save,
)


class ProtocolSchemaView(ApiView):
    """The JSON Schema of a protocol."""

    required_permission = Permission.SELF

    @extend_schema(operation_id="protocol_schema", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> HttpResponse:
        """Return the schema from which the form is drawn."""
        return HttpResponse(json_schema())


def _protocol_answer(trial: Trial, version: ProtocolVersion, outcome: CheckOutcome) -> HttpResponse:
    document = {
        "version": version.version,
        "revision": version.revision,
        "locked": version.locked_at is not None,
        "sha256": version.sha256 or None,
        "text": version.text,
        "document": version.document,
        "problems": outcome.problems,
        "lock_problems": outcome.lock_problems,
        "versions": trial.protocol_versions.all(),
    }
    return HttpResponse(
        shapes.ProtocolSerializer(document).data, headers={"ETag": etag_of(version.id, version.revision)}
    )


class ProtocolView(TrialView):
    """The trial's protocol."""

    required_permission = {"GET": Permission.PROTOCOL_VIEW, "PUT": Permission.PROTOCOL_EDIT}

    @extend_schema(operation_id="protocol_detail", responses=shapes.ProtocolSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Show the newest version as text and document, with everything wrong in it."""
        version = protocol_current(self.trial)
        outcome, _ = checked_document(text=version.text, document=None)
        return _protocol_answer(self.trial, version, outcome)

    @extend_schema(
        operation_id="protocol_save",
        request=shapes.ProtocolWriteSerializer,
        responses=shapes.ProtocolSerializer,
    )
    def put(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Store the draft, complete or not; send the ETag you edited as If-Match."""
        data = validated(shapes.ProtocolWriteSerializer, request)
        current = protocol_current(self.trial)
        require_match(request, etag_of(current.id, current.revision))
        version, outcome = protocol_save(
            self.trial,
            text=data.get("text"),
            document=data.get("document"),
            revision=current.revision,
            actor=actor_of(request),
        )
        return _protocol_answer(self.trial, version, outcome)


class ProtocolCheckView(TrialView):
    """A check of a protocol, storing nothing."""

    required_permission = Permission.PROTOCOL_VIEW

    @extend_schema(
        operation_id="protocol_check",
        request=shapes.ProtocolWriteSerializer,
        responses=shapes.ProtocolCheckedSerializer,
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Say everything that is wrong at once, by line; convert between text and document."""
        data = validated(shapes.ProtocolWriteSerializer, request)
        outcome, text = checked_document(text=data.get("text"), document=data.get("document"))
        document = {
            "text": text,
            "document": outcome.document,
            "problems": outcome.problems,
            "lock_problems": outcome.lock_problems,
        }
        return HttpResponse(shapes.ProtocolCheckedSerializer(document).data)


class ProtocolVersionView(TrialView):
    """One version of the protocol."""

    required_permission = Permission.PROTOCOL_VIEW

    @extend_schema(operation_id="protocol_version", responses=shapes.ProtocolVersionDetailSerializer)
    def get(self, request: Request, trial_id: UUID, number: int) -> HttpResponse:
        """Return the version as text (YAML) and as document: what another trial can begin with."""
        version = protocol_numbered(self.trial, number)
        return HttpResponse(shapes.ProtocolVersionDetailSerializer(version).data)


class ProtocolChangesView(TrialView):
    """In what two versions of the protocol differ."""

    required_permission = Permission.PROTOCOL_VIEW

    @extend_schema(
        operation_id="protocol_changes",
        parameters=[
            OpenApiParameter("older", OpenApiTypes.INT, required=True, description="Number of a version."),
            OpenApiParameter(
                "newer", OpenApiTypes.INT, description="Number of a version; the newest if left out."
            ),
        ],
        responses=shapes.ProtocolChangesSerializer,
    )
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the changes part by part, in words."""
        older = protocol_numbered(self.trial, _number(request, "older", 0))
        newer = protocol_numbered(self.trial, _number(request, "newer", protocol_current(self.trial).version))
        document = {
            "older": older.version,
            "newer": newer.version,
            "changes": protocol_changes(older.document, newer.document),
        }
        return HttpResponse(shapes.ProtocolChangesSerializer(document).data)


def _number(request: Request, name: str, default: int) -> int:
    raw = request.query_params.get(name, str(default))
    if not raw.isascii() or not raw.isdigit() or len(raw) > 4:
        raise BadShapeError(f"{name} must be the number of a version.")
    return int(raw)


class AmendmentCheckView(TrialView):
    """What an amendment would change, storing nothing."""

    required_permission = Permission.PROTOCOL_VIEW

    @extend_schema(
        operation_id="amendment_check",
        request=shapes.ProtocolWriteSerializer,
        responses=shapes.AmendmentCheckedSerializer,
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Say part by part what would change, and what of it cannot be amended (any more)."""
        data = validated(shapes.ProtocolWriteSerializer, request)
        checked, text = amendment_check(self.trial, text=data.get("text"), document=data.get("document"))
        return HttpResponse(
            shapes.AmendmentCheckedSerializer(_amendment_document(self.trial, checked, text)).data
        )


def _amendment_document(trial: Trial, checked: CheckedAmendment, text: str) -> dict[str, object]:
    return {
        "version": protocol_locked(trial).version,
        "allowed": checked.allowed,
        "changes": checked.changes,
        "refusals": [{"pointer": key, "message": value} for key, value in checked.refusals.items()],
        "problems": checked.problems,
        "text": text,
    }


class AmendmentListView(TrialView):
    """Amendments of a locked protocol."""

    required_permission = Permission.TRIAL_LOCK

    @extend_schema(
        operation_id="protocol_amend",
        request=shapes.AmendmentWriteSerializer,
        responses={201: shapes.ProtocolSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Add a version, frozen at once; send the ETag of the version you amend as If-Match."""
        data = validated(shapes.AmendmentWriteSerializer, request)
        with signer_of(request, data) as signer:
            current = protocol_current(self.trial)
            require_match(request, etag_of(current.id, current.revision))
            version, _ = protocol_amend(
                self.trial,
                text=data.get("text"),
                document=data.get("document"),
                reason=data["reason"],
                amends=current.version,
                actor=actor_of(request),
                signer=signer,
            )
        outcome, _text = checked_document(text=version.text, document=None)
        answer = _protocol_answer(self.trial, version, outcome)
        answer.status_code = status.HTTP_201_CREATED
        return answer
