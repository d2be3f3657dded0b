"""The reference standard and covariates of a trial's cases."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import TooLargeError
from equipoise.common.permissions import Permission
from trials.api.serializers import references as shapes
from trials.api.views.acting import actor_of, validated
from trials.api.views.trial_view import TrialView
from trials.selectors.reference import references_document
from trials.services.reference import references_import

MAX_TABLE_BYTES = 20 * 1024 * 1024


class ReferenceListView(TrialView):
    """What the cases' answers are checked against. No role that may see it can be a reader of the trial."""

    shows = (AuditKind.CASE_VIEWED, "references")
    required_permission = Permission.CASE_VIEW_SOURCES

    @extend_schema(operation_id="reference_list", responses=shapes.ReferencesSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the reference standard of every case and count its states."""
        return HttpResponse(shapes.ReferencesSerializer(references_document(self.trial)).data)


class ReferenceImportView(TrialView):
    """A table of reference standards and covariates."""

    required_permission = Permission.CASE_INGEST
    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="reference_import",
        request={"multipart/form-data": shapes.ReferenceImportSerializer},
        responses={201: shapes.ReferencesImportedSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Import a CSV whole or not at all; wrong cells are named by row and column."""
        file = validated(shapes.ReferenceImportSerializer, request)["file"]
        if file.size > MAX_TABLE_BYTES:
            raise TooLargeError(f"The table has {file.size} bytes; {MAX_TABLE_BYTES} fit in one upload.")
        done = references_import(self.trial, content=file.read(), actor=actor_of(request))
        return HttpResponse(shapes.ReferencesImportedSerializer(done).data, status=status.HTTP_201_CREATED)
