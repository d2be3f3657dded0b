/** Where the voxels of a volume lie: the server's `Grid` (equipoise/imaging/geometry.py), axes (z, y, x). */

export type Triple = readonly [number, number, number];

export interface VolumeGrid {
  /** Slices, rows, columns. */
  readonly shapeZyx: Triple;
  readonly spacingMmZyx: Triple;
  /** Centre of voxel (0, 0, 0) in patient coordinates (LPS). */
  readonly originMmXyz: Triple;
  /** Direction cosines row by row; columns are the directions of growing column, row and slice index. */
  readonly direction: readonly number[];
}

export const IDENTITY_DIRECTION: readonly number[] = [1, 0, 0, 0, 1, 0, 0, 0, 1];

export const voxelCount = (grid: VolumeGrid): number => grid.shapeZyx[0] * grid.shapeZyx[1] * grid.shapeZyx[2];

export const voxelVolumeMl = (grid: VolumeGrid): number =>
  grid.spacingMmZyx[0] * grid.spacingMmZyx[1] * grid.spacingMmZyx[2] * 1e-3;

/** A rectangle of pixels of one slice, ends included. */
export interface PixelBox {
  readonly y0: number;
  readonly y1: number;
  readonly x0: number;
  readonly x1: number;
}

export function boxUnion(a: PixelBox | undefined, b: PixelBox): PixelBox {
  if (!a) return b;
  return {
    y0: Math.min(a.y0, b.y0),
    y1: Math.max(a.y1, b.y1),
    x0: Math.min(a.x0, b.x0),
    x1: Math.max(a.x1, b.x1),
  };
}

/** The box around points given as x, y in turn, grown by a margin and cut at the image's border; null if outside. */
export function boxAround(
  points: ArrayLike<number>,
  margin: { x: number; y: number },
  grid: VolumeGrid,
): PixelBox | null {
  let box: PixelBox | undefined;
  for (let index = 0; index + 1 < points.length; index += 2) {
    const x = points[index] as number;
    const y = points[index + 1] as number;
    box = boxUnion(box, { y0: y, y1: y, x0: x, x1: x });
  }
  if (!box) return null;
  const cut = {
    y0: Math.max(0, Math.floor(box.y0 - margin.y)),
    y1: Math.min(grid.shapeZyx[1] - 1, Math.ceil(box.y1 + margin.y)),
    x0: Math.max(0, Math.floor(box.x0 - margin.x)),
    x1: Math.min(grid.shapeZyx[2] - 1, Math.ceil(box.x1 + margin.x)),
  };
  return cut.y0 > cut.y1 || cut.x0 > cut.x1 ? null : cut;
}
