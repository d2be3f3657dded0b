/**
 * The drawing of one reading: its session, and how it is kept. Every act is written into this browser at once and goes
 * to the server with the next draft; whichever is the later one is taken up again, act by act, so that undo reaches back
 * beyond a killed tab or a change of machine.
 */
import type { Presentation } from "@/api/types";
import { pageClock } from "@/timing/clock";
import type { LoggedAct } from "@/viewer/contouring/acts";
import { ENGINE, ORIGIN } from "@/viewer/contouring/engine";
import { decodeMask, encodeMask, fromBase64, toBase64 } from "@/viewer/contouring/mask-format";
import type { FrameAt } from "@/viewer/contouring/region-grow";
import { ContourSession } from "@/viewer/contouring/session";
import type { Triple, VolumeGrid } from "@/viewer/contouring/volume-grid";
import type { Body } from "../tasks/task";
import { keepDrawing, keptDrawing } from "./kept-drawing";
import type { DrawingState } from "./progress";

export interface GridDocument {
  readonly shape_zyx: readonly number[];
  readonly spacing_mm_zyx: readonly number[];
  readonly origin_mm_xyz: readonly number[];
  readonly direction: readonly number[];
}

export function volumeGrid(document: GridDocument): VolumeGrid {
  return {
    shapeZyx: document.shape_zyx as unknown as Triple,
    spacingMmZyx: document.spacing_mm_zyx as unknown as Triple,
    originMmXyz: document.origin_mm_xyz as unknown as Triple,
    direction: document.direction,
  };
}

/** A drawing as drafts hold it. */
export interface Drawing {
  readonly lease: number;
  readonly mask: string;
  readonly acts: readonly LoggedAct[];
  readonly slice_ms: Readonly<Record<string, number>>;
}

export function drawingOf(draft: Body | null): Drawing | null {
  const drawing = draft?.drawing as Drawing | undefined;
  return drawing && typeof drawing.mask === "string" && Array.isArray(drawing.acts) ? drawing : null;
}

/**
 * The later of two: of another opening the one opened last, of the same the longer log. A page that was opened and left
 * without a stroke takes nothing away.
 */
export function later(a: Drawing | null, b: Drawing | null): Drawing | null {
  if (!a?.acts.length || !b?.acts.length) return a?.acts.length ? a : (b ?? a);
  if (a.lease !== b.lease) return a.lease > b.lease ? a : b;
  return a.acts.length >= b.acts.length ? a : b;
}

/** The middle of what a mask has on a slice; null where it has nothing. */
function middleOf(mask: Uint8Array, z: number, grid: VolumeGrid): { x: number; y: number } | null {
  const [, rows, columns] = grid.shapeZyx;
  const sum = { x: 0, y: 0, count: 0 };
  mask.subarray(z * rows * columns, (z + 1) * rows * columns).forEach((value, at) => {
    if (value === 0) return;
    sum.x += at % columns;
    sum.y += Math.floor(at / columns);
    sum.count += 1;
  });
  return sum.count === 0 ? null : { x: Math.round(sum.x / sum.count), y: Math.round(sum.y / sum.count) };
}

const ORIGIN_NAMES = ["", "drawn", "interpolated", "given"] as const;

export class Desk {
  readonly session: ContourSession;
  readonly #reading: string;
  readonly #lease: number;
  readonly #draft: Drawing | null;
  readonly #start: Uint8Array | null;
  readonly #gapsAtStart: readonly number[];
  readonly #startedMs = pageClock.monotonicMs();
  #frameAt: FrameAt = () => undefined;
  #before = 0;
  #restored: Promise<void> | null = null;

  constructor(presentation: Presentation, grid: VolumeGrid, draft: Body | null, start?: Uint8Array) {
    this.#reading = presentation.reading;
    this.#lease = presentation.lease;
    this.#draft = drawingOf(draft);
    this.#start = start ?? null;
    const z = presentation.images[0]?.start_frame ?? 0;
    const middle = { x: grid.shapeZyx[2] >> 1, y: grid.shapeZyx[1] >> 1 };
    this.session = new ContourSession({
      grid,
      frameAt: (z) => this.#frameAt(z),
      now: this.now,
      focus: { ...((start && middleOf(start, z, grid)) ?? middle), z },
      ...(start ? { start } : {}),
    });
    this.#gapsAtStart = this.session.engine.gaps();
  }

  /** Milliseconds spent on this drawing, over every page that it was open in. */
  readonly now = (): number => Math.round(this.#before + pageClock.monotonicMs() - this.#startedMs);

  /** The frames are in memory: takes up what was drawn before, once. */
  restore(frameAt: FrameAt): Promise<void> {
    this.#frameAt = frameAt;
    this.#restored ??= this.#takeUp();
    return this.#restored;
  }

  /** Keeps the drawing in this browser; a browser that keeps nothing has the server's draft. */
  keep(): Promise<void> {
    return keepDrawing(this.#reading, this.drawing());
  }

  state(): DrawingState {
    const { engine } = this.session;
    return {
      acts: engine.log.length,
      empty: engine.mask.voxelsInside === 0,
      gaps: engine.gaps().filter((z) => !this.#gapsAtStart.includes(z)),
      changed: this.#changed(),
    };
  }

  /** Only slices that were ever touched are compared: a volume has hundreds. */
  #changed(): boolean {
    const { mask } = this.session.engine;
    const size = mask.sliceSize;
    for (let z = 0; z < this.session.grid.shapeZyx[0]; z += 1) {
      if (mask.revision(z) === 0) continue;
      const before = this.#start?.subarray(z * size, (z + 1) * size);
      if (mask.plane(z).some((value, index) => value !== (before?.[index] ?? 0))) return true;
    }
    return false;
  }

  drawing(): Drawing {
    const { engine, dwell } = this.session;
    return {
      lease: this.#lease,
      mask: toBase64(encodeMask(engine.mask)),
      acts: engine.log,
      slice_ms: dwell.totals(this.now()),
    };
  }

  answer(): Body {
    const { engine, grid } = this.session;
    const { mask, acts, slice_ms } = this.drawing();
    const origins = Array.from({ length: grid.shapeZyx[0] }, (_, z) => [String(z), engine.origin(z)] as const);
    return {
      mask,
      acts,
      slice_ms,
      engine: ENGINE,
      origins: Object.fromEntries(
        origins.filter(([, origin]) => origin !== ORIGIN.empty).map(([z, origin]) => [z, ORIGIN_NAMES[origin]]),
      ),
    };
  }

  async #takeUp(): Promise<void> {
    const drawing = later(await keptDrawing(this.#reading), this.#draft);
    if (!drawing) return;
    await this.session.engine.takeUp(drawing.acts, decodeMask(fromBase64(drawing.mask)).data);
    this.session.dwell.add(drawing.slice_ms);
    this.#before = drawing.acts.at(-1)?.endMs ?? 0;
  }
}
