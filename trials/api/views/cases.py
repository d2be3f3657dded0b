"""Cases, uploads, ingests and items of a trial."""

from uuid import UUID

from django.http import HttpResponse as PlainResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import NotFoundError, ValidationFailedError
from equipoise.common.permissions import Permission
from trials.api.serializers import cases as shapes
from trials.api.views.acting import actor_of, caller_of, validated
from trials.api.views.trial_view import TrialView
from trials.domain.blinding import Sight
from trials.models import CasePurpose, Item, Upload
from trials.selectors.access import permissions_in, trial_roles
from trials.selectors.allocation import caller_may_see
from trials.selectors.cases import (
    case_frame,
    case_thumbnail,
    cases_document,
    ingest_document,
    ingest_run_of,
    ingests_document,
    item_thumbnail,
    items_document,
    removal_document,
)
from trials.selectors.quality import quality_document
from trials.services.ingest import (
    case_pixels_reviewed,
    rule_of,
    trial_ingest_logs_delete,
    upload_add_file,
    upload_create,
    upload_request_ingest,
)
from trials.services.items import items_draw


class CaseListView(TrialView):
    """The trial's cases."""

    shows = (AuditKind.CASE_VIEWED, "cases")
    required_permission = Permission.CASE_VIEW

    @extend_schema(operation_id="case_list", responses=shapes.CaseListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List cases with their contours."""
        rows = cases_document(
            self.trial, sources=caller_may_see(self.trial, caller_of(request), Sight.SOURCES)
        )
        return HttpResponse(shapes.CaseListSerializer({"results": rows}).data)


class QualityView(TrialView):
    """Quality control of the trial's material."""

    shows = (AuditKind.CASE_VIEWED, "quality")
    required_permission = Permission.CASE_VIEW

    @extend_schema(operation_id="case_quality", responses=shapes.QualitySerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Hold every case against the protocol's limits; give the facts' distributions."""
        return HttpResponse(shapes.QualitySerializer(quality_document(self.trial)).data)


def _png(content: bytes) -> HttpResponseBase:
    body = PlainResponse(content, content_type="image/png")
    body["Cache-Control"] = "private, max-age=300"
    return body


class CaseThumbnailView(TrialView):
    """A picture of a case."""

    shows = (AuditKind.CASE_VIEWED, "case")
    required_permission = Permission.CASE_VIEW_SOURCES

    @extend_schema(operation_id="case_thumbnail", responses={(200, "image/png"): OpenApiTypes.BINARY})
    def get(self, request: Request, trial_id: UUID, case_id: UUID) -> HttpResponseBase:
        """Return the slice with the largest contours, with the contours."""
        case = self.trial.cases.filter(id=case_id).first()
        if case is None:
            raise NotFoundError("There is no such case.")
        return _png(case_thumbnail(case))


class CaseFrameView(TrialView):
    """A frame of a case, to be looked at before the case is used."""

    shows = (AuditKind.CASE_VIEWED, "case")
    required_permission = Permission.CASE_INGEST

    @extend_schema(operation_id="case_frame", responses={(200, "image/png"): OpenApiTypes.BINARY})
    def get(self, request: Request, trial_id: UUID, case_id: UUID, number: int) -> HttpResponseBase:
        """Return one frame (from 0) of the image as a large picture, without contours."""
        case = self.trial.cases.filter(id=case_id).first()
        if case is None:
            raise NotFoundError("There is no such case.")
        return _png(case_frame(case, number))


class ItemThumbnailView(TrialView):
    """A picture of an item."""

    shows = (AuditKind.CASE_VIEWED, "item")
    required_permission = Permission.CASE_VIEW_SOURCES

    @extend_schema(operation_id="item_thumbnail", responses={(200, "image/png"): OpenApiTypes.BINARY})
    def get(self, request: Request, trial_id: UUID, item_id: UUID) -> HttpResponseBase:
        """Return the item's slice with both candidates."""
        item = (
            Item.objects.select_related("image", "candidate_a", "candidate_b")
            .filter(trial=self.trial, id=item_id)
            .first()
        )
        if item is None:
            raise NotFoundError("There is no such item.")
        return _png(item_thumbnail(item))


class UploadListView(TrialView):
    """Uploads."""

    required_permission = Permission.CASE_INGEST

    @extend_schema(operation_id="upload_create", request=None, responses={201: shapes.UploadSerializer})
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Begin an upload."""
        upload = upload_create(self.trial, actor=actor_of(request))
        return HttpResponse(shapes.UploadSerializer(upload).data, status=status.HTTP_201_CREATED)


class _UploadView(TrialView):
    required_permission = Permission.CASE_INGEST

    def upload(self, request: Request, upload_id: UUID) -> Upload:
        """Return the caller's own upload."""
        upload = Upload.objects.filter(
            trial=self.trial, id=upload_id, created_by_id=caller_of(request).id
        ).first()
        if upload is None:
            raise NotFoundError("There is no such upload of yours.")
        return upload


class UploadFilesView(_UploadView):
    """Files of an upload."""

    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="upload_files",
        request={"multipart/form-data": shapes.UploadFilesSerializer},
        responses=shapes.UploadSerializer,
    )
    def post(self, request: Request, trial_id: UUID, upload_id: UUID) -> HttpResponse:
        """Send files with their relative paths; sending one again replaces it."""
        upload = self.upload(request, upload_id)
        files, paths = request.FILES.getlist("file"), request.POST.getlist("path")
        if len(files) != len(paths) or not files:
            raise ValidationFailedError.of_fields(
                {"/path": f"Send one path for each file; {len(files)} files came with {len(paths)} paths."}
            )
        for file, path in zip(files, paths, strict=True):
            upload_add_file(upload, path=path, content=file, size=file.size or 0)
        upload.refresh_from_db()
        return HttpResponse(shapes.UploadSerializer(upload).data)


class UploadIngestView(_UploadView):
    """An upload becomes cases."""

    @extend_schema(
        operation_id="upload_ingest",
        request=shapes.IngestRequestSerializer,
        responses={202: shapes.JobStartedSerializer},
    )
    def post(self, request: Request, trial_id: UUID, upload_id: UUID) -> HttpResponse:
        """Queue the ingest; watch the job, then read the report."""
        upload = self.upload(request, upload_id)
        data = validated(shapes.IngestRequestSerializer, request)
        job = upload_request_ingest(
            upload,
            rules=[rule_of(rule) for rule in data["rules"]],
            purpose=CasePurpose(data["purpose"]),
            actor=actor_of(request),
        )
        return HttpResponse(
            shapes.JobStartedSerializer({"job_id": job.id}).data, status=status.HTTP_202_ACCEPTED
        )


class IngestListView(TrialView):
    """Runs of ingestion."""

    required_permission = Permission.CASE_INGEST

    @extend_schema(operation_id="ingest_list", responses=shapes.IngestRunListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the runs, newest first."""
        return HttpResponse(shapes.IngestRunListSerializer({"results": ingests_document(self.trial)}).data)


class IngestDetailView(TrialView):
    """One run of ingestion."""

    required_permission = Permission.CASE_INGEST

    @extend_schema(operation_id="ingest_detail", responses=shapes.IngestDetailSerializer)
    def get(self, request: Request, trial_id: UUID, run_id: UUID) -> HttpResponse:
        """Show what became of each file; names only to the sender and the data manager."""
        held = permissions_in(trial_roles(caller_of(request), self.trial))
        document = ingest_document(
            self.trial, run_id, account_id=caller_of(request).id, sees_log=Permission.INGEST_LOG_VIEW in held
        )
        return HttpResponse(shapes.IngestDetailSerializer(document).data)


class IngestRemovedView(TrialView):
    """What a run of ingestion removed."""

    required_permission = Permission.INGEST_LOG_VIEW

    @extend_schema(operation_id="ingest_removed", responses=shapes.RemovalSerializer)
    def get(self, request: Request, trial_id: UUID, run_id: UUID) -> HttpResponse:
        """List the attributes that the headers held and that were not kept, without their values."""
        return HttpResponse(shapes.RemovalSerializer(removal_document(self.trial, run_id)).data)


class IngestLogsView(TrialView):
    """The logs of a run, which may identify people."""

    required_permission = Permission.INGEST_LOG_VIEW

    @extend_schema(operation_id="ingest_logs_delete", request=None, responses={204: None})
    def delete(self, request: Request, trial_id: UUID, run_id: UUID) -> HttpResponse:
        """Delete the log with file names and the list of what was removed."""
        trial_ingest_logs_delete(ingest_run_of(self.trial, run_id), actor=actor_of(request))
        return HttpResponse(status=status.HTTP_204_NO_CONTENT)


class CasePixelsReviewedView(TrialView):
    """An image that was looked at."""

    required_permission = Permission.CASE_INGEST

    @extend_schema(
        operation_id="case_pixels_reviewed",
        request=shapes.PixelsReviewedSerializer,
        responses={204: None},
    )
    def post(self, request: Request, trial_id: UUID, case_id: UUID) -> HttpResponse:
        """Record that a flagged image does not show who the patient is."""
        case = self.trial.cases.filter(id=case_id).first()
        if case is None:
            raise NotFoundError("There is no such case.")
        data = validated(shapes.PixelsReviewedSerializer, request)
        case_pixels_reviewed(case, actor=actor_of(request), reason=data["reason"])
        return HttpResponse(status=status.HTTP_204_NO_CONTENT)


class ItemListView(TrialView):
    """The trial's items."""

    required_permission = {"GET": Permission.CASE_VIEW, "POST": Permission.PROTOCOL_EDIT}

    @extend_schema(operation_id="item_list", responses=shapes.ItemDrawSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Show the last draw."""
        return HttpResponse(shapes.ItemDrawSerializer(items_document(self.trial)).data)

    @extend_schema(operation_id="item_draw", request=None, responses=shapes.ItemDrawSerializer)
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Draw the items by the protocol's rule and seed; an earlier draw is replaced."""
        items_draw(self.trial, actor=actor_of(request))
        self.trial.refresh_from_db()
        return HttpResponse(shapes.ItemDrawSerializer(items_document(self.trial)).data)
