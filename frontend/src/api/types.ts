/** Short names for the shapes that the server publishes. Nothing here is written by hand but the names. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Session = Schemas["Session"];
export type InvitationView = Schemas["InvitationView"];

export type InboxRow = Schemas["InboxRow"];
export type ReaderState = Schemas["ReaderState"];
export type ReaderStep = ReaderState["step"];
export type Question = Schemas["Question"];
export type Presentation = Schemas["Presentation"];
export type Preload = Schemas["Preload"];
export type SubmitReply = Schemas["Submitted"];

export type Trial = Schemas["Trial"];
export type TrialRow = Schemas["TrialRow"];
export type TrialAction = Schemas["Action"];
export type MissingThing = Schemas["Missing"];
export type ProtocolChecked = Schemas["ProtocolChecked"];
export type ProtocolProblem = Schemas["ProtocolProblem"];
export type Protocol = Schemas["Protocol"];
export type Case = Schemas["Case"];
export type IngestRun = Schemas["IngestRun"];
export type IngestDetail = Schemas["IngestDetail"];
export type ItemDraw = Schemas["ItemDraw"];
export type Job = Schemas["Job"];
export type JobItem = Schemas["JobItem"];
export type Invitation = Schemas["Invitation"];
export type Participant = Schemas["Participant"];
export type Allocation = Schemas["Allocation"];
export type Balance = Schemas["Balance"];
export type SideCount = Schemas["SideCount"];
export type Slot = Schemas["Slot"];
export type Monitor = Schemas["Monitor"];
export type PaceRow = Schemas["PaceRow"];
export type ProgressRow = Schemas["ProgressRow"];
export type Flow = Schemas["Flow"];
export type Analysis = Schemas["Analysis"];
export type AnalysisRequest = Schemas["AnalysisRequestRequest"];
export type AnalysisTable = Schemas["Table"];
export type Figure = Schemas["Figure"];
export type ExternalTable = Schemas["ExternalTable"];
export type AuditEntry = Schemas["AuditEntry"];
export type RoiRule = Schemas["RoiRuleRequest"];
export type Purpose = Schemas["Case"]["purpose"];
export type WithdrawalReason = Schemas["WithdrawRequest"]["reason_code"];
export type InvitedRole = Schemas["InvitationCreateRequest"]["role"];
