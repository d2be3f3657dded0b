"""The trial's team, and the end of a role."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.common.errors import NotFoundError
from equipoise.common.permissions import Permission
from trials.api.serializers import members as shapes
from trials.api.views.acting import actor_of, validated
from trials.api.views.trial_view import TrialView
from trials.selectors.members import members_document
from trials.services.membership import membership_revoke


class MemberListView(TrialView):
    """Who holds which role."""

    required_permission = Permission.PARTICIPANT_INVITE

    @extend_schema(operation_id="member_list", responses=shapes.MemberListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the roles of the trial's team, ended ones last; readers are participants."""
        return HttpResponse(shapes.MemberListSerializer({"results": members_document(self.trial)}).data)


class MemberRevokeView(TrialView):
    """The end of a role."""

    required_permission = Permission.PARTICIPANT_INVITE

    @extend_schema(
        operation_id="member_revoke",
        request=shapes.MemberRevokeSerializer,
        responses=shapes.MemberListSerializer,
    )
    def post(self, request: Request, trial_id: UUID, membership_id: UUID) -> HttpResponse:
        """End a role at once, for a reason; a reader leaves as by withdrawal."""
        membership = self.trial.memberships.filter(id=membership_id).first()
        if membership is None:
            raise NotFoundError("There is no such role in this trial.")
        data = validated(shapes.MemberRevokeSerializer, request)
        membership_revoke(membership, reason=data["reason"], actor=actor_of(request))
        return HttpResponse(shapes.MemberListSerializer({"results": members_document(self.trial)}).data)
