/** What of the audit trail is asked for, as the form has it and as the server takes it. */
import { dayBegins } from "@/timing/formats";
import type { AuditFilter } from "../api";

export interface Asked {
  readonly who: string;
  readonly what: string;
  /** First and last day, in UTC. */
  readonly from: string;
  readonly to: string;
}

export const NOTHING_ASKED: Asked = { who: "", what: "", from: "", to: "" };

export function filterOf(asked: Asked): AuditFilter {
  return {
    ...(asked.who ? { who: asked.who } : {}),
    ...(asked.what ? { what: asked.what } : {}),
    ...(asked.from ? { since: dayBegins(asked.from) } : {}),
    ...(asked.to ? { until: dayBegins(asked.to, 1) } : {}),
  };
}

/** Every kind below the thing it acts on, which can be chosen as a whole. */
export function kindChoices(kinds: readonly string[]): { value: string; label: string }[] {
  const subjects = [...new Set(kinds.map((kind) => kind.split(":", 1)[0] ?? kind))];
  return subjects.flatMap((subject) => [
    { value: subject, label: subject.replaceAll("_", " ") },
    ...kinds
      .filter((kind) => kind.startsWith(`${subject}:`))
      .map((kind) => ({ value: kind, label: `\u2003${kind.replaceAll("_", " ")}` })),
  ]);
}
