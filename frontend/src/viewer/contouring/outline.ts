/**
 * The closed loops around a slice's pixels: marching squares at half way, as the server's equipoise/imaging/outline.py
 * draws them. Vertices lie half way between a pixel inside and its neighbour outside, whole numbers at pixel centres;
 * holes are loops of their own, and pixels that touch at a corner only are separate. Filling the loops by the even-odd
 * rule gives back exactly the mask.
 */
import { type MaskVolume, sliceBox } from "./mask-volume";
import type { PixelBox } from "./volume-grid";

/** One closed loop: x and y in turn, the first vertex not repeated. */
export type Loop = Float32Array;

/** Sides of a square of four pixels. */
const TOP = 0;
const RIGHT = 1;
const BOTTOM = 2;
const LEFT = 3;

/**
 * Segments (from side, to side) with the inside on the left hand, walked backwards as the server does, by which of the four pixels are inside: upper left 1,
 * upper right 2, lower right 4, lower left 8.
 */
const SEGMENTS: readonly (readonly (readonly [number, number])[])[] = [
  [],
  [[LEFT, TOP]],
  [[TOP, RIGHT]],
  [[LEFT, RIGHT]],
  [[RIGHT, BOTTOM]],
  [
    [LEFT, TOP],
    [RIGHT, BOTTOM],
  ],
  [[TOP, BOTTOM]],
  [[LEFT, BOTTOM]],
  [[BOTTOM, LEFT]],
  [[BOTTOM, TOP]],
  [
    [TOP, RIGHT],
    [BOTTOM, LEFT],
  ],
  [[BOTTOM, RIGHT]],
  [[RIGHT, LEFT]],
  [[RIGHT, TOP]],
  [[TOP, LEFT]],
  [],
];

/** Pairs of neighbours are numbered: 2 x the upper or left pixel's place, + 1 where the other lies below. */
function pairOf(side: number, row: number, column: number, width: number): number {
  if (side === TOP) return 2 * (row * width + column);
  if (side === BOTTOM) return 2 * ((row + 1) * width + column);
  return 2 * (row * width + (side === LEFT ? column : column + 1)) + 1;
}

export function loopsOfSlice(mask: MaskVolume, z: number): Loop[] {
  const box = sliceBox(mask, z);
  return box ? loopsOfPlane(mask.plane(z), mask.grid.shapeZyx[2], box) : [];
}

/** Loops of a plane's pixels inside a box; beyond the box everything counts as outside. */
export function loopsOfPlane(plane: Uint8Array, columns: number, box: PixelBox): Loop[] {
  const width = box.x1 - box.x0 + 3;
  const height = box.y1 - box.y0 + 3;
  const next = segmentsOf(plane, columns, box, width, height);
  const loops: Loop[] = [];
  for (let first = 0; first < next.length; first += 1) {
    if (next[first] === -1) continue;
    const points: number[] = [];
    for (let pair = first; next[pair] !== -1; ) {
      const place = pair >> 1;
      const below = pair & 1;
      points.push((place % width) + box.x0 - 1 + (below ? 0 : 0.5));
      points.push(Math.floor(place / width) + box.y0 - 1 + (below ? 0.5 : 0));
      const following = next[pair] as number;
      next[pair] = -1;
      pair = following;
    }
    loops.push(Float32Array.from(points));
  }
  return loops;
}

/** For every pair of neighbours on the line, the pair that follows. */
function segmentsOf(plane: Uint8Array, columns: number, box: PixelBox, width: number, height: number): Int32Array {
  const padded = new Uint8Array(width * height);
  for (let y = box.y0; y <= box.y1; y += 1) {
    const row = plane.subarray(y * columns + box.x0, y * columns + box.x1 + 1);
    padded.set(row, (y - box.y0 + 1) * width + 1);
  }
  const next = new Int32Array(2 * width * height).fill(-1);
  for (let row = 0; row < height - 1; row += 1) {
    for (let column = 0; column < width - 1; column += 1) {
      const at = row * width + column;
      const inside =
        (padded[at] as number) |
        ((padded[at + 1] as number) << 1) |
        ((padded[at + width + 1] as number) << 2) |
        ((padded[at + width] as number) << 3);
      if (inside === 0 || inside === 15) continue;
      for (const [from, to] of SEGMENTS[inside] ?? []) {
        next[pairOf(to, row, column, width)] = pairOf(from, row, column, width);
      }
    }
  }
  return next;
}
