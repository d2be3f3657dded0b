"""The signatures of a trial."""

from contextlib import AbstractContextManager
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.accounts.signing import Signer, SigningProof, signer_in_session
from equipoise.common.permissions import Permission
from trials.api.serializers import signature as shapes
from trials.api.views.acting import account_of, actor_of, caller_of, validated
from trials.api.views.trial_view import TrialView
from trials.domain.signatures import Meaning
from trials.selectors.signatures import signable, signature_documents
from trials.services.signature import record_sign


def signer_of(request: Request, data: dict[str, object]) -> AbstractContextManager[Signer]:
    """Within, the signed-in person signs, if what the body gives shows who they are; programs sign nothing."""
    account_of(request)
    proof = SigningProof(
        **{name: data[name] for name in ("password", "code", "credential") if name in data}  # type: ignore[arg-type]  # as the serializer checked them
    )
    return signer_in_session(request._request, proof)


class SignatureListView(TrialView):
    """The signatures of a trial."""

    required_permission = Permission.TRIAL_VIEW

    @extend_schema(operation_id="signature_list", responses=shapes.SignatureListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List who signed what, when and with what meaning, and what the caller may sign."""
        return self._answer(request)

    @extend_schema(
        operation_id="signature_make",
        request=shapes.SignatureWriteSerializer,
        responses={201: shapes.SignatureListSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Sign a record by its hash; the password, and the second factor of whoever has one, are given each time."""
        data = validated(shapes.SignatureWriteSerializer, request)
        meaning = Meaning(data["meaning"])
        self.authorize(request, meaning.permission)
        with signer_of(request, data) as signer:
            record_sign(
                self.trial,
                meaning,
                sha256=data["record_sha256"],
                signer=signer,
                actor=actor_of(request),
            )
        answer = self._answer(request)
        answer.status_code = status.HTTP_201_CREATED
        return answer

    def _answer(self, request: Request) -> HttpResponse:
        document = {
            "results": signature_documents(self.trial),
            "signable": signable(self.trial, caller_of(request)),
        }
        return HttpResponse(shapes.SignatureListSerializer(document).data)
