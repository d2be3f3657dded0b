import { expect, test } from "vitest";
import type { Edit } from "./acts";
import { DwellTimes } from "./dwell";
import { type ContourEngine, ORIGIN } from "./engine";
import { packStep, unpackStep } from "./history";
import { toBase64 } from "./mask-format";
import { engineOn, gridOf, pictureOf, randomNumbers } from "./testing";

const GRID = gridOf([6, 24, 28], [3, 1, 0.75]);
const value = (x: number, y: number, z: number): number => ((x * 7 + y * 13 + z * 29) % 50) - 20 + (x > 14 ? 200 : 0);

/** One edit of any kind, with parameters drawn at random. */
function randomEdit(random: (below: number) => number): Edit {
  const z = random(6);
  const mode = random(3) === 0 ? "subtract" : "add";
  const point = (): number[] => [random(32 * 16) / 16 - 2, random(28 * 16) / 16 - 2];
  const points = (count: number): number[] => Array.from({ length: count }, point).flat();
  const diameterMm = 1 + random(60) / 10;
  const edits: readonly (() => Edit)[] = [
    () => ({ tool: "brush", z, mode, diameterMm, range: null, points: points(1 + random(5)) }),
    () => ({ tool: "eraser", z, mode: "subtract", diameterMm, range: null, points: points(1 + random(4)) }),
    () => ({ tool: "threshold", z, mode, diameterMm: 9, range: [-10, 120], points: points(3) }),
    () => ({ tool: "nudge", z, diameterMm, points: points(3) }),
    () => ({ tool: "freehand", z, mode, points: points(5) }),
    () => ({ tool: "polygon", z, mode, points: points(4) }),
    () => ({ tool: "spline", z, mode, points: points(4) }),
    () => ({ tool: "livewire", z, mode, points: points(2), path: points(6) }),
    () => ({
      tool: "grow",
      z,
      mode,
      seed: [random(28), random(24)],
      tolerance: random(60),
      radiusMm: 8,
      dimensions: random(2) === 0 ? 2 : 3,
    }),
    () => ({ tool: "fill_holes", z: random(2) === 0 ? z : null }),
    () => ({ tool: "smooth", z, radiusMm: 1.5 }),
    () => ({ tool: "erase_slice", z }),
    () => ({ tool: "copy", from: z, z: random(6) }),
    () => ({ tool: "interpolate" }),
  ];
  return (edits[random(edits.length)] ?? (() => ({ tool: "interpolate" })))();
}

/** Everything an undo must bring back, as one text: every voxel, every count, every origin. */
function seen(engine: ContourEngine): string {
  const slices = Array.from({ length: 6 }, (_, z) => [engine.origin(z), engine.mask.count(z)]);
  return JSON.stringify([toBase64(engine.mask.data), slices]);
}

test("in 500 random sequences k undos give the mask of k steps before, and redo gives it back", async () => {
  const random = randomNumbers(2024);
  let steps = 0;
  for (let sequence = 0; sequence < 500; sequence += 1) {
    const engine = engineOn(GRID, value, { residentBytes: sequence % 2 === 0 ? 64 : 2 ** 20 });
    const states = [seen(engine)];
    const edits = 6 + random(16);
    for (let index = 0; index < edits; index += 1) {
      const before = engine.undoable;
      engine.apply(randomEdit(random));
      if (engine.undoable > before) states.push(seen(engine));
    }
    const last = states.length - 1;
    expect(engine.undoable).toBe(last);
    const k = random(last + 1);
    for (let index = 0; index < k; index += 1) expect(await engine.undo()).toBe(true);
    expect(seen(engine)).toBe(states[last - k]);
    for (let index = 0; index < k; index += 1) expect(await engine.redo()).toBe(true);
    expect(seen(engine)).toBe(states[last]);
    expect(await engine.redo()).toBe(false);
    for (let index = last; index > 0; index -= 1) await engine.undo();
    expect(seen(engine)).toBe(states[0]);
    expect(await engine.undo()).toBe(false);
    steps += last;
  }
  expect(steps).toBeGreaterThan(3000);
}, 60_000);

test("replaying the log on the same image gives the same mask, origins and ways back", async () => {
  const random = randomNumbers(77);
  for (let sequence = 0; sequence < 60; sequence += 1) {
    const engine = engineOn(GRID, value);
    for (let index = 0; index < 25; index += 1) {
      const act = random(6);
      if (act === 0) await engine.undo();
      else if (act === 1) await engine.redo();
      else engine.apply(randomEdit(random));
    }
    const again = engineOn(GRID, value);
    await again.replay(JSON.parse(JSON.stringify(engine.log)));
    expect(seen(again)).toBe(seen(engine));
    expect([again.undoable, again.redoable]).toEqual([engine.undoable, engine.redoable]);
  }
});

test("a stroke drawn event by event is the stroke in the log", async () => {
  const engine = engineOn(GRID);
  engine.beginStroke({ tool: "brush", z: 2, mode: "add", diameterMm: 3, range: null }, 4.03, 5);
  engine.extendStroke([6, 7, 9.51, 8]);
  engine.extendStroke([14, 9.2]);
  engine.endStroke();
  expect(engine.log).toEqual([
    {
      tool: "brush",
      z: 2,
      mode: "add",
      diameterMm: 3,
      range: null,
      points: [4, 5, 6, 7, 9.5, 8, 14, 9.1875],
      startMs: 1,
      endMs: 2,
    },
  ]);
  const again = engineOn(GRID);
  await again.replay(engine.log);
  expect(again.mask.data).toEqual(engine.mask.data);
});

test("a cancelled stroke leaves neither a mark nor a log entry", () => {
  const engine = engineOn(GRID);
  engine.beginStroke({ tool: "brush", z: 2, mode: "add", diameterMm: 6, range: null }, 10, 10);
  engine.extendStroke([15, 15]);
  engine.cancelStroke();
  expect([engine.mask.voxelsInside, engine.undoable, engine.log.length]).toEqual([0, 0, 0]);
});

test("the limited brush paints on values of its range only", () => {
  const engine = engineOn(gridOf([1, 5, 9]), (x) => x * 10);
  engine.apply({ tool: "threshold", z: 0, mode: "add", diameterMm: 9, range: [30, 50], points: [4, 2] });
  expect(pictureOf(engine.mask, 0)[2]).toBe("...###...");
});

test("interpolation fills between drawn slices, is marked, and is made anew until it is touched", async () => {
  const engine = engineOn(gridOf([8, 30, 30]));
  const disc = (z: number, r: number): Edit => ({
    tool: "brush",
    z,
    mode: "add",
    diameterMm: 2 * r,
    range: null,
    points: [15, 15],
  });
  engine.apply(disc(1, 4));
  engine.apply(disc(5, 10));
  engine.apply({ tool: "interpolate" });
  const { empty, drawn, interpolated } = ORIGIN;
  const origins = () => Array.from({ length: 8 }, (_, z) => engine.origin(z));
  expect(origins()).toEqual([empty, drawn, interpolated, interpolated, interpolated, drawn, empty, empty]);
  expect(engine.gaps()).toEqual([]);
  const before = engine.mask.count(2);
  engine.apply(disc(3, 12));
  engine.apply({ tool: "interpolate" });
  expect(origins().slice(2, 5)).toEqual([interpolated, drawn, interpolated]);
  expect(engine.mask.count(2)).toBeGreaterThan(before);
  await engine.undo();
  await engine.undo();
  expect(engine.mask.count(2)).toBe(before);
  expect(origins()[3]).toBe(interpolated);
});

test("a nudge from inside pushes the border out, one from outside pushes it in, and nothing moves before the hand", () => {
  const block: Edit = { tool: "polygon", z: 0, mode: "add", points: [9.5, 9.5, 20.5, 9.5, 20.5, 20.5, 9.5, 20.5] };
  const grid = gridOf([1, 30, 40]);
  const still = engineOn(grid);
  still.apply(block);
  still.apply({ tool: "nudge", z: 0, diameterMm: 8, points: [18, 15] });
  expect(still.mask.voxelsInside).toBe(121);
  const out = engineOn(grid);
  out.apply(block);
  out.apply({ tool: "nudge", z: 0, diameterMm: 8, points: [18, 15, 23, 15] });
  expect(pictureOf(out.mask, 0)[15]?.lastIndexOf("#")).toBe(25);
  expect(pictureOf(out.mask, 0)[10]?.lastIndexOf("#")).toBe(20);
  const inwards = engineOn(grid);
  inwards.apply(block);
  inwards.apply({ tool: "nudge", z: 0, diameterMm: 8, points: [25, 15, 20, 15] });
  expect(pictureOf(inwards.mask, 0)[15]?.lastIndexOf("#")).toBe(15);
  const nothing = engineOn(grid);
  nothing.apply({ tool: "nudge", z: 0, diameterMm: 8, points: [25, 15, 20, 15] });
  expect(nothing.mask.voxelsInside).toBe(0);
});

test("a broken-off log is taken up with its times and its ways back; a mask that it does not give counts", async () => {
  const random = randomNumbers(5);
  const engine = engineOn(GRID, value);
  for (let index = 0; index < 20; index += 1) engine.apply(randomEdit(random));
  const log = JSON.parse(JSON.stringify(engine.log));
  const again = engineOn(GRID, value);
  await again.takeUp(log, engine.mask.data);
  expect(seen(again)).toBe(seen(engine));
  expect([again.log, again.undoable]).toEqual([engine.log, engine.undoable]);
  const other = engineOn(GRID, value);
  const mask = engine.mask.data.slice();
  mask[5] = 1 - (mask[5] ?? 0);
  await other.takeUp(log, mask);
  expect(toBase64(other.mask.data)).toBe(toBase64(mask));
  expect([other.undoable, other.log.length]).toEqual([0, 20]);
});

test("a given contour keeps its origin until it is touched", () => {
  const start = new Uint8Array(3 * 16).fill(1, 16, 32);
  const engine = engineOn(gridOf([3, 4, 4]), undefined, { start });
  expect(engine.origin(1)).toBe(ORIGIN.given);
  engine.apply({ tool: "eraser", z: 1, mode: "subtract", diameterMm: 1, range: null, points: [0, 0] });
  expect([engine.origin(1), engine.mask.count(1), start[16]]).toEqual([ORIGIN.drawn, 15, 1]);
});

test("gaps are the empty slices between the first and the last with a contour", () => {
  const engine = engineOn(GRID);
  for (const z of [1, 3, 5]) {
    engine.apply({ tool: "brush", z, mode: "add", diameterMm: 3, range: null, points: [9, 9] });
  }
  expect(engine.gaps()).toEqual([2, 4]);
});

test("volume is voxels inside times their size", () => {
  const engine = engineOn(gridOf([2, 10, 10], [5, 2, 1]));
  engine.apply({ tool: "polygon", z: 1, mode: "add", points: [-1, -1, 11, -1, 11, 11, -1, 11] });
  expect(engine.mask.volumeMl).toBeCloseTo(1, 12);
});

test("steps are packed without loss", () => {
  const step = {
    slices: [
      { z: 0, runs: [0, 1, 300, 2, 70_000, 190_000] },
      { z: 200, runs: [5, 127, 140, 128] },
    ],
    origins: [{ z: 200, before: 2, after: 1 }],
  };
  const packed = packStep(step);
  expect(unpackStep(packed)).toEqual(step);
  expect(packed.length).toBe(27);
});

test("a slice's time counts while the images can be seen", () => {
  const dwell = new DwellTimes();
  dwell.add({ "4": 100 });
  dwell.show(4, 0);
  dwell.setRunning(true, 1000);
  dwell.show(5, 1500);
  dwell.setRunning(false, 1800);
  dwell.setRunning(false, 1900);
  dwell.show(6, 5000);
  dwell.setRunning(true, 6000);
  expect(dwell.totals(6250)).toEqual({ "4": 600, "5": 300, "6": 250 });
  expect(dwell.totals(6300)).toEqual({ "4": 600, "5": 300, "6": 300 });
});
