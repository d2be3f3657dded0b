/**
 * A mask in memory: one byte per voxel (0 outside, 1 inside), changed in steps. Every step knows exactly which voxels it
 * turned over, so it can be taken back and done again without keeping a copy of the volume.
 */
import { boxUnion, type PixelBox, type VolumeGrid, voxelCount, voxelVolumeMl } from "./volume-grid";

/** Voxels of one slice that a step turned over: start and length in turn, counted inside the slice. */
export interface SliceRuns {
  readonly z: number;
  readonly runs: readonly number[];
}

export type DirtyListener = (z: number, box: PixelBox) => void;

interface Touched {
  readonly before: Uint8Array;
  box: PixelBox;
}

export class MaskVolume {
  readonly grid: VolumeGrid;
  readonly data: Uint8Array;
  readonly #counts: Int32Array;
  readonly #revisions: Int32Array;
  readonly #listeners = new Set<DirtyListener>();
  #touched: Map<number, Touched> | null = null;
  #total = 0;

  constructor(grid: VolumeGrid, data = new Uint8Array(voxelCount(grid))) {
    if (data.length !== voxelCount(grid)) {
      throw new RangeError(`A mask has ${data.length} voxels, its grid ${voxelCount(grid)}.`);
    }
    this.grid = grid;
    this.data = data;
    this.#counts = new Int32Array(grid.shapeZyx[0]);
    this.#revisions = new Int32Array(grid.shapeZyx[0]);
    for (let z = 0; z < this.#counts.length; z += 1) {
      let count = 0;
      for (const value of this.plane(z)) count += value;
      this.#counts[z] = count;
      this.#total += count;
    }
  }

  get sliceSize(): number {
    return this.grid.shapeZyx[1] * this.grid.shapeZyx[2];
  }

  get voxelsInside(): number {
    return this.#total;
  }

  get volumeMl(): number {
    return this.#total * voxelVolumeMl(this.grid);
  }

  /** The pixels of a slice; to be read only. */
  plane(z: number): Uint8Array {
    return this.data.subarray(z * this.sliceSize, (z + 1) * this.sliceSize);
  }

  count(z: number): number {
    return this.#counts[z] ?? 0;
  }

  /** Grows with every change of the slice: what was derived from an older revision is stale. */
  revision(z: number): number {
    return this.#revisions[z] ?? 0;
  }

  onDirty(listener: DirtyListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  begin(): void {
    if (this.#touched) throw new Error("A step of the mask is open already.");
    this.#touched = new Map();
  }

  /** Ends the step and returns what it turned over, slice by slice in order; empty if nothing changed in the end. */
  end(): SliceRuns[] {
    const touched = this.#touched;
    if (!touched) throw new Error("No step of the mask is open.");
    this.#touched = null;
    const changes: SliceRuns[] = [];
    for (const [z, { before, box }] of [...touched].sort(([a], [b]) => a - b)) {
      const runs = turnedOver(before, this.plane(z), box, this.grid.shapeZyx[2]);
      if (runs.length > 0) changes.push({ z, runs });
    }
    return changes;
  }

  /** Pixels x0 to x1 (ends included) of a row become `value`; the part outside the image is left out. */
  fillRun(z: number, y: number, x0: number, x1: number, value: 0 | 1): void {
    const columns = this.grid.shapeZyx[2];
    const from = Math.max(0, x0);
    const to = Math.min(columns - 1, x1);
    if (from > to || y < 0 || y >= this.grid.shapeZyx[1] || z < 0 || z >= this.grid.shapeZyx[0]) return;
    this.#touch(z, { y0: y, y1: y, x0: from, x1: to });
    const row = z * this.sliceSize + y * columns;
    let changed = 0;
    for (let index = row + from; index <= row + to; index += 1) {
      changed += this.data[index] === value ? 0 : 1;
    }
    if (changed === 0) return;
    this.data.fill(value, row + from, row + to + 1);
    this.#changed(z, value === 1 ? changed : -changed, { y0: y, y1: y, x0: from, x1: to });
  }

  /** The slice's pixels inside `box` become those of `plane`, which has the slice's own layout. */
  setPlane(z: number, plane: Uint8Array, box: PixelBox): void {
    this.#touch(z, box);
    const columns = this.grid.shapeZyx[2];
    let difference = 0;
    for (let y = box.y0; y <= box.y1; y += 1) {
      for (let x = box.x0; x <= box.x1; x += 1) {
        const index = z * this.sliceSize + y * columns + x;
        const value = plane[y * columns + x] === 0 ? 0 : 1;
        difference += value - (this.data[index] as number);
        this.data[index] = value;
      }
    }
    this.#changed(z, difference, box);
  }

  /** Turns voxels over, outside any step: how a step is taken back or done again. */
  turnOver({ z, runs }: SliceRuns): void {
    if (this.#touched) throw new Error("A step of the mask is open: it must end before another is taken back.");
    const columns = this.grid.shapeZyx[2];
    const first = z * this.sliceSize;
    let difference = 0;
    let box: PixelBox | undefined;
    for (let index = 0; index < runs.length; index += 2) {
      const start = runs[index] as number;
      const end = start + (runs[index + 1] as number);
      for (let pixel = start; pixel < end; pixel += 1) {
        const value = 1 - (this.data[first + pixel] as number);
        this.data[first + pixel] = value;
        difference += 2 * value - 1;
      }
      const y0 = Math.floor(start / columns);
      const y1 = Math.floor((end - 1) / columns);
      const oneRow = y0 === y1;
      box = boxUnion(box, { y0, y1, x0: oneRow ? start % columns : 0, x1: oneRow ? (end - 1) % columns : columns - 1 });
    }
    if (box) this.#changed(z, difference, box);
  }

  #touch(z: number, box: PixelBox): void {
    if (!this.#touched) throw new Error("The mask is changed in steps only: begin one first.");
    const known = this.#touched.get(z);
    if (known) known.box = boxUnion(known.box, box);
    else this.#touched.set(z, { before: this.plane(z).slice(), box });
  }

  #changed(z: number, difference: number, box: PixelBox): void {
    this.#counts[z] = this.count(z) + difference;
    this.#revisions[z] = this.revision(z) + 1;
    this.#total += difference;
    for (const listener of this.#listeners) listener(z, box);
  }
}

/** Starts and lengths of the runs in which two slices differ inside a box. */
function turnedOver(before: Uint8Array, after: Uint8Array, box: PixelBox, columns: number): number[] {
  const runs: number[] = [];
  let end = -1;
  for (let y = box.y0; y <= box.y1; y += 1) {
    for (let pixel = y * columns + box.x0; pixel <= y * columns + box.x1; pixel += 1) {
      if (before[pixel] === after[pixel]) continue;
      if (pixel === end) runs[runs.length - 1] = (runs.at(-1) as number) + 1;
      else runs.push(pixel, 1);
      end = pixel + 1;
    }
  }
  return runs;
}

/** The smallest box around a slice's voxels inside; null for an empty slice. */
export function sliceBox(mask: MaskVolume, z: number): PixelBox | null {
  if (mask.count(z) === 0) return null;
  const plane = mask.plane(z);
  const columns = mask.grid.shapeZyx[2];
  const first = Math.floor(plane.indexOf(1) / columns);
  const last = Math.floor(plane.lastIndexOf(1) / columns);
  let x0 = columns;
  let x1 = -1;
  for (let y = first; y <= last; y += 1) {
    const row = plane.subarray(y * columns, (y + 1) * columns);
    const left = row.indexOf(1);
    if (left < 0) continue;
    x0 = Math.min(x0, left);
    x1 = Math.max(x1, row.lastIndexOf(1));
  }
  return { y0: first, y1: last, x0, x1 };
}
