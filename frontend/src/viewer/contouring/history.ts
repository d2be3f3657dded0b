/**
 * Undo and redo without limit. A step is what it turned over (runs of voxels, see MaskVolume) and which slices changed
 * their origin, packed in bytes: a brush stroke is some hundred bytes, and taking it back is the same act as doing it.
 * When the packed steps outgrow their budget the oldest are put by as blobs, which the browser keeps on disk; none is
 * ever dropped.
 */
import type { SliceRuns } from "./mask-volume";

/** A slice's origin before and after a step. */
export interface OriginChange {
  readonly z: number;
  readonly before: number;
  readonly after: number;
}

export interface Step {
  readonly slices: readonly SliceRuns[];
  readonly origins: readonly OriginChange[];
}

/** Packed steps that stay in memory, in bytes, for each direction. */
export const RESIDENT_BYTES = 16 * 2 ** 20;

class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** A whole number in groups of seven bits, the lowest first. */
  write(value: number): void {
    let rest = value;
    if (this.#length + 8 > this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    while (rest > 127) {
      this.#bytes[this.#length] = (rest & 127) | 128;
      this.#length += 1;
      rest >>>= 7;
    }
    this.#bytes[this.#length] = rest;
    this.#length += 1;
  }

  packed(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

export function packStep(step: Step): Uint8Array {
  const writer = new ByteWriter();
  writer.write(step.origins.length);
  for (const { z, before, after } of step.origins) {
    writer.write(z);
    writer.write(before);
    writer.write(after);
  }
  writer.write(step.slices.length);
  for (const { z, runs } of step.slices) {
    writer.write(z);
    writer.write(runs.length >> 1);
    let end = 0;
    for (let index = 0; index < runs.length; index += 2) {
      writer.write((runs[index] as number) - end);
      writer.write(runs[index + 1] as number);
      end = (runs[index] as number) + (runs[index + 1] as number);
    }
  }
  return writer.packed();
}

export function unpackStep(bytes: Uint8Array): Step {
  let at = 0;
  const read = (): number => {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = bytes[at] as number;
      at += 1;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
      shift += 7;
    }
  };
  const times = <T>(make: () => T): T[] => Array.from({ length: read() }, make);
  const origins = times(() => ({ z: read(), before: read(), after: read() }));
  const slices = times(() => {
    const z = read();
    let end = 0;
    const runs = times(() => {
      const start = end + read();
      const length = read();
      end = start + length;
      return [start, length];
    }).flat();
    return { z, runs };
  });
  return { slices, origins };
}

interface PutBy {
  readonly blob: Blob;
  readonly lengths: readonly number[];
}

/** A stack of packed steps of which the newest are in memory. */
class StepStack {
  readonly #budget: number;
  readonly #putBy: PutBy[] = [];
  #resident: Uint8Array[] = [];
  #residentBytes = 0;
  #length = 0;

  constructor(budget: number) {
    this.#budget = budget;
  }

  get length(): number {
    return this.#length;
  }

  get residentBytes(): number {
    return this.#residentBytes;
  }

  push(bytes: Uint8Array): void {
    this.#resident.push(bytes);
    this.#residentBytes += bytes.length;
    this.#length += 1;
    if (this.#residentBytes > this.#budget && this.#resident.length > 1) this.#putOldestBy();
  }

  clear(): void {
    this.#resident = [];
    this.#residentBytes = 0;
    this.#putBy.length = 0;
    this.#length = 0;
  }

  /** The newest step, or a promise that it can be taken soon; null if there is none. */
  pop(): Uint8Array | Promise<void> | null {
    if (this.#length === 0) return null;
    const bytes = this.#resident.pop();
    if (!bytes) return this.#fetch();
    this.#residentBytes -= bytes.length;
    this.#length -= 1;
    return bytes;
  }

  #putOldestBy(): void {
    const oldest = this.#resident.splice(0, Math.ceil(this.#resident.length / 2));
    const lengths = oldest.map((bytes) => bytes.length);
    this.#putBy.push({ blob: new Blob(oldest as Uint8Array<ArrayBuffer>[]), lengths });
    this.#residentBytes -= lengths.reduce((sum, length) => sum + length, 0);
  }

  async #fetch(): Promise<void> {
    const last = this.#putBy.at(-1);
    if (!last) return;
    const bytes = new Uint8Array(await last.blob.arrayBuffer());
    if (this.#putBy.at(-1) !== last) return; // fetched by another call meanwhile
    this.#putBy.pop();
    let at = 0;
    const steps = last.lengths.map((length) => {
      at += length;
      return bytes.slice(at - length, at);
    });
    this.#resident.unshift(...steps);
    this.#residentBytes += bytes.length;
  }
}

export class History {
  readonly #done: StepStack;
  readonly #undone: StepStack;

  constructor(residentBytes = RESIDENT_BYTES) {
    this.#done = new StepStack(residentBytes);
    this.#undone = new StepStack(residentBytes);
  }

  get undoable(): number {
    return this.#done.length;
  }

  get redoable(): number {
    return this.#undone.length;
  }

  get residentBytes(): number {
    return this.#done.residentBytes + this.#undone.residentBytes;
  }

  /** Forgets every step: the mask they led to is another. */
  clear(): void {
    this.#done.clear();
    this.#undone.clear();
  }

  /** A new step; what had been taken back before it cannot be done again. */
  push(step: Step): void {
    this.#done.push(packStep(step));
    this.#undone.clear();
  }

  /** The step to take back; a promise if it must be fetched first: ask again when it is fulfilled. */
  undo(): Step | Promise<void> | null {
    return History.#move(this.#done, this.#undone);
  }

  redo(): Step | Promise<void> | null {
    return History.#move(this.#undone, this.#done);
  }

  static #move(from: StepStack, to: StepStack): Step | Promise<void> | null {
    const bytes = from.pop();
    if (!(bytes instanceof Uint8Array)) return bytes;
    to.push(bytes);
    return unpackStep(bytes);
  }
}
