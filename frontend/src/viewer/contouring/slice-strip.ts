/**
 * The slices of a volume as a strip: a full tick where something was drawn, a hollow one where it was interpolated, a
 * short one where it came with the reading, and a marker at the slice in view.
 */
import { PaintLoop } from "../paint-loop";
import { softwareContext } from "../raster";
import { ORIGIN } from "./engine";
import type { ContourSession } from "./session";

const DRAWN = "#ffd60a";
const GIVEN = "#8fa3b8";
const EMPTY = "#2c333b";
const MARKER = "#4da3ff";
const MARGIN_PX = 6;

export class SliceStrip {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #session: ContourSession;
  readonly #off: (() => void)[] = [];
  readonly #loop = new PaintLoop(() => {
    this.#paint();
    return true;
  });
  #painted = "";

  constructor(canvas: HTMLCanvasElement, session: ContourSession) {
    this.#canvas = canvas;
    this.#context = softwareContext(canvas);
    this.#session = session;
    const stop = new AbortController();
    const request = (): void => this.#loop.request();
    const observer = new ResizeObserver(request);
    observer.observe(canvas);
    const jump = (event: PointerEvent): void => {
      if (event.type === "pointerdown") canvas.setPointerCapture(event.pointerId);
      else if (event.buttons === 0) return;
      session.lookAt({ ...session.focus, z: this.#sliceAt(event.clientX) });
    };
    canvas.addEventListener("pointerdown", jump, { signal: stop.signal });
    canvas.addEventListener("pointermove", jump, { signal: stop.signal });
    this.#off.push(
      session.subscribe(request),
      () => observer.disconnect(),
      () => stop.abort(),
    );
    request();
  }

  destroy(): void {
    for (const off of this.#off) off();
    this.#loop.stop();
  }

  #sliceAt(clientX: number): number {
    const box = this.#canvas.getBoundingClientRect();
    const count = this.#session.grid.shapeZyx[0];
    return Math.floor(((clientX - box.left - MARGIN_PX) / Math.max(1, box.width - 2 * MARGIN_PX)) * count);
  }

  #paint(): void {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.#canvas.clientWidth * ratio);
    const height = Math.round(this.#canvas.clientHeight * ratio);
    const count = this.#session.grid.shapeZyx[0];
    const origins = Array.from({ length: count }, (_, z) => this.#session.engine.origin(z));
    const wanted = `${width}x${height}@${this.#session.focus.z}:${origins.join("")}`;
    if (wanted === this.#painted || width === 0 || height === 0) return;
    this.#painted = wanted;
    this.#canvas.width = width;
    this.#canvas.height = height;
    const context = this.#context;
    const step = (width - 2 * MARGIN_PX * ratio) / count;
    const tick = Math.max(1, Math.min(6 * ratio, step - ratio));
    context.lineWidth = ratio;
    origins.forEach((origin, z) => {
      const x = MARGIN_PX * ratio + z * step + (step - tick) / 2;
      if (z === this.#session.focus.z) {
        context.fillStyle = MARKER;
        context.fillRect(x - ratio, 0, tick + 2 * ratio, height);
      }
      context.fillStyle = origin === ORIGIN.empty ? EMPTY : origin === ORIGIN.given ? GIVEN : DRAWN;
      if (origin === ORIGIN.interpolated) {
        context.strokeStyle = DRAWN;
        context.strokeRect(
          x + ratio / 2,
          height * 0.2 + ratio / 2,
          Math.max(ratio, tick - ratio),
          height * 0.6 - ratio,
        );
      } else if (origin === ORIGIN.empty) context.fillRect(x, height * 0.4, tick, height * 0.2);
      else context.fillRect(x, height * 0.2, tick, height * 0.6);
    });
  }
}
