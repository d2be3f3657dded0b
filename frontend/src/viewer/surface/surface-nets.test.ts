import { expect, test } from "vitest";
import { gridOf } from "../contouring/testing";
import { type Mesh, surfaceOf } from "./surface-nets";

function ball(shape: readonly [number, number, number], spacing: readonly [number, number, number], radiusMm: number) {
  const [, rows, columns] = shape;
  const centre = shape.map((n) => (n - 1) / 2);
  return Uint8Array.from({ length: shape[0] * rows * columns }, (_, at) => {
    const voxel = [Math.floor(at / (rows * columns)), Math.floor(at / columns) % rows, at % columns];
    const mm = voxel.map((value, axis) => (value - (centre[axis] ?? 0)) * (spacing[axis] ?? 1));
    return Math.hypot(...mm) <= radiusMm ? 1 : 0;
  });
}

const vertex = ({ vertices }: Mesh, number: number) =>
  [vertices[3 * number] ?? 0, vertices[3 * number + 1] ?? 0, vertices[3 * number + 2] ?? 0] as const;

/** Signed volume in ml by the divergence theorem: positive where triangles turn outwards. */
function volumeMl(mesh: Mesh): number {
  let sum = 0;
  for (let at = 0; at < mesh.triangles.length; at += 3) {
    const [a, b, c] = [0, 1, 2].map((corner) => vertex(mesh, mesh.triangles[at + corner] ?? 0)) as [
      readonly [number, number, number],
      readonly [number, number, number],
      readonly [number, number, number],
    ];
    sum += a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0]);
  }
  return sum / 6 / 1000;
}

test("a ball's surface is closed, turned outwards, and encloses its volume", () => {
  const grid = gridOf([17, 50, 60], [3, 1, 0.8]);
  const mesh = surfaceOf(ball(grid.shapeZyx, grid.spacingMmZyx, 18), grid);
  const edges = new Map<string, number>();
  for (let at = 0; at < mesh.triangles.length; at += 3) {
    const corners = [0, 1, 2].map((corner) => mesh.triangles[at + corner] ?? 0);
    corners.forEach((from, index) => {
      const edge = `${from}>${corners[(index + 1) % 3]}`;
      edges.set(edge, (edges.get(edge) ?? 0) + 1);
    });
  }
  for (const edge of edges.keys()) {
    const [from, to] = edge.split(">");
    expect(edges.get(`${to}>${from}`)).toBe(edges.get(edge));
  }
  const wanted = ((4 / 3) * Math.PI * 18 ** 3) / 1000;
  expect(volumeMl(mesh) / wanted).toBeGreaterThan(0.93);
  expect(volumeMl(mesh) / wanted).toBeLessThan(1.07);
  const middle = [29.5 * 0.8, 24.5, 24];
  for (let number = 0; 3 * number < mesh.vertices.length; number += 1) {
    const radius = Math.hypot(...vertex(mesh, number).map((value, axis) => value - (middle[axis] ?? 0)));
    expect(Math.abs(radius - 18)).toBeLessThan(2);
  }
});

test("a mask that fills its grid to the border has a closed surface, an empty one has none", () => {
  const grid = gridOf([4, 5, 6]);
  expect(volumeMl(surfaceOf(new Uint8Array(120).fill(1), grid))).toBeGreaterThan(0.06);
  expect(surfaceOf(new Uint8Array(120), grid).triangles.length).toBe(0);
});

test("a large mask is drawn by some thousand triangles", () => {
  const grid = gridOf([60, 128, 128], [2, 1, 1]);
  const count = surfaceOf(ball(grid.shapeZyx, grid.spacingMmZyx, 55), grid).triangles.length / 3;
  expect(count).toBeGreaterThan(2000);
  expect(count).toBeLessThan(8000);
});
