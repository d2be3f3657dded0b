/** What the server sends and takes, by hand until the schema is generated from it. */

export interface Account {
  id: string;
  email: string;
  display_name: string;
  is_site_administrator: boolean;
}
export interface Session {
  signed_in: boolean;
  account: Account | null;
  csrf_token: string;
}
export interface Invitation {
  trial_title: string;
  role: string;
  email: string;
  expires_at: string;
  account_exists: boolean;
}

export interface InboxRow {
  trial: string;
  title: string;
  step: ReaderStep;
  n: number;
  total: number;
  minutes_left: number | null;
  state_message: string | null;
}
export type ReaderStep =
  | "consent"
  | "questionnaire"
  | "instructions"
  | "practice"
  | "reading"
  | "break"
  | "closing"
  | "done"
  | "paused";
export interface QuestionOption {
  value: string;
  label: string;
}
export interface Question {
  key: string;
  label: string;
  kind: string;
  choices?: (QuestionOption | string)[];
  options?: (QuestionOption | string)[];
  minimum?: number | string | null;
  maximum?: number | string | null;
  max_length?: number | null;
  unit?: string | null;
  required?: boolean;
  help?: string | null;
}
export interface ReaderState {
  trial: string;
  title: string;
  step: ReaderStep;
  n: number;
  total: number;
  phase_label: string | null;
  seconds_left_estimate: number | null;
  consent: { version: string; text: string } | null;
  questionnaire: { introduction?: string | null; questions: Question[] } | null;
  instructions: { markdown: string } | null;
  closing: { questions: Question[] } | null;
  message: string | null;
}
export interface PresentationOption {
  value: string;
  label: string;
  key: string;
}
export interface Presentation {
  reading: string;
  lease: number;
  task: string;
  phase: "practice" | "reading" | "blinding-check";
  n: number;
  total: number;
  seconds_left_estimate: number | null;
  question: string;
  options: PresentationOption[];
  cannot_assess: { code: string; label: string }[];
  confirm: boolean;
  comment: boolean;
  may_amend_previous: boolean;
  image: {
    rows: number;
    columns: number;
    row_spacing_mm: number;
    column_spacing_mm: number;
    dtype: string;
    first_frame: number;
    frame_count: number;
    start_frame: number;
    frames: string;
  };
  panes: { pane: string; label?: string; outlines: string }[];
  style: { colour: string; width_px: number; halo_px: number };
  windows: { key: string; label: string; width: number; level: number }[];
  start_window: number;
  scroll: boolean;
  draft: Record<string, unknown> | null;
  resumed: boolean;
  clock: { seconds_before: number } | null;
}
export interface ReadingAnswer {
  choice: string;
  reason_code: string | null;
  comment: string;
}
export interface Preload {
  frames: string;
  first_frame: number;
  frame_count: number;
  start_frame: number;
  rows: number;
  columns: number;
}
export interface SubmitReply {
  next: { step: ReaderStep; n: number; total: number; preload: Preload | null };
}

export interface TrialRow {
  id: string;
  slug: string;
  title: string;
  state: string;
  roles: string[];
  case_count: number;
  participant_count: number;
  readings_submitted: number;
  readings_total: number;
  created_at: string;
}
export interface MissingThing {
  code: string;
  message: string;
  link: string | null;
}
export interface TrialAction {
  action: string;
  label: string;
  allowed: boolean;
  needs_password: boolean;
  needs_reason: boolean;
  missing: MissingThing[];
}
export interface Trial {
  id: string;
  slug: string;
  title: string;
  state: string;
  roles: string[];
  permissions: string[];
  protocol_sha256: string | null;
  protocol_version: number | null;
  seed_commitment: string | null;
  actions: TrialAction[];
  counts: { cases: number; items: number; participants: number; readings_submitted: number; readings_total: number };
  primary_action: string | null;
}
export interface ProtocolTemplate {
  name: string;
  title: string;
  summary: string;
  text: string;
}
export interface ProtocolProblem {
  pointer: string;
  line: number | null;
  column: number | null;
  code: string;
  message: string;
}
export interface Protocol {
  version: number;
  locked: boolean;
  text: string;
  document: Record<string, unknown> | null;
  sha256: string | null;
  problems: ProtocolProblem[];
  lock_problems: ProtocolProblem[];
  versions: { version: number; sha256: string; locked_at: string | null; reason: string | null }[];
}
export interface ProtocolCheck {
  problems: ProtocolProblem[];
  lock_problems: ProtocolProblem[];
  document: Record<string, unknown> | null;
  text: string;
}
export interface CaseRow {
  id: string;
  code: string;
  purpose: "trial" | "practice";
  slices: number;
  spacing_mm: number[];
  contours: { id: string; source: string; kind: string; voxel_count: number }[];
  thumbnail_url: string;
  flags: string[];
}
export interface Ingest {
  id: string;
  state: string;
  job_id: string | null;
  files: { path: string; outcome: "used" | "ignored" | "failed"; code: string | null; message: string | null }[];
  cases: { code: string; new: boolean; contours: unknown[] }[];
  problems: unknown[];
}
export interface Job {
  id: string;
  kind: string;
  state: "queued" | "running" | "cancelling" | "cancelled" | "succeeded" | "failed" | "partial";
  done: number;
  total: number;
  unit: string;
  message_code: string | null;
  stalled: boolean;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  result?: unknown;
  errors: { key: string; code: string; message: string }[];
}
export interface ItemDraw {
  drawn: { id: string; case_code: string; slice_index: number; dice: number; thumbnail_url: string }[];
  qualifying: number;
  not_qualifying: { reason: string; count: number }[];
  requested: number;
  seed: number | string;
}
export interface InvitationRow {
  id: string;
  email: string;
  role: string;
  group: string | null;
  state: "pending" | "accepted" | "expired" | "revoked";
  expires_at: string;
  link?: string;
}
export interface ParticipantRow {
  id: string;
  code: string;
  kind: string;
  group: string | null;
  stratum: string | null;
  state: string;
  slot: number | null;
  joined_at: string | null;
  last_activity_at: string | null;
  submitted: number;
  planned: number;
  not_assessable: number;
}
export interface BalanceSide {
  worst: string;
  per_slot: { slot: number | string; left: number; right: number }[];
  per_item: { item: string; left: number; right: number }[];
}
export interface Allocation {
  commitment: string | null;
  algorithm: string | null;
  sha256: string | null;
  slots: { number: number; stratum: string | null; state: string; participant_code: string | null }[];
  balance: { allocated: BalanceSide | null; read: BalanceSide | null };
  seed: string | null;
}
export interface FlowSide {
  label: string;
  count: number;
}
export interface Monitor {
  progress: { participant: string; cells: { position: number; state: string }[] }[];
  pace: {
    participant: string;
    submitted: number;
    planned: number;
    median_wall_s: number | null;
    last_activity_at: string | null;
    flags: { code: string; message: string; count: number }[];
    expected_finish: string | null;
  }[];
  flow: { cases: unknown; participants: unknown };
}
export interface Analysis {
  id: string;
  name: string;
  exploratory: boolean;
  state: string;
  job_id: string | null;
  findings: string[];
  figures: {
    name: string;
    title: string;
    caption: string;
    svg_url: string;
    png_url: string;
    pdf_url: string;
    csv_url: string;
  }[];
  tables: { name: string; title: string; columns: string[]; rows: unknown[][]; csv_url: string }[];
  numbers: Record<string, unknown>;
  data_sha256: string | null;
  finished_at: string | null;
}
export interface ExternalImport {
  imported: number;
  surfaced: { row: number; problem: string }[];
  rule: string;
}
export interface AuditEntry {
  sequence: number;
  at: string;
  kind: string;
  actor: string | null;
  origin: string;
  subject: string;
  reason: string | null;
  before: unknown;
  after: unknown;
}
export interface Page<Row> {
  results: Row[];
  next: string | null;
  previous: string | null;
}
