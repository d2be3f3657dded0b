/**
 * The longest diameter within a slice, from outer edge to outer edge of one lesion (RECIST 1.1), by the same definition
 * as the server's `equipoise.metrics.longest_axial_diameter_mm`: between midpoints of pixel edges on the outline, pieces
 * that do not touch (not even at a corner) measured apart.
 */
import { type MaskVolume, sliceBox } from "./mask-volume";
import type { PixelBox } from "./volume-grid";

export interface AxialDiameter {
  readonly lengthMm: number;
  readonly z: number;
  /** Ends in pixels: x0, y0, x1, y1. */
  readonly ends: readonly [number, number, number, number];
}

type Point = readonly [number, number];

/** Numbers the pieces of a slice over faces and corners; returns labels of the padded box and how many there are. */
function labelled(plane: Uint8Array, columns: number, box: PixelBox, width: number): [Int32Array, number] {
  const height = box.y1 - box.y0 + 3;
  const labels = new Int32Array(width * height);
  for (let y = box.y0; y <= box.y1; y += 1) {
    for (let x = box.x0; x <= box.x1; x += 1) {
      if (plane[y * columns + x] === 1) labels[(y - box.y0 + 1) * width + x - box.x0 + 1] = -1;
    }
  }
  const around = [-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1];
  let count = 0;
  for (let first = 0; first < labels.length; first += 1) {
    if (labels[first] !== -1) continue;
    count += 1;
    labels[first] = count;
    const waiting = [first];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      for (const step of around) {
        if (labels[at + step] !== -1) continue;
        labels[at + step] = count;
        waiting.push(at + step);
      }
    }
  }
  return [labels, count];
}

/** Midpoints of the outermost pixel edges of every row and column of every piece. */
function edgeMidpoints(labels: Int32Array, count: number, width: number, box: PixelBox): Point[][] {
  const points: Point[][] = Array.from({ length: count }, () => []);
  labels.forEach((label, at) => {
    if (label === 0) return;
    const x = (at % width) + box.x0 - 1;
    const y = Math.floor(at / width) + box.y0 - 1;
    const own = points[label - 1] as Point[];
    if (labels[at - 1] !== label) own.push([x - 0.5, y]);
    if (labels[at + 1] !== label) own.push([x + 0.5, y]);
    if (labels[at - width] !== label) own.push([x, y - 0.5]);
    if (labels[at + width] !== label) own.push([x, y + 0.5]);
  });
  return points;
}

/** Corners of the convex hull (Andrew's monotone chain): the farthest two points are among them. */
function hull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (ordered: readonly Point[]): Point[] => {
    const chain: Point[] = [];
    for (const point of ordered) {
      while (chain.length >= 2 && turn(chain.at(-2) as Point, chain.at(-1) as Point, point) <= 0) chain.pop();
      chain.push(point);
    }
    return chain;
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

const turn = (a: Point, b: Point, c: Point): number => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);

/** The longest diameter of one slice; null for an empty one. */
export function sliceDiameter(mask: MaskVolume, z: number): AxialDiameter | null {
  const box = sliceBox(mask, z);
  if (!box) return null;
  const [, rowMm, columnMm] = mask.grid.spacingMmZyx;
  const width = box.x1 - box.x0 + 3;
  const [labels, count] = labelled(mask.plane(z), mask.grid.shapeZyx[2], box, width);
  let best: AxialDiameter | null = null;
  for (const piece of edgeMidpoints(labels, count, width, box)) {
    const corners = hull(piece);
    for (const [index, a] of corners.entries()) {
      for (const b of corners.slice(index + 1)) {
        const lengthMm = Math.hypot((b[0] - a[0]) * columnMm, (b[1] - a[1]) * rowMm);
        if (lengthMm > (best?.lengthMm ?? 0)) best = { lengthMm, z, ends: [a[0], a[1], b[0], b[1]] };
      }
    }
  }
  return best;
}

/** The longest over all slices, each measured again only when it has changed. */
export class DiameterGauge {
  readonly #known = new Map<number, { readonly revision: number; readonly diameter: AxialDiameter | null }>();

  longest(mask: MaskVolume): AxialDiameter | null {
    let best: AxialDiameter | null = null;
    for (let z = 0; z < mask.grid.shapeZyx[0]; z += 1) {
      const diameter = this.#ofSlice(mask, z);
      if (diameter && diameter.lengthMm > (best?.lengthMm ?? 0)) best = diameter;
    }
    return best;
  }

  #ofSlice(mask: MaskVolume, z: number): AxialDiameter | null {
    if (mask.count(z) === 0) return null;
    const known = this.#known.get(z);
    if (known && known.revision === mask.revision(z)) return known.diameter;
    const diameter = sliceDiameter(mask, z);
    this.#known.set(z, { revision: mask.revision(z), diameter });
    return diameter;
  }
}
