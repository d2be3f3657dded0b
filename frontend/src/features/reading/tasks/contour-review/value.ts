/** What was answered of a contour under review, which question stands, and the one function that changes it. */
import type { Presentation } from "@/api/types";
import { reviewMessages as text } from "@/lib/messages-contouring";
import { type DrawingAction, type Drawn, isFinished, reduceDrawing } from "../../drawing/progress";
import { setupOf } from "../task";

export type Verdict = "accept" | "edit" | "reject";
export type Origin = "person" | "algorithm" | "dont_know";
/** In the order in which they are asked. */
export type Question = "acceptability" | "verdict" | "origin";

export interface ReviewValue extends Drawn {
  /** Step of the scale, 1 the best. */
  readonly acceptability: number | null;
  readonly verdict: Verdict | null;
  readonly origin: Origin | null;
  /** A question that was answered and is asked again. */
  readonly reopened: Question | null;
}

export type ReviewAction =
  | DrawingAction
  | { readonly type: "acceptability"; readonly step: number }
  | { readonly type: "verdict"; readonly verdict: Verdict }
  | { readonly type: "origin"; readonly origin: Origin }
  | { readonly type: "reopen"; readonly question: Question }
  /** Takes the last answer back. */
  | { readonly type: "back" };

export interface Option {
  readonly label: string;
  readonly key: string;
  readonly pressed: boolean;
  /** Not now: the contour was changed and cannot be accepted as it was. */
  readonly off: boolean;
  readonly action: ReviewAction;
}

export function questionsOf(presentation: Presentation): readonly Question[] {
  const { origin_question: asked } = setupOf(presentation, "contour-review");
  return asked === null ? ["acceptability", "verdict"] : ["acceptability", "verdict", "origin"];
}

/** The question that stands; null once all are answered. */
export function standing(value: ReviewValue, presentation: Presentation): Question | null {
  return value.reopened ?? questionsOf(presentation).find((question) => value[question] === null) ?? null;
}

export function optionsOf(question: Question, value: ReviewValue, presentation: Presentation): readonly Option[] {
  const setup = setupOf(presentation, "contour-review");
  const option = (label: string, n: number, pressed: boolean, action: ReviewAction, off = false): Option => ({
    label,
    key: String(n + 1),
    pressed,
    off,
    action,
  });
  if (question === "acceptability") {
    return setup.acceptability.map((label, n) =>
      option(label, n, value.acceptability === n + 1, { type: "acceptability", step: n + 1 }),
    );
  }
  if (question === "verdict") {
    const verdicts: readonly Verdict[] = setup.allow_edit ? ["accept", "edit", "reject"] : ["accept", "reject"];
    return verdicts.map((verdict, n) =>
      option(
        text.verdicts[verdict],
        n,
        value.verdict === verdict,
        { type: "verdict", verdict },
        verdict === "accept" && value.changed,
      ),
    );
  }
  return (["person", "algorithm", "dont_know"] as const).map((origin, n) =>
    option(text.origins[origin], n, value.origin === origin, { type: "origin", origin }),
  );
}

/** Whether the hand may draw: once the reader has chosen to edit. */
export const mayDraw = (value: ReviewValue | null): boolean => value?.verdict === "edit";

function takenBack(value: ReviewValue): ReviewValue {
  const last = (["origin", "verdict", "acceptability"] as const).find((question) => value[question] !== null);
  return last ? { ...value, [last]: null, reopened: null } : value;
}

export function reduceReview(value: ReviewValue, action: ReviewAction): ReviewValue {
  switch (action.type) {
    case "acceptability":
      return { ...value, acceptability: action.step, reopened: null };
    case "verdict":
      // What was changed must be undone first: a contour is accepted as it was shown.
      if (action.verdict === "accept" && value.changed) return value;
      return { ...value, verdict: action.verdict, reopened: null };
    case "origin":
      return { ...value, origin: action.origin, reopened: null };
    case "reopen":
      return { ...value, reopened: action.question };
    case "back":
      return takenBack(value);
    default:
      return reduceDrawing(value, action);
  }
}

export function isComplete(value: ReviewValue, presentation: Presentation): boolean {
  const answered = questionsOf(presentation).every((question) => value[question] !== null);
  return answered && (value.verdict !== "edit" || (value.changed && isFinished(value)));
}
