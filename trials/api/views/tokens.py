"""Service tokens: administrators give programs a key to their trial, and take it back."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.accounts.services import service_token_create, service_token_revoke
from equipoise.accounts.sessions import require_confirmed
from equipoise.common.permissions import Permission, Role
from trials.api.serializers import tokens as shapes
from trials.api.views.acting import account_of, actor_of, validated
from trials.api.views.trial_view import TrialView
from trials.selectors.tokens import token_of, tokens_of


class TokenListView(TrialView):
    """The trial's service tokens."""

    required_permission = Permission.TOKEN_MANAGE

    @extend_schema(operation_id="token_list", responses=shapes.TokenListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List the tokens, newest first; no answer ever holds a secret again."""
        return HttpResponse(shapes.TokenListSerializer({"results": tokens_of(self.trial)}).data)

    # Not idempotent by header: a kept answer would keep the secret.
    @extend_schema(
        operation_id="token_create",
        request=shapes.TokenCreateSerializer,
        responses={201: shapes.TokenCreatedSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Make a token for this trial in one role. The secret is in this answer and nowhere else."""
        account = account_of(request)
        require_confirmed(request._request)
        data = validated(shapes.TokenCreateSerializer, request)
        created = service_token_create(
            label=data["label"],
            trial_id=self.trial.id,
            role=Role(data["role"]),
            created_by=account,
            expires_at=data["expires_at"],
            origin=actor_of(request).origin,
        )
        body = {**shapes.TokenSerializer(created.token).data, "secret": created.secret}
        return HttpResponse(body, status=status.HTTP_201_CREATED)


class TokenRevokeView(TrialView):
    """The end of a token."""

    required_permission = Permission.TOKEN_MANAGE

    @extend_schema(operation_id="token_revoke", request=None, responses=shapes.TokenSerializer)
    def post(self, request: Request, trial_id: UUID, token_id: UUID) -> HttpResponse:
        """Revoke a token at once; doing so twice changes nothing."""
        token = token_of(self.trial, token_id)
        actor = actor_of(request)
        service_token_revoke(token, actor_id=actor.account_id, origin=actor.origin)
        token.refresh_from_db()
        return HttpResponse(shapes.TokenSerializer(token).data)
