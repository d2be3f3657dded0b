"""Reminders by e-mail: planned, asked for, stopped."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.api.views import ApiView
from equipoise.common.permissions import Permission
from trials.api.serializers import reminders as shapes
from trials.api.views.acting import actor_of, validated
from trials.api.views.trial_view import TrialView
from trials.selectors.reminders import participant_of_stop_token, reminders_document
from trials.services.reminders import reminder_plan_set, reminders_ask, reminders_stop


class ReminderListView(TrialView):
    """A trial's reminders."""

    required_permission = {
        "GET": Permission.MONITOR_VIEW,
        "PUT": Permission.PARTICIPANT_INVITE,
        "POST": Permission.PARTICIPANT_INVITE,
    }

    @extend_schema(operation_id="reminder_list", responses=shapes.ReminderListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Show the plan, and per reader the last reminder and whether another may be sent."""
        return HttpResponse(shapes.ReminderListSerializer(reminders_document(self.trial)).data)

    @extend_schema(
        operation_id="reminder_plan",
        request=shapes.ReminderPlanSerializer,
        responses=shapes.ReminderListSerializer,
    )
    def put(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Have readers reminded by themselves after so many days without a reading, or never."""
        data = validated(shapes.ReminderPlanSerializer, request)
        reminder_plan_set(self.trial, after_days=data["after_days"], actor=actor_of(request))
        return HttpResponse(shapes.ReminderListSerializer(reminders_document(self.trial)).data)

    @extend_schema(
        operation_id="reminder_ask",
        request=shapes.ReminderAskSerializer,
        responses={202: shapes.ReminderAskedSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Remind readers now; one who was reminded lately, has stopped reminders or has nothing to do is left out."""
        data = validated(shapes.ReminderAskSerializer, request)
        asked = reminders_ask(self.trial, data["participants"], actor=actor_of(request))
        return HttpResponse(shapes.ReminderAskedSerializer(asked).data, status=status.HTTP_202_ACCEPTED)


class ReminderStopView(ApiView):
    """The end of a reader's reminders, by the link that each of them carries."""

    required_permission = Permission.PUBLIC

    @extend_schema(
        operation_id="reminder_stop",
        request=shapes.ReminderStopSerializer,
        responses=shapes.ReminderStoppedSerializer,
    )
    def post(self, request: Request) -> HttpResponse:
        """Send this reader no more reminders of this trial; doing so twice changes nothing."""
        participant = participant_of_stop_token(validated(shapes.ReminderStopSerializer, request)["token"])
        reminders_stop(participant)
        return HttpResponse(shapes.ReminderStoppedSerializer({"trial_title": participant.trial.title}).data)
