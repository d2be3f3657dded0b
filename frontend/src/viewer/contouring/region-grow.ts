/** The smart click: voxels joined to the clicked one whose values are near its own, within a distance of it. */
import type { VolumeGrid } from "./volume-grid";

export interface GrowOptions {
  readonly seed: { readonly x: number; readonly y: number; readonly z: number };
  /** Largest difference from the mean of the 3 x 3 pixels around the seed, in stored units (HU). */
  readonly tolerance: number;
  readonly radiusMm: number;
  /** 2: within the slice; 3: across slices. */
  readonly dimensions: 2 | 3;
}

export type FrameAt = (z: number) => Int16Array | undefined;

/** Runs of one slice's pixels: y, first x, last x in turn. */
export interface GrownSlice {
  readonly z: number;
  readonly rows: readonly number[];
}

function meanAround(frame: Int16Array, x: number, y: number, grid: VolumeGrid): number {
  const [, rows, columns] = grid.shapeZyx;
  let sum = 0;
  let count = 0;
  for (let row = Math.max(0, y - 1); row <= Math.min(rows - 1, y + 1); row += 1) {
    for (let column = Math.max(0, x - 1); column <= Math.min(columns - 1, x + 1); column += 1) {
      sum += frame[row * columns + column] as number;
      count += 1;
    }
  }
  return sum / count;
}

/** The part of the grid within reach of the seed: first index and size on each axis. */
interface Reach {
  readonly z0: number;
  readonly y0: number;
  readonly x0: number;
  readonly nz: number;
  readonly ny: number;
  readonly nx: number;
}

function reachOf({ seed, radiusMm, dimensions }: GrowOptions, grid: VolumeGrid): Reach {
  const span = (at: number, axis: 0 | 1 | 2): [number, number] => {
    const steps = Math.floor(radiusMm / grid.spacingMmZyx[axis]);
    const first = Math.max(0, at - steps);
    return [first, Math.min(grid.shapeZyx[axis] - 1, at + steps) - first + 1];
  };
  const [z0, nz] = dimensions === 3 ? span(seed.z, 0) : [seed.z, 1];
  const [y0, ny] = span(seed.y, 1);
  const [x0, nx] = span(seed.x, 2);
  return { z0, y0, x0, nz, ny, nx };
}

/** Marks which voxels within reach may belong: 1 may, 0 may not. */
function candidates(options: GrowOptions, grid: VolumeGrid, reach: Reach, frameAt: FrameAt, mean: number): Uint8Array {
  const { seed, tolerance, radiusMm } = options;
  const { z0, y0, x0, nz, ny, nx } = reach;
  const [sliceMm, rowMm, columnMm] = grid.spacingMmZyx;
  const may = new Uint8Array(nz * ny * nx);
  let at = 0;
  for (let z = z0; z < z0 + nz; z += 1) {
    const frame = frameAt(z);
    for (let y = y0; y < y0 + ny; y += 1) {
      const left = radiusMm ** 2 - ((z - seed.z) * sliceMm) ** 2 - ((y - seed.y) * rowMm) ** 2;
      for (let x = x0; x < x0 + nx; x += 1, at += 1) {
        const value = frame?.[y * grid.shapeZyx[2] + x];
        const near = ((x - seed.x) * columnMm) ** 2 <= left;
        may[at] = near && value !== undefined && Math.abs(value - mean) <= tolerance ? 1 : 0;
      }
    }
  }
  return may;
}

const NOT_REACHED = 1;
const REACHED = 2;

/** Marks with 2 what is joined face to face to the seed. */
function flood(may: Uint8Array, seedAt: number, { nz, ny, nx }: Reach): void {
  const queue = new Int32Array(may.length);
  let head = 0;
  let tail = 0;
  const visit = (at: number): void => {
    if (may[at] !== NOT_REACHED) return;
    may[at] = REACHED;
    queue[tail] = at;
    tail += 1;
  };
  visit(seedAt);
  while (head < tail) {
    const at = queue[head] as number;
    head += 1;
    const x = at % nx;
    const y = Math.floor(at / nx) % ny;
    const z = Math.floor(at / (nx * ny));
    if (x > 0) visit(at - 1);
    if (x < nx - 1) visit(at + 1);
    if (y > 0) visit(at - nx);
    if (y < ny - 1) visit(at + nx);
    if (z > 0) visit(at - nx * ny);
    if (z < nz - 1) visit(at + nx * ny);
  }
}

/** What the click takes in, slice by slice; nothing if the seed's own value is too far from its neighbours' mean. */
export function growRegion(options: GrowOptions, grid: VolumeGrid, frameAt: FrameAt): GrownSlice[] {
  const { seed } = options;
  const frame = frameAt(seed.z);
  if (!frame) return [];
  const reach = reachOf(options, grid);
  const { z0, y0, x0, nz, ny, nx } = reach;
  const may = candidates(options, grid, reach, frameAt, meanAround(frame, seed.x, seed.y, grid));
  flood(may, ((seed.z - z0) * ny + seed.y - y0) * nx + seed.x - x0, reach);
  const grown: GrownSlice[] = [];
  for (let z = 0; z < nz; z += 1) {
    const rows = runsOf(may.subarray(z * ny * nx, (z + 1) * ny * nx), reach);
    if (rows.length > 0) grown.push({ z: z0 + z, rows });
  }
  return grown;
}

function runsOf(plane: Uint8Array, { y0, x0, ny, nx }: Reach): number[] {
  const rows: number[] = [];
  for (let y = 0; y < ny; y += 1) {
    for (let x = 0; x < nx; x += 1) {
      if (plane[y * nx + x] !== REACHED) continue;
      const first = x;
      while (x + 1 < nx && plane[y * nx + x + 1] === REACHED) x += 1;
      rows.push(y0 + y, x0 + first, x0 + x);
    }
  }
  return rows;
}
