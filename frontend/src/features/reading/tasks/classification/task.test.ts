import { expect, test } from "vitest";
import type { KeyPress } from "../../keyboard";
import { makeImage, makePresentation } from "../../testing";
import { histogramOf } from "./histogram";
import { keyCommand } from "./keys";
import { simulate } from "./simulate";
import { task } from "./task";
import {
  asks,
  type ClassificationAction,
  type ClassificationValue,
  emptyValue,
  isComplete,
  reduceValue,
} from "./value";

const presentation = makePresentation({
  task: "classification",
  images: [makeImage({ rows: 10, columns: 4, frame_count: 2, views: ["anterior", "posterior"], modality: "NM" })],
  setup: {
    kind: "classification",
    decision: {
      question: "Are metastases present?",
      options: [
        { value: 0, label: "No", key: "n" },
        { value: 1, label: "Yes", key: "y" },
      ],
    },
    rating: { question: "How likely?", scale: "slider", lowest: "absent", highest: "present", points: [] },
    marks: null,
    magnifier: true,
    histogram: true,
  },
});

const after = (...actions: ClassificationAction[]): ClassificationValue =>
  actions.reduce((value, action) => reduceValue(value, action, presentation), emptyValue);
const press = (value: ClassificationValue, key: string, more: Partial<KeyPress> = {}) =>
  keyCommand(value, { key, repeat: false, ctrlKey: false, metaKey: false, altKey: false, ...more }, presentation);

test("the decision is asked first, then the suspicion; both make the answer", () => {
  expect(asks(emptyValue, presentation)).toBe("decision");
  const decided = after({ type: "decide", decision: 1 });
  expect(asks(decided, presentation)).toBe("rating");
  expect(isComplete(decided, presentation)).toBe(false);
  expect(isComplete(reduceValue(decided, { type: "rate", rating: 40, done: true }, presentation), presentation)).toBe(
    true,
  );
});

test("digits set tenths, and arrows move a position that is there", () => {
  expect(press(emptyValue, "7")).toEqual({ type: "task", action: { type: "rate", rating: 70, done: true } });
  expect(press(emptyValue, "ArrowRight")).toEqual({ type: "none" });
  const rated = after({ type: "rate", rating: 70, done: true });
  expect(press(rated, "ArrowRight")).toEqual({ type: "task", action: { type: "rate", rating: 71, done: true } });
  expect(press(rated, "ArrowRight", { shiftKey: true })).toBeNull();
});

test("a rating stays between its ends", () => {
  expect(after({ type: "rate", rating: 140, done: true }).rating).toBe(100);
});

test("overlay keys mean nothing where there is no heat map", () => {
  expect(press(emptyValue, "o")).toBeNull();
  expect(press(emptyValue, "[")).toBeNull();
});

test("a slider that still moves is not in the record, and the decision alone is the primary answer", () => {
  const value = after({ type: "decide", decision: 0 }, { type: "rate", rating: 30, done: true });
  expect(task.record({ type: "rate", rating: 30, done: false } as never, value)).toBeNull();
  expect(task.record({ type: "rate", rating: 30, done: true } as never, value)?.data).toEqual({
    rating: 30,
    primary: false,
  });
});

test("a histogram counts every value once, those outside in the outer bins", () => {
  const bars = histogramOf([Int16Array.from([-50, 0, 0, 500])], { lowest: 0, highest: 64, widest: 64 });
  expect(bars.filter((share) => share > 0)).toHaveLength(2);
  expect(bars[0]).toBe(1);
});

test("a simulated reader gives only answers that the task allows", () => {
  const reader = { suspicion: 0.62, threshold: 0.5, cannotAssessShare: 0 };
  expect(simulate(presentation, reader, () => 0.5)).toMatchObject({ decision: 1, rating: 62, reason_code: null });
});
