/**
 * Intelligent scissors (Mortensen and Barrett, Interactive segmentation with intelligent scissors, Graphical Models and
 * Image Processing 60, 1998): the cheapest way from an anchor along strong edges. All costs from one anchor are found
 * once, in a window around it, in whole numbers with buckets (Dial's variant of Dijkstra); each movement of the pointer
 * then only walks back, and the same clicks give the same line on every machine.
 */
import type { PixelBox, VolumeGrid } from "./volume-grid";

export interface Pixel {
  readonly x: number;
  readonly y: number;
}

/** The window reaches this far from the anchor, in pixels. */
export const LIVEWIRE_REACH = 96;
/** Cost of a step of the shortest spacing across flat tissue; along the strongest edge it is 1. */
const FLAT_COST = 32;
/** Spacing is counted in tenths of the shorter one. */
const LENGTH_UNIT = 10;
/** Share of a window's pixels whose gradient is weaker than what counts as the strongest edge. */
const STRONG_QUANTILE = 0.97;
const UNREACHED = 0x7fffffff;

/** Steps to the eight neighbours: dx, dy. */
const NEIGHBOURS = [
  [-1, 0],
  [1, 0],
  [0, -1],
  [0, 1],
  [-1, -1],
  [1, -1],
  [-1, 1],
  [1, 1],
] as const;

/** Cost of crossing each pixel of the window: 1 on strong edges, FLAT_COST where there is none. */
function pixelCosts(frame: Int16Array, grid: VolumeGrid, box: PixelBox): Uint8Array {
  const [, rows, columns] = grid.shapeZyx;
  const [, rowMm, columnMm] = grid.spacingMmZyx;
  const width = box.x1 - box.x0 + 1;
  const height = box.y1 - box.y0 + 1;
  const value = (x: number, y: number): number =>
    frame[Math.min(rows - 1, Math.max(0, y)) * columns + Math.min(columns - 1, Math.max(0, x))] as number;
  const gradient = new Float64Array(width * height);
  for (let y = box.y0; y <= box.y1; y += 1) {
    for (let x = box.x0; x <= box.x1; x += 1) {
      const across =
        value(x + 1, y - 1) +
        2 * value(x + 1, y) +
        value(x + 1, y + 1) -
        (value(x - 1, y - 1) + 2 * value(x - 1, y) + value(x - 1, y + 1));
      const down =
        value(x - 1, y + 1) +
        2 * value(x, y + 1) +
        value(x + 1, y + 1) -
        (value(x - 1, y - 1) + 2 * value(x, y - 1) + value(x + 1, y - 1));
      gradient[(y - box.y0) * width + x - box.x0] = Math.sqrt((across / columnMm) ** 2 + (down / rowMm) ** 2);
    }
  }
  const strong = Math.max(1e-9, gradient.slice().sort()[Math.floor(STRONG_QUANTILE * (gradient.length - 1))] as number);
  return Uint8Array.from(gradient, (one) => 1 + Math.round((FLAT_COST - 1) * (1 - Math.min(1, one / strong))));
}

/** Everything that can be reached from one anchor. */
export class LivewireField {
  readonly anchor: Pixel;
  readonly box: PixelBox;
  readonly width: number;
  /** Cost of crossing each pixel of the window. */
  readonly costs: Uint8Array;
  readonly #from: Int32Array;
  readonly #total: Int32Array;

  constructor(frame: Int16Array, grid: VolumeGrid, anchor: Pixel, reach = LIVEWIRE_REACH) {
    const [, rows, columns] = grid.shapeZyx;
    this.anchor = anchor;
    this.box = {
      y0: Math.max(0, anchor.y - reach),
      y1: Math.min(rows - 1, anchor.y + reach),
      x0: Math.max(0, anchor.x - reach),
      x1: Math.min(columns - 1, anchor.x + reach),
    };
    this.width = this.box.x1 - this.box.x0 + 1;
    this.costs = pixelCosts(frame, grid, this.box);
    this.#from = new Int32Array(this.costs.length);
    this.#total = new Int32Array(this.costs.length).fill(UNREACHED);
    this.#search(grid);
  }

  reaches({ x, y }: Pixel): boolean {
    return x >= this.box.x0 && x <= this.box.x1 && y >= this.box.y0 && y <= this.box.y1;
  }

  /** The cheapest way from the anchor, both ends included; a straight line's ends where the window does not reach. */
  pathTo(target: Pixel): Pixel[] {
    if (!this.reaches(target)) return [this.anchor, target];
    const path: Pixel[] = [];
    let at = this.#place(target);
    for (;;) {
      path.push({ x: (at % this.width) + this.box.x0, y: Math.floor(at / this.width) + this.box.y0 });
      const before = this.#from[at] as number;
      if (before === at) break;
      at = before;
    }
    return path.reverse();
  }

  #place({ x, y }: Pixel): number {
    return (y - this.box.y0) * this.width + x - this.box.x0;
  }

  /** What the cheapest way to a pixel of the window costs. */
  costTo(target: Pixel): number {
    return this.#total[this.#place(target)] ?? UNREACHED;
  }

  /** Finds for every pixel of the window the one before it on the cheapest way; the anchor's is itself. */
  #search(grid: VolumeGrid): void {
    const { costs, width } = this;
    const total = this.#total;
    const from = this.#from;
    const height = this.box.y1 - this.box.y0 + 1;
    const [, rowMm, columnMm] = grid.spacingMmZyx;
    const shorter = Math.min(rowMm, columnMm);
    const lengths = NEIGHBOURS.map(([dx, dy]) =>
      Math.max(1, Math.round((LENGTH_UNIT * Math.hypot(dx * columnMm, dy * rowMm)) / shorter)),
    );
    const done = new Uint8Array(costs.length);
    const queue = new BucketQueue(FLAT_COST * Math.max(...lengths) + 1);
    const start = this.#place(this.anchor);
    total[start] = 0;
    from[start] = start;
    queue.push(start, 0);
    for (let at = queue.pop(); at >= 0; at = queue.pop()) {
      if (done[at] === 1) continue;
      done[at] = 1;
      const x = at % width;
      const y = (at - x) / width;
      for (let way = 0; way < 8; way += 1) {
        const [dx, dy] = NEIGHBOURS[way] as readonly [number, number];
        if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
        const next = at + dy * width + dx;
        const cost = (total[at] as number) + (costs[next] as number) * (lengths[way] as number);
        if (cost >= (total[next] as number)) continue;
        total[next] = cost;
        from[next] = at;
        queue.push(next, cost);
      }
    }
  }
}

/** A queue by whole-number cost, in a ring of buckets as long as the dearest step. */
class BucketQueue {
  readonly #buckets: number[][];
  #cost = 0;
  #waiting = 0;

  constructor(dearest: number) {
    this.#buckets = Array.from({ length: dearest + 1 }, () => []);
  }

  push(item: number, cost: number): void {
    (this.#buckets[cost % this.#buckets.length] as number[]).push(item);
    this.#waiting += 1;
  }

  /** The cheapest item, -1 when there is none. */
  pop(): number {
    if (this.#waiting === 0) return -1;
    let bucket = this.#buckets[this.#cost % this.#buckets.length] as number[];
    while (bucket.length === 0) {
      this.#cost += 1;
      bucket = this.#buckets[this.#cost % this.#buckets.length] as number[];
    }
    this.#waiting -= 1;
    return bucket.pop() as number;
  }
}
