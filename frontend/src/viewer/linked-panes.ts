/**
 * Panes that always show the same frame, window, zoom and pan. They paint from one raster; only their outlines differ.
 */
import { type FrameNumber, frameNumber } from "./coordinates";
import type { FrameLoader, FrameRun } from "./frame-loader";
import type { Voi } from "./lut";
import type { Outlines } from "./outlines";
import { type OutlineStyle, Pane } from "./pane";
import { PaneGroup } from "./pane-group";
import { Raster } from "./raster";

export interface LinkedPanesOptions {
  readonly canvases: readonly HTMLCanvasElement[];
  readonly run: FrameRun;
  readonly loader: FrameLoader;
  readonly voi: Voi;
  readonly style: OutlineStyle;
}

export class LinkedPanes extends PaneGroup<Pane> {
  readonly #run: FrameRun;
  readonly #loader: FrameLoader;
  readonly #raster: Raster;
  #frame: FrameNumber;
  #overlayVisible = true;

  constructor(options: LinkedPanesOptions) {
    super(
      options.canvases.map((canvas) => new Pane(canvas, options.style)),
      options.run.grid,
    );
    this.#run = options.run;
    this.#loader = options.loader;
    this.#raster = new Raster(options.run.grid, options.voi);
    this.#frame = frameNumber(options.run.start);
  }

  get frame(): FrameNumber {
    return this.#frame;
  }

  get voi(): Voi {
    return this.#raster.voi;
  }

  show(frame: FrameNumber): void {
    const last = this.#run.first + this.#run.count - 1;
    this.#frame = frameNumber(Math.min(last, Math.max(this.#run.first, frame)));
    this.request();
  }

  setVoi(voi: Voi): void {
    this.#raster.setVoi(voi);
    this.request();
  }

  setOverlay(pane: number, outlines: Outlines | null): void {
    this.panes[pane]?.setOverlay(outlines);
    this.request();
  }

  setOverlayVisible(visible: boolean): void {
    this.#overlayVisible = visible;
    this.request();
  }

  protected paintPanes(): boolean {
    const pixels = this.#loader.ready(this.#run, this.#frame);
    if (!pixels) return false;
    this.#raster.setPixels(pixels);
    for (const pane of this.panes) pane.paint(this.#raster, this.view, this.#frame, this.#overlayVisible);
    return true;
  }
}
