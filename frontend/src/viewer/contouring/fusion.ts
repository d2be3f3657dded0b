/**
 * A second series (PET) as a coloured layer on the planes of the first: its own grid and affine, sampled trilinearly at
 * the first one's pixel centres. Outside of it, and at or below `low`, the layer is clear.
 */
import { type PlaneName, planeGrid, type Voxel, voxelAt } from "./planes";
import type { FrameAt } from "./region-grow";
import type { VolumeGrid } from "./volume-grid";

export interface FusedSeries {
  readonly grid: VolumeGrid;
  readonly frameAt: FrameAt;
  /** Stored values at the two ends of the colours. */
  readonly low: number;
  readonly high: number;
}

type Vector = readonly [number, number, number];

/** Columns of the map from index (x, y, z) of one grid to index of another, and where index 0 goes. */
export interface IndexMap {
  readonly origin: Vector;
  readonly perX: Vector;
  readonly perY: Vector;
  readonly perZ: Vector;
}

const direction = (grid: VolumeGrid, row: number, column: number): number => grid.direction[3 * row + column] as number;

function toPatient(grid: VolumeGrid, index: Vector): Vector {
  const [z, y, x] = grid.spacingMmZyx;
  const mm = [index[0] * x, index[1] * y, index[2] * z] as const;
  const along = (row: 0 | 1 | 2): number =>
    grid.originMmXyz[row] +
    direction(grid, row, 0) * mm[0] +
    direction(grid, row, 1) * mm[1] +
    direction(grid, row, 2) * mm[2];
  return [along(0), along(1), along(2)];
}

/** The inverse of an orthonormal direction is its transpose. */
function toIndex(grid: VolumeGrid, point: Vector): Vector {
  const offset = point.map((value, axis) => value - (grid.originMmXyz[axis] as number));
  const along = (column: 0 | 1 | 2): number =>
    (direction(grid, 0, column) * (offset[0] as number) +
      direction(grid, 1, column) * (offset[1] as number) +
      direction(grid, 2, column) * (offset[2] as number)) /
    (grid.spacingMmZyx[2 - column] as number);
  return [along(0), along(1), along(2)];
}

export function indexMap(from: VolumeGrid, to: VolumeGrid): IndexMap {
  const origin = toIndex(to, toPatient(from, [0, 0, 0]));
  const per = (unit: Vector): Vector => {
    const there = toIndex(to, toPatient(from, unit));
    return [there[0] - origin[0], there[1] - origin[1], there[2] - origin[2]];
  };
  return { origin, perX: per([1, 0, 0]), perY: per([0, 1, 0]), perZ: per([0, 0, 1]) };
}

/** Stored value between voxels, NaN outside the voxels' centres (with half a voxel's leave at the border). */
export function trilinear(grid: VolumeGrid, frameAt: FrameAt, x: number, y: number, z: number): number {
  const [slices, rows, columns] = grid.shapeZyx;
  if (x < -0.5 || y < -0.5 || z < -0.5 || x > columns - 0.5 || y > rows - 0.5 || z > slices - 0.5) return Number.NaN;
  const cx = Math.min(columns - 1, Math.max(0, x));
  const cy = Math.min(rows - 1, Math.max(0, y));
  const cz = Math.min(slices - 1, Math.max(0, z));
  const [x0, y0, z0] = [Math.floor(cx), Math.floor(cy), Math.floor(cz)];
  const [x1, y1, z1] = [Math.min(columns - 1, x0 + 1), Math.min(rows - 1, y0 + 1), Math.min(slices - 1, z0 + 1)];
  const [fx, fy, fz] = [cx - x0, cy - y0, cz - z0];
  const inSlice = (frame: Int16Array): number => {
    const above = (frame[y0 * columns + x0] as number) * (1 - fx) + (frame[y0 * columns + x1] as number) * fx;
    const below = (frame[y1 * columns + x0] as number) * (1 - fx) + (frame[y1 * columns + x1] as number) * fx;
    return above * (1 - fy) + below * fy;
  };
  const [first, second] = [frameAt(z0), frameAt(z1)];
  if (!first || !second) return Number.NaN;
  return fz === 0 ? inSlice(first) : inSlice(first) * (1 - fz) + inSlice(second) * fz;
}

/** Steps after which a colour is as opaque as it gets: what is hardly warm does not darken the image beneath. */
const OPAQUE_FROM = 64;

/** Hot iron (DICOM PS3.6 B.1.1): black, red, orange, white; one little-endian RGBA word per step. */
export function hotIron(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, step) => {
    const red = Math.min(255, 2 * step);
    const green = Math.max(0, Math.min(255, 2 * step - 255));
    const blue = Math.max(0, Math.min(255, 4 * step - 765));
    const alpha = Math.min(255, Math.round((255 * step) / OPAQUE_FROM));
    return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

const COLOURS = hotIron();

/** The layer over one plane of the first series, one RGBA word per pixel. */
export function fusedPlane(series: FusedSeries, plane: PlaneName, through: Voxel, grid: VolumeGrid): Uint32Array {
  const { rows, columns } = planeGrid(plane, grid);
  const map = indexMap(grid, series.grid);
  const out = new Uint32Array(rows * columns);
  const perUnit = 255 / Math.max(1e-9, series.high - series.low);
  const corner = voxelAt(plane, { x: 0, y: 0 }, through, grid);
  const right = voxelAt(plane, { x: 1, y: 0 }, through, grid);
  const down = voxelAt(plane, { x: 0, y: 1 }, through, grid);
  const placed = ({ x, y, z }: Voxel, axis: 0 | 1 | 2): number =>
    map.origin[axis] + map.perX[axis] * x + map.perY[axis] * y + map.perZ[axis] * z;
  const first = [placed(corner, 0), placed(corner, 1), placed(corner, 2)] as const;
  const perColumn = [0, 1, 2].map((axis) => placed(right, axis as 0) - (first[axis] as number)) as [
    number,
    number,
    number,
  ];
  const perRow = [0, 1, 2].map((axis) => placed(down, axis as 0) - (first[axis] as number)) as [number, number, number];
  for (let row = 0, at = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1, at += 1) {
      const value = trilinear(
        series.grid,
        series.frameAt,
        first[0] + perColumn[0] * column + perRow[0] * row,
        first[1] + perColumn[1] * column + perRow[1] * row,
        first[2] + perColumn[2] * column + perRow[2] * row,
      );
      const step = Math.round((value - series.low) * perUnit);
      if (step > 0) out[at] = COLOURS[Math.min(255, step)] as number;
    }
  }
  return out;
}
