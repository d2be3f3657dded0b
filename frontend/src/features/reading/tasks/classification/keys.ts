/** Keys of the classification screen. Digits set tenths of the rating (or its point), arrows move it by one. */
import type { Presentation } from "@/api/types";
import type { Command, KeyPress } from "../../keyboard";
import { setupOf } from "../task";
import { type ClassificationAction, type ClassificationValue, HIGHEST_RATING, ratingRange } from "./value";

const own = (action: ClassificationAction): Command => ({ type: "task", action });
const STEP_PX = 1;
const LARGE_STEP_PX = 10;
const OPACITY_STEP = 0.1;

const MOVES: Readonly<Record<string, readonly [x: number, y: number]>> = {
  arrowleft: [-1, 0],
  arrowright: [1, 0],
  arrowup: [0, -1],
  arrowdown: [0, 1],
};

/** While the marking tool is in the hand: arrows move the crosshair, space sets a mark, Delete takes the last one back. */
function markingKey(value: ClassificationValue, press: KeyPress, presentation: Presentation): Command | null {
  const { marks } = setupOf(presentation, "classification");
  const { cursor } = value;
  if (!marks || !cursor) return null;
  const key = press.key.toLowerCase();
  const move = MOVES[key];
  if (move) {
    const step = press.shiftKey ? LARGE_STEP_PX : STEP_PX;
    const next = { ...cursor, x: cursor.x + move[0] * step, y: cursor.y + move[1] * step };
    return own({ type: "move_cursor", cursor: next });
  }
  const frames = presentation.images[0]?.frame_count ?? 1;
  if (key === "v") return own({ type: "move_cursor", cursor: { ...cursor, frame: (cursor.frame + 1) % frames } });
  if (key === " ") {
    const size = 16;
    const box = { x: cursor.x - size, y: cursor.y - size, x2: cursor.x + size, y2: cursor.y + size };
    const place = marks.shape === "box" ? box : { x: cursor.x, y: cursor.y };
    return press.repeat ? { type: "none" } : own({ type: "add_mark", mark: { frame: cursor.frame, ...place } });
  }
  if (key === "delete" && value.marks.length > 0) return own({ type: "remove_mark", index: value.marks.length - 1 });
  if (marks.rated && /^[0-9]$/.test(key) && value.marks.length > 0) {
    return own({ type: "rate_mark", index: value.marks.length - 1, rating: Number(key) * 10 });
  }
  return key === "escape" ? own({ type: "mark_tool", on: false }) : null;
}

function ratingKey(value: ClassificationValue, press: KeyPress, presentation: Presentation): Command | null {
  const range = ratingRange(presentation);
  if (!range) return null;
  const { rating } = setupOf(presentation, "classification");
  const rate = (to: number): Command => own({ type: "rate", rating: to, done: true });
  if (/^[0-9]$/.test(press.key)) {
    if (press.repeat) return { type: "none" };
    if (rating?.scale === "slider") return rate(Number(press.key) * 10);
    const point = Number(press.key);
    return point >= range.low && point <= range.high ? rate(point) : { type: "none" };
  }
  const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[press.key];
  // Without a position there is nothing to move: the first one is chosen by a digit, Home, End or the pointer.
  if (step !== undefined) return value.rating === null ? { type: "none" } : rate(value.rating + step);
  if (press.key === "Home") return rate(range.low);
  if (press.key === "End") return rate(rating?.scale === "slider" ? HIGHEST_RATING : range.high);
  return null;
}

function aidKey(value: ClassificationValue, press: KeyPress, presentation: Presentation): Command | null {
  if (!presentation.aid?.heat_map) return null;
  const key = press.key.toLowerCase();
  if (key === "o") return press.repeat ? { type: "none" } : own({ type: "overlay", on: !value.overlay });
  if (key === "[") return own({ type: "opacity", opacity: value.opacity - OPACITY_STEP });
  if (key === "]") return own({ type: "opacity", opacity: value.opacity + OPACITY_STEP });
  return null;
}

export function keyCommand(value: ClassificationValue, press: KeyPress, presentation: Presentation): Command | null {
  const { decision, marks, magnifier } = setupOf(presentation, "classification");
  const key = press.key.toLowerCase();
  const marking = markingKey(value, press, presentation);
  if (marking) return marking;
  const option = decision?.options.find((each) => each.key === key);
  if (option) return press.repeat ? { type: "none" } : own({ type: "decide", decision: option.value });
  if (marks && key === "l") return own({ type: "mark_tool", on: value.cursor === null });
  if (magnifier && key === "m")
    return press.repeat ? { type: "none" } : own({ type: "magnifier", on: !value.magnifier });
  return aidKey(value, press, presentation) ?? (press.shiftKey ? null : ratingKey(value, press, presentation));
}
