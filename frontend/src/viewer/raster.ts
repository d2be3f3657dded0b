/** One frame as a picture of grey pixels. Panes that show the same image share one raster, hence the same pixels. */
import type { ImageGrid } from "./coordinates";
import { applyLut, fillLut, LUT_SIZE, type Voi } from "./lut";

export class Raster {
  readonly grid: ImageGrid;
  readonly canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #picture: ImageData;
  readonly #words: Uint32Array;
  readonly #lut = new Uint32Array(LUT_SIZE);
  #voi: Voi;
  #pixels: Int16Array | null = null;
  #stale = true;

  constructor(grid: ImageGrid, voi: Voi) {
    this.grid = grid;
    this.#voi = voi;
    this.canvas = document.createElement("canvas");
    this.canvas.width = grid.columns;
    this.canvas.height = grid.rows;
    this.#context = softwareContext(this.canvas);
    this.#picture = this.#context.createImageData(grid.columns, grid.rows);
    this.#words = new Uint32Array(this.#picture.data.buffer);
    fillLut(this.#lut, voi);
  }

  get voi(): Voi {
    return this.#voi;
  }

  get empty(): boolean {
    return this.#pixels === null;
  }

  setVoi(voi: Voi): void {
    if (voi.width === this.#voi.width && voi.level === this.#voi.level && voi.invert === this.#voi.invert) return;
    this.#voi = voi;
    fillLut(this.#lut, voi);
    this.#stale = true;
  }

  setPixels(pixels: Int16Array): void {
    if (pixels === this.#pixels) return;
    this.#pixels = pixels;
    this.#stale = true;
  }

  /** Brings the picture up to date; cheap when nothing changed. */
  refresh(): void {
    if (!this.#stale || !this.#pixels) return;
    applyLut(this.#pixels, this.#lut, this.#words);
    this.#context.putImageData(this.#picture, 0, 0);
    this.#stale = false;
  }
}

/**
 * A 2D context that draws in main memory. With it the browser's own rasteriser makes every pixel, on a workstation with
 * a graphics card and on a virtual machine without one alike.
 */
export function softwareContext(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { alpha: true, willReadFrequently: true });
  if (!context) throw new Error("This browser cannot draw on a canvas.");
  return context;
}
