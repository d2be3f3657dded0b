/**
 * One reader's work on one volume: the engine, the tool in hand with its settings, the slice and the point in focus, and
 * what is begun but not closed. The viewport draws it and the screen's buttons show it; both change it by its methods.
 */
import { kept, type Mode, type ShapeAct, type ValueRange } from "./acts";
import { DwellTimes } from "./dwell";
import { ContourEngine, type StrokeSpec } from "./engine";
import { LivewireField, type Pixel } from "./livewire";
import type { Voxel } from "./planes";
import type { FrameAt } from "./region-grow";
import type { VolumeGrid } from "./volume-grid";

export const TOOLS = [
  "brush",
  "eraser",
  "threshold",
  "freehand",
  "polygon",
  "spline",
  "livewire",
  "grow",
  "nudge",
  "window",
] as const;
export type ToolName = (typeof TOOLS)[number];

export interface ContourSettings {
  readonly tool: ToolName;
  readonly mode: Mode;
  readonly diameterMm: number;
  readonly range: ValueRange;
  /** Of the smart click, in stored units (HU). */
  readonly tolerance: number;
  readonly growRadiusMm: number;
  readonly growDimensions: 2 | 3;
  readonly smoothRadiusMm: number;
  readonly fillOpacity: number;
  readonly outlineShown: boolean;
  readonly maskHidden: boolean;
  readonly fusedShown: boolean;
  readonly fusedOpacity: number;
}

export const INITIAL_SETTINGS: ContourSettings = {
  tool: "brush",
  mode: "add",
  diameterMm: 10,
  range: [-150, 250],
  tolerance: 120,
  growRadiusMm: 30,
  growDimensions: 2,
  smoothRadiusMm: 2,
  fillOpacity: 0.25,
  outlineShown: true,
  maskHidden: false,
  fusedShown: true,
  fusedOpacity: 0.4,
};

const SMALLEST_DIAMETER_MM = 0.5;
const LARGEST_DIAMETER_MM = 100;
const SIZE_STEP = 1.15;
const FEWEST_POINTS = 3;

/** A shape that has been begun: its points so far and, of a livewire, the line through them. */
export interface PendingShape {
  readonly tool: ShapeAct["tool"];
  readonly z: number;
  readonly mode: Mode;
  readonly startMs: number;
  /** x and y in turn. */
  readonly points: number[];
  readonly path: readonly number[];
}

export interface SessionOptions {
  readonly grid: VolumeGrid;
  readonly frameAt: FrameAt;
  readonly now: () => number;
  readonly start?: Uint8Array;
  readonly focus?: Voxel;
  readonly settings?: Partial<ContourSettings>;
}

/** The brush's next size up or down, in half millimetres. */
export function nextDiameterMm(diameterMm: number, steps: number): number {
  let size = diameterMm;
  for (let step = 0; step < Math.abs(steps); step += 1) {
    const wanted = steps > 0 ? size * SIZE_STEP : size / SIZE_STEP;
    const rounded = Math.round(2 * wanted) / 2;
    size = rounded === size ? size + Math.sign(steps) / 2 : rounded;
  }
  return Math.min(LARGEST_DIAMETER_MM, Math.max(SMALLEST_DIAMETER_MM, size));
}

const flat = (pixels: readonly Pixel[]): number[] => pixels.flatMap(({ x, y }) => [x, y]);

export class ContourSession {
  readonly grid: VolumeGrid;
  readonly engine: ContourEngine;
  readonly frameAt: FrameAt;
  readonly dwell: DwellTimes;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #settings: ContourSettings;
  #focus: Voxel;
  #pending: PendingShape | null = null;
  #wire: LivewireField | null = null;
  #hover: { readonly x: number; readonly y: number } | null = null;
  #revision = 0;

  constructor(options: SessionOptions) {
    this.grid = options.grid;
    this.frameAt = options.frameAt;
    this.#now = options.now;
    this.engine = new ContourEngine(options);
    this.#settings = { ...INITIAL_SETTINGS, ...options.settings };
    const [slices, rows, columns] = options.grid.shapeZyx;
    this.#focus = options.focus ?? { x: columns >> 1, y: rows >> 1, z: slices >> 1 };
    this.dwell = new DwellTimes();
    this.dwell.show(this.#focus.z, this.#now());
    this.engine.subscribe(() => this.#announce());
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Grows with every change but where the hand is: what a screen's buttons watch. */
  revision = (): number => this.#revision;

  get settings(): ContourSettings {
    return this.#settings;
  }

  get focus(): Voxel {
    return this.#focus;
  }

  get pending(): PendingShape | null {
    return this.#pending;
  }

  get hover(): { readonly x: number; readonly y: number } | null {
    return this.#hover;
  }

  /** What the livewire would draw to where the pointer is, x and y in turn. */
  get preview(): readonly number[] {
    const hover = this.#hover;
    if (!this.#wire || !hover || this.#pending?.z !== this.#focus.z) return [];
    return flat(this.#wire.pathTo(this.#pixel(hover)));
  }

  set(change: Partial<ContourSettings>): void {
    if (change.tool !== undefined && change.tool !== this.#settings.tool) this.cancel();
    this.#settings = { ...this.#settings, ...change };
    this.#announce();
  }

  resize(steps: number): void {
    this.set({ diameterMm: nextDiameterMm(this.#settings.diameterMm, steps) });
  }

  /** Another slice, or another point of the crosshair. An open stroke ends where it is. */
  lookAt(voxel: Voxel): void {
    const cut = (value: number, axis: 0 | 1 | 2): number =>
      Math.min(this.grid.shapeZyx[axis] - 1, Math.max(0, Math.round(value)));
    const next = { x: cut(voxel.x, 2), y: cut(voxel.y, 1), z: cut(voxel.z, 0) };
    if (next.x === this.#focus.x && next.y === this.#focus.y && next.z === this.#focus.z) return;
    if (next.z !== this.#focus.z) {
      this.engine.endStroke();
      this.dwell.show(next.z, this.#now());
    }
    this.#focus = next;
    this.#announce();
  }

  scroll(slices: number): void {
    this.lookAt({ ...this.#focus, z: this.#focus.z + slices });
  }

  setVisible(visible: boolean): void {
    this.dwell.setRunning(visible, this.#now());
  }

  /** The drawing hand comes down on the focused slice. `closePx`: how near the first point closes a shape. */
  down(x: number, y: number, closePx = 0): void {
    const { tool, mode } = this.#settings;
    if (tool === "window") return;
    if (tool === "grow") this.#smartClick(x, y);
    else if (tool === "freehand") this.#begin(tool, mode, [kept(x), kept(y)], []);
    else if (tool === "polygon" || tool === "spline" || tool === "livewire") this.#addPoint(tool, x, y, closePx);
    else this.engine.beginStroke(this.#stroke(tool), x, y);
    this.#announce();
  }

  move(points: readonly number[]): void {
    this.#hover = { x: points.at(-2) ?? 0, y: points.at(-1) ?? 0 };
    if (this.engine.drawing) this.engine.extendStroke(points);
    else if (this.#pending?.tool === "freehand") this.#pending.points.push(...points.map(kept));
    this.#repaint();
  }

  up(): void {
    if (this.engine.drawing) this.engine.endStroke();
    else if (this.#pending?.tool === "freehand") this.close();
  }

  hoverAt(at: { readonly x: number; readonly y: number } | null): void {
    this.#hover = at;
    this.#repaint();
  }

  /** Closes the shape that has been begun; false if there is none or it has too few points. */
  close(): boolean {
    const pending = this.#pending;
    if (!pending || pending.points.length < 2 * FEWEST_POINTS) return false;
    const { tool, z, mode, points, startMs } = pending;
    const back = this.#wire?.pathTo({ x: points[0] as number, y: points[1] as number }) ?? [];
    this.#pending = null;
    this.#wire = null;
    if (tool === "livewire") {
      this.engine.apply({ tool, z, mode, points, path: [...pending.path, ...flat(back)] }, startMs);
    } else this.engine.apply({ tool, z, mode, points }, startMs);
    return true;
  }

  /** Gives up what has been begun: the open stroke or the open shape. */
  cancel(): void {
    this.engine.cancelStroke();
    this.#pending = null;
    this.#wire = null;
    this.#announce();
  }

  /** Takes the last step back; of a shape that is open, its last point. */
  async undo(): Promise<void> {
    if (this.#pending) this.#removePoint();
    else await this.engine.undo();
  }

  async redo(): Promise<void> {
    if (!this.#pending) await this.engine.redo();
  }

  interpolate(): void {
    this.#edit(() => this.engine.apply({ tool: "interpolate" }));
  }

  fillHoles(everySlice: boolean): void {
    this.#edit(() => this.engine.apply({ tool: "fill_holes", z: everySlice ? null : this.#focus.z }));
  }

  smooth(): void {
    const { smoothRadiusMm: radiusMm } = this.#settings;
    this.#edit(() => this.engine.apply({ tool: "smooth", z: this.#focus.z, radiusMm }));
  }

  eraseSlice(): void {
    this.#edit(() => this.engine.apply({ tool: "erase_slice", z: this.#focus.z }));
  }

  /** Copies the slice to its neighbour and goes there. */
  copyTo(step: 1 | -1): void {
    const from = this.#focus.z;
    const z = from + step;
    if (z < 0 || z >= this.grid.shapeZyx[0]) return;
    this.#edit(() => this.engine.apply({ tool: "copy", from, z }));
    this.scroll(step);
  }

  #edit(apply: () => void): void {
    if (this.engine.drawing) return;
    this.cancel();
    apply();
  }

  #stroke(tool: "brush" | "eraser" | "threshold" | "nudge"): StrokeSpec {
    const { mode, diameterMm, range } = this.#settings;
    const z = this.#focus.z;
    if (tool === "nudge") return { tool, z, diameterMm };
    if (tool === "eraser") return { tool, z, mode: "subtract", diameterMm, range: null };
    return { tool, z, mode, diameterMm, range: tool === "threshold" ? range : null };
  }

  #smartClick(x: number, y: number): void {
    const { mode, tolerance, growRadiusMm: radiusMm, growDimensions: dimensions } = this.#settings;
    const { x: column, y: row } = this.#pixel({ x, y });
    const seed = [column, row] as const;
    this.engine.apply({ tool: "grow", z: this.#focus.z, mode, seed, tolerance, radiusMm, dimensions });
  }

  #pixel({ x, y }: { readonly x: number; readonly y: number }): Pixel {
    const [, rows, columns] = this.grid.shapeZyx;
    return {
      x: Math.min(columns - 1, Math.max(0, Math.round(x))),
      y: Math.min(rows - 1, Math.max(0, Math.round(y))),
    };
  }

  #begin(tool: ShapeAct["tool"], mode: Mode, points: number[], path: readonly number[]): void {
    this.#pending = { tool, z: this.#focus.z, mode, startMs: this.#now(), points, path };
  }

  #addPoint(tool: "polygon" | "spline" | "livewire", x: number, y: number, closePx: number): void {
    const pending = this.#pending;
    const at = tool === "livewire" ? this.#pixel({ x, y }) : { x: kept(x), y: kept(y) };
    if (!pending || pending.z !== this.#focus.z) {
      this.#begin(tool, this.#settings.mode, [at.x, at.y], tool === "livewire" ? [at.x, at.y] : []);
    } else {
      const [x0 = 0, y0 = 0] = pending.points;
      if (Math.hypot(x - x0, y - y0) <= closePx && this.close()) return;
      const piece = this.#wire ? flat(this.#wire.pathTo(at).slice(1)) : [];
      this.#pending = { ...pending, points: [...pending.points, at.x, at.y], path: [...pending.path, ...piece] };
    }
    this.#startWire(tool, at);
  }

  #startWire(tool: ToolName, at: Pixel): void {
    const frame = this.frameAt(this.#focus.z);
    this.#wire = tool === "livewire" && frame ? new LivewireField(frame, this.grid, at) : null;
  }

  /** A livewire is drawn again to the point before: its windows are the same, so is its line. */
  #removePoint(): void {
    const pending = this.#pending;
    if (!pending) return;
    const points = pending.tool === "freehand" ? [] : pending.points.slice(0, -2);
    this.#pending = null;
    this.#wire = null;
    for (let index = 0; index + 1 < points.length; index += 2) {
      const [x, y] = points.slice(index, index + 2) as [number, number];
      if (pending.tool !== "freehand") this.#addPoint(pending.tool, x, y, 0);
    }
    this.#announce();
  }

  #announce(): void {
    this.#revision += 1;
    this.#repaint();
  }

  #repaint(): void {
    for (const listener of this.#listeners) listener();
  }
}
