/** The contour review: digits answer the question that stands; once the reader has chosen to edit, the tools draw. */
import { reviewMessages } from "@/lib/messages-contouring";
import { decodeMask, fromBase64 } from "@/viewer/contouring/mask-format";
import { Desk, volumeGrid } from "../../drawing/desk";
import { begun, drawingKey, recordDrawing } from "../../drawing/progress";
import { type Body, defineTask, setupOf } from "../task";
import { info } from "./info";
import { ContourReviewScreen } from "./screen";
import {
  isComplete,
  mayDraw,
  optionsOf,
  type ReviewAction,
  type ReviewValue,
  reduceReview,
  standing,
  type Verdict,
} from "./value";

const ANSWERS: readonly ReviewAction["type"][] = ["acceptability", "verdict", "origin", "drew"];

type Answers = Pick<ReviewValue, "acceptability" | "verdict" | "origin">;

function drafted(draft: Body | null): Answers {
  const { acceptability, verdict, origin } = (draft ?? {}) as Partial<Answers>;
  return { acceptability: acceptability ?? null, verdict: verdict ?? null, origin: origin ?? null };
}

const answersOf = ({ acceptability, verdict, origin }: ReviewValue): Body => ({ acceptability, verdict, origin });

export const task = defineTask<ReviewValue, ReviewAction>({
  info,
  begin(presentation, draft) {
    const { grids, start } = setupOf(presentation, "contour-review");
    const [grid] = grids;
    if (!grid) throw new Error("A contour review came without a grid.");
    const desk = new Desk(presentation, volumeGrid(grid), draft, decodeMask(fromBase64(start)).data);
    return { ...begun(desk), ...drafted(draft), reopened: null };
  },
  reduce: reduceReview,
  record(action, value) {
    switch (action.type) {
      case "verdict":
        return { kind: "answer_change", data: { verdict: value.verdict } };
      case "acceptability":
        return { kind: "answer_change", data: { acceptability: value.acceptability, primary: false } };
      case "origin":
        return { kind: "answer_change", data: { origin: value.origin, primary: false } };
      case "back":
        return { kind: "answer_change", data: { ...answersOf(value), primary: value.verdict === null } };
      case "reopen":
        return null;
      default:
        return recordDrawing(action);
    }
  },
  isAnswer: (action) => ANSWERS.includes(action.type),
  clear: (value) => (value.acceptability === null ? null : { type: "back" }),
  isComplete,
  answer(value) {
    const { mask, acts, origins, engine, slice_ms } = value.desk.answer();
    const drawn = value.verdict === ("edit" satisfies Verdict) ? { mask, acts, origins } : {};
    return { ...answersOf(value), engine, slice_ms, ...drawn };
  },
  cannotAssess: {},
  draft: (value) => ({ ...answersOf(value), drawing: value.desk.drawing() }),
  key(value, press, presentation) {
    const question = standing(value, presentation);
    const option =
      question && optionsOf(question, value, presentation).find((each) => each.key === press.key && !each.off);
    if (option) return press.repeat ? { type: "none" } : { type: "task", action: option.action };
    return drawingKey(value, press, mayDraw(value));
  },
  help: reviewMessages.keys,
  mouse: reviewMessages.mouse,
  immediate: false,
  Screen: ContourReviewScreen,
});
