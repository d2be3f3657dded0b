"""For programs: the events of a trial to poll, and webhooks that are told of them."""

from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.api.errors import BadShapeError
from equipoise.api.etags import etag_of, not_modified
from equipoise.common.errors import NotFoundError
from equipoise.common.permissions import Permission
from trials.api.serializers import notifications as shapes
from trials.api.views.acting import account_of, actor_of, validated
from trials.api.views.trial_view import TrialView
from trials.domain.notifications import EventKind, secret_text
from trials.selectors.notifications import (
    event_documents,
    event_entries,
    events_last,
    webhook_document,
    webhooks_document,
)
from trials.services.notifications import webhook_create, webhook_end

MAX_EVENTS = 200


class EventListView(TrialView):
    """What happened in a trial."""

    required_permission = Permission.MONITOR_VIEW

    @extend_schema(
        operation_id="event_list",
        parameters=[
            OpenApiParameter("after", OpenApiTypes.INT, description="Events behind this number; 0 for all."),
            OpenApiParameter("kind", str, enum=shapes.EVENT_KINDS),
        ],
        responses={200: shapes.EventListSerializer, 304: None},
    )
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List events in order, to be polled: send ``next`` as ``after``. Has an ETag."""
        after, kind = request.query_params.get("after", "0"), request.query_params.get("kind")
        if not after.isascii() or not after.isdigit() or len(after) > 18:
            raise BadShapeError("after must be a whole number, as an answer's next is.")
        if kind and kind not in set(EventKind):
            raise BadShapeError(f"kind must be one of {', '.join(EventKind)}.")
        last = events_last(self.trial)
        etag = etag_of(self.trial.id, after, kind, last)
        known = not_modified(request, etag)
        if known is not None:
            return known
        kinds = (EventKind(kind),) if kind else tuple(EventKind)
        entries = event_entries(self.trial, after=int(after), kinds=kinds, limit=MAX_EVENTS)
        more = len(entries) == MAX_EVENTS
        document = {
            "results": event_documents(entries),
            "next": entries[-1].sequence if more else max(last, int(after)),
            "more": more,
        }
        return HttpResponse(shapes.EventListSerializer(document).data, headers={"ETag": etag})


class WebhookListView(TrialView):
    """A trial's webhooks."""

    required_permission = Permission.TOKEN_MANAGE

    @extend_schema(operation_id="webhook_list", responses=shapes.WebhookListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List them, without their secrets."""
        return HttpResponse(shapes.WebhookListSerializer({"results": webhooks_document(self.trial)}).data)

    @extend_schema(
        operation_id="webhook_create",
        request=shapes.WebhookCreateSerializer,
        responses={201: shapes.WebhookCreatedSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Have an address told of what happens from now on. The secret is in this answer and nowhere else."""
        data = validated(shapes.WebhookCreateSerializer, request)
        made = webhook_create(
            self.trial,
            url=data["url"],
            kinds=data["kinds"],
            creator=account_of(request),
            actor=actor_of(request),
        )
        body = webhook_document(made) | {"secret": secret_text(bytes(made.secret))}
        return HttpResponse(shapes.WebhookCreatedSerializer(body).data, status=status.HTTP_201_CREATED)


class WebhookEndView(TrialView):
    """The end of a webhook."""

    required_permission = Permission.TOKEN_MANAGE

    @extend_schema(operation_id="webhook_end", request=None, responses=shapes.WebhookSerializer)
    def post(self, request: Request, trial_id: UUID, webhook_id: UUID) -> HttpResponse:
        """Tell it nothing more."""
        webhook = self.trial.webhooks.filter(id=webhook_id).first()
        if webhook is None:
            raise NotFoundError("There is no such webhook.")
        ended = webhook_end(webhook, actor=actor_of(request))
        return HttpResponse(shapes.WebhookSerializer(webhook_document(ended)).data)
