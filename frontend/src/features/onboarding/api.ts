/** The steps before and after the readings. Each answers with the reader's new state. */
import { queryOptions } from "@tanstack/react-query";
import { api, bodyOf } from "@/api/client";
import type { ReaderState } from "@/api/types";
import type { Answers } from "./questions";

export const readerStateQuery = (trial: string) =>
  queryOptions({
    queryKey: ["reader-state", trial],
    queryFn: () => bodyOf(api.GET("/api/v1/reader/{trial}", { params: { path: { trial } } })),
    // The step changes only by what the reader does; asking again by itself could take a page away under the hand.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });

export function sendConsent(trial: string, version: string, agreed: boolean): Promise<ReaderState> {
  return bodyOf(api.POST("/api/v1/reader/{trial}/consent", { params: { path: { trial } }, body: { version, agreed } }));
}

export function sendQuestionnaire(trial: string, answers: Answers): Promise<ReaderState> {
  return bodyOf(api.POST("/api/v1/reader/{trial}/questionnaire", { params: { path: { trial } }, body: { answers } }));
}

export function sendInstructionsRead(trial: string): Promise<ReaderState> {
  return bodyOf(api.POST("/api/v1/reader/{trial}/instructions", { params: { path: { trial } } }));
}

export function sendClosing(trial: string, answers: Answers): Promise<ReaderState> {
  return bodyOf(api.POST("/api/v1/reader/{trial}/closing", { params: { path: { trial } }, body: { answers } }));
}

export function sendResume(trial: string): Promise<ReaderState> {
  return bodyOf(api.POST("/api/v1/reader/{trial}/resume", { params: { path: { trial } } }));
}
