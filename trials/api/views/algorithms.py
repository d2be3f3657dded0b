"""Algorithms that the site runs: enrol a model version, press run. The run's job is watched at the jobs' addresses."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import NotFoundError
from equipoise.common.permissions import Permission
from trials.api.serializers import algorithms as shapes
from trials.api.views.acting import actor_of, validated
from trials.api.views.trial_view import TrialView
from trials.domain.results import ResultTask
from trials.models import ParticipantKind
from trials.selectors.algorithms import algorithms_document, participant_document
from trials.services.algorithm import algorithm_enrol, algorithm_run


class AlgorithmListView(TrialView):
    """The trial's algorithms."""

    shows = (AuditKind.RESULT_VIEWED, "algorithms")
    required_permission = {"GET": Permission.CASE_VIEW_SOURCES, "POST": Permission.ALGORITHM_RUN}

    @extend_schema(operation_id="algorithm_list", responses=shapes.AlgorithmListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List algorithms with runs, failures and repeats, and the weights that can be enrolled."""
        return HttpResponse(shapes.AlgorithmListSerializer(algorithms_document(self.trial)).data)

    @extend_schema(
        operation_id="algorithm_enrol",
        request=shapes.AlgorithmEnrolSerializer,
        responses={201: shapes.AlgorithmParticipantSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Enrol a model version; enrolled again it is the same participant."""
        data = validated(shapes.AlgorithmEnrolSerializer, request)
        enrolled = algorithm_enrol(self.trial, **data, actor=actor_of(request))
        document: Any = participant_document(enrolled.participant)
        return HttpResponse(shapes.AlgorithmParticipantSerializer(document).data, status=201)


class AlgorithmRunListView(TrialView):
    """Runs of one algorithm."""

    required_permission = Permission.ALGORITHM_RUN

    @extend_schema(
        operation_id="algorithm_run",
        request=shapes.AlgorithmRunRequestSerializer,
        responses={202: shapes.AlgorithmParticipantSerializer},
    )
    def post(self, request: Request, trial_id: UUID, participant_id: UUID) -> HttpResponse:
        """Queue a run over every case without a result. While it is at work another is refused."""
        participant = self.trial.participants.filter(
            id=participant_id, kind=ParticipantKind.ALGORITHM
        ).first()
        if participant is None:
            raise NotFoundError("There is no such algorithm.")
        data = validated(shapes.AlgorithmRunRequestSerializer, request)
        algorithm_run(
            self.trial,
            participant,
            task=ResultTask(data["task"]),
            repeat=data["repeat"],
            actor=actor_of(request),
        )
        document: Any = participant_document(participant)
        return HttpResponse(shapes.AlgorithmParticipantSerializer(document).data, status=202)
