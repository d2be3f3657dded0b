import { expect, test } from "vitest";
import type { Presentation } from "@/api/types";
import { decodeMask, encodeMask, fromBase64, toBase64 } from "@/viewer/contouring/mask-format";
import { MaskVolume } from "@/viewer/contouring/mask-volume";
import { type Desk, volumeGrid } from "../../drawing/desk";
import { makeImage, makePresentation } from "../../testing";
import { task } from "./task";
import { optionsOf, type ReviewAction, type ReviewValue, standing } from "./value";

const GRID = {
  shape_zyx: [6, 20, 20],
  spacing_mm_zyx: [3, 1, 1],
  origin_mm_xyz: [0, 0, 0],
  direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
};

/** A square on slices 1 and 4: the contour under review has a gap of its own. */
const startMask = (() => {
  const mask = new MaskVolume(volumeGrid(GRID));
  mask.begin();
  for (const z of [1, 4]) for (let y = 5; y < 12; y += 1) mask.fillRun(z, y, 5, 12, 1);
  mask.end();
  return mask;
})();

function presentation(setup: object = {}): Presentation {
  return makePresentation({
    task: "contour-review",
    question: "How acceptable is this contour?",
    images: [makeImage({ rows: 20, columns: 20, frame_count: 6, start_frame: 3 })],
    setup: {
      kind: "contour-review",
      grids: [GRID],
      style: { colour: "#FFD60A", width_px: 2, halo_px: 1 },
      fused: null,
      show_volume: false,
      show_clock: false,
      start: toBase64(encodeMask(startMask)),
      acceptability: ["good", "minor", "major", "useless"],
      allow_edit: true,
      origin_question: "Who made it?",
      surface_check: true,
      ...setup,
    },
  });
}

const press = (key: string) => ({ key, repeat: false, ctrlKey: false, metaKey: false, altKey: false });

/** The value after keys, as the frame hands them on. */
function after(value: ReviewValue, keys: string, of = presentation()): ReviewValue {
  return [...keys].reduce((now, key) => {
    const command = task.key(now, press(key), of);
    if (command?.type !== "task") throw new Error(`${key} gave ${command?.type}.`);
    return task.reduce(now, command.action, of) as ReviewValue;
  }, value);
}

const begin = (of = presentation()) => task.begin(of, null, null) as ReviewValue;

function drawn(value: ReviewValue, change: (desk: Desk) => void): ReviewValue {
  change(value.desk);
  const action: ReviewAction = { type: "drew", tool: "brush", z: 2, ...value.desk.state() };
  return task.reduce(value, action, presentation()) as ReviewValue;
}

const brush = (z: number) => (desk: Desk) =>
  desk.session.engine.apply({ tool: "brush", z, mode: "add", diameterMm: 4, range: null, points: [9, 14] });

test("questions stand one after another; digits answer the one that stands", () => {
  let value = begin();
  expect(standing(value, presentation())).toBe("acceptability");
  expect(optionsOf("acceptability", value, presentation()).map(({ label }) => label)).toEqual([
    "good",
    "minor",
    "major",
    "useless",
  ]);
  value = after(value, "2");
  expect([value.acceptability, standing(value, presentation())]).toEqual([2, "verdict"]);
  value = after(value, "1");
  expect([value.verdict, standing(value, presentation())]).toEqual(["accept", "origin"]);
  expect(task.isComplete(value, presentation())).toBe(false);
  value = after(value, "3");
  expect([value.origin, standing(value, presentation())]).toEqual(["dont_know", null]);
  expect(task.isComplete(value, presentation())).toBe(true);
});

test("a review begins in the middle of the contour on its start slice", () => {
  const of = presentation();
  const begun = begin({ ...of, images: [{ ...(of.images[0] as (typeof of.images)[0]), start_frame: 4 }] });
  expect(begun.desk.session.focus).toEqual({ x: 9, y: 8, z: 4 });
});

test("an accepted and a rejected contour are sent without a mask and without acts", () => {
  for (const [keys, verdict] of [
    ["11", "accept"],
    ["43", "reject"],
  ] as const) {
    const answer = task.answer(after(begin(), keys));
    expect(Object.keys(answer).sort()).toEqual(["acceptability", "engine", "origin", "slice_ms", "verdict"]);
    expect(answer.verdict).toBe(verdict);
  }
});

test("an edit starts from the contour shown and is complete once something is changed", () => {
  const editing = after(begin(), "221");
  expect(task.isComplete(editing, presentation())).toBe(false);
  const changed = drawn(editing, brush(4));
  expect([changed.changed, changed.acts, changed.gaps]).toEqual([true, 1, []]);
  expect(task.isComplete(changed, presentation())).toBe(true);
  const answer = task.answer(changed);
  const mask = decodeMask(fromBase64(answer.mask as string)).data;
  expect(mask).toEqual(changed.desk.session.engine.mask.data);
  const size = 400;
  expect(mask.subarray(size, 2 * size)).toEqual(startMask.plane(1));
  expect(answer.origins).toEqual({ "1": "given", "4": "drawn" });
});

test("gaps that the contour came with are nobody's omission; a new one is asked about", () => {
  const editing = after(begin(), "221");
  const erased = drawn(editing, (desk) => {
    brush(5)(desk);
    desk.session.engine.apply({ tool: "erase_slice", z: 4 });
  });
  expect(erased.gaps).toEqual([4]);
  expect(task.isComplete(erased, presentation())).toBe(false);
  const command = task.key(erased, press("Enter"), presentation());
  expect(command).toEqual({ type: "task", action: { type: "ask_gaps", on: true } });
});

test("a changed contour cannot be accepted until the change is undone", async () => {
  const changed = drawn(after(begin(), "22"), brush(4));
  const again = task.reduce(changed, { type: "reopen", question: "verdict" } as never, presentation()) as ReviewValue;
  expect(optionsOf("verdict", again, presentation()).map(({ off }) => off)).toEqual([true, false, false]);
  expect(task.reduce(again, { type: "verdict", verdict: "accept" } as never, presentation())).toBe(again);
  await again.desk.session.undo();
  const undone = drawn(again, () => undefined);
  expect(undone.changed).toBe(false);
  expect(after(undone, "1").verdict).toBe("accept");
});

test("drawing keys draw only after Edit; before it they are the frame's, and those that look are the drawing's", () => {
  const judging = after(begin(), "2");
  for (const key of ["b", "w", "Backspace", "Enter"]) expect(task.key(judging, press(key), presentation())).toBeNull();
  for (const key of ["PageDown", "ArrowLeft", "+"]) {
    expect(task.key(judging, press(key), presentation())).toEqual({ type: "none" });
  }
  const editing = after(judging, "2");
  for (const key of ["b", "w", "Backspace"]) {
    expect(task.key(editing, press(key), presentation())).toEqual({ type: "none" });
  }
});

test("the last answer is taken back first", () => {
  const value = after(begin(), "11");
  const back = task.clear(value);
  expect(back).toEqual({ type: "back" });
  const once = task.reduce(value, back as never, presentation()) as ReviewValue;
  expect([once.acceptability, once.verdict]).toEqual([1, null]);
  const twice = task.reduce(once, back as never, presentation()) as ReviewValue;
  expect([twice.acceptability, task.clear(twice)]).toEqual([null, null]);
});

test("without editing there are two verdicts, without the question nobody is asked who made it", () => {
  const plain = presentation({ allow_edit: false, origin_question: null });
  const value = after(begin(plain), "12", plain);
  expect([value.verdict, standing(value, plain), task.isComplete(value, plain)]).toEqual(["reject", null, true]);
});

test("the record says what was answered; scale and maker are no primary answer", () => {
  const value = after(begin(), "211");
  const recorded = (action: ReviewAction) => task.record(action, value);
  expect(recorded({ type: "verdict", verdict: "accept" })).toEqual({
    kind: "answer_change",
    data: { verdict: "accept" },
  });
  expect(recorded({ type: "acceptability", step: 2 })?.data).toEqual({ acceptability: 2, primary: false });
  expect(recorded({ type: "origin", origin: "person" })?.data).toEqual({ origin: "person", primary: false });
  expect(recorded({ type: "reopen", question: "origin" })).toBeNull();
});

test("answers and edits are taken up from the draft", async () => {
  const before = drawn(after(begin(), "223"), brush(4));
  const draft = JSON.parse(JSON.stringify(task.draft(before)));
  const value = task.begin(presentation(), draft, null) as ReviewValue;
  expect([value.acceptability, value.verdict, value.origin]).toEqual([2, "edit", "dont_know"]);
  await value.desk.restore(() => undefined);
  expect(value.desk.session.engine.mask.data).toEqual(before.desk.session.engine.mask.data);
  expect(value.desk.state().changed).toBe(true);
});
