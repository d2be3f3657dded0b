/**
 * One plane on two canvases: the image with its coloured layer below, what is drawn above. A brush stroke repaints only
 * the upper one, so the image is not scaled again for every movement of the hand.
 */
import type { ImageGrid, ScreenPoint } from "../coordinates";
import type { Voi } from "../lut";
import { BACKGROUND, HALO_COLOUR } from "../pane-canvas";
import { Raster, softwareContext } from "../raster";
import {
  type DeviceTransform,
  deviceTransform,
  isOneToOne,
  type PaneSize,
  panned,
  toImage,
  type View,
  wholeImage,
  zoomedAt,
} from "../transform";
import type { Loop } from "./outline";
import type { PixelBox } from "./volume-grid";

export interface MaskStyle {
  readonly colour: string;
  readonly widthPx: number;
  readonly haloPx: number;
}

/** `#rrggbb` as an opaque little-endian RGBA word. */
export function colourWord(colour: string): number {
  const value = Number.parseInt(colour.slice(1), 16);
  return ((255 << 24) | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

function layerIn(host: HTMLElement): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-hidden", "true");
  Object.assign(canvas.style, { position: "absolute", inset: "0", width: "100%", height: "100%", display: "block" });
  host.append(canvas);
  return canvas;
}

export class LayeredPane {
  readonly host: HTMLElement;
  readonly grid: ImageGrid;
  readonly raster: Raster;
  readonly #below: CanvasRenderingContext2D;
  readonly #above: CanvasRenderingContext2D;
  readonly #fused: CanvasRenderingContext2D;
  readonly #mask: CanvasRenderingContext2D;
  readonly #maskPicture: ImageData;
  readonly #maskWords: Uint32Array;
  #view: View;

  constructor(host: HTMLElement, grid: ImageGrid, voi: Voi) {
    this.host = host;
    this.grid = grid;
    this.raster = new Raster(grid, voi);
    this.#below = softwareContext(layerIn(host));
    this.#above = softwareContext(layerIn(host));
    this.#fused = LayeredPane.#picture(grid);
    this.#mask = LayeredPane.#picture(grid);
    this.#maskPicture = this.#mask.createImageData(grid.columns, grid.rows);
    this.#maskWords = new Uint32Array(this.#maskPicture.data.buffer);
    this.#view = wholeImage(grid);
  }

  static #picture(grid: ImageGrid): CanvasRenderingContext2D {
    const canvas = document.createElement("canvas");
    canvas.width = grid.columns;
    canvas.height = grid.rows;
    return softwareContext(canvas);
  }

  get view(): View {
    return this.#view;
  }

  size(): PaneSize {
    return { width: this.host.clientWidth, height: this.host.clientHeight, pixelRatio: window.devicePixelRatio || 1 };
  }

  toImage(at: ScreenPoint): { readonly x: number; readonly y: number } {
    return toImage(at, this.grid, this.#view, this.size());
  }

  /** Image pixels that a length on the screen spans, along the columns. */
  imagePixels(cssPixels: number): number {
    return (cssPixels * this.size().pixelRatio) / this.transform().scaleX;
  }

  transform(): DeviceTransform {
    return deviceTransform(this.grid, this.#view, this.size());
  }

  setView(view: View): void {
    this.#view = view;
  }

  panBy(dx: number, dy: number): void {
    this.#view = panned(this.#view, this.grid, this.size(), dx, dy);
  }

  zoomBy(factor: number, at: ScreenPoint): void {
    this.#view = zoomedAt(this.#view, this.grid, this.size(), factor, at);
  }

  resetView(): void {
    this.#view = wholeImage(this.grid);
  }

  setFused(words: Uint32Array | null): void {
    const { columns, rows } = this.grid;
    this.#fused.clearRect(0, 0, columns, rows);
    if (!words) return;
    const picture = new ImageData(new Uint8ClampedArray(words.buffer as ArrayBuffer), columns, rows);
    this.#fused.putImageData(picture, 0, 0);
  }

  /** Brings the mask's picture up to date inside a box. */
  setMask(plane: Uint8Array, colour: number, box: PixelBox): void {
    const { columns } = this.grid;
    for (let y = box.y0; y <= box.y1; y += 1) {
      for (let at = y * columns + box.x0; at <= y * columns + box.x1; at += 1) {
        this.#maskWords[at] = plane[at] === 1 ? colour : 0;
      }
    }
    this.#mask.putImageData(this.#maskPicture, 0, 0, box.x0, box.y0, box.x1 - box.x0 + 1, box.y1 - box.y0 + 1);
  }

  blank(): void {
    this.#fit();
    for (const context of [this.#below, this.#above]) context.setTransform(1, 0, 0, 1, 0, 0);
    this.#below.fillStyle = BACKGROUND;
    this.#below.fillRect(0, 0, this.#below.canvas.width, this.#below.canvas.height);
    this.#above.clearRect(0, 0, this.#above.canvas.width, this.#above.canvas.height);
  }

  paintImage(fusedOpacity: number): void {
    if (!this.#fit()) return;
    const context = this.#below;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = BACKGROUND;
    context.fillRect(0, 0, context.canvas.width, context.canvas.height);
    this.raster.refresh();
    const transform = this.transform();
    context.imageSmoothingEnabled = !isOneToOne(transform);
    context.imageSmoothingQuality = "low";
    context.setTransform(transform.scaleX, 0, 0, transform.scaleY, transform.left, transform.top);
    context.drawImage(this.raster.canvas, 0, 0);
    if (fusedOpacity > 0) {
      context.globalAlpha = fusedOpacity;
      context.drawImage(this.#fused.canvas, 0, 0);
      context.globalAlpha = 1;
    }
  }

  /** Clears the upper canvas and puts the mask's filling on it; `draw` then adds lines in device pixels. */
  paintAbove(
    fill: { readonly box: PixelBox; readonly opacity: number } | null,
    draw: (context: CanvasRenderingContext2D, transform: DeviceTransform, pixelRatio: number) => void,
  ): void {
    if (!this.#fit()) return;
    const context = this.#above;
    const transform = this.transform();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    if (fill && fill.opacity > 0) this.#fillMask(context, transform, fill.box, fill.opacity);
    draw(context, transform, this.size().pixelRatio);
  }

  #fillMask(context: CanvasRenderingContext2D, transform: DeviceTransform, box: PixelBox, opacity: number): void {
    const [width, height] = [box.x1 - box.x0 + 1, box.y1 - box.y0 + 1];
    context.globalAlpha = opacity;
    context.imageSmoothingEnabled = false;
    context.drawImage(
      this.#mask.canvas,
      box.x0,
      box.y0,
      width,
      height,
      transform.left + box.x0 * transform.scaleX,
      transform.top + box.y0 * transform.scaleY,
      width * transform.scaleX,
      height * transform.scaleY,
    );
    context.globalAlpha = 1;
  }

  /** Fits the canvases to the element; false if nothing of it can be seen. */
  #fit(): boolean {
    const size = this.size();
    const width = Math.round(size.width * size.pixelRatio);
    const height = Math.round(size.height * size.pixelRatio);
    for (const { canvas } of [this.#below, this.#above]) {
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
    }
    return width > 0 && height > 0;
  }

  remove(): void {
    this.#below.canvas.remove();
    this.#above.canvas.remove();
  }
}

/** Adds lines through points (x and y in turn, in image pixels) to a path in device pixels. */
export function addLine(path: Path2D, points: ArrayLike<number>, transform: DeviceTransform, closed: boolean): void {
  for (let index = 0; index + 1 < points.length; index += 2) {
    const x = ((points[index] as number) + 0.5) * transform.scaleX + transform.left;
    const y = ((points[index + 1] as number) + 0.5) * transform.scaleY + transform.top;
    if (index === 0) path.moveTo(x, y);
    else path.lineTo(x, y);
  }
  if (closed) path.closePath();
}

/** A line with a dark halo, so that it reads on lung and on soft tissue. */
export function strokeWithHalo(context: CanvasRenderingContext2D, path: Path2D, style: MaskStyle, ratio: number): void {
  context.lineJoin = "round";
  context.strokeStyle = HALO_COLOUR;
  context.lineWidth = (style.widthPx + 2 * style.haloPx) * ratio;
  context.stroke(path);
  context.strokeStyle = style.colour;
  context.lineWidth = style.widthPx * ratio;
  context.stroke(path);
}

export function loopsPath(loops: readonly Loop[], transform: DeviceTransform): Path2D {
  const path = new Path2D();
  for (const loop of loops) addLine(path, loop, transform, true);
  return path;
}
