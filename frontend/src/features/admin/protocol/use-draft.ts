/**
 * The draft of a protocol while it is edited: text and document are two views of the same thing, and the server turns
 * one into the other whenever it checks the draft.
 */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import type { ProtocolProblem } from "@/api/types";
import { checkProtocol, type ProtocolForm, protocolQuery, saveProtocol, type TaggedProtocol } from "../api";
import { type Path, withValue } from "./schema";

const CHECK_AFTER_MS = 500;

export type Mode = "form" | "text";

export interface Draft {
  readonly mode: Mode;
  readonly text: string;
  /** Null while the text cannot be read as a document. */
  readonly document: Record<string, unknown> | null;
  readonly problems: readonly ProtocolProblem[];
  readonly lockProblems: readonly ProtocolProblem[];
  readonly dirty: boolean;
}

const draftOf = ({ protocol }: TaggedProtocol): Draft => ({
  mode: "form",
  text: protocol.text,
  document: protocol.document,
  problems: protocol.problems,
  lockProblems: protocol.lock_problems,
  dirty: false,
});

export function useDraft(trialId: string, loaded: TaggedProtocol) {
  const client = useQueryClient();
  const [draft, setDraft] = useState<Draft>(() => draftOf(loaded));
  const [checkError, setCheckError] = useState<unknown>(null);
  const etag = useRef(loaded.etag);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const running = useRef<AbortController | null>(null);

  const check = (form: ProtocolForm): void => {
    clearTimeout(timer.current);
    running.current?.abort();
    timer.current = setTimeout(() => {
      const controller = new AbortController();
      running.current = controller;
      checkProtocol(trialId, form, controller.signal).then(
        (found) => {
          setCheckError(null);
          setDraft((before) => ({
            ...before,
            problems: found.problems,
            lockProblems: found.lock_problems,
            ...("text" in form ? { document: found.document } : { text: found.text }),
          }));
        },
        (error: unknown) => {
          if (!controller.signal.aborted) setCheckError(error);
        },
      );
    }, CHECK_AFTER_MS);
  };

  // What nobody has touched here follows what is stored.
  useEffect(() => {
    if (draft.dirty || loaded.etag === etag.current) return;
    etag.current = loaded.etag;
    setDraft((before) => ({ ...draftOf(loaded), mode: before.mode }));
  }, [loaded, draft.dirty]);

  useEffect(
    () => () => {
      clearTimeout(timer.current);
      running.current?.abort();
    },
    [],
  );

  const asText = draft.mode === "text" || draft.document === null;
  const form: ProtocolForm = asText ? { text: draft.text } : { document: draft.document ?? {} };
  const save = useMutation({
    mutationFn: () => saveProtocol(trialId, form, etag.current),
    onSuccess: (saved) => {
      etag.current = saved.etag;
      client.setQueryData(protocolQuery(trialId).queryKey, saved);
      setDraft((before) => ({ ...draftOf(saved), mode: before.mode }));
      void client.invalidateQueries({ queryKey: ["trial", trialId], exact: true });
    },
  });

  return {
    draft,
    save,
    checkError,
    /** What is sent, in the form it was last changed in. */
    form,
    reset: (): void => setDraft((before) => ({ ...draftOf(loaded), mode: before.mode })),
    setMode: (mode: Mode) => setDraft((before) => ({ ...before, mode })),
    changeText: (text: string): void => {
      setDraft((before) => ({ ...before, text, dirty: true }));
      check({ text });
    },
    changeField: (path: Path, value: unknown): void => {
      const document = withValue(draft.document ?? {}, path, value) as Record<string, unknown>;
      setDraft((before) => ({ ...before, document, dirty: true }));
      check({ document });
    },
  };
}
