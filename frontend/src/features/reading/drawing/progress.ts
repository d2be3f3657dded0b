/** What the frame knows of a drawing: how far it is, and whether gaps in it were meant. The drawing is the desk's. */
import { contourCommandOf, isLooking } from "@/viewer/contouring/keys";
import type { Command, KeyPress } from "../keyboard";
import type { RecordEntry } from "../tasks/task";
import type { Desk } from "./desk";

/** How far a drawing is after an act. */
export interface DrawingState {
  /** Acts so far. */
  readonly acts: number;
  readonly empty: boolean;
  /** Slices without a contour between slices with one, but for those that the reading came with. */
  readonly gaps: readonly number[];
  /** Whether it differs from what the reading came with. */
  readonly changed: boolean;
}

export interface Drawn extends DrawingState {
  readonly desk: Desk;
  /** The reader was asked about the gaps. */
  readonly asked: boolean;
}

export type DrawingAction =
  /** An act is done; the numbers are those after it. */
  | ({ readonly type: "drew"; readonly tool: string; readonly z: number | null } & DrawingState)
  /** What was drawn before has been taken up again. */
  | ({ readonly type: "restored" } & DrawingState)
  | { readonly type: "ask_gaps"; readonly on: boolean };

export function begun(desk: Desk): Drawn {
  return { desk, ...desk.state(), asked: false };
}

export function reduceDrawing<Value extends Drawn>(value: Value, action: DrawingAction): Value {
  if (action.type === "ask_gaps") return value.asked === action.on ? value : { ...value, asked: action.on };
  const { acts, empty, gaps, changed } = action;
  return { ...value, acts, empty, gaps, changed, asked: false };
}

/** A contour with gaps is finished only once the reader has been asked. */
export const isFinished = (value: Drawn): boolean => !value.empty && (value.gaps.length === 0 || value.asked);

export function recordDrawing(action: DrawingAction): RecordEntry | null {
  if (action.type !== "drew") return null;
  return { kind: "answer_change", data: { tool: action.tool, slice: action.z, acts: action.acts } };
}

/** Keys that mean something to a shape that is open, and something to the frame otherwise. */
const SHAPE_KEYS: readonly string[] = ["Enter", "Escape", "Backspace"];

/** What a key means while there is a drawing on the screen; only looked at unless `mayDraw`. */
export function drawingKey(value: Drawn, press: KeyPress, mayDraw: boolean): Command | null {
  const { session } = value.desk;
  if (SHAPE_KEYS.includes(press.key) && !session.pending && !session.engine.drawing) {
    if (!mayDraw) return null;
    if (press.key === "Backspace") return { type: "none" };
    const ask = press.key === "Enter" && !value.empty && value.gaps.length > 0 && !value.asked;
    return ask ? { type: "task", action: { type: "ask_gaps", on: true } as DrawingAction } : null;
  }
  // The screen's own listener acts on the drawing keys; here they only must not fall through to another meaning.
  const { key, repeat, ctrlKey, metaKey, altKey } = press;
  const drawing = contourCommandOf({ key, repeat, ctrlKey, metaKey, altKey, shiftKey: false });
  if (!drawing || key.toLowerCase() === "h") return null;
  return mayDraw || isLooking(drawing) ? { type: "none" } : null;
}
