/**
 * Panes that always show the same frame, window, zoom and pan. They paint together in one animation frame from one
 * raster; only their outlines differ.
 */
import { type FrameNumber, frameNumber, type ScreenPoint, screenPoint } from "./coordinates";
import type { FrameLoader, FrameRun } from "./frame-loader";
import type { Voi } from "./lut";
import type { Outlines } from "./outlines";
import { type OutlineStyle, Pane } from "./pane";
import { Raster } from "./raster";
import { panned, type View, wholeImage, zoomedAt } from "./transform";

export interface LinkedPanesOptions {
  readonly canvases: readonly HTMLCanvasElement[];
  readonly run: FrameRun;
  readonly loader: FrameLoader;
  readonly voi: Voi;
  readonly style: OutlineStyle;
}

/** The part of a viewer that a task may use, whatever draws behind it. */
export interface Viewer {
  show(frame: FrameNumber): void;
  setVoi(voi: Voi): void;
  setOverlay(pane: number, outlines: Outlines | null): void;
  destroy(): void;
}

export class LinkedPanes implements Viewer {
  readonly #panes: readonly Pane[];
  readonly #run: FrameRun;
  readonly #loader: FrameLoader;
  readonly #raster: Raster;
  readonly #resize: ResizeObserver;
  readonly #repaint = (): void => this.#request();
  #frame: FrameNumber;
  #view: View;
  #overlayVisible = true;
  #blanked = false;
  #animationFrame = 0;
  #afterPaint: ((presentedAtMs: number) => void) | null = null;

  constructor(options: LinkedPanesOptions) {
    this.#run = options.run;
    this.#loader = options.loader;
    this.#raster = new Raster(options.run.grid, options.voi);
    this.#panes = options.canvases.map((canvas) => new Pane(canvas, options.style));
    this.#frame = frameNumber(options.run.start);
    this.#view = wholeImage(options.run.grid);
    this.#resize = new ResizeObserver(this.#repaint);
    for (const canvas of options.canvases) this.#resize.observe(canvas);
    window.addEventListener("resize", this.#repaint);
    for (const pane of this.#panes) pane.blank();
  }

  get frame(): FrameNumber {
    return this.#frame;
  }

  get voi(): Voi {
    return this.#raster.voi;
  }

  get view(): View {
    return this.#view;
  }

  show(frame: FrameNumber): void {
    const last = this.#run.first + this.#run.count - 1;
    this.#frame = frameNumber(Math.min(last, Math.max(this.#run.first, frame)));
    this.#request();
  }

  setVoi(voi: Voi): void {
    this.#raster.setVoi(voi);
    this.#request();
  }

  setOverlay(pane: number, outlines: Outlines | null): void {
    this.#panes[pane]?.setOverlay(outlines);
    this.#request();
  }

  setOverlayVisible(visible: boolean): void {
    this.#overlayVisible = visible;
    this.#request();
  }

  /** Blanked panes show nothing of the case. */
  setBlanked(blanked: boolean): void {
    this.#blanked = blanked;
    if (blanked) for (const pane of this.#panes) pane.blank();
    this.#request();
  }

  pan(dx: number, dy: number): void {
    const size = this.#panes[0]?.size();
    if (size) this.#view = panned(this.#view, this.#run.grid, size, dx, dy);
    this.#request();
  }

  zoom(factor: number, at: ScreenPoint): void {
    const size = this.#panes[0]?.size();
    if (size) this.#view = zoomedAt(this.#view, this.#run.grid, size, factor, at);
    this.#request();
  }

  /** Zooms about the middle of the panes: by key. */
  zoomMiddle(factor: number): void {
    const size = this.#panes[0]?.size();
    if (size) this.zoom(factor, screenPoint(size.width / 2, size.height / 2));
  }

  setView(view: View): void {
    this.#view = view;
    this.#request();
  }

  resetView(): void {
    this.setView(wholeImage(this.#run.grid));
  }

  /**
   * Calls back once, when a complete picture has been on the screen. The time is that of the animation frame after the
   * one that drew it: by then the drawing has been presented.
   */
  oncePresented(callback: (presentedAtMs: number) => void): void {
    this.#afterPaint = callback;
    this.#request();
  }

  destroy(): void {
    this.#resize.disconnect();
    window.removeEventListener("resize", this.#repaint);
    cancelAnimationFrame(this.#animationFrame);
    this.#afterPaint = null;
    for (const pane of this.#panes) pane.blank();
  }

  #request(): void {
    if (this.#animationFrame !== 0) return;
    this.#animationFrame = requestAnimationFrame(() => {
      this.#animationFrame = 0;
      if (this.#paint()) this.#announcePaint();
    });
  }

  #paint(): boolean {
    const pixels = this.#loader.ready(this.#run, this.#frame);
    if (this.#blanked || !pixels) {
      for (const pane of this.#panes) pane.blank();
      return false;
    }
    this.#raster.setPixels(pixels);
    for (const pane of this.#panes) pane.paint(this.#raster, this.#view, this.#frame, this.#overlayVisible);
    return true;
  }

  #announcePaint(): void {
    const callback = this.#afterPaint;
    if (!callback) return;
    this.#afterPaint = null;
    requestAnimationFrame((presentedAtMs) => callback(presentedAtMs));
  }
}
