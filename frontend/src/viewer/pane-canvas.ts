/** The canvas of a pane: as many pixels as the screen has there, and nothing on it but the background. */
import { softwareContext } from "./raster";
import type { PaneSize } from "./transform";

export const BACKGROUND = "#000000";
export const HALO_COLOUR = "rgba(0, 0, 0, 0.85)";

export class PaneCanvas {
  readonly canvas: HTMLCanvasElement;
  protected readonly context: CanvasRenderingContext2D;

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    this.context = softwareContext(canvas);
  }

  size(): PaneSize {
    return {
      width: this.canvas.clientWidth,
      height: this.canvas.clientHeight,
      pixelRatio: window.devicePixelRatio || 1,
    };
  }

  /** Nothing but the background: before the first frame, in a pause, behind a help page. */
  blank(): void {
    const size = this.size();
    const width = Math.round(size.width * size.pixelRatio);
    const height = Math.round(size.height * size.pixelRatio);
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.fillStyle = BACKGROUND;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }
}
