/** The steps before and after the readings. Each answers with the reader's new state. */
import { queryOptions } from "@tanstack/react-query";
import { call } from "@/api/client";
import type { ReaderState } from "@/api/contract";
import type { Answers } from "./questions";

export const readerStateQuery = (trial: string) =>
  queryOptions({
    queryKey: ["reader-state", trial],
    queryFn: () => call<ReaderState>("GET", "/reader/{trial}/", { path: { trial } }),
    // The step changes only by what the reader does; asking again by itself could take a page away under the hand.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });

export function sendConsent(trial: string, version: string, agreed: boolean): Promise<ReaderState> {
  return call("POST", "/reader/{trial}/consent/", { path: { trial }, body: { version, agreed } });
}

export function sendQuestionnaire(trial: string, answers: Answers): Promise<ReaderState> {
  return call("POST", "/reader/{trial}/questionnaire/", { path: { trial }, body: { answers } });
}

export function sendInstructionsRead(trial: string): Promise<ReaderState> {
  return call("POST", "/reader/{trial}/instructions/", { path: { trial }, body: {} });
}

export function sendClosing(trial: string, answers: Answers): Promise<ReaderState> {
  return call("POST", "/reader/{trial}/closing/", { path: { trial }, body: { answers } });
}

export function sendResume(trial: string): Promise<ReaderState> {
  return call("POST", "/reader/{trial}/resume/", { path: { trial }, body: {} });
}
