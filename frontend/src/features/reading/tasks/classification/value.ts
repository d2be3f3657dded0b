/** What the reader has answered and how the screen stands, and the one function that changes it. */
import type { Presentation } from "@/api/types";
import type { Mark } from "@/viewer/planar-panes";
import { setupOf } from "../task";

export interface RatedMark extends Mark {
  readonly rating?: number;
}

export interface Cursor {
  readonly frame: number;
  readonly x: number;
  readonly y: number;
}

export interface ClassificationValue {
  readonly decision: 0 | 1 | null;
  readonly rating: number | null;
  readonly marks: readonly RatedMark[];
  /** The marking tool is in the hand; null while it is not. */
  readonly cursor: Cursor | null;
  readonly magnifier: boolean;
  readonly overlay: boolean;
  /** Of the overlay, in steps of a tenth. */
  readonly opacity: number;
}

export type ClassificationAction =
  | { readonly type: "decide"; readonly decision: 0 | 1 | null }
  /** `done`: the hand has left the slider; only then does the record say so. */
  | { readonly type: "rate"; readonly rating: number | null; readonly done: boolean }
  | { readonly type: "clear" }
  | { readonly type: "mark_tool"; readonly on: boolean }
  | { readonly type: "move_cursor"; readonly cursor: Cursor }
  | { readonly type: "add_mark"; readonly mark: RatedMark }
  | { readonly type: "remove_mark"; readonly index: number }
  | { readonly type: "rate_mark"; readonly index: number; readonly rating: number }
  | { readonly type: "magnifier"; readonly on: boolean }
  | { readonly type: "overlay"; readonly on: boolean }
  | { readonly type: "opacity"; readonly opacity: number };

export const START_OPACITY = 0.5;
export const HIGHEST_RATING = 100;

export const emptyValue: ClassificationValue = {
  decision: null,
  rating: null,
  marks: [],
  cursor: null,
  magnifier: false,
  overlay: true,
  opacity: START_OPACITY,
};

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

export function ratingRange(presentation: Presentation): { low: number; high: number } | null {
  const { rating } = setupOf(presentation, "classification");
  if (!rating) return null;
  return rating.scale === "slider" ? { low: 0, high: HIGHEST_RATING } : { low: 1, high: rating.points.length };
}

function withinImage(cursor: Cursor, presentation: Presentation): Cursor {
  const image = presentation.images[0];
  if (!image) return cursor;
  return {
    frame: clamp(Math.round(cursor.frame), 0, image.frame_count - 1),
    x: clamp(cursor.x, 0, image.columns - 1),
    y: clamp(cursor.y, 0, image.rows - 1),
  };
}

function rated(value: ClassificationValue, rating: number | null, presentation: Presentation): ClassificationValue {
  const range = ratingRange(presentation);
  if (!range) return value;
  const next = rating === null ? null : clamp(Math.round(rating), range.low, range.high);
  return next === value.rating ? value : { ...value, rating: next };
}

function marked(value: ClassificationValue, mark: RatedMark, presentation: Presentation): ClassificationValue {
  const { marks } = setupOf(presentation, "classification");
  return !marks || value.marks.length >= marks.maximum ? value : { ...value, marks: [...value.marks, mark] };
}

export function reduceValue(
  value: ClassificationValue,
  action: ClassificationAction,
  presentation: Presentation,
): ClassificationValue {
  switch (action.type) {
    case "decide":
      return action.decision === value.decision ? value : { ...value, decision: action.decision };
    case "rate":
      return rated(value, action.rating, presentation);
    case "clear":
      return { ...value, decision: null, rating: null, marks: [], cursor: null };
    case "mark_tool": {
      const image = presentation.images[0];
      const middle = { frame: 0, x: ((image?.columns ?? 1) - 1) / 2, y: ((image?.rows ?? 1) - 1) / 2 };
      return { ...value, cursor: action.on ? (value.cursor ?? middle) : null };
    }
    case "move_cursor":
      return value.cursor ? { ...value, cursor: withinImage(action.cursor, presentation) } : value;
    case "add_mark":
      return marked(value, action.mark, presentation);
    case "remove_mark":
      return { ...value, marks: value.marks.filter((_, index) => index !== action.index) };
    case "rate_mark": {
      const rating = clamp(Math.round(action.rating), 0, HIGHEST_RATING);
      return { ...value, marks: value.marks.map((each, at) => (at === action.index ? { ...each, rating } : each)) };
    }
    case "magnifier":
      return { ...value, magnifier: action.on };
    case "overlay":
      return { ...value, overlay: action.on };
    case "opacity":
      return { ...value, opacity: Math.round(clamp(action.opacity, 0, 1) * 10) / 10 };
  }
}

/** Marks that the protocol wants and that are there; each rated where it says so. */
function marksComplete(value: ClassificationValue, presentation: Presentation): boolean {
  const { marks } = setupOf(presentation, "classification");
  if (!marks) return true;
  if (marks.required_if_positive && value.decision === 1 && value.marks.length === 0) return false;
  return !marks.rated || value.marks.every((mark) => mark.rating !== undefined);
}

export function isComplete(value: ClassificationValue, presentation: Presentation): boolean {
  const { decision, rating } = setupOf(presentation, "classification");
  return (
    (!decision || value.decision !== null) && (!rating || value.rating !== null) && marksComplete(value, presentation)
  );
}

/** Which of the questions stands on the screen: the decision first, then the rating. */
export function asks(value: ClassificationValue, presentation: Presentation): "decision" | "rating" {
  const { decision, rating } = setupOf(presentation, "classification");
  if (!rating) return "decision";
  return decision && value.decision === null ? "decision" : "rating";
}
