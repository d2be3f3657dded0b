/** Small volumes and images for tests. */
import { ContourEngine, type EngineOptions } from "./engine";
import { MaskVolume } from "./mask-volume";
import { IDENTITY_DIRECTION, type Triple, type VolumeGrid } from "./volume-grid";

export function gridOf(shapeZyx: Triple, spacingMmZyx: Triple = [1, 1, 1]): VolumeGrid {
  return { shapeZyx, spacingMmZyx, originMmXyz: [0, 0, 0], direction: IDENTITY_DIRECTION };
}

/** A mask from pictures, one text per row: `#` is inside. */
export function maskOf(pictures: readonly (readonly string[])[], spacingMmZyx: Triple = [1, 1, 1]): MaskVolume {
  const rows = pictures[0]?.length ?? 0;
  const columns = pictures[0]?.[0]?.length ?? 0;
  const voxels = pictures.flatMap((rowsOfSlice) => rowsOfSlice.flatMap((row) => [...row]));
  const data = Uint8Array.from(voxels, (character) => (character === "#" ? 1 : 0));
  return new MaskVolume(gridOf([pictures.length, rows, columns], spacingMmZyx), data);
}

export function pictureOf(mask: MaskVolume, z: number): string[] {
  const [, rows, columns] = mask.grid.shapeZyx;
  const plane = mask.plane(z);
  return Array.from({ length: rows }, (_, y) =>
    Array.from(plane.subarray(y * columns, (y + 1) * columns), (value) => (value === 1 ? "#" : ".")).join(""),
  );
}

/** Whole numbers from 0, the same for the same seed (a linear congruential generator). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** An engine on an image, with a clock that goes on by 1 ms at each look. */
export function engineOn(
  grid: VolumeGrid,
  value: (x: number, y: number, z: number) => number = () => 0,
  more: Partial<EngineOptions> = {},
): ContourEngine {
  const [slices, rows, columns] = grid.shapeZyx;
  const frames = Array.from({ length: slices }, (_, z) =>
    Int16Array.from({ length: rows * columns }, (_, at) => value(at % columns, Math.floor(at / columns), z)),
  );
  let ms = 0;
  return new ContourEngine({ grid, frameAt: (z) => frames[z], now: () => ++ms, ...more });
}
