import { expect, test } from "vitest";
import type { Presentation } from "@/api/types";
import { decodeMask, fromBase64 } from "@/viewer/contouring/mask-format";
import { Desk, type Drawing, later, volumeGrid } from "../../drawing/desk";
import { forgetDrawings, keepDrawing, keptDrawing } from "../../drawing/kept-drawing";
import type { Drawn } from "../../drawing/progress";
import { taskTakes } from "../../keyboard";
import { initialState } from "../../state";
import { makeImage, makePresentation } from "../../testing";
import { task } from "./task";

const GRID = {
  shape_zyx: [6, 20, 20],
  spacing_mm_zyx: [3, 1, 1],
  origin_mm_xyz: [0, 0, 0],
  direction: [1, 0, 0, 0, 1, 0, 0, 0, 1],
};

function presentation(more: Partial<Presentation> = {}): Presentation {
  return makePresentation({
    task: "contouring",
    images: [makeImage({ rows: 20, columns: 20, frame_count: 6, start_frame: 3 })],
    setup: {
      kind: "contouring",
      grids: [GRID],
      style: { colour: "#FFD60A", width_px: 2, halo_px: 1 },
      fused: null,
      show_volume: false,
      show_clock: false,
    },
    ...more,
  });
}

const press = (key: string) => ({ key, repeat: false, ctrlKey: false, metaKey: false, altKey: false });

/** The value after something was drawn on these slices. */
function drawnOn(...slices: number[]): Drawn {
  const value = task.begin(presentation(), null, null) as Drawn;
  const { engine } = value.desk.session;
  for (const z of slices) {
    engine.apply({ tool: "brush", z, mode: "add", diameterMm: 4, range: null, points: [9, 9] });
  }
  const after = { acts: engine.log.length, empty: engine.mask.voxelsInside === 0, gaps: engine.gaps() };
  return task.reduce(
    value,
    { type: "drew", tool: "brush", z: slices[0] ?? null, ...after } as never,
    presentation(),
  ) as Drawn;
}

test("a reading begins on its start slice with nothing drawn, and nothing can be finished", () => {
  const value = task.begin(presentation(), null, null) as Drawn;
  expect([value.desk.session.focus.z, value.empty, value.acts]).toEqual([3, true, 0]);
  expect(task.isComplete(value, presentation())).toBe(false);
});

test("a contour without gaps is complete; one with gaps only once the reader was asked", () => {
  expect(task.isComplete(drawnOn(2, 3), presentation())).toBe(true);
  const gaps = drawnOn(1, 4);
  expect([gaps.gaps, task.isComplete(gaps, presentation())]).toEqual([[2, 3], false]);
  const command = task.key(gaps, press("Enter"), presentation());
  expect(command).toEqual({ type: "task", action: { type: "ask_gaps", on: true } });
  const asked = task.reduce(gaps, { type: "ask_gaps", on: true } as never, presentation());
  expect(task.isComplete(asked, presentation())).toBe(true);
  expect(task.key(asked, press("Enter"), presentation())).toBeNull();
});

test("drawing keys mean nothing to the frame; window, comment and help stay its own", () => {
  const value = drawnOn(3);
  for (const key of ["b", "e", "ArrowLeft", "PageDown", "n", "Backspace"]) {
    expect(task.key(value, press(key), presentation())).toEqual({ type: "none" });
  }
  for (const key of ["1", "c", "x", "?", "i", "r", "h"]) expect(task.key(value, press(key), presentation())).toBeNull();
  value.desk.session.set({ tool: "polygon" });
  value.desk.session.down(5, 5);
  expect(task.key(value, press("Enter"), presentation())).toEqual({ type: "none" });
});

test("keys that draw are not offered for anything else: B is the brush, the break has its button", () => {
  const value = drawnOn(3);
  const state = { ...initialState, stage: "reading" as const, presentation: presentation(), task, value };
  expect(["B", "Backspace", "C", "X", "I", "R", "Enter"].filter((key) => taskTakes(state, key))).toEqual([
    "B",
    "Backspace",
  ]);
});

test("the answer is the mask, the engine, every act, and where each slice comes from", () => {
  const value = drawnOn(2, 4);
  value.desk.session.interpolate();
  const answer = task.answer(value);
  const mask = decodeMask(fromBase64(answer.mask as string));
  expect(mask.data).toEqual(value.desk.session.engine.mask.data);
  expect(mask.grid).toEqual(volumeGrid(GRID));
  expect(answer.engine).toEqual({ name: "equipoise-canvas", version: "1" });
  expect(answer.origins).toEqual({ "2": "drawn", "3": "interpolated", "4": "drawn" });
  expect((answer.acts as unknown[]).length).toBe(3);
});

test("every act stands in the record with its tool and slice; asking about gaps is no act", () => {
  const value = drawnOn(2);
  expect(task.record({ type: "drew", tool: "brush", z: 2, acts: 1 } as never, value)).toEqual({
    kind: "answer_change",
    data: { tool: "brush", slice: 2, acts: 1 },
  });
  expect(task.record({ type: "ask_gaps", on: true } as never, value)).toBeNull();
});

test("a drawing is taken up from its draft with its undo, its times, and time goes on", async () => {
  const before = drawnOn(2, 3);
  await before.desk.session.undo();
  const drawing = { ...before.desk.drawing(), slice_ms: { "3": 5000 } };
  const endMs = drawing.acts.at(-1)?.endMs ?? 0;
  const desk = new Desk(presentation({ reading: "taken-up" }), volumeGrid(GRID), {
    drawing: JSON.parse(JSON.stringify(drawing)),
  });
  await desk.restore(() => undefined);
  expect(desk.session.engine.mask.data).toEqual(before.desk.session.engine.mask.data);
  expect([desk.session.engine.undoable, desk.session.engine.redoable]).toEqual([1, 1]);
  expect(desk.drawing().slice_ms["3"]).toBeGreaterThanOrEqual(5000);
  expect(desk.now()).toBeGreaterThanOrEqual(endMs);
});

test("of two drawings the one of the later opening counts, of one opening the longer", () => {
  const drawing = (lease: number, acts: number) =>
    ({ lease, mask: "", acts: new Array(acts).fill({}), slice_ms: {} }) as Drawing;
  expect(later(drawing(1, 9), drawing(2, 3))?.lease).toBe(2);
  expect(later(drawing(2, 9), drawing(2, 3))?.acts.length).toBe(9);
  expect(later(null, drawing(1, 1))?.lease).toBe(1);
  expect(later(drawing(1, 9), drawing(2, 0))?.acts.length).toBe(9);
  expect(later(null, null)).toBeNull();
});

test("the browser keeps one reading's drawing and forgets it on demand", async () => {
  const { desk } = drawnOn(3);
  await keepDrawing("a", desk.drawing());
  expect((await keptDrawing("a"))?.acts.length).toBe(1);
  await keepDrawing("b", desk.drawing());
  expect(await keptDrawing("a")).toBeNull();
  await forgetDrawings();
  expect(await keptDrawing("b")).toBeNull();
});
