import { expect, test } from "vitest";
import { fusedPlane, hotIron, indexMap, trilinear } from "./fusion";
import { imagePlane, inPlane, maskPlane, planeGrid, voxelAt } from "./planes";
import { gridOf } from "./testing";
import type { VolumeGrid } from "./volume-grid";

const GRID = gridOf([3, 4, 5], [3, 2, 1]);
const FRAMES = [0, 1, 2].map((z) =>
  Int16Array.from({ length: 20 }, (_, at) => 100 * z + 10 * Math.floor(at / 5) + (at % 5)),
);
const frameAt = (z: number): Int16Array | undefined => FRAMES[z];
const HERE = { x: 3, y: 2, z: 1 };

test("sagittal and coronal planes are cut head up through the point", () => {
  expect([...(imagePlane("sagittal", HERE, GRID, frameAt) ?? [])]).toEqual([
    203, 213, 223, 233, 103, 113, 123, 133, 3, 13, 23, 33,
  ]);
  expect([...(imagePlane("coronal", HERE, GRID, frameAt) ?? [])]).toEqual([
    220, 221, 222, 223, 224, 120, 121, 122, 123, 124, 20, 21, 22, 23, 24,
  ]);
  expect(imagePlane("axial", HERE, GRID, frameAt)).toBe(FRAMES[1]);
  expect(planeGrid("sagittal", GRID)).toEqual({ rows: 3, columns: 4, rowSpacingMm: 3, columnSpacingMm: 2 });
  expect(planeGrid("coronal", GRID)).toEqual({ rows: 3, columns: 5, rowSpacingMm: 3, columnSpacingMm: 1 });
});

test("mask planes lie where the image's do", () => {
  const data = new Uint8Array(60);
  data[1 * 20 + 2 * 5 + 3] = 1;
  for (const plane of ["sagittal", "coronal"] as const) {
    const { x, y } = inPlane(plane, HERE, GRID);
    const mask = maskPlane(plane, HERE, GRID, data);
    expect(mask.indexOf(1)).toBe(y * planeGrid(plane, GRID).columns + x);
    expect(mask.lastIndexOf(1)).toBe(mask.indexOf(1));
  }
});

test("a point of a plane and its voxel turn into each other, cut to the volume", () => {
  for (const plane of ["axial", "sagittal", "coronal"] as const) {
    expect(voxelAt(plane, inPlane(plane, HERE, GRID), HERE, GRID)).toEqual(HERE);
  }
  expect(voxelAt("sagittal", { x: 99, y: -7 }, HERE, GRID)).toEqual({ x: 3, y: 3, z: 2 });
});

test("one grid's index goes to the other's through the patient, also with turned axes", () => {
  const turned: VolumeGrid = {
    shapeZyx: [4, 4, 4],
    spacingMmZyx: [2, 4, 5],
    originMmXyz: [10, -4, 6],
    direction: [0, -1, 0, 1, 0, 0, 0, 0, 1],
  };
  const map = indexMap(GRID, turned);
  // Patient point of index (3, 2, 1): (3, 4, 3). Along the turned columns (+y): (4 + 4) / 5; rows (-x): (10 - 3) / 4.
  const at = ([0, 1, 2] as const).map(
    (axis) => map.origin[axis] + 3 * map.perX[axis] + 2 * map.perY[axis] + map.perZ[axis],
  );
  expect(at.map((value) => Math.round(1e9 * value) / 1e9)).toEqual([1.6, 1.75, -1.5]);
});

test("values between voxels are exact for a linear image, and there is none outside", () => {
  const linear = [0, 1, 2].map((z) =>
    Int16Array.from({ length: 20 }, (_, at) => 100 * z + 10 * Math.floor(at / 5) + (at % 5)),
  );
  expect(trilinear(GRID, (z) => linear[z], 1.25, 2.5, 0.75)).toBeCloseTo(75 + 25 + 1.25, 9);
  expect(trilinear(GRID, (z) => linear[z], -0.6, 0, 0)).toBeNaN();
  expect(trilinear(GRID, (z) => linear[z], 4.5, 0, 0)).toBe(4);
});

test("the second series is laid over the first where both are in the patient, on every plane", () => {
  const pet: VolumeGrid = { ...gridOf([3, 2, 2], [3, 4, 2]), originMmXyz: [1, 1, 0] };
  const hot = { grid: pet, low: 0, high: 100, frameAt: (z: number) => new Int16Array(4).fill(z === 1 ? 100 : 0) };
  const axial = fusedPlane(hot, "axial", HERE, GRID);
  // PET columns lie at x = 1 and 3 mm, rows at y = 1 and 5 mm: with half a voxel's leave x 0 to 4, y -1 to 7.
  expect([...axial].map((word) => (word === 0 ? "." : "#")).join("")).toBe("#".repeat(20));
  expect(axial[7]).toBe(hotIron()[255]);
  expect([...fusedPlane(hot, "axial", { ...HERE, z: 0 }, GRID)].every((word) => word === 0)).toBe(true);
  const coronal = [...fusedPlane(hot, "coronal", HERE, GRID)].map((word) => (word === 0 ? "." : "#")).join("");
  expect(coronal).toBe(".....#####.....");
});

test("hot iron goes from black over red and orange to white", () => {
  const iron = hotIron();
  const rgb = (step: number) => [
    (iron[step] ?? 0) & 255,
    ((iron[step] ?? 0) >> 8) & 255,
    ((iron[step] ?? 0) >> 16) & 255,
  ];
  expect([rgb(0), rgb(64), rgb(191), rgb(255)]).toEqual([
    [0, 0, 0],
    [128, 0, 0],
    [255, 127, 0],
    [255, 255, 255],
  ]);
});
