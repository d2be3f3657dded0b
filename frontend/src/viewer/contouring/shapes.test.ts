import { expect, test } from "vitest";
import { brushLine } from "./brush";
import { signedDistance } from "./distance";
import { type FillRule, fillLoops } from "./fill";
import { holesOfPlane } from "./holes";
import { slicesBetween } from "./interpolate";
import { LivewireField } from "./livewire";
import { growRegion } from "./region-grow";
import { smoothPlane } from "./smooth";
import { closedSpline } from "./spline";
import { gridOf, maskOf, pictureOf, randomNumbers } from "./testing";
import type { VolumeGrid } from "./volume-grid";

function painted(grid: VolumeGrid, paint: (fill: (y: number, x0: number, x1: number) => void) => void): string[] {
  const [, rows, columns] = grid.shapeZyx;
  const picture = Array.from({ length: rows }, () => Array.from({ length: columns }, () => "."));
  paint((y, x0, x1) => picture[y]?.fill("#", Math.max(0, x0), x1 + 1));
  return picture.map((row) => row.join(""));
}

const filled = (loop: number[], rule: FillRule) =>
  painted(gridOf([1, 7, 9]), (fill) => fillLoops([loop], rule, 7, fill));

test("the brush is round in millimetres on pixels that are not square", () => {
  const grid = gridOf([1, 41, 81], [1, 2, 1]);
  let pixels = 0;
  let [wide, high] = [0, 0];
  brushLine([40, 20, 40, 20], 30, grid, (_, x0, x1) => {
    if (x0 === x1) return;
    pixels += x1 - x0 + 1;
    wide = Math.max(wide, x1 - x0 + 1);
    high += 1;
  });
  expect([wide, high]).toEqual([31, 15]);
  expect(pixels * 2).toBeCloseTo(Math.PI * 15 * 15, -2);
});

test("a stroke has no gaps between its points, and the thinnest brush paints one pixel", () => {
  expect(painted(gridOf([1, 5, 12]), (fill) => brushLine([2, 2, 9, 2], 2.5, gridOf([1, 5, 12]), fill))).toEqual([
    "............",
    "..########..",
    ".##########.",
    "..########..",
    "............",
  ]);
  const dot = painted(gridOf([1, 3, 3]), (fill) => brushLine([1.4, 0.6, 1.4, 0.6], 0.1, gridOf([1, 3, 3]), fill));
  expect(dot).toEqual(["...", ".#.", "..."]);
});

test("a brush outside the image paints nothing", () => {
  expect(painted(gridOf([1, 3, 3]), (fill) => brushLine([-9, 1, -9, 1], 4, gridOf([1, 3, 3]), fill))).toEqual([
    "...",
    "...",
    "...",
  ]);
});

test("a pixel is inside a shape if its centre is", () => {
  expect(filled([0.6, 0.6, 4.4, 0.6, 4.4, 3.4, 0.6, 3.4], "nonzero").slice(0, 5)).toEqual([
    ".........",
    ".####....",
    ".####....",
    ".####....",
    ".........",
  ]);
});

test("a loop drawn twice around is whole by the non-zero rule and empty by the even-odd rule", () => {
  const once = [0.5, 0.5, 5.5, 0.5, 5.5, 4.5, 0.5, 4.5];
  expect(filled([...once, ...once], "nonzero")[2]).toBe(".#####...");
  expect(filled([...once, ...once], "evenodd")[2]).toBe(".........");
});

test("the spline goes through its points and is a circle through points of a circle", () => {
  const points = Array.from({ length: 8 }, (_, at) => (at * Math.PI) / 4).flatMap((angle) => [
    50 + 30 * Math.cos(angle),
    50 + 30 * Math.sin(angle),
  ]);
  const line = closedSpline(points);
  const radii = Array.from({ length: line.length / 2 }, (_, at) =>
    Math.hypot((line[2 * at] ?? 0) - 50, (line[2 * at + 1] ?? 0) - 50),
  );
  expect(Math.min(...radii)).toBeGreaterThan(29.4);
  expect(Math.max(...radii)).toBeLessThan(30.6);
  for (let at = 0; at < points.length; at += 2) {
    const near = Array.from({ length: line.length / 2 }, (_, index) =>
      Math.hypot((line[2 * index] ?? 0) - (points[at] ?? 0), (line[2 * index + 1] ?? 0) - (points[at + 1] ?? 0)),
    );
    expect(Math.min(...near)).toBeLessThan(1e-9);
  }
  expect(closedSpline([1, 2, 3, 4])).toEqual([1, 2, 3, 4]);
});

test("the signed distance is that of a slow search, with unequal spacing", () => {
  const random = randomNumbers(8);
  const [width, height] = [13, 9];
  const plane = Uint8Array.from({ length: width * height }, () => (random(3) === 0 ? 1 : 0));
  const found = signedDistance(plane, width, height, { row: 2.5, column: 0.75 });
  plane.forEach((value, at) => {
    let nearest = Number.POSITIVE_INFINITY;
    plane.forEach((other, there) => {
      if (other === value) return;
      const dx = ((at % width) - (there % width)) * 0.75;
      const dy = (Math.floor(at / width) - Math.floor(there / width)) * 2.5;
      nearest = Math.min(nearest, Math.hypot(dx, dy));
    });
    expect(found[at]).toBeCloseTo(value === 1 ? -nearest : nearest, 9);
  });
});

/** Circles on the slices named, drawn by their own formula. */
function circles(slices: number, each: Readonly<Record<number, readonly [number, number, number]>>) {
  return maskOf(
    Array.from({ length: slices }, (_, z) =>
      Array.from({ length: 64 }, (_, y) =>
        Array.from({ length: 64 }, (_, x) => {
          const [cx, cy, r] = each[z] ?? [0, 0, -1];
          return Math.hypot(x - cx, y - cy) <= r ? "#" : ".";
        }).join(""),
      ),
    ),
  );
}

test("half way between two circles lies the circle of the middle radius", () => {
  const mask = circles(5, { 0: [32, 32, 8], 4: [32, 32, 20] });
  const areas = slicesBetween(mask, 0, 4).map(({ z, plane }) => [z, plane.reduce((sum, value) => sum + value, 0)]);
  expect(areas.map(([z]) => z)).toEqual([1, 2, 3]);
  for (const [z = 0, area = 0] of areas) expect(Math.sqrt(area / Math.PI)).toBeCloseTo(8 + 3 * z, 0);
});

test("between two circles that do not overlap lies one between them", () => {
  const mask = circles(3, { 0: [14, 32, 8], 2: [46, 30, 8] });
  const [between] = slicesBetween(mask, 0, 2);
  const inside = [...(between?.plane ?? []).entries()].filter(([, value]) => value === 1).map(([at]) => at);
  expect(Math.sqrt(inside.length / Math.PI)).toBeCloseTo(8, 0);
  expect(inside.reduce((sum, at) => sum + (at % 64), 0) / inside.length).toBeCloseTo(30, 0);
});

test("the livewire follows an edge instead of the straight line, and is a chain of neighbours", () => {
  const grid = gridOf([1, 100, 100]);
  const disc = Int16Array.from({ length: 10_000 }, (_, at) =>
    Math.hypot((at % 100) - 50, Math.floor(at / 100) - 50) < 30 ? 60 : -800,
  );
  const field = new LivewireField(disc, grid, { x: 20, y: 50 });
  const path = field.pathTo({ x: 50, y: 20 });
  expect([path[0], path.at(-1)]).toEqual([
    { x: 20, y: 50 },
    { x: 50, y: 20 },
  ]);
  for (const [index, { x, y }] of path.entries()) {
    expect(Math.abs(Math.hypot(x - 50, y - 50) - 30)).toBeLessThan(2);
    const before = path[index - 1];
    if (before) expect(Math.max(Math.abs(before.x - x), Math.abs(before.y - y))).toBe(1);
  }
});

test("the livewire finds a cheapest way: no path of a plain Dijkstra search is cheaper", () => {
  const grid = gridOf([1, 40, 40], [1, 1, 1]);
  const random = randomNumbers(12);
  const image = Int16Array.from({ length: 1600 }, () => random(400));
  const there = new LivewireField(image, grid, { x: 3, y: 5 });
  const path = there.pathTo({ x: 35, y: 30 });
  const again = new LivewireField(image, grid, { x: 3, y: 5 }).pathTo({ x: 35, y: 30 });
  expect(again).toEqual(path);
  expect(there.costTo({ x: 35, y: 30 })).toBe(slowCost(there, { x: 35, y: 30 }));
});

/** Bellman-Ford over the same pixel costs. */
function slowCost(field: LivewireField, target: { x: number; y: number }): number {
  const { costs, width } = field;
  const total = new Float64Array(costs.length).fill(Number.POSITIVE_INFINITY);
  total[(field.anchor.y - field.box.y0) * width + field.anchor.x - field.box.x0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let at = 0; at < costs.length; at += 1) {
      for (const [dx, dy, length] of [
        [1, 0, 10],
        [-1, 0, 10],
        [0, 1, 10],
        [0, -1, 10],
        [1, 1, 14],
        [-1, 1, 14],
        [1, -1, 14],
        [-1, -1, 14],
      ] as const) {
        const x = (at % width) + dx;
        const y = Math.floor(at / width) + dy;
        if (x < 0 || x >= width || y < 0 || y >= costs.length / width) continue;
        const cost = (total[at] ?? 0) + length * (costs[y * width + x] ?? 0);
        if (cost >= (total[y * width + x] ?? 0)) continue;
        total[y * width + x] = cost;
        changed = true;
      }
    }
  }
  return total[(target.y - field.box.y0) * width + target.x - field.box.x0] ?? Number.NaN;
}

test("the smart click takes in what is joined and alike, within its radius", () => {
  const grid = gridOf([5, 30, 30], [4, 1, 1]);
  const frames = Array.from({ length: 5 }, () =>
    Int16Array.from({ length: 900 }, (_, at) => (at % 30 === 15 ? -500 : 40 + (at % 3))),
  );
  const click = { seed: { x: 5, y: 15, z: 2 }, tolerance: 10, radiusMm: 8, dimensions: 3 } as const;
  const grown = growRegion(click, grid, (z) => frames[z]);
  expect(grown.map(({ z }) => z)).toEqual([0, 1, 2, 3, 4]);
  const middle = grown[2]?.rows ?? [];
  expect(middle.slice(0, 3)).toEqual([7, 5, 5]);
  const widest = middle.slice(24, 27);
  expect(widest).toEqual([15, 0, 13]);
  const flat = growRegion({ ...click, seed: { x: 12, y: 15, z: 2 }, dimensions: 2 }, grid, (z) => frames[z]);
  expect(flat.map(({ z }) => z)).toEqual([2]);
  expect(Math.max(...(flat[0]?.rows.filter((_, index) => index % 3 === 2) ?? []))).toBe(14);
});

test("holes are filled, bays and corners open to the outside over a face are not", () => {
  const mask = maskOf([["#####.", "#...#.", "#.###.", "###..#", "#.#.#.", "###.#."]]);
  const picture = painted(mask.grid, (fill) => holesOfPlane(mask.plane(0), 6, { y0: 0, y1: 5, x0: 0, x1: 5 }, fill));
  expect(picture).toEqual(["......", ".###..", ".#....", "......", ".#....", "......"]);
});

test("smoothing takes off what is thinner than the disc and keeps a block's sides", () => {
  const block = ".######...";
  const mask = maskOf([["..........", block, block, ".#########", block, block, ".........."]]);
  const picture = painted(mask.grid, (fill) =>
    smoothPlane(mask.plane(0), mask.grid, { y0: 1, y1: 5, x0: 1, x1: 9 }, 1.5, fill),
  );
  // The disc is 3 x 3 pixels, and a pixel needs five of its nine: the spike keeps one pixel and its two corners.
  const spike = ".#######..";
  expect(picture).toEqual(["..........", "..####....", spike, spike, spike, "..####....", ".........."]);
  expect(pictureOf(mask, 0)[3]).toBe(".#########");
});
