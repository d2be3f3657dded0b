"""Rehearsals of a trial's protocol. All of it is simulated, so nothing here is blinded."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.common.errors import NotFoundError
from equipoise.common.permissions import Permission
from trials.api.serializers import rehearsals as shapes
from trials.api.views.acting import actor_of, validated
from trials.api.views.trial_view import TrialView
from trials.domain.rehearsal import RehearsalKind, plan_of_text
from trials.models import Rehearsal
from trials.selectors.rehearsal import rehearsal_document, rehearsals_document
from trials.services.rehearsal import rehearsal_delete, rehearsal_request


class RehearsalListView(TrialView):
    """The trial's rehearsals."""

    required_permission = {"GET": Permission.PROTOCOL_VIEW, "POST": Permission.PROTOCOL_EDIT}

    @extend_schema(operation_id="rehearsal_list", responses=shapes.RehearsalListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the rehearsals, the newest first, and say what protocol lock still lacks of them."""
        return HttpResponse(shapes.RehearsalListSerializer(rehearsals_document(self.trial)).data)

    @extend_schema(
        operation_id="rehearsal_run",
        request=shapes.RehearsalRequestSerializer,
        responses={202: shapes.RehearsalSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Queue a rehearsal of the newest protocol version."""
        data = validated(shapes.RehearsalRequestSerializer, request)
        kind, plan = RehearsalKind(data["kind"]), plan_of_text(data["plan"])
        rehearsal = rehearsal_request(
            self.trial,
            kind=kind,
            repeats=data["repeats"] if kind is RehearsalKind.REPEATED else 1,
            seed=data["seed"],
            plan=plan,
            actor=actor_of(request),
        )
        body = shapes.RehearsalSerializer(rehearsal_document(rehearsal)).data
        return HttpResponse(body, status=status.HTTP_202_ACCEPTED)


class RehearsalDetailView(TrialView):
    """One rehearsal."""

    required_permission = {"GET": Permission.PROTOCOL_VIEW, "DELETE": Permission.PROTOCOL_EDIT}

    @extend_schema(operation_id="rehearsal_detail", responses=shapes.RehearsalSerializer)
    def get(self, request: Request, trial_id: UUID, rehearsal_id: UUID) -> HttpResponse:
        """Show what a rehearsal found."""
        return HttpResponse(
            shapes.RehearsalSerializer(rehearsal_document(self._rehearsal(rehearsal_id))).data
        )

    @extend_schema(operation_id="rehearsal_delete", responses={204: None})
    def delete(self, request: Request, trial_id: UUID, rehearsal_id: UUID) -> HttpResponse:
        """Remove what a rehearsal found, while the trial is a draft."""
        rehearsal_delete(self._rehearsal(rehearsal_id), actor=actor_of(request))
        return HttpResponse(status=status.HTTP_204_NO_CONTENT)

    def _rehearsal(self, rehearsal_id: UUID) -> Rehearsal:
        rehearsal = self.trial.rehearsals.select_related("trial").filter(id=rehearsal_id).first()
        if rehearsal is None:
            raise NotFoundError("There is no such rehearsal.")
        return rehearsal
