"""The trials' addresses under ``/api/v1``."""

from django.urls import path

from trials.api.views import analyses, cases, reader, results, tokens, trials

TRIAL = "trials/<uuid:trial_id>"
READER = "reader/<slug:trial>"

urlpatterns = [
    path("trials", trials.TrialListView.as_view()),
    path(f"{TRIAL}", trials.TrialDetailView.as_view()),
    path(f"{TRIAL}/transitions/<slug:action>", trials.TrialTransitionView.as_view()),
    path("protocol-templates", trials.TemplateListView.as_view()),
    path("protocol-schema", trials.ProtocolSchemaView.as_view()),
    path(f"{TRIAL}/protocol", trials.ProtocolView.as_view()),
    path(f"{TRIAL}/protocol/check", trials.ProtocolCheckView.as_view()),
    path(f"{TRIAL}/cases", cases.CaseListView.as_view()),
    path(f"{TRIAL}/cases/<uuid:case_id>/thumbnail.png", cases.CaseThumbnailView.as_view()),
    path(f"{TRIAL}/uploads", cases.UploadListView.as_view()),
    path(f"{TRIAL}/uploads/<uuid:upload_id>/files", cases.UploadFilesView.as_view()),
    path(f"{TRIAL}/uploads/<uuid:upload_id>/ingest", cases.UploadIngestView.as_view()),
    path(f"{TRIAL}/ingests", cases.IngestListView.as_view()),
    path(f"{TRIAL}/ingests/<uuid:run_id>", cases.IngestDetailView.as_view()),
    path(f"{TRIAL}/items", cases.ItemListView.as_view()),
    path(f"{TRIAL}/items/<uuid:item_id>/thumbnail.png", cases.ItemThumbnailView.as_view()),
    path(f"{TRIAL}/invitations", trials.InvitationListView.as_view()),
    path(f"{TRIAL}/invitations/<uuid:invitation_id>/revoke", trials.InvitationRevokeView.as_view()),
    path("invitations/<str:token>", trials.InvitationView.as_view()),
    path("invitations/<str:token>/accept", trials.InvitationAcceptView.as_view()),
    path(f"{TRIAL}/participants", trials.ParticipantListView.as_view()),
    path(f"{TRIAL}/participants/<uuid:participant_id>/withdraw", trials.ParticipantWithdrawView.as_view()),
    path(f"{TRIAL}/allocation", trials.AllocationView.as_view()),
    path(f"{TRIAL}/monitor", trials.MonitorView.as_view()),
    path(f"{TRIAL}/analyses", analyses.AnalysisListView.as_view()),
    path(f"{TRIAL}/analyses/<uuid:analysis_id>/files/<path:path>", analyses.AnalysisFileView.as_view()),
    path(f"{TRIAL}/external-tables", analyses.ExternalTableListView.as_view()),
    path(f"{TRIAL}/export/<str:name>", analyses.ExportView.as_view()),
    path(f"{TRIAL}/audit", trials.AuditView.as_view()),
    path(f"{TRIAL}/results", results.ResultListView.as_view()),
    path(f"{TRIAL}/tokens", tokens.TokenListView.as_view()),
    path(f"{TRIAL}/tokens/<uuid:token_id>/revoke", tokens.TokenRevokeView.as_view()),
    path("reader", reader.ReaderInboxView.as_view()),
    path(f"{READER}", reader.ReaderStateView.as_view()),
    path(f"{READER}/consent", reader.ReaderConsentView.as_view()),
    path(f"{READER}/questionnaire", reader.ReaderQuestionnaireView.as_view()),
    path(f"{READER}/instructions", reader.ReaderInstructionsView.as_view()),
    path(f"{READER}/break", reader.ReaderBreakView.as_view()),
    path(f"{READER}/resume", reader.ReaderResumeView.as_view()),
    path(f"{READER}/closing", reader.ReaderClosingView.as_view()),
    path(f"{READER}/current/open", reader.ReadingOpenView.as_view()),
    path(f"{READER}/current/events", reader.ReadingEventsView.as_view()),
    path(f"{READER}/current/draft", reader.ReadingDraftView.as_view()),
    path(f"{READER}/current/submit", reader.ReadingSubmitView.as_view()),
    path(f"{READER}/current/amend", reader.ReadingAmendView.as_view()),
]
