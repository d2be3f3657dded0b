/**
 * Fetches frames (raw little-endian int16; the browser undoes the gzip), keeps them in memory and hands out each at most
 * once over the wire. The frames of the next item may be loaded ahead by the address that came with the last answer.
 */
import type { FrameNumber, ImageGrid } from "./coordinates";

/** A run of frames behind one address: `address` + frame number. */
export interface FrameRun {
  readonly address: string;
  readonly first: number;
  readonly count: number;
  readonly start: number;
  readonly grid: ImageGrid;
}

export class FrameLoadError extends Error {
  /** HTTP status, or 0 when the network failed. */
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

type Fetch = (address: string, init: RequestInit) => Promise<Response>;

/** Simultaneous requests: browsers open six connections to one host with HTTP/1.1. */
const PARALLEL = 6;
const ATTEMPTS = 4;
const FIRST_DELAY_MS = 300;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Frames of a run from the start frame outwards: what is looked at first is loaded first. */
export function loadOrder(run: Pick<FrameRun, "first" | "count" | "start">): number[] {
  const frames = Array.from({ length: run.count }, (_, index) => run.first + index);
  return frames.sort((a, b) => Math.abs(a - run.start) - Math.abs(b - run.start) || a - b);
}

export class FrameLoader {
  readonly #fetch: Fetch;
  readonly #frames = new Map<string, Promise<Int16Array>>();
  readonly #ready = new Map<string, Int16Array>();
  readonly #abort = new Map<string, AbortController>();

  constructor(fetchFrame: Fetch = (address, init) => fetch(address, init)) {
    this.#fetch = fetchFrame;
  }

  /** The frame, if it is in memory already. */
  ready(run: FrameRun, frame: FrameNumber): Int16Array | undefined {
    return this.#ready.get(run.address + frame);
  }

  /** Loads every frame of a run; resolves when all of them are decoded in memory. */
  async loadAll(run: FrameRun, onProgress?: (loaded: number, count: number) => void): Promise<void> {
    const waiting = loadOrder(run);
    let loaded = 0;
    const worker = async (): Promise<void> => {
      for (let frame = waiting.shift(); frame !== undefined; frame = waiting.shift()) {
        await this.#load(run, frame);
        loaded += 1;
        onProgress?.(loaded, run.count);
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, run.count) }, worker));
  }

  /** Forgets the frames of every other run and stops their requests. */
  keepOnly(addresses: readonly string[]): void {
    for (const [address, controller] of this.#abort) {
      if (addresses.includes(address)) continue;
      controller.abort();
      this.#abort.delete(address);
    }
    for (const key of [...this.#frames.keys()]) {
      if (addresses.some((address) => key.startsWith(address))) continue;
      this.#frames.delete(key);
      this.#ready.delete(key);
    }
  }

  #load(run: FrameRun, frame: number): Promise<Int16Array> {
    const key = run.address + frame;
    const known = this.#frames.get(key);
    if (known) return known;
    const promise = this.#fetchFrame(run, frame).then((pixels) => {
      if (this.#frames.has(key)) this.#ready.set(key, pixels);
      return pixels;
    });
    this.#frames.set(key, promise);
    promise.catch(() => this.#frames.delete(key));
    return promise;
  }

  async #fetchFrame(run: FrameRun, frame: number): Promise<Int16Array> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#fetchOnce(run, frame);
      } catch (error) {
        const passing = error instanceof FrameLoadError && (error.status === 0 || error.status >= 500);
        if (!passing || attempt >= ATTEMPTS) throw error;
        await pause(FIRST_DELAY_MS * 2 ** (attempt - 1));
      }
    }
  }

  async #fetchOnce(run: FrameRun, frame: number): Promise<Int16Array> {
    const response = await this.#request(run.address, frame);
    if (!response.ok) throw new FrameLoadError(response.status, `Frame ${frame} was refused (${response.status}).`);
    const bytes = await response.arrayBuffer().catch(() => {
      throw new FrameLoadError(0, `Frame ${frame} broke off.`);
    });
    const expected = run.grid.rows * run.grid.columns * 2;
    if (bytes.byteLength !== expected) {
      throw new FrameLoadError(0, `Frame ${frame} has ${bytes.byteLength} bytes; ${expected} were expected.`);
    }
    return new Int16Array(bytes);
  }

  async #request(address: string, frame: number): Promise<Response> {
    const controller = this.#abort.get(address) ?? new AbortController();
    this.#abort.set(address, controller);
    try {
      return await this.#fetch(address + frame, { credentials: "same-origin", signal: controller.signal });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new FrameLoadError(0, `Frame ${frame} could not be fetched.`);
    }
  }
}
