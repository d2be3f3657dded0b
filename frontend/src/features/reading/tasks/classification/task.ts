/** The classification task as the frame knows it. */
import { messages } from "@/lib/messages";
import { type Body, defineTask } from "../task";
import { info } from "./info";
import { keyCommand } from "./keys";
import { ClassificationScreen } from "./screen";
import {
  type ClassificationAction,
  type ClassificationValue,
  emptyValue,
  isComplete,
  type RatedMark,
  reduceValue,
} from "./value";

function drafted(draft: Body | null): Pick<ClassificationValue, "decision" | "rating" | "marks"> {
  const { decision, rating, marks } = draft ?? {};
  return {
    decision: decision === 0 || decision === 1 ? decision : null,
    rating: typeof rating === "number" ? rating : null,
    marks: Array.isArray(marks) ? (marks as RatedMark[]) : [],
  };
}

const ANSWERS: readonly ClassificationAction["type"][] = ["decide", "rate", "clear", "add_mark", "remove_mark"];

export const task = defineTask<ClassificationValue, ClassificationAction>({
  info,
  begin: (_presentation, draft, before) => ({
    ...emptyValue,
    magnifier: before?.magnifier ?? false,
    ...drafted(draft),
  }),
  reduce: reduceValue,
  record(action, value) {
    switch (action.type) {
      case "decide":
        return { kind: "answer_change", data: { decision: value.decision } };
      case "rate":
        // The decision is the primary answer where one is asked; only its time is the time of the decision.
        return action.done
          ? { kind: "answer_change", data: { rating: value.rating, primary: value.decision === null } }
          : null;
      case "clear":
        return { kind: "answer_change", data: { decision: null, rating: null } };
      case "add_mark":
      case "remove_mark":
      case "rate_mark":
        return { kind: "answer_change", data: { marks: value.marks.length, primary: false } };
      case "overlay":
        return { kind: "overlay_change", data: { on: value.overlay, opacity: value.opacity } };
      case "opacity":
        return { kind: "overlay_change", data: { on: value.overlay, opacity: value.opacity } };
      case "magnifier":
        return { kind: "magnifier_change", data: { on: value.magnifier } };
      case "mark_tool":
        return { kind: "tool_change", data: { tool: value.cursor ? "mark" : "window" } };
      case "move_cursor":
        return null;
    }
  },
  isAnswer: (action) => ANSWERS.includes(action.type),
  clear: (value) =>
    value.decision === null && value.rating === null && value.marks.length === 0 ? null : { type: "clear" },
  isComplete,
  answer: (value) => ({ decision: value.decision, rating: value.rating, marks: value.marks }),
  cannotAssess: { decision: null, rating: null, marks: [] },
  draft: (value) => ({ decision: value.decision, rating: value.rating, marks: value.marks }),
  key: keyCommand,
  help: messages.classificationKeys,
  immediate: false,
  Screen: ClassificationScreen,
});
