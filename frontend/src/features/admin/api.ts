/** What administrators ask of the server: one query or act each. */
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import type {
  AlgorithmEnrolment,
  AlgorithmRunRequest,
  AnalysisRequest,
  EventKind,
  Inbox,
  InboxSettings,
  InvitedRole,
  Monitor,
  Protocol,
  ProtocolChecked,
  PullRequest,
  Purpose,
  RehearsalRequest,
  ReviewOpen,
  ReviewStep,
  RoiRule,
  SignatureList,
  SignatureWrite,
  TokenRole,
  Trial,
  WithdrawalReason,
} from "@/api/types";
import type { FigurePoint } from "./analyses/nearest-point";
import type { JsonSchema } from "./protocol/schema";
import type { Proof } from "./signatures/proof";

export type ProtocolForm = { readonly text: string } | { readonly document: Record<string, unknown> };

const at = (trialId: string) => ({ params: { path: { trial_id: trialId } } });

export const trialsQuery = queryOptions({
  queryKey: ["trials"],
  queryFn: async () => (await bodyOf(api.GET("/api/v1/trials"))).results,
});

/** What can be read off a figure; none of an analysis that was computed before there were any. */
export const figurePointsQuery = (address: string) =>
  queryOptions({
    queryKey: ["figure-points", address],
    queryFn: async (): Promise<readonly FigurePoint[]> => {
      const answer = await fetch(address, { credentials: "same-origin" });
      return answer.ok ? ((await answer.json()) as { points: FigurePoint[] }).points : [];
    },
    staleTime: Number.POSITIVE_INFINITY,
  });

export const templatesQuery = queryOptions({
  queryKey: ["protocol-templates"],
  queryFn: async () => (await bodyOf(api.GET("/api/v1/protocol-templates"))).results,
  staleTime: Number.POSITIVE_INFINITY,
});

export const protocolSchemaQuery = queryOptions({
  queryKey: ["protocol-schema"],
  queryFn: async () => (await bodyOf(api.GET("/api/v1/protocol-schema"))) as JsonSchema,
  staleTime: Number.POSITIVE_INFINITY,
});

export const trialQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}", at(trialId))),
  });

/** The protocol with the tag of the state that was read: it goes back with a save. */
export interface TaggedProtocol {
  readonly protocol: Protocol;
  readonly etag: string | null;
}

export const protocolQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "protocol"],
    queryFn: async (): Promise<TaggedProtocol> => {
      const { data, response } = await api.GET("/api/v1/trials/{trial_id}/protocol", at(trialId));
      return { protocol: data as Protocol, etag: response.headers.get("ETag") };
    },
    refetchOnWindowFocus: false,
  });

export const casesQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "cases"],
    queryFn: async () => (await bodyOf(api.GET("/api/v1/trials/{trial_id}/cases", at(trialId)))).results,
  });

export const qualityQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "quality"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/quality", at(trialId))),
  });

export const itemsQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "items"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/items", at(trialId))),
  });

export const ingestsQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "ingests"],
    queryFn: async () => (await bodyOf(api.GET("/api/v1/trials/{trial_id}/ingests", at(trialId)))).results,
  });

export const ingestQuery = (trialId: string, runId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "ingests", runId],
    queryFn: () =>
      bodyOf(
        api.GET("/api/v1/trials/{trial_id}/ingests/{run_id}", {
          params: { path: { trial_id: trialId, run_id: runId } },
        }),
      ),
  });

export const participantsQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "participants"],
    queryFn: async () => (await bodyOf(api.GET("/api/v1/trials/{trial_id}/participants", at(trialId)))).results,
  });

export const algorithmsQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "algorithms"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/algorithms", at(trialId))),
  });

export const invitationsQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "invitations"],
    queryFn: async () => (await bodyOf(api.GET("/api/v1/trials/{trial_id}/invitations", at(trialId)))).results,
  });

export const membersQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "members"],
    queryFn: async () => (await bodyOf(api.GET("/api/v1/trials/{trial_id}/members", at(trialId)))).results,
  });

export function revokeMember(trialId: string, membershipId: string, reason: string) {
  return bodyOf(
    api.POST("/api/v1/trials/{trial_id}/members/{membership_id}/revoke", {
      params: { path: { trial_id: trialId, membership_id: membershipId } },
      body: { reason },
    }),
  );
}

export const allocationQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "allocation"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/allocation", at(trialId))),
  });

const MONITOR_EVERY_MS = 30_000;

export const monitorQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "monitor"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/monitor", at(trialId))),
    refetchInterval: MONITOR_EVERY_MS,
  });

export type ReviewFilter = { readonly kind?: "query" | "deviation"; readonly state?: "open" | "answered" | "closed" };

export const reviewQuery = (trialId: string, filter: ReviewFilter) =>
  infiniteQueryOptions({
    queryKey: ["trial", trialId, "review", filter],
    queryFn: ({ pageParam }) =>
      bodyOf(
        api.GET("/api/v1/trials/{trial_id}/review-records", {
          params: { path: { trial_id: trialId }, query: { ...filter, ...(pageParam ? { cursor: pageParam } : {}) } },
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => cursorOf(page.next),
  });

/** The cursor of the next page's address; behind a proxy its host may be another one. */
function cursorOf(address: string | null | undefined): string | null {
  return address ? new URL(address, window.location.href).searchParams.get("cursor") : null;
}

export function openReview(trialId: string, body: ReviewOpen) {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/review-records", { ...at(trialId), body }));
}

export function stepReview(trialId: string, recordId: string, body: ReviewStep) {
  return bodyOf(
    api.POST("/api/v1/trials/{trial_id}/review-records/{record_id}/steps", {
      params: { path: { trial_id: trialId, record_id: recordId } },
      body,
    }),
  );
}

export const remindersQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "reminders"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/reminders", at(trialId))),
  });

export function askReminders(trialId: string, participants: string[]) {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/reminders", { ...at(trialId), body: { participants } }));
}

export function planReminders(trialId: string, afterDays: number | null) {
  return bodyOf(api.PUT("/api/v1/trials/{trial_id}/reminders", { ...at(trialId), body: { after_days: afterDays } }));
}

export const tokensQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "tokens"],
    queryFn: async () => (await bodyOf(api.GET("/api/v1/trials/{trial_id}/tokens", at(trialId)))).results,
  });

export function createToken(trialId: string, body: { label: string; role: TokenRole; expires_at: string }) {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/tokens", { ...at(trialId), body }));
}

export async function revokeToken(trialId: string, tokenId: string): Promise<void> {
  await api.POST("/api/v1/trials/{trial_id}/tokens/{token_id}/revoke", {
    params: { path: { trial_id: trialId, token_id: tokenId } },
  });
}

export const webhooksQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "webhooks"],
    queryFn: async () => (await bodyOf(api.GET("/api/v1/trials/{trial_id}/webhooks", at(trialId)))).results,
  });

export function createWebhook(trialId: string, body: { url: string; kinds: EventKind[] }) {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/webhooks", { ...at(trialId), body }));
}

export async function endWebhook(trialId: string, webhookId: string): Promise<void> {
  await api.POST("/api/v1/trials/{trial_id}/webhooks/{webhook_id}/end", {
    params: { path: { trial_id: trialId, webhook_id: webhookId } },
  });
}

export const adjudicationQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "adjudication"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/adjudication", at(trialId))),
  });

export const rehearsalsQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "rehearsals"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/rehearsals", at(trialId))),
  });

export function runRehearsal(trialId: string, body: RehearsalRequest) {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/rehearsals", { ...at(trialId), body }));
}

export async function deleteRehearsal(trialId: string, rehearsalId: string): Promise<void> {
  await api.DELETE("/api/v1/trials/{trial_id}/rehearsals/{rehearsal_id}", {
    params: { path: { trial_id: trialId, rehearsal_id: rehearsalId } },
  });
}

export const analysesQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "analyses"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/analyses", at(trialId))),
  });

export const externalTablesQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "external-tables"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/external-tables", at(trialId))),
  });

export interface AuditFilter {
  readonly who?: string;
  readonly what?: string;
  readonly since?: string;
  readonly until?: string;
}

export const auditFileAddress = (trialId: string, file: string, filter: AuditFilter): string =>
  `/api/v1/trials/${trialId}/audit/${file}?${new URLSearchParams({ ...filter }).toString()}`;

export function auditPage(trialId: string, before: number | null, filter: AuditFilter) {
  const query = before === null ? filter : { ...filter, before };
  return bodyOf(api.GET("/api/v1/trials/{trial_id}/audit", { params: { path: { trial_id: trialId }, query } }));
}

export const signaturesQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "signatures"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/signatures", at(trialId))),
  });

export function signRecord(trialId: string, body: SignatureWrite): Promise<SignatureList> {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/signatures", { ...at(trialId), body }));
}

export function createTrial(body: { slug: string; title: string; template: string }): Promise<Trial> {
  return bodyOf(api.POST("/api/v1/trials", { body }));
}

/** What data lock would freeze, or unblinding release, as it is stored now. */
export const foreseenQuery = (trialId: string, action: string) =>
  queryOptions({
    queryKey: ["foreseen", trialId, action],
    queryFn: () =>
      bodyOf(
        api.GET("/api/v1/trials/{trial_id}/transitions/{action}", { params: { path: { trial_id: trialId, action } } }),
      ),
    gcTime: 0,
  });

export function takeAction(
  trialId: string,
  action: string,
  body: Proof & { reason: string; waiver: string; record_sha256: string },
  etag: string | null,
): Promise<Trial> {
  const params = { path: { trial_id: trialId, action } };
  const headers = etag ? { "If-Match": etag } : {};
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/transitions/{action}", { params, body, headers }));
}

export function checkProtocol(trialId: string, form: ProtocolForm, signal: AbortSignal): Promise<ProtocolChecked> {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/protocol/check", { ...at(trialId), body: form, signal }));
}

export async function saveProtocol(trialId: string, form: ProtocolForm, etag: string | null): Promise<TaggedProtocol> {
  const { data, response } = await api.PUT("/api/v1/trials/{trial_id}/protocol", {
    ...at(trialId),
    body: form,
    headers: etag ? { "If-Match": etag } : {},
  });
  return { protocol: data as Protocol, etag: response.headers.get("ETag") };
}

export const protocolChangesQuery = (trialId: string, older: number, newer: number) =>
  queryOptions({
    queryKey: ["trial", trialId, "protocol", "changes", older, newer],
    queryFn: () =>
      bodyOf(
        api.GET("/api/v1/trials/{trial_id}/protocol/changes", {
          params: { path: { trial_id: trialId }, query: { older, newer } },
        }),
      ),
  });

export function protocolVersion(trialId: string, number: number) {
  return bodyOf(
    api.GET("/api/v1/trials/{trial_id}/protocol/versions/{number}", {
      params: { path: { trial_id: trialId, number } },
    }),
  );
}

export const amendmentQuery = (trialId: string, form: ProtocolForm) =>
  queryOptions({
    queryKey: ["trial", trialId, "protocol", "amendment", form],
    queryFn: () =>
      bodyOf(api.POST("/api/v1/trials/{trial_id}/protocol/amendments/check", { ...at(trialId), body: form })),
    gcTime: 0,
  });

export async function amendProtocol(
  trialId: string,
  form: ProtocolForm,
  why: Proof & { reason: string },
  etag: string | null,
): Promise<TaggedProtocol> {
  const { data, response } = await api.POST("/api/v1/trials/{trial_id}/protocol/amendments", {
    ...at(trialId),
    body: { ...form, ...why },
    headers: etag ? { "If-Match": etag } : {},
  });
  return { protocol: data as Protocol, etag: response.headers.get("ETag") };
}

export function copyTrial(trialId: string, body: { slug: string; title: string }): Promise<Trial> {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/copy", { ...at(trialId), body }));
}

export async function beginUpload(trialId: string): Promise<string> {
  return (await bodyOf(api.POST("/api/v1/trials/{trial_id}/uploads", at(trialId)))).id;
}

export function sendFiles(trialId: string, uploadId: string, form: FormData) {
  return bodyOf(
    api.POST("/api/v1/trials/{trial_id}/uploads/{upload_id}/files", {
      params: { path: { trial_id: trialId, upload_id: uploadId } },
      // The schema describes the form's fields; the browser writes the form itself.
      body: form as never,
      bodySerializer: () => form,
    }),
  );
}

export async function beginIngest(
  trialId: string,
  uploadId: string,
  body: { rules: RoiRule[]; purpose: Purpose },
): Promise<string> {
  const params = { path: { trial_id: trialId, upload_id: uploadId } };
  return (await bodyOf(api.POST("/api/v1/trials/{trial_id}/uploads/{upload_id}/ingest", { params, body }))).job_id;
}

export const caseFrameAddress = (trialId: string, caseId: string, frame: number): string =>
  `/api/v1/trials/${trialId}/cases/${caseId}/frames/${frame}.png`;

export async function pixelsReviewed(trialId: string, caseId: string, reason: string): Promise<void> {
  await api.POST("/api/v1/trials/{trial_id}/cases/{case_id}/pixels-reviewed", {
    params: { path: { trial_id: trialId, case_id: caseId } },
    body: { reason },
  });
}

export const removedQuery = (trialId: string, runId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "ingests", runId, "removed"],
    queryFn: () =>
      bodyOf(
        api.GET("/api/v1/trials/{trial_id}/ingests/{run_id}/removed", {
          params: { path: { trial_id: trialId, run_id: runId } },
        }),
      ),
  });

const INBOX_EVERY_MS = 10_000;

export const inboxQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "inbox"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/dicomweb/inbox", at(trialId))),
    refetchInterval: INBOX_EVERY_MS,
  });

export function saveInbox(trialId: string, body: InboxSettings): Promise<Inbox> {
  return bodyOf(api.PUT("/api/v1/trials/{trial_id}/dicomweb/inbox", { ...at(trialId), body }));
}

export async function completeDeliveries(trialId: string): Promise<void> {
  await api.POST("/api/v1/trials/{trial_id}/dicomweb/inbox/complete", at(trialId));
}

export const pacsQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "pacs"],
    queryFn: async () =>
      (await bodyOf(api.GET("/api/v1/trials/{trial_id}/pacs", at(trialId)))).results.map((archive) => archive.name),
  });

export async function beginPull(trialId: string, body: PullRequest): Promise<string> {
  return (await bodyOf(api.POST("/api/v1/trials/{trial_id}/pulls", { ...at(trialId), body }))).job_id;
}

export function drawItems(trialId: string) {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/items", at(trialId)));
}

export function invite(trialId: string, body: { email: string; role: InvitedRole }) {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/invitations", { ...at(trialId), body }));
}

export async function revokeInvitation(trialId: string, invitationId: string): Promise<void> {
  await api.POST("/api/v1/trials/{trial_id}/invitations/{invitation_id}/revoke", {
    params: { path: { trial_id: trialId, invitation_id: invitationId } },
  });
}

export function releaseReading(trialId: string, readingId: string, reason: string): Promise<Monitor> {
  return bodyOf(
    api.POST("/api/v1/trials/{trial_id}/readings/{reading_id}/release", {
      params: { path: { trial_id: trialId, reading_id: readingId } },
      body: { reason },
    }),
  );
}

export async function withdrawParticipant(
  trialId: string,
  participantId: string,
  body: { reason_code: WithdrawalReason; reason: string },
): Promise<void> {
  await api.POST("/api/v1/trials/{trial_id}/participants/{participant_id}/withdraw", {
    params: { path: { trial_id: trialId, participant_id: participantId } },
    body,
  });
}

export function excludeData(trialId: string, participantId: string, reason: string) {
  return bodyOf(
    api.POST("/api/v1/trials/{trial_id}/participants/{participant_id}/exclude-data", {
      params: { path: { trial_id: trialId, participant_id: participantId } },
      body: { reason },
    }),
  );
}

export function enrolAlgorithm(trialId: string, body: AlgorithmEnrolment) {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/algorithms", { ...at(trialId), body }));
}

export function runAlgorithm(trialId: string, participantId: string, body: AlgorithmRunRequest) {
  return bodyOf(
    api.POST("/api/v1/trials/{trial_id}/algorithms/{participant_id}/runs", {
      params: { path: { trial_id: trialId, participant_id: participantId } },
      body,
    }),
  );
}

export function erasePerson(body: { email: string; reason: string }) {
  return bodyOf(api.POST("/api/v1/people/erase", { body }));
}

export function importTrial(file: File, slug: string) {
  const form = new FormData();
  form.append("file", file);
  form.append("slug", slug);
  return bodyOf(api.POST("/api/v1/trials/import", { body: form as never, bodySerializer: () => form }));
}

export const bundleQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "bundle"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/bundle", at(trialId))),
  });

export function makeBundle(trialId: string, reason: string) {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/bundle", { ...at(trialId), body: { reason } }));
}

export const publicBundleQuery = (trialId: string) =>
  queryOptions({
    queryKey: ["trial", trialId, "public-bundle"],
    queryFn: () => bodyOf(api.GET("/api/v1/trials/{trial_id}/bundle/public", at(trialId))),
  });

export function makePublicBundle(trialId: string, reason: string, commentsReviewed: boolean) {
  const body = { reason, comments_reviewed: commentsReviewed };
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/bundle/public", { ...at(trialId), body }));
}

export function runAnalysis(trialId: string, body: AnalysisRequest) {
  return bodyOf(api.POST("/api/v1/trials/{trial_id}/analyses", { ...at(trialId), body }));
}

export function importTable(trialId: string, form: FormData) {
  return bodyOf(
    api.POST("/api/v1/trials/{trial_id}/external-tables", {
      ...at(trialId),
      body: form as never,
      bodySerializer: () => form,
    }),
  );
}

export const exportAddress = (trialId: string, file: string): string => `/api/v1/trials/${trialId}/export/${file}`;
