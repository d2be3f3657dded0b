/** The reader's side of the server: one trial, and in it the one current reading. */
import { api, bodyOf } from "@/api/client";
import type { Presentation, ReaderState, SubmitReply } from "@/api/types";
import type { RecordedEvent } from "@/timing/recorder";
import type { EnvironmentAccount } from "./environment";
import type { PatchAnswer } from "./grey-steps";

/** A task's answer with its reason and comment; the task says what else is in it. */
export type ReadingAnswer = Readonly<Record<string, unknown>>;

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
  /** Locks the first answer of a sequential pair and opens the second half. */
  commit(body: SubmitBody & { readonly environment: Readonly<Record<string, unknown>> }): Promise<Presentation>;
  amend(body: { reading: string; key: string; answer: ReadingAnswer }): Promise<SubmitReply>;
  takeBreak(): Promise<ReaderState>;
  resume(): Promise<ReaderState>;
}

/** Keeps one try of the grey-step test; null is a test left out. Answers with the reader's new state. */
export function sendDisplayCheck(
  trial: string,
  environment: EnvironmentAccount,
  answers: readonly PatchAnswer[] | null,
): Promise<ReaderState> {
  const body = { environment: { ...environment }, answers: answers?.map((each) => ({ ...each })) ?? null };
  return bodyOf(api.POST("/api/v1/reader/{trial}/display-check", { params: { path: { trial } }, body }));
}

export function readingServer(trial: string): ReadingServer {
  const params = { path: { trial } };
  const events = (list: readonly RecordedEvent[]) => list.map((event) => ({ ...event, data: { ...event.data } }));
  return {
    open: (environment) =>
      bodyOf(api.POST("/api/v1/reader/{trial}/current/open", { params, body: { environment: { ...environment } } })),
    sendEvents: async (body) => {
      await api.POST("/api/v1/reader/{trial}/current/events", {
        params,
        body: { ...body, events: events(body.events) },
      });
    },
    saveDraft: async (body) => {
      await api.PUT("/api/v1/reader/{trial}/current/draft", { params, body: { ...body, draft: { ...body.draft } } });
    },
    submit: (body) =>
      bodyOf(
        api.POST("/api/v1/reader/{trial}/current/submit", {
          params,
          body: { ...body, answer: { ...body.answer }, events: events(body.events) },
        }),
      ),
    commit: (body) =>
      bodyOf(
        api.POST("/api/v1/reader/{trial}/current/commit", {
          params,
          body: {
            ...body,
            answer: { ...body.answer },
            environment: { ...body.environment },
            events: events(body.events),
          },
        }),
      ),
    amend: (body) =>
      bodyOf(
        api.POST("/api/v1/reader/{trial}/current/amend", { params, body: { ...body, answer: { ...body.answer } } }),
      ),
    takeBreak: () => bodyOf(api.POST("/api/v1/reader/{trial}/break", { params })),
    resume: () => bodyOf(api.POST("/api/v1/reader/{trial}/resume", { params })),
  };
}
