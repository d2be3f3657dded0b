"""The jobs' addresses. They stand here because the job kit and the API kit do not know each other."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from equipoise.api.errors import BadShapeError
from equipoise.api.etags import etag_of, not_modified
from equipoise.api.pagination import CursorPagination
from equipoise.api.views import ApiListView, ApiView
from equipoise.audit.kinds import AuditKind, Origin
from equipoise.audit.services import chain_of, entry_append
from equipoise.common.permissions import Permission
from equipoise.jobs.access import access_job, access_trial_jobs
from equipoise.jobs.models import Job, JobItem, JobItemState, JobState
from equipoise.jobs.selectors import job_is_stalled, job_list_of_trial, job_progress
from equipoise.jobs.services import job_cancel, job_retry


class JobSerializer(serializers.ModelSerializer[Job]):
    """A job as its watchers see it."""

    progress = serializers.SerializerMethodField()
    stalled = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "state",
            "done",
            "failed",
            "total",
            "unit",
            "message_code",
            "progress",
            "stalled",
            "created_at",
            "started_at",
            "heartbeat_at",
            "finished_at",
        ]
        read_only_fields = fields

    def get_progress(self, job: Job) -> float:
        """Return the share done, 0 to 1."""
        return round(job_progress(job), 4)

    def get_stalled(self, job: Job) -> bool:
        """Say whether nothing was heard of it for too long."""
        return job_is_stalled(job)


class JobItemSerializer(serializers.ModelSerializer[JobItem]):
    """One item of a job: what became of it."""

    result = serializers.DictField(read_only=True, allow_null=True)

    class Meta:
        model = JobItem
        fields = ["id", "key", "state", "attempts", "result", "error_code", "error_detail", "error_data"]
        read_only_fields = fields


def _answer(job: Job) -> Response:
    return Response(JobSerializer(job).data)


class _JobView(ApiView):
    def authorize(self, request: Request, permission: Permission) -> None:
        """Load the job of the address, or refuse."""
        self.job = access_job(actor=self.actor, job_id=self.kwargs["job_id"], permission=permission)


class JobView(_JobView):
    """One job."""

    required_permission = Permission.JOB_VIEW

    @extend_schema(operation_id="job_get", responses={200: JobSerializer, 304: None})
    def get(self, request: Request, job_id: UUID) -> Response:
        """Return the job, or 304 if nothing changed."""
        data = JobSerializer(self.job).data
        etag = etag_of(*data.values())
        return not_modified(request, etag) or Response(data, headers={"ETag": etag})


class JobCancelView(_JobView):
    """Stopping a job."""

    required_permission = Permission.JOB_CANCEL

    @extend_schema(operation_id="job_cancel", request=None, responses=JobSerializer)
    def post(self, request: Request, job_id: UUID) -> Response:
        """Ask the job to stop."""
        return _answer(_audited(job_cancel, AuditKind.JOB_CANCELLED, self.job, self.actor.id))


class JobRetryView(_JobView):
    """Trying failed items again."""

    required_permission = Permission.JOB_CANCEL

    @extend_schema(operation_id="job_retry", request=None, responses=JobSerializer)
    def post(self, request: Request, job_id: UUID) -> Response:
        """Queue the failed and cancelled items again."""
        return _answer(_audited(job_retry, AuditKind.JOB_RETRIED, self.job, self.actor.id))


class JobItemListView(_JobView, ApiListView):
    """A job's items."""

    required_permission = Permission.JOB_VIEW
    serializer_class = JobItemSerializer

    class pagination_class(CursorPagination):  # noqa: N801 - the framework's attribute name
        """Items in the order they were given."""

        ordering = "position"

    @extend_schema(
        operation_id="job_item_list",
        parameters=[OpenApiParameter("state", str, enum=[state.value for state in JobItemState])],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the items, or those in one state."""
        return self.list(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[JobItem]:
        """Return the items."""
        items = JobItem.objects.filter(job_id=self.kwargs["job_id"])
        state = self.request.query_params.get("state")
        if state is not None and state not in JobItemState.values:
            raise BadShapeError(f"state must be one of {', '.join(JobItemState.values)}.")
        return items.filter(state=state) if state else items


class TrialJobListView(ApiListView):
    """A trial's jobs, newest first."""

    required_permission = Permission.JOB_VIEW
    serializer_class = JobSerializer

    class pagination_class(CursorPagination):  # noqa: N801 - the framework's attribute name
        """Newest first."""

        ordering = "-id"

    def authorize(self, request: Request, permission: Permission) -> None:
        """Refuse whoever may not see the trial's jobs."""
        access_trial_jobs(actor=self.actor, trial_id=self.kwargs["trial_id"], permission=permission)

    @extend_schema(
        operation_id="trial_job_list",
        parameters=[
            OpenApiParameter("state", str, enum=JobState.values),
            OpenApiParameter("kind", str, description="Such as `trials.analyse`."),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List the jobs, or those in one state or of one kind."""
        return self.list(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[Job]:
        """Return the jobs that the query asks for."""
        asked = self.request.query_params
        state, kind = asked.get("state"), asked.get("kind")
        if state is not None and state not in JobState.values:
            raise BadShapeError(f"state must be one of {', '.join(JobState.values)}.")
        jobs = job_list_of_trial(self.kwargs["trial_id"])
        jobs = jobs.filter(state=state) if state else jobs
        return jobs.filter(kind=kind) if kind else jobs


def _audited(act: Any, kind: AuditKind, job: Job, actor_id: UUID) -> Job:
    with transaction.atomic():
        changed: Job = act(job.pk)
        entry_append(
            chain=chain_of(job.trial_id),
            kind=kind,
            actor_id=actor_id,
            origin=Origin.WEB,
            subject=f"job:{job.pk}",
            before={"state": job.state},
            after={"state": changed.state},
        )
    return changed


urlpatterns = [
    path("jobs/<uuid:job_id>", JobView.as_view(), name="job"),
    path("jobs/<uuid:job_id>/cancel", JobCancelView.as_view(), name="job-cancel"),
    path("jobs/<uuid:job_id>/retry", JobRetryView.as_view(), name="job-retry"),
    path("jobs/<uuid:job_id>/items", JobItemListView.as_view(), name="job-item-list"),
    path("trials/<uuid:trial_id>/jobs", TrialJobListView.as_view(), name="trial-job-list"),
]
