/** The reader's side of the server: one trial, and in it the one current reading. */
import { call } from "@/api/client";
import type { Presentation, ReaderState, ReadingAnswer, SubmitReply } from "@/api/contract";
import type { RecordedEvent } from "@/timing/recorder";

export interface SubmitBody {
  readonly reading: string;
  readonly lease: number;
  readonly key: string;
  readonly answer: ReadingAnswer;
  readonly events: readonly RecordedEvent[];
}

export interface EventsBody {
  readonly reading: string;
  readonly lease: number;
  readonly events: readonly RecordedEvent[];
}

export interface DraftBody {
  readonly reading: string;
  readonly lease: number;
  readonly draft: Readonly<Record<string, unknown>>;
}

/** Everything the reading screen asks of the server; tests put another in its place. */
export interface ReadingServer {
  open(environment: Readonly<Record<string, unknown>>): Promise<Presentation>;
  sendEvents(body: EventsBody): Promise<void>;
  saveDraft(body: DraftBody): Promise<void>;
  submit(body: SubmitBody): Promise<SubmitReply>;
  amend(body: { reading: string; key: string; answer: ReadingAnswer }): Promise<SubmitReply>;
  takeBreak(): Promise<ReaderState>;
  resume(): Promise<ReaderState>;
}

export function readingServer(trial: string): ReadingServer {
  const path = { trial };
  return {
    open: (environment) => call("POST", "/reader/{trial}/current/open/", { path, body: { environment } }),
    sendEvents: async (body) => {
      await call("POST", "/reader/{trial}/current/events/", { path, body });
    },
    saveDraft: async (body) => {
      await call("PUT", "/reader/{trial}/current/draft/", { path, body });
    },
    submit: (body) => call("POST", "/reader/{trial}/current/submit/", { path, body }),
    amend: (body) => call("POST", "/reader/{trial}/current/amend/", { path, body }),
    takeBreak: () => call("POST", "/reader/{trial}/break/", { path, body: {} }),
    resume: () => call("POST", "/reader/{trial}/resume/", { path, body: {} }),
  };
}
