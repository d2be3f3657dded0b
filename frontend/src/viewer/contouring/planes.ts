/**
 * The three planes through a point of a volume whose frames are axial: columns to the patient's left, rows to the back,
 * slices to the head. Sagittal and coronal are shown head up, so their first row is the last slice.
 */
import type { ImageGrid } from "../coordinates";
import type { FrameAt } from "./region-grow";
import type { VolumeGrid } from "./volume-grid";

export type PlaneName = "axial" | "sagittal" | "coronal";

/** Index of a voxel. */
export interface Voxel {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

export function planeGrid(plane: PlaneName, grid: VolumeGrid): ImageGrid {
  const [slices, rows, columns] = grid.shapeZyx;
  const [sliceMm, rowMm, columnMm] = grid.spacingMmZyx;
  if (plane === "axial") return { rows, columns, rowSpacingMm: rowMm, columnSpacingMm: columnMm };
  if (plane === "sagittal") return { rows: slices, columns: rows, rowSpacingMm: sliceMm, columnSpacingMm: rowMm };
  return { rows: slices, columns, rowSpacingMm: sliceMm, columnSpacingMm: columnMm };
}

/** Where a voxel lies in a plane: column and row. */
export function inPlane(plane: PlaneName, { x, y, z }: Voxel, grid: VolumeGrid): { x: number; y: number } {
  if (plane === "axial") return { x, y };
  return { x: plane === "sagittal" ? y : x, y: grid.shapeZyx[0] - 1 - z };
}

/** The voxel under a point of a plane that goes through `through`; cut to the volume. */
export function voxelAt(plane: PlaneName, at: { x: number; y: number }, through: Voxel, grid: VolumeGrid): Voxel {
  const cut = (value: number, axis: 0 | 1 | 2): number =>
    Math.min(grid.shapeZyx[axis] - 1, Math.max(0, Math.round(value)));
  if (plane === "axial") return { x: cut(at.x, 2), y: cut(at.y, 1), z: through.z };
  const z = cut(grid.shapeZyx[0] - 1 - at.y, 0);
  if (plane === "sagittal") return { x: through.x, y: cut(at.x, 1), z };
  return { x: cut(at.x, 2), y: through.y, z };
}

type SliceValues = (z: number) => ArrayLike<number> | undefined;

/** Copies the values of a plane into `out`; slices that are missing stay as they are. */
function reformat(
  plane: PlaneName,
  through: Voxel,
  grid: VolumeGrid,
  slice: SliceValues,
  out: Int16Array | Uint8Array,
) {
  const [slices, rows, columns] = grid.shapeZyx;
  const width = plane === "sagittal" ? rows : columns;
  const first = plane === "sagittal" ? through.x : through.y * columns;
  const step = plane === "sagittal" ? columns : 1;
  for (let z = 0; z < slices; z += 1) {
    const values = slice(z);
    if (!values) continue;
    const row = (slices - 1 - z) * width;
    for (let at = 0; at < width; at += 1) out[row + at] = values[first + at * step] as number;
  }
}

export function imagePlane(
  plane: PlaneName,
  through: Voxel,
  grid: VolumeGrid,
  frameAt: FrameAt,
): Int16Array | undefined {
  if (plane === "axial") return frameAt(through.z);
  const size = planeGrid(plane, grid);
  const out = new Int16Array(size.rows * size.columns);
  reformat(plane, through, grid, frameAt, out);
  return out;
}

export function maskPlane(plane: PlaneName, through: Voxel, grid: VolumeGrid, data: Uint8Array): Uint8Array {
  const size = grid.shapeZyx[1] * grid.shapeZyx[2];
  const slice = (z: number): Uint8Array => data.subarray(z * size, (z + 1) * size);
  if (plane === "axial") return slice(through.z);
  const shape = planeGrid(plane, grid);
  const out = new Uint8Array(shape.rows * shape.columns);
  reformat(plane, through, grid, slice, out);
  return out;
}
