"""What the blind review looks at: queries, protocol deviations, and where readers disagree."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.api.errors import BadShapeError
from equipoise.api.views import ApiListView
from equipoise.common.errors import NotFoundError
from equipoise.common.permissions import Permission
from trials.api.serializers import review as shapes
from trials.api.views.acting import actor_of, validated
from trials.api.views.trial_view import TrialView
from trials.domain.review import Act, ReviewAct, ReviewKind, ReviewState, Severity
from trials.models import ReviewRecord
from trials.selectors.adjudication import trial_adjudication
from trials.selectors.review import review_document, review_records
from trials.services.review import ReviewSubject, review_open, review_step


class ReviewRecordListView(TrialView, ApiListView):
    """A trial's queries and deviations."""

    required_permission = {"GET": Permission.MONITOR_VIEW, "POST": Permission.REVIEW_WRITE}
    serializer_class = shapes.ReviewRecordSerializer

    @extend_schema(
        operation_id="review_record_list",
        parameters=[
            OpenApiParameter("kind", str, enum=shapes.KINDS),
            OpenApiParameter("state", str, enum=[state.value for state in ReviewState]),
            OpenApiParameter("participant", str, description="A reader's code."),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        """List them, oldest first: who, when, why, and where each stands."""
        page = self.paginate_queryset(self.get_queryset())
        rows = [review_document(one) for one in page or ()]
        return self.get_paginated_response(shapes.ReviewRecordSerializer(rows, many=True).data)

    def get_queryset(self) -> QuerySet[ReviewRecord]:
        """Return the records that the query asks for."""
        asked = self.request.query_params
        kind, state = asked.get("kind"), asked.get("state")
        if kind and kind not in set(ReviewKind):
            raise BadShapeError(f"kind must be one of {', '.join(ReviewKind)}.")
        if state and state not in set(ReviewState):
            raise BadShapeError(f"state must be one of {', '.join(ReviewState)}.")
        return review_records(
            self.trial,
            kind=ReviewKind(kind) if kind else None,
            state=ReviewState(state) if state else None,
            participant=asked.get("participant", ""),
        )

    @extend_schema(
        operation_id="review_record_open",
        request=shapes.ReviewOpenSerializer,
        responses={201: shapes.ReviewRecordSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Open a query or a deviation."""
        data = validated(shapes.ReviewOpenSerializer, request)
        made = review_open(
            self.trial,
            kind=ReviewKind(data["kind"]),
            topic=data["topic"],
            subject=ReviewSubject(data["participant"], data["n"], data["case"]),
            act=Act(ReviewAct.OPEN, Severity(data["severity"]) if data["severity"] else None),
            text=data["text"],
            actor=actor_of(request),
        )
        return HttpResponse(_shown(made), status=status.HTTP_201_CREATED)


class ReviewStepListView(TrialView):
    """What is done to a record."""

    required_permission = Permission.REVIEW_WRITE

    @extend_schema(
        operation_id="review_record_step",
        request=shapes.ReviewStepWriteSerializer,
        responses={201: shapes.ReviewRecordSerializer},
    )
    def post(self, request: Request, trial_id: UUID, record_id: UUID) -> HttpResponse:
        """Answer, close or reopen it; nothing that was said before is edited."""
        review = review_records(self.trial).filter(id=record_id).first()
        if review is None:
            raise NotFoundError("There is no such query or deviation.")
        data = validated(shapes.ReviewStepWriteSerializer, request)
        act = Act(
            ReviewAct(data["act"]),
            Severity(data["severity"]) if data["severity"] else None,
            data["excludes"],
        )
        review_step(review, act=act, text=data["text"], actor=actor_of(request))
        return HttpResponse(_shown(review), status=status.HTTP_201_CREATED)


def _shown(review: ReviewRecord) -> Any:
    fresh = review_records(review.trial).get(id=review.id)
    return shapes.ReviewRecordSerializer(review_document(fresh)).data


class AdjudicationView(TrialView):
    """Where readers disagree."""

    required_permission = Permission.MONITOR_VIEW

    @extend_schema(operation_id="adjudication_list", responses=shapes.AdjudicationListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List items and questions with different answers in the same condition, once reading is closed."""
        found = trial_adjudication(self.trial)
        document = {"compared": found.compared, "results": found.disagreements}
        return HttpResponse(shapes.AdjudicationListSerializer(document).data)
