/**
 * The contouring engine: a mask, the acts that change it, and the way back. It knows no screen, no server and no clock
 * of its own; the viewport tells it what the hand did, and it answers with the mask.
 *
 * Why our own engine for every machine. Cornerstone3D offers these tools, but draws label maps on a graphics card only
 * (without WebGL its brush fails), keeps 50 undo steps, and changed its brush masks between minor versions. Here
 * the mask is a pure function of the image and the log of acts, in whole numbers and doubles: the same on every machine,
 * with and without WebGL, and again when the log is replayed years later. Each reading stores `ENGINE`.
 */
import {
  type Act,
  type Edit,
  type HistoryAct,
  kept,
  type LoggedAct,
  type Mode,
  type ShapeAct,
  type StrokeAct,
} from "./acts";
import { brushLine } from "./brush";
import { type AxialDiameter, DiameterGauge } from "./diameter";
import { fillLoops } from "./fill";
import { History, type OriginChange, type Step } from "./history";
import { holesOfPlane } from "./holes";
import { slicesBetween } from "./interpolate";
import { MaskVolume, sliceBox } from "./mask-volume";
import { type FrameAt, growRegion } from "./region-grow";
import { smoothPlane } from "./smooth";
import { closedSpline } from "./spline";
import { boxAround, boxUnion, type VolumeGrid } from "./volume-grid";

/** Stored with every reading: masks of one log are equal under one name and version. */
export const ENGINE = { name: "equipoise-canvas", version: "1" } as const;

/** Where a slice's contour comes from. */
export const ORIGIN = { empty: 0, drawn: 1, interpolated: 2, given: 3 } as const;
export type Origin = (typeof ORIGIN)[keyof typeof ORIGIN];

export interface EngineOptions {
  readonly grid: VolumeGrid;
  /** The image's slice; tools that look at values do nothing where it is missing. */
  readonly frameAt: FrameAt;
  /** Milliseconds of the page's monotonic clock. */
  readonly now: () => number;
  /** The contour to start from (review); its slices are `given`. */
  readonly start?: Uint8Array;
  readonly residentBytes?: number;
}

/** What a stroke is, without its points. */
export type StrokeSpec = { [Each in StrokeAct as Each["tool"]]: Omit<Each, "points"> }[StrokeAct["tool"]];

const isStroke = (edit: Edit): edit is StrokeAct => ["brush", "eraser", "threshold", "nudge"].includes(edit.tool);
const isTravel = (act: Act): act is HistoryAct => act.tool === "undo" || act.tool === "redo";

/** Diameter of a nudge on a slice without a contour. */
const NOTHING_TO_PUSH = -1;

interface OpenStroke {
  readonly spec: StrokeSpec;
  readonly startMs: number;
  readonly points: number[];
  /** Of a nudge: what it pushes with, found where it began. */
  readonly push: { readonly mode: Mode; readonly diameterMm: number } | null;
}

export class ContourEngine {
  readonly grid: VolumeGrid;
  readonly mask: MaskVolume;
  readonly log: LoggedAct[] = [];
  readonly #frameAt: FrameAt;
  readonly #now: () => number;
  readonly #history: History;
  readonly #origins: Uint8Array;
  readonly #gauge = new DiameterGauge();
  readonly #listeners = new Set<() => void>();
  #stroke: OpenStroke | null = null;

  constructor(options: EngineOptions) {
    this.grid = options.grid;
    this.mask = new MaskVolume(options.grid, options.start?.slice());
    this.#frameAt = options.frameAt;
    this.#now = options.now;
    this.#history = new History(options.residentBytes);
    this.#origins = Uint8Array.from({ length: options.grid.shapeZyx[0] }, (_, z) =>
      this.mask.count(z) > 0 ? ORIGIN.given : ORIGIN.empty,
    );
  }

  /** Calls back after every finished act. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  origin(z: number): Origin {
    return (this.#origins[z] ?? ORIGIN.empty) as Origin;
  }

  get undoable(): number {
    return this.#history.undoable;
  }

  get redoable(): number {
    return this.#history.redoable;
  }

  /** Bytes of packed steps in memory. */
  get historyBytes(): number {
    return this.#history.residentBytes;
  }

  get drawing(): boolean {
    return this.#stroke !== null;
  }

  get longestDiameter(): AxialDiameter | null {
    return this.#gauge.longest(this.mask);
  }

  /** Slices between the first and the last with a contour that have none. */
  gaps(): number[] {
    const filled = [...this.#origins.keys()].filter((z) => this.mask.count(z) > 0);
    const [first = 0, last = -1] = [filled[0], filled.at(-1)];
    return [...this.#origins.keys()].filter((z) => z > first && z < last && this.mask.count(z) === 0);
  }

  beginStroke(spec: StrokeSpec, x: number, y: number): void {
    if (this.#stroke) throw new Error("A stroke is being drawn already.");
    const at = [kept(x), kept(y)] as const;
    this.mask.begin();
    const push = spec.tool === "nudge" ? this.#pushFrom(spec.z, spec.diameterMm, at) : null;
    this.#stroke = { spec, startMs: this.#now(), points: [...at], push };
    this.#drawLine(this.#stroke, [...at, ...at]);
  }

  /** Goes on to the next points (x and y in turn), e.g. all that one pointer event has gathered. */
  extendStroke(points: readonly number[]): void {
    const stroke = this.#stroke;
    if (!stroke) return;
    for (let index = 0; index + 1 < points.length; index += 2) {
      const x = kept(points[index] as number);
      const y = kept(points[index + 1] as number);
      const [x0, y0] = stroke.points.slice(-2) as [number, number];
      if (x === x0 && y === y0) continue;
      stroke.points.push(x, y);
      this.#drawLine(stroke, [x0, y0, x, y]);
    }
  }

  endStroke(): void {
    const stroke = this.#stroke;
    if (!stroke) return;
    this.#stroke = null;
    this.#finish({ ...stroke.spec, points: stroke.points } as StrokeAct, stroke.startMs);
  }

  /** Takes the open stroke back as if it had not begun; the log says nothing of it. */
  cancelStroke(): void {
    if (!this.#stroke) return;
    this.#stroke = null;
    for (const slice of this.mask.end()) this.mask.turnOver(slice);
    this.#announce();
  }

  /** Any act in one go, as it stands in a log. */
  apply(edit: Edit, startMs = this.#now()): void {
    if (this.#stroke) throw new Error("A stroke is being drawn: it must end first.");
    if (isStroke(edit)) {
      const { points, ...spec } = edit;
      this.beginStroke(spec as StrokeSpec, points[0] ?? 0, points[1] ?? 0);
      this.extendStroke(points.slice(2));
      this.endStroke();
      return;
    }
    this.mask.begin();
    this.#edit(edit);
    this.#finish(edit, startMs);
  }

  /** Takes the last step back; false if there is none. Waits only for steps that were put by. */
  async undo(): Promise<boolean> {
    return this.#travel("undo");
  }

  async redo(): Promise<boolean> {
    return this.#travel("redo");
  }

  /** Repeats a log on this engine. */
  async replay(acts: readonly Act[]): Promise<void> {
    for (const act of acts) {
      if (isTravel(act)) await this.#travel(act.tool);
      else this.apply(act);
    }
  }

  /**
   * Takes up a log that was broken off, with its times, so that undo reaches into it. Should the replay not give `mask`
   * (a log cut short by a full disk), the mask counts and becomes the start.
   */
  async takeUp(log: readonly LoggedAct[], mask: Uint8Array): Promise<void> {
    await this.replay(log);
    this.log.splice(0, this.log.length, ...log);
    if (this.mask.data.every((value, index) => value === mask[index])) return;
    const { shapeZyx } = this.grid;
    const whole = { y0: 0, y1: shapeZyx[1] - 1, x0: 0, x1: shapeZyx[2] - 1 };
    this.mask.begin();
    for (let z = 0; z < shapeZyx[0]; z += 1) {
      this.mask.setPlane(z, mask.subarray(z * this.mask.sliceSize, (z + 1) * this.mask.sliceSize), whole);
    }
    this.#newOrigins(
      this.mask.end().map(({ z }) => z),
      "copy",
    );
    this.#history.clear();
    this.#announce();
  }

  async #travel(tool: "undo" | "redo"): Promise<boolean> {
    const startMs = this.#now();
    if (this.#stroke) return false;
    let step = tool === "undo" ? this.#history.undo() : this.#history.redo();
    while (step instanceof Promise) {
      await step;
      step = tool === "undo" ? this.#history.undo() : this.#history.redo();
    }
    if (!step) return false;
    for (const slice of step.slices) this.mask.turnOver(slice);
    for (const { z, before, after } of step.origins) this.#origins[z] = tool === "undo" ? before : after;
    this.log.push({ tool, startMs, endMs: this.#now() });
    this.#announce();
    return true;
  }

  /** Ends the open step of the mask: history, origins, log. An act that changed nothing is logged and leaves no step. */
  #finish(edit: Edit, startMs: number): void {
    const slices = this.mask.end();
    const origins = this.#newOrigins(
      slices.map(({ z }) => z),
      edit.tool,
    );
    const step: Step = { slices, origins };
    if (slices.length > 0) this.#history.push(step);
    this.log.push({ ...edit, startMs, endMs: this.#now() });
    this.#announce();
  }

  #newOrigins(changed: readonly number[], tool: Edit["tool"]): OriginChange[] {
    const drawn = tool === "interpolate" ? ORIGIN.interpolated : ORIGIN.drawn;
    const changes: OriginChange[] = [];
    for (const z of changed) {
      const before = this.origin(z);
      const after = this.mask.count(z) === 0 ? ORIGIN.empty : drawn;
      if (before === after) continue;
      this.#origins[z] = after;
      changes.push({ z, before, after });
    }
    return changes;
  }

  #announce(): void {
    for (const listener of this.#listeners) listener();
  }

  #drawLine(stroke: OpenStroke, line: readonly number[]): void {
    const { spec, push } = stroke;
    const diameterMm = push ? push.diameterMm : spec.diameterMm;
    if (diameterMm < 0) return;
    const mode = spec.tool === "nudge" ? (push?.mode ?? "add") : spec.mode;
    const range = spec.tool === "nudge" ? null : spec.range;
    const frame = range ? this.#frameAt(spec.z) : undefined;
    const value = mode === "add" ? 1 : 0;
    const columns = this.grid.shapeZyx[2];
    brushLine(line, diameterMm, this.grid, (y, x0, x1) => {
      if (!range) {
        this.mask.fillRun(spec.z, y, x0, x1, value);
        return;
      }
      for (let x = x0; x <= x1; x += 1) {
        const stored = frame?.[y * columns + x];
        if (stored !== undefined && stored >= range[0] && stored <= range[1]) this.mask.fillRun(spec.z, y, x, x, value);
      }
    });
  }

  /**
   * A nudge that begins inside pushes the border outwards, one that begins outside pushes it inwards. The disc it pushes
   * with is the brush, made smaller where the border is nearer, so that nothing moves before the hand does.
   */
  #pushFrom(z: number, diameterMm: number, [x, y]: readonly [number, number]): OpenStroke["push"] {
    const [, rows, columns] = this.grid.shapeZyx;
    const [, rowMm, columnMm] = this.grid.spacingMmZyx;
    const plane = this.mask.plane(z);
    const column = Math.min(columns - 1, Math.max(0, Math.round(x)));
    const row = Math.min(rows - 1, Math.max(0, Math.round(y)));
    const here = plane[row * columns + column];
    const margin = { x: diameterMm / columnMm, y: diameterMm / rowMm };
    const box = boxAround([column, row], margin, this.grid);
    if (this.mask.count(z) === 0 || !box) return { mode: "add", diameterMm: NOTHING_TO_PUSH };
    let nearest = diameterMm;
    for (let py = box.y0; py <= box.y1; py += 1) {
      for (let px = box.x0; px <= box.x1; px += 1) {
        if (plane[py * columns + px] === here) continue;
        nearest = Math.min(nearest, Math.hypot((px - x) * columnMm, (py - y) * rowMm));
      }
    }
    const halfPixel = Math.min(rowMm, columnMm) / 2;
    const reach = Math.max(halfPixel, nearest - halfPixel);
    return { mode: here === 1 ? "add" : "subtract", diameterMm: Math.min(diameterMm, 2 * reach) };
  }

  #edit(edit: Exclude<Edit, StrokeAct>): void {
    if (edit.tool === "grow") this.#grow(edit);
    else if (edit.tool === "fill_holes") this.#fillHoles(edit.z);
    else if (edit.tool === "smooth") this.#smooth(edit.z, edit.radiusMm);
    else if (edit.tool === "erase_slice") this.#copyPlane(new Uint8Array(this.mask.sliceSize), edit.z);
    else if (edit.tool === "copy") this.#copyPlane(this.mask.plane(edit.from).slice(), edit.z);
    else if (edit.tool === "interpolate") this.#interpolate();
    else this.#fillShape(edit);
  }

  #fillShape(act: ShapeAct): void {
    const value = act.mode === "add" ? 1 : 0;
    const loop = act.tool === "spline" ? closedSpline(act.points) : act.tool === "livewire" ? act.path : act.points;
    fillLoops([loop], "nonzero", this.grid.shapeZyx[1], (y, x0, x1) => this.mask.fillRun(act.z, y, x0, x1, value));
  }

  #grow(act: Extract<Edit, { tool: "grow" }>): void {
    const { z, seed, tolerance, radiusMm, dimensions, mode } = act;
    const options = { seed: { x: seed[0], y: seed[1], z }, tolerance, radiusMm, dimensions };
    for (const slice of growRegion(options, this.grid, this.#frameAt)) {
      for (let index = 0; index < slice.rows.length; index += 3) {
        const [y, x0, x1] = slice.rows.slice(index, index + 3) as [number, number, number];
        this.mask.fillRun(slice.z, y, x0, x1, mode === "add" ? 1 : 0);
      }
    }
  }

  #fillHoles(only: number | null): void {
    const slices = only === null ? [...this.#origins.keys()] : [only];
    for (const z of slices) {
      const box = sliceBox(this.mask, z);
      if (!box) continue;
      const plane = this.mask.plane(z).slice();
      holesOfPlane(plane, this.grid.shapeZyx[2], box, (y, x0, x1) => this.mask.fillRun(z, y, x0, x1, 1));
    }
  }

  #smooth(z: number, radiusMm: number): void {
    const box = sliceBox(this.mask, z);
    if (!box) return;
    const plane = this.mask.plane(z).slice();
    for (let y = box.y0; y <= box.y1; y += 1) this.mask.fillRun(z, y, box.x0, box.x1, 0);
    smoothPlane(plane, this.grid, box, radiusMm, (y, x0, x1) => this.mask.fillRun(z, y, x0, x1, 1));
  }

  #copyPlane(plane: Uint8Array, z: number): void {
    if (z < 0 || z >= this.grid.shapeZyx[0]) return;
    const [, rows, columns] = this.grid.shapeZyx;
    this.mask.setPlane(z, plane, { y0: 0, y1: rows - 1, x0: 0, x1: columns - 1 });
  }

  /** Between every two neighbouring slices that were drawn; what was interpolated before is made anew. */
  #interpolate(): void {
    const fixed = [...this.#origins.keys()].filter((z) => {
      const origin = this.origin(z);
      return origin === ORIGIN.drawn || origin === ORIGIN.given;
    });
    for (let index = 0; index + 1 < fixed.length; index += 1) {
      for (const { z, plane, box } of slicesBetween(this.mask, fixed[index] as number, fixed[index + 1] as number)) {
        const before = sliceBox(this.mask, z);
        this.mask.setPlane(z, plane, before ? boxUnion(before, box) : box);
      }
    }
  }
}
