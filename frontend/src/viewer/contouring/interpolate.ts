/**
 * Slices between two drawn ones: signed distances to both outlines, mixed by how near each is (Raya and Udupa,
 * Shape-based interpolation of multidimensional objects, IEEE Trans Med Imaging 9(1), 1990). Where the two do not
 * overlap, both are first moved to the centre that lies between theirs, so that something joins them.
 */
import { signedDistance } from "./distance";
import { type MaskVolume, sliceBox } from "./mask-volume";
import { boxUnion, type PixelBox } from "./volume-grid";

export interface InterpolatedSlice {
  readonly z: number;
  readonly plane: Uint8Array;
  readonly box: PixelBox;
}

const MARGIN = 2;

function crop(mask: MaskVolume, z: number, box: PixelBox): Uint8Array {
  const width = box.x1 - box.x0 + 1;
  const out = new Uint8Array(width * (box.y1 - box.y0 + 1));
  const columns = mask.grid.shapeZyx[2];
  const plane = mask.plane(z);
  for (let y = box.y0; y <= box.y1; y += 1) {
    out.set(plane.subarray(y * columns + box.x0, y * columns + box.x1 + 1), (y - box.y0) * width);
  }
  return out;
}

function centroid(plane: Uint8Array, width: number): { x: number; y: number } {
  let x = 0;
  let y = 0;
  let count = 0;
  plane.forEach((value, index) => {
    if (value === 0) return;
    x += index % width;
    y += Math.floor(index / width);
    count += 1;
  });
  return { x: x / count, y: y / count };
}

interface Field {
  readonly distance: Float64Array;
  readonly width: number;
  readonly height: number;
  readonly centre: { x: number; y: number };
}

/** The field's value at a pixel moved by whole pixels; beyond its border, the border's. */
function valueAt(field: Field, x: number, y: number): number {
  const column = Math.min(field.width - 1, Math.max(0, x));
  const row = Math.min(field.height - 1, Math.max(0, y));
  return field.distance[row * field.width + column] as number;
}

function mixed(first: Field, second: Field, part: number, aligned: boolean): Uint8Array {
  const { width, height } = first;
  const out = new Uint8Array(width * height);
  const shift = (field: Field, axis: "x" | "y"): number => {
    if (!aligned) return 0;
    const between = first.centre[axis] + part * (second.centre[axis] - first.centre[axis]);
    return Math.round(between - field.centre[axis]);
  };
  const [ax, ay, bx, by] = [shift(first, "x"), shift(first, "y"), shift(second, "x"), shift(second, "y")];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = (1 - part) * valueAt(first, x - ax, y - ay) + part * valueAt(second, x - bx, y - by);
      out[y * width + x] = value < 0 ? 1 : 0;
    }
  }
  return out;
}

/** The slices strictly between two that have something drawn. */
export function slicesBetween(mask: MaskVolume, below: number, above: number): InterpolatedSlice[] {
  const [, rows, columns] = mask.grid.shapeZyx;
  const first = sliceBox(mask, below);
  const second = sliceBox(mask, above);
  if (!first || !second) return [];
  const union = boxUnion(first, second);
  const box: PixelBox = {
    y0: Math.max(0, union.y0 - MARGIN),
    y1: Math.min(rows - 1, union.y1 + MARGIN),
    x0: Math.max(0, union.x0 - MARGIN),
    x1: Math.min(columns - 1, union.x1 + MARGIN),
  };
  const width = box.x1 - box.x0 + 1;
  const height = box.y1 - box.y0 + 1;
  const mm = { row: mask.grid.spacingMmZyx[1], column: mask.grid.spacingMmZyx[2] };
  const planes = [crop(mask, below, box), crop(mask, above, box)] as const;
  const field = (plane: Uint8Array): Field => ({
    distance: signedDistance(plane, width, height, mm),
    width,
    height,
    centre: centroid(plane, width),
  });
  const [a, b] = [field(planes[0]), field(planes[1])];
  const aligned = !planes[0].some((value, index) => value === 1 && planes[1][index] === 1);
  const slices: InterpolatedSlice[] = [];
  for (let z = below + 1; z < above; z += 1) {
    const local = mixed(a, b, (z - below) / (above - below), aligned);
    slices.push({ z, plane: embed(local, box, rows, columns), box });
  }
  return slices;
}

function embed(local: Uint8Array, box: PixelBox, rows: number, columns: number): Uint8Array {
  const plane = new Uint8Array(rows * columns);
  const width = box.x1 - box.x0 + 1;
  for (let y = box.y0; y <= box.y1; y += 1) {
    plane.set(local.subarray((y - box.y0) * width, (y - box.y0 + 1) * width), y * columns + box.x0);
  }
  return plane;
}
