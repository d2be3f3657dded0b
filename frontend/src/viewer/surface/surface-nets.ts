/**
 * A surface around a mask, made in the page: the mask is averaged on a coarser grid and its half-way surface is taken by
 * surface nets (Gibson, Constrained elastic surface nets, MICCAI 1998): one vertex per cell that the surface crosses, at
 * the mean of its crossings, and one quadrilateral per crossed edge. For looking at, not for measuring.
 */
import type { Triple, VolumeGrid } from "../contouring/volume-grid";

export interface Mesh {
  /** x, y, z of every vertex in mm from the grid's origin: to the left, to the back, to the head. */
  readonly vertices: Float32Array;
  /** Three vertex numbers per triangle, counter-clockwise seen from outside. */
  readonly triangles: Uint32Array;
}

/** Cells along the longest axis of the coarse grid. */
export const CELLS_ALONG = 26;
const LEVEL = 0.5;

interface Coarse {
  /** Share of voxels inside, with a border of empty cells. */
  readonly values: Float32Array;
  readonly shape: Triple;
  /** Voxels per cell (z, y, x). */
  readonly factor: Triple;
  readonly first: Triple;
}

interface Bounds {
  readonly low: Triple;
  readonly high: Triple;
}

function boundsOf(data: Uint8Array, grid: VolumeGrid): Bounds | null {
  const [, rows, columns] = grid.shapeZyx;
  const low = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  const high = [-1, -1, -1];
  for (let at = data.indexOf(1); at >= 0; at = data.indexOf(1, at + 1)) {
    const voxel = [Math.floor(at / (rows * columns)), Math.floor(at / columns) % rows, at % columns];
    for (let axis = 0; axis < 3; axis += 1) {
      low[axis] = Math.min(low[axis] as number, voxel[axis] as number);
      high[axis] = Math.max(high[axis] as number, voxel[axis] as number);
    }
  }
  return high[0] === -1 ? null : { low: low as unknown as Triple, high: high as unknown as Triple };
}

function coarsened(data: Uint8Array, grid: VolumeGrid, { low, high }: Bounds, cells: number): Coarse {
  const lengthMm = [0, 1, 2].map(
    (axis) => ((high[axis] as number) - (low[axis] as number) + 1) * (grid.spacingMmZyx[axis] as number),
  );
  const cellMm = Math.max(...lengthMm) / cells;
  const factor = grid.spacingMmZyx.map((mm) => Math.max(1, Math.round(cellMm / mm))) as unknown as Triple;
  const inner = [0, 1, 2].map((axis) =>
    Math.ceil(((high[axis] as number) - (low[axis] as number) + 1) / (factor[axis] as number)),
  );
  const shape = inner.map((n) => n + 2) as unknown as Triple;
  const values = new Float32Array(shape[0] * shape[1] * shape[2]);
  const [, rows, columns] = grid.shapeZyx;
  const share = 1 / (factor[0] * factor[1] * factor[2]);
  for (let z = low[0]; z <= high[0]; z += 1) {
    const cz = Math.floor((z - low[0]) / factor[0]) + 1;
    for (let y = low[1]; y <= high[1]; y += 1) {
      const cy = Math.floor((y - low[1]) / factor[1]) + 1;
      const row = (cz * shape[1] + cy) * shape[2] + 1;
      for (let x = low[2]; x <= high[2]; x += 1) {
        if (data[(z * rows + y) * columns + x] !== 1) continue;
        const at = row + Math.floor((x - low[2]) / factor[2]);
        values[at] = (values[at] as number) + share;
      }
    }
  }
  return { values, shape, factor, first: low };
}

/** Ends of a cell's twelve edges as corners 0 to 7: bit 0 is +x, bit 1 +y, bit 2 +z. */
const EDGES = [
  [0, 1],
  [2, 3],
  [4, 5],
  [6, 7],
  [0, 2],
  [1, 3],
  [4, 6],
  [5, 7],
  [0, 4],
  [1, 5],
  [2, 6],
  [3, 7],
] as const;

/** Mean of a cell's crossings, from its first corner in cells; null where the surface does not cross it. */
function crossingOf(corner: readonly number[]): readonly [number, number, number] | null {
  let [x, y, z, count] = [0, 0, 0, 0];
  for (const [a, b] of EDGES) {
    const [va, vb] = [corner[a] as number, corner[b] as number];
    if (va > LEVEL === vb > LEVEL) continue;
    const part = (LEVEL - va) / (vb - va);
    x += (a & 1) + part * ((b & 1) - (a & 1));
    y += ((a >> 1) & 1) + part * (((b >> 1) & 1) - ((a >> 1) & 1));
    z += ((a >> 2) & 1) + part * (((b >> 2) & 1) - ((a >> 2) & 1));
    count += 1;
  }
  return count === 0 ? null : [x / count, y / count, z / count];
}

export function surfaceOf(data: Uint8Array, grid: VolumeGrid, cells = CELLS_ALONG): Mesh {
  const bounds = boundsOf(data, grid);
  if (!bounds) return { vertices: new Float32Array(0), triangles: new Uint32Array(0) };
  const coarse = coarsened(data, grid, bounds, cells);
  const numbers = new Int32Array(coarse.values.length).fill(-1);
  const vertices = placeVertices(coarse, grid, numbers);
  return { vertices: Float32Array.from(vertices), triangles: Uint32Array.from(joinVertices(coarse, numbers)) };
}

function placeVertices({ values, shape, factor, first }: Coarse, grid: VolumeGrid, numbers: Int32Array): number[] {
  const [nz, ny, nx] = shape;
  const vertices: number[] = [];
  /** Centre of a cell in voxels; cell 0 is the border before the first. */
  const voxel = (cell: number, axis: 0 | 1 | 2): number =>
    first[axis] + (cell - 1) * factor[axis] + (factor[axis] - 1) / 2;
  for (let z = 0; z + 1 < nz; z += 1) {
    for (let y = 0; y + 1 < ny; y += 1) {
      for (let x = 0; x + 1 < nx; x += 1) {
        const at = (z * ny + y) * nx + x;
        const corner = [0, 1, nx, nx + 1, nx * ny, nx * ny + 1, nx * ny + nx, nx * ny + nx + 1].map(
          (step) => values[at + step] as number,
        );
        const crossing = crossingOf(corner);
        if (!crossing) continue;
        numbers[at] = vertices.length / 3;
        vertices.push(
          voxel(x + crossing[0], 2) * grid.spacingMmZyx[2],
          voxel(y + crossing[1], 1) * grid.spacingMmZyx[1],
          voxel(z + crossing[2], 0) * grid.spacingMmZyx[0],
        );
      }
    }
  }
  return vertices;
}

/** Around every crossed edge lie four cells: their vertices make a quadrilateral, turned to the outside. */
function joinVertices({ values, shape }: Coarse, numbers: Int32Array): number[] {
  const [nz, ny, nx] = shape;
  const steps = { x: 1, y: nx, z: nx * ny };
  const around = [
    { along: steps.x, a: steps.y, b: steps.z },
    { along: steps.y, a: steps.z, b: steps.x },
    { along: steps.z, a: steps.x, b: steps.y },
  ];
  const triangles: number[] = [];
  for (let z = 1; z + 1 < nz; z += 1) {
    for (let y = 1; y + 1 < ny; y += 1) {
      for (let x = 1; x + 1 < nx; x += 1) addQuads((z * ny + y) * nx + x);
    }
  }
  return triangles;

  function addQuads(at: number): void {
    for (const { along, a, b } of around) {
      for (const from of [at, at - along]) {
        // An edge is looked at from the end inside, so once: from its start, or from its end where the start is outside.
        const inside = (values[from] as number) > LEVEL;
        const other = (values[from + along] as number) > LEVEL;
        if (inside === other || (from === at) !== inside) continue;
        const quad = [from, from - a, from - a - b, from - b].map((cell) => numbers[cell] as number);
        const [q0, q1, q2, q3] = (inside ? quad : quad.reverse()) as [number, number, number, number];
        triangles.push(q0, q1, q2, q0, q2, q3);
      }
    }
  }
}
