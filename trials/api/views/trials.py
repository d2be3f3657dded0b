"""Trials, their protocol, people, allocation, monitoring and audit trail."""

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.accounts.models import Account
from equipoise.accounts.sessions import require_confirmed, session_begin, session_confirm
from equipoise.api.etags import etag_of, require_match
from equipoise.api.views import ApiView
from equipoise.archive.storage import incoming_folder
from equipoise.audit.kinds import AuditKind
from equipoise.common.errors import NotFoundError, PermissionDeniedError, TooLargeError, ValidationFailedError
from equipoise.common.permissions import Permission, Role
from trials.api.serializers import trial as shapes
from trials.api.views.acting import account_of, actor_of, caller_of, require_person_or_program, validated
from trials.api.views.signatures import signer_of
from trials.api.views.trial_view import TrialView
from trials.domain.signatures import SIGNED_ACTIONS
from trials.domain.states import Transition, TrialAction, TrialState, transition_for
from trials.models import Invitation
from trials.reports.audit_files import AUDIT_FILES, audit_csv, audit_json
from trials.selectors.access import trial_roles
from trials.selectors.allocation import allocation_document
from trials.selectors.audit import AuditFilter, audit_page, audit_rows
from trials.selectors.bundle import imported_bundle, imported_document
from trials.selectors.invitation import account_exists, invitation_of_token, invitation_state
from trials.selectors.monitor import monitor_document, participants_document
from trials.selectors.protocol import protocol_current, protocol_numbered
from trials.selectors.signatures import record_foreseen
from trials.selectors.templates import template, template_names
from trials.selectors.trial import trial_counts, trial_document, trial_list_for
from trials.services.acts import export_record
from trials.services.bundle_import import bundle_import
from trials.services.invitation import invitation_accept, invitation_create, invitation_revoke
from trials.services.participant import participant_exclude_data, participant_withdraw
from trials.services.returning import reading_release
from trials.services.trial import trial_copy, trial_create, trial_transition

MAX_BUNDLE_BYTES = 1024 * 1024 * 1024
NO_INSTITUTE = (
    "A trial belongs to an institute, and your account belongs to none. Sign in with an account that does; the site's "
    "operator makes one with `equipoise admin create-account --institute`."
)


class TrialListView(ApiView):
    """The caller's trials."""

    required_permission = {"GET": Permission.SELF, "POST": Permission.TRIAL_CREATE}

    @extend_schema(operation_id="trial_list", responses=shapes.TrialListSerializer)
    def get(self, request: Request) -> HttpResponse:
        """List the trials in which the caller has a role other than reader's."""
        rows = [
            {
                "id": trial.id,
                "slug": trial.slug,
                "title": trial.title,
                "state": trial.state,
                "roles": sorted(role.value for role in trial_roles(caller_of(request), trial)),
                "counts": trial_counts(trial),
                "created_at": trial.created_at,
                "imported": imported_document(imported_bundle(trial)),
            }
            for trial in trial_list_for(caller_of(request))
        ]
        return HttpResponse(shapes.TrialListSerializer({"results": rows}).data)

    @extend_schema(
        operation_id="trial_create",
        request=shapes.TrialCreateSerializer,
        responses={201: shapes.TrialSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Begin a trial as a draft."""
        data = validated(shapes.TrialCreateSerializer, request)
        account = account_of(request)
        if account.institute is None:
            raise PermissionDeniedError(NO_INSTITUTE)
        text = data.get("protocol_text") or template(data.get("template") or "contour-preference").text
        trial = trial_create(
            slug=data["slug"],
            title=data["title"],
            protocol_text=text,
            institute=account.institute,
            creator=account,
            actor=actor_of(request),
        )
        document = shapes.TrialSerializer(trial_document(trial, account)).data
        return HttpResponse(document, status=status.HTTP_201_CREATED)


class TrialImportView(ApiView):
    """A trial that was run elsewhere."""

    required_permission = Permission.TRIAL_CREATE
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="trial_import",
        request={"multipart/form-data": shapes.TrialImportSerializer},
        responses={201: shapes.TrialSerializer},
    )
    def post(self, request: Request) -> HttpResponse:
        """Make an archived trial of a bundle (zip); everything wrong in it is named, and nothing stored then."""
        data = validated(shapes.TrialImportSerializer, request)
        account, file = account_of(request), data["file"]
        if account.institute is None:
            raise PermissionDeniedError(NO_INSTITUTE)
        if file.size > MAX_BUNDLE_BYTES:
            raise TooLargeError(
                f"The bundle has {file.size} bytes; {MAX_BUNDLE_BYTES} fit in one upload. On the server "
                "`equipoise trial import` takes larger ones."
            )
        with tempfile.TemporaryDirectory(dir=incoming_folder()) as folder:
            path = Path(folder) / "bundle.zip"
            with path.open("wb") as sink:
                for block in file.chunks():
                    sink.write(block)
            trial = bundle_import(
                path,
                institute=account.institute,
                importer=account,
                slug=data["slug"] or None,
                actor=actor_of(request),
            )
        document = shapes.TrialSerializer(trial_document(trial, account)).data
        return HttpResponse(document, status=status.HTTP_201_CREATED)


class TrialDetailView(TrialView):
    """One trial."""

    required_permission = Permission.TRIAL_VIEW

    @extend_schema(operation_id="trial_detail", responses=shapes.TrialSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Show state, counts, and what can be done next."""
        return HttpResponse(shapes.TrialSerializer(trial_document(self.trial, caller_of(request))).data)


class TrialCopyView(TrialView):
    """A new trial with the protocol of this one."""

    required_permission = Permission.PROTOCOL_VIEW

    @extend_schema(
        operation_id="trial_copy", request=shapes.TrialCopySerializer, responses={201: shapes.TrialSerializer}
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Begin a draft with this trial's protocol; no case, person, allocation or reading comes with it."""
        ApiView.authorize(self, request, Permission.TRIAL_CREATE)
        data = validated(shapes.TrialCopySerializer, request)
        account = account_of(request)
        if account.institute is None:
            raise PermissionDeniedError(NO_INSTITUTE)
        number = data["version"]
        trial = trial_copy(
            protocol_current(self.trial) if number is None else protocol_numbered(self.trial, number),
            slug=data["slug"],
            title=data["title"],
            institute=account.institute,
            creator=account,
            actor=actor_of(request),
        )
        document = shapes.TrialSerializer(trial_document(trial, account)).data
        return HttpResponse(document, status=status.HTTP_201_CREATED)


class TrialTransitionView(TrialView):
    """A step of the trial's life."""

    required_permission = {"GET": Permission.TRIAL_VIEW, "POST": Permission.TRIAL_VIEW}

    @extend_schema(operation_id="trial_transition_record", responses=shapes.ForeseenRecordSerializer)
    def get(self, request: Request, trial_id: UUID, action: str) -> HttpResponse:
        """Return what data lock or unblinding would be signed on now; send its hash with the action."""
        foreseen = record_foreseen(self.trial, self._transition(request, action).action)
        document = {"record": foreseen.name, "record_sha256": foreseen.sha256}
        return HttpResponse(shapes.ForeseenRecordSerializer(document).data)

    @extend_schema(
        operation_id="trial_transition", request=shapes.TransitionSerializer, responses=shapes.TrialSerializer
    )
    def post(self, request: Request, trial_id: UUID, action: str) -> HttpResponse:
        """Take the step, or say everything that is missing for it.

        With the protocol's ETag as If-Match, protocol lock is refused where the draft is another one by now; with
        ``record_sha256``, data lock and unblinding where the data or the allocation are.
        """
        transition = self._transition(request, action)
        data = validated(shapes.TransitionSerializer, request)
        revision = None
        if transition.action == TrialAction.LOCK and "If-Match" in request.headers:
            seen = protocol_current(self.trial)
            require_match(request, etag_of(seen.id, seen.revision))
            revision = seen.revision
        is_signed = transition.action in SIGNED_ACTIONS
        if transition.needs_password and not is_signed:
            if data["password"]:
                session_confirm(request._request, password=data["password"])
            require_confirmed(request._request)
        with signer_of(request, data) if is_signed else nullcontext() as signer:
            trial = trial_transition(
                self.trial,
                transition.action,
                reason=data["reason"],
                waiver=data["waiver"],
                actor=actor_of(request),
                signer=signer,
                revision=revision,
                seen_sha256=data["record_sha256"],
            )
        return HttpResponse(shapes.TrialSerializer(trial_document(trial, caller_of(request))).data)

    def _transition(self, request: Request, action: str) -> Transition:
        """Return the step that is possible now, of whoever may take it."""
        if action not in set(TrialAction):
            raise NotFoundError(f"There is no action {action!r}; there are {', '.join(TrialAction)}.")
        transition = transition_for(TrialState(self.trial.state), TrialAction(action))
        self.authorize(request, transition.permission)
        return transition


class TemplateListView(ApiView):
    """The protocols that ship with the platform."""

    required_permission = Permission.SELF

    @extend_schema(operation_id="protocol_templates", responses=shapes.TemplateListSerializer)
    def get(self, request: Request) -> HttpResponse:
        """List the shipped protocols with their text."""
        return HttpResponse(
            shapes.TemplateListSerializer({"results": [template(name) for name in template_names()]}).data
        )


class InvitationListView(TrialView):
    """The trial's invitations."""

    required_permission = {"GET": Permission.PARTICIPANT_INVITE, "POST": Permission.PARTICIPANT_INVITE}

    @extend_schema(operation_id="invitation_list", responses=shapes.InvitationListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List invitations; their links are not shown again."""
        rows = [_invitation_row(one) for one in self.trial.invitations.order_by("-created_at")]
        return HttpResponse(shapes.InvitationListSerializer({"results": rows}).data)

    @extend_schema(
        operation_id="invitation_create",
        request=shapes.InvitationCreateSerializer,
        responses={201: shapes.InvitationCreatedSerializer},
    )
    def post(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Invite a person; the answer holds the one-time link."""
        data = validated(shapes.InvitationCreateSerializer, request)
        made = invitation_create(
            self.trial,
            email=data["email"],
            role=Role(data["role"]),
            inviter=account_of(request),
            actor=actor_of(request),
        )
        link = f"{settings.PUBLIC_URL.rstrip('/')}/invitations/{made.token}"
        row = {**_invitation_row(made.invitation), "link": link}
        return HttpResponse(shapes.InvitationCreatedSerializer(row).data, status=status.HTTP_201_CREATED)


def _invitation_row(invitation: Invitation) -> dict[str, object]:
    from django.utils import timezone

    return {
        "id": invitation.id,
        "email": invitation.email,
        "role": invitation.role,
        "state": invitation_state(invitation, timezone.now()),
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
    }


class InvitationRevokeView(TrialView):
    """The end of an unused invitation."""

    required_permission = Permission.PARTICIPANT_INVITE

    @extend_schema(operation_id="invitation_revoke", request=None, responses=shapes.InvitationSerializer)
    def post(self, request: Request, trial_id: UUID, invitation_id: UUID) -> HttpResponse:
        """Make the link useless."""
        invitation = self.trial.invitations.filter(id=invitation_id).first()
        if invitation is None:
            raise NotFoundError("There is no such invitation.")
        revoked = invitation_revoke(invitation, actor=actor_of(request))
        return HttpResponse(shapes.InvitationSerializer(_invitation_row(revoked)).data)


class InvitationView(ApiView):
    """An invitation as the invited person sees it."""

    required_permission = Permission.PUBLIC

    @extend_schema(operation_id="invitation_detail", responses=shapes.InvitationViewSerializer)
    def get(self, request: Request, token: str) -> HttpResponse:
        """Say what one is invited to."""
        from django.utils import timezone

        invitation = invitation_of_token(token)
        if invitation_state(invitation, timezone.now()) != "pending":
            raise NotFoundError("This invitation was used, revoked, or has expired. Ask for a new link.")
        document = {
            "trial_title": invitation.trial.title,
            "role": invitation.role,
            "email": invitation.email,
            "expires_at": invitation.expires_at,
            "account_exists": account_exists(invitation.email),
        }
        return HttpResponse(shapes.InvitationViewSerializer(document).data)


class InvitationAcceptView(ApiView):
    """An invitation is used."""

    required_permission = Permission.PUBLIC

    @extend_schema(
        operation_id="invitation_accept",
        request=shapes.InvitationAcceptSerializer,
        responses=shapes.InvitationAcceptedSerializer,
    )
    def post(self, request: Request, token: str) -> HttpResponse:
        """Take the role; makes and signs in a new account unless somebody is signed in."""
        data = validated(shapes.InvitationAcceptSerializer, request)
        signed_in = request.user if isinstance(request.user, Account) else None
        if signed_in is None and not data["password"]:
            raise ValidationFailedError.of_fields({"/password": "Choose a password."})
        invitation = invitation_of_token(token)
        account = invitation_accept(
            token, display_name=data["display_name"], password=data["password"], signed_in=signed_in
        )
        if signed_in is None:
            session_begin(request._request, account, second_factor=False, confirmed_by="password")
        document = {"role": invitation.role, "trial": invitation.trial.slug}
        return HttpResponse(shapes.InvitationAcceptedSerializer(document).data)


class ParticipantListView(TrialView):
    """The trial's participants."""

    required_permission = Permission.PARTICIPANT_VIEW

    @extend_schema(operation_id="participant_list", responses=shapes.ParticipantListSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List participants by code, with counts."""
        return HttpResponse(
            shapes.ParticipantListSerializer({"results": participants_document(self.trial)}).data
        )


class ParticipantWithdrawView(TrialView):
    """A reader leaves."""

    required_permission = Permission.PARTICIPANT_WITHDRAW

    @extend_schema(
        operation_id="participant_withdraw",
        request=shapes.WithdrawSerializer,
        responses=shapes.ParticipantListSerializer,
    )
    def post(self, request: Request, trial_id: UUID, participant_id: UUID) -> HttpResponse:
        """Close the reader's slot; submitted readings stay."""
        participant = self.trial.participants.filter(id=participant_id).first()
        if participant is None:
            raise NotFoundError("There is no such participant.")
        data = validated(shapes.WithdrawSerializer, request)
        participant_withdraw(
            participant, reason_code=data["reason_code"], reason=data["reason"], actor=actor_of(request)
        )
        return HttpResponse(
            shapes.ParticipantListSerializer({"results": participants_document(self.trial)}).data
        )


class ParticipantDataExclusionView(TrialView):
    """A reader's readings are not used."""

    required_permission = Permission.PARTICIPANT_WITHDRAW

    @extend_schema(
        operation_id="participant_exclude_data",
        request=shapes.DataExclusionSerializer,
        responses=shapes.ParticipantListSerializer,
    )
    def post(self, request: Request, trial_id: UUID, participant_id: UUID) -> HttpResponse:
        """Void every answered reading of a reader who has left and asks for it; before data lock, for good."""
        participant = self.trial.participants.filter(id=participant_id).first()
        if participant is None:
            raise NotFoundError("There is no such participant.")
        data = validated(shapes.DataExclusionSerializer, request)
        participant_exclude_data(participant, reason=data["reason"], actor=actor_of(request))
        return HttpResponse(
            shapes.ParticipantListSerializer({"results": participants_document(self.trial)}).data
        )


class AllocationView(TrialView):
    """The allocation."""

    shows = (AuditKind.ALLOCATION_VIEWED, "allocation")
    required_permission = Permission.ALLOCATION_VIEW_BALANCE

    @extend_schema(operation_id="allocation_detail", responses=shapes.AllocationSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Show commitment, slots and balance; the seed only to those who may see it."""
        document = allocation_document(self.trial, caller_of(request))
        return HttpResponse(shapes.AllocationSerializer(document).data)

    def shows_now(self, response: Any) -> bool:
        """Whoever sees the seed sees who reads what on which side."""
        return response.data["seed"] is not None


class MonitorView(TrialView):
    """Progress and pace."""

    required_permission = Permission.MONITOR_VIEW

    @extend_schema(operation_id="monitor_detail", responses=shapes.MonitorSerializer)
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """Show progress, pace, flags and flow; nothing by arm."""
        return HttpResponse(shapes.MonitorSerializer(monitor_document(self.trial)).data)


class ReadingReleaseView(TrialView):
    """A blocked reading is released."""

    required_permission = Permission.READING_RELEASE

    @extend_schema(
        operation_id="reading_release",
        request=shapes.ReadingReleaseSerializer,
        responses=shapes.MonitorSerializer,
    )
    def post(self, request: Request, trial_id: UUID, reading_id: UUID) -> HttpResponse:
        """Release a reading that was blocked because it was left open: it goes on where it was left."""
        reading = self.trial.readings.select_related("participant", "trial").filter(id=reading_id).first()
        if reading is None:
            raise NotFoundError("There is no such reading.")
        data = validated(shapes.ReadingReleaseSerializer, request)
        reading_release(reading, reason=data["reason"], actor=actor_of(request))
        return HttpResponse(shapes.MonitorSerializer(monitor_document(self.trial)).data)


class AuditView(TrialView):
    """The audit trail."""

    required_permission = Permission.AUDIT_VIEW

    @extend_schema(
        operation_id="audit_list",
        parameters=[shapes.AuditQuerySerializer],
        responses=shapes.AuditListSerializer,
    )
    def get(self, request: Request, trial_id: UUID) -> HttpResponse:
        """List entries, newest first; of one person, kind or span if asked."""
        data = _asked_of_trail(request, shapes.AuditQuerySerializer)
        page = audit_page(self.trial, before=data.pop("before", None), asked=AuditFilter(**data))
        return HttpResponse(shapes.AuditListSerializer(page).data)


class AuditFileView(TrialView):
    """The audit trail as a file."""

    required_permission = Permission.AUDIT_VIEW

    @extend_schema(
        operation_id="audit_export",
        parameters=[
            OpenApiParameter("name", OpenApiTypes.STR, OpenApiParameter.PATH, enum=AUDIT_FILES),
            shapes.AuditFilterSerializer,
        ],
        responses={
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/json"): {
                "type": "array",
                "items": {"type": "object", "additionalProperties": {}},
            },
        },
    )
    def get(self, request: Request, trial_id: UUID, name: str) -> HttpResponseBase:
        """Return the entries first to last, with the hashes that chain them; that they left is an entry too."""
        if name not in AUDIT_FILES:
            raise NotFoundError(f"The audit trail is there as {' and '.join(AUDIT_FILES)}.")
        require_person_or_program(request)
        asked = AuditFilter(**_asked_of_trail(request, shapes.AuditFilterSerializer))
        export_record(self.trial, AuditKind.EXPORT_DOWNLOADED, name=name, actor=actor_of(request))
        rows = audit_rows(str(self.trial.id), asked)
        body = (
            StreamingHttpResponse(audit_csv(rows), content_type="text/csv; charset=utf-8")
            if name.endswith(".csv")
            else StreamingHttpResponse(audit_json(rows), content_type="application/json")
        )
        body["Content-Disposition"] = f'attachment; filename="{self.trial.slug}-{name}"'
        return body


def _asked_of_trail(request: Request, shape: type[shapes.AuditFilterSerializer]) -> dict[str, Any]:
    query = shape(data=request.query_params)
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)
