"""The reader's interface: one trial, one step, one reading. Nothing else can be asked for."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response as HttpResponse

from equipoise.api.views import ApiView
from equipoise.common.permissions import Permission
from trials.api.serializers import reader as shapes
from trials.api.views.acting import account_of, actor_of, caller_of, session_key_of, shaped, validated
from trials.models import Participant
from trials.selectors.access import access_participant
from trials.selectors.environment import reader_screen
from trials.selectors.presentation import next_document, presentation_document
from trials.selectors.reader import participant_refresh, reader_inbox, reader_step
from trials.services import display_check as display_check_services
from trials.services import participant as participant_services
from trials.services import reading as reading_services


class ReaderView(ApiView):
    """A view that speaks only of the caller's own participation."""

    required_permission = Permission.READING_DO
    participant: Participant

    def authorize(self, request: Request, permission: Permission) -> None:
        """Load the caller's participant in the trial that the address names; there is no other's to be had."""
        self.participant = access_participant(caller_of(request), self.kwargs["trial"])

    def refusal_trial_id(self) -> UUID | None:
        """Return the trial of the caller's own participation, if there is one."""
        participant = getattr(self, "participant", None)
        return participant.trial_id if participant is not None else None

    def state_answer(self) -> HttpResponse:
        """Answer with the reader's next screen."""
        participant_refresh(self.participant)
        return HttpResponse(shaped(shapes.ReaderStateSerializer, reader_screen(self.participant)))


class ReaderInboxView(ApiView):
    """The trials in which the caller reads."""

    required_permission = Permission.SELF

    @extend_schema(operation_id="reader_inbox", responses=shapes.InboxRowSerializer(many=True))
    def get(self, request: Request) -> HttpResponse:
        """List the caller's trials and what is left to do in each."""
        return HttpResponse(shapes.InboxRowSerializer(reader_inbox(account_of(request)), many=True).data)


class ReaderStateView(ReaderView):
    """The reader's next screen."""

    @extend_schema(operation_id="reader_state", responses=shapes.ReaderStateSerializer)
    def get(self, request: Request, trial: str) -> HttpResponse:
        """Say which step comes next, with the material that step needs."""
        return self.state_answer()


class ReaderConsentView(ReaderView):
    """Consent."""

    @extend_schema(
        operation_id="reader_consent",
        request=shapes.ConsentGiveSerializer,
        responses=shapes.ReaderStateSerializer,
    )
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Agree to the consent text of one version."""
        data = validated(shapes.ConsentGiveSerializer, request)
        participant_services.participant_consent(
            self.participant, version=data["version"], agreed=data["agreed"], actor=actor_of(request)
        )
        return self.state_answer()


class ReaderQuestionnaireView(ReaderView):
    """The questionnaire."""

    @extend_schema(
        operation_id="reader_questionnaire",
        request=shapes.AnswersSerializer,
        responses=shapes.ReaderStateSerializer,
    )
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Answer the questionnaire; binds the reader's slot of the allocation."""
        data = validated(shapes.AnswersSerializer, request)
        participant_services.participant_answer_questionnaire(
            self.participant, answers=data["answers"], actor=actor_of(request)
        )
        return self.state_answer()


class ReaderInstructionsView(ReaderView):
    """The instructions."""

    @extend_schema(operation_id="reader_instructions", request=None, responses=shapes.ReaderStateSerializer)
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Say that the instructions were read."""
        participant_services.participant_read_instructions(self.participant, actor=actor_of(request))
        return self.state_answer()


class ReaderDisplayCheckView(ReaderView):
    """The grey-step test of a display."""

    @extend_schema(
        operation_id="reader_display_check",
        request=shapes.DisplayCheckSerializer,
        responses=shapes.ReaderStateSerializer,
    )
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Say which patches were found on this display, or that the test was left out."""
        data = validated(shapes.DisplayCheckSerializer, request)
        display_check_services.display_check(
            self.participant,
            environment=data["environment"],
            answers=data["answers"],
            actor=actor_of(request),
        )
        return self.state_answer()


class ReaderBreakView(ReaderView):
    """A break begins."""

    @extend_schema(operation_id="reader_break", request=None, responses=shapes.ReaderStateSerializer)
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Begin a break."""
        participant_services.participant_break(self.participant, actor=actor_of(request))
        return self.state_answer()


class ReaderResumeView(ReaderView):
    """A break ends."""

    @extend_schema(operation_id="reader_resume", request=None, responses=shapes.ReaderStateSerializer)
    def post(self, request: Request, trial: str) -> HttpResponse:
        """End a break."""
        participant_services.participant_resume(self.participant, actor=actor_of(request))
        return self.state_answer()


class ReaderClosingView(ReaderView):
    """The closing question."""

    @extend_schema(
        operation_id="reader_closing",
        request=shapes.AnswersSerializer,
        responses=shapes.ReaderStateSerializer,
    )
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Answer the closing question; the reader is done."""
        data = validated(shapes.AnswersSerializer, request)
        participant_services.participant_close(
            self.participant, answers=data["answers"], actor=actor_of(request)
        )
        return self.state_answer()


class ReadingOpenView(ReaderView):
    """The current reading opens in this browser."""

    @extend_schema(
        operation_id="reading_open",
        request=shapes.ReadingOpenSerializer,
        responses=shapes.PresentationSerializer,
    )
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Open the current reading here; other windows of the same reader lose it."""
        data = validated(shapes.ReadingOpenSerializer, request)
        opened = reading_services.reading_open(
            self.participant,
            environment=data["environment"],
            session_key=session_key_of(request),
            actor=actor_of(request),
        )
        return _opened_answer(opened)


class ReadingEventsView(ReaderView):
    """Events of the open reading."""

    @extend_schema(
        operation_id="reading_events",
        request=shapes.EventsAppendSerializer,
        responses=shapes.EventsReceivedSerializer,
    )
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Store a batch of events."""
        data = validated(shapes.EventsAppendSerializer, request)
        events = _events(data["events"])
        reading = reading_services.reading_events_append(
            self.participant, token=data["reading"], lease=data["lease"], events=events
        )
        return HttpResponse(
            shaped(shapes.EventsReceivedSerializer, {"received": len(events), "state": reading.state})
        )


class ReadingDraftView(ReaderView):
    """The unfinished answer of the open reading."""

    @extend_schema(operation_id="reading_draft", request=shapes.DraftSaveSerializer, responses={204: None})
    def put(self, request: Request, trial: str) -> HttpResponse:
        """Keep the unfinished answer; the latest wins."""
        data = validated(shapes.DraftSaveSerializer, request)
        reading_services.reading_draft_save(
            self.participant, token=data["reading"], lease=data["lease"], body=data["draft"]
        )
        return HttpResponse(status=status.HTTP_204_NO_CONTENT)


class ReadingSubmitView(ReaderView):
    """The answer to the open reading."""

    @extend_schema(
        operation_id="reading_submit",
        request=shapes.ReadingSubmitSerializer,
        responses=shapes.SubmittedSerializer,
    )
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Store the answer, once and for good, and say what comes next."""
        data = validated(shapes.ReadingSubmitSerializer, request)
        submitted = reading_services.reading_submit(
            self.participant,
            token=data["reading"],
            lease=data["lease"],
            key=data["key"],
            answer=data["answer"],
            events=_events(data["events"]),
            actor=actor_of(request),
        )
        return _submitted_answer(request, self.participant, submitted)


class ReadingCommitView(ReaderView):
    """The first answer of a sequential pair."""

    @extend_schema(
        operation_id="reading_commit",
        request=shapes.ReadingCommitSerializer,
        responses=shapes.PresentationSerializer,
    )
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Lock the first answer and open the second half, with the aid."""
        data = validated(shapes.ReadingCommitSerializer, request)
        opened = reading_services.reading_commit(
            self.participant,
            token=data["reading"],
            lease=data["lease"],
            key=data["key"],
            answer=data["answer"],
            events=_events(data["events"]),
            environment=data["environment"],
            session_key=session_key_of(request),
            actor=actor_of(request),
        )
        return _opened_answer(opened)


class ReadingAmendView(ReaderView):
    """A correction of the last answer."""

    @extend_schema(
        operation_id="reading_amend",
        request=shapes.ReadingAmendSerializer,
        responses=shapes.SubmittedSerializer,
    )
    def post(self, request: Request, trial: str) -> HttpResponse:
        """Correct the last answer, where the protocol allows it, until the next reading is opened."""
        data = validated(shapes.ReadingAmendSerializer, request)
        amended = reading_services.reading_amend(
            self.participant,
            token=data["reading"],
            key=data["key"],
            answer=data["answer"],
            actor=actor_of(request),
        )
        return _submitted_answer(request, self.participant, amended)


def _events(rows: list[dict[str, Any]]) -> list[reading_services.EventIn]:
    return [reading_services.EventIn(**row) for row in rows]


def _opened_answer(opened: reading_services.Opened) -> HttpResponse:
    document = presentation_document(opened.reading, asset_tokens=opened.asset_tokens)
    document |= {"draft": opened.draft, "resumed": opened.resumed}
    return HttpResponse(shaped(shapes.PresentationSerializer, document))


def _submitted_answer(
    request: Request, participant: Participant, submitted: reading_services.Submitted
) -> HttpResponse:
    participant_refresh(participant)
    step, reading = reader_step(participant)
    asset_tokens = reading_services.reading_preload(participant, reading, session_key=session_key_of(request))
    return HttpResponse(
        shaped(
            shapes.SubmittedSerializer,
            {
                "late": submitted.late,
                "feedback": submitted.feedback,
                "next": next_document(participant, step, reading, asset_tokens=asset_tokens),
            },
        )
    )
