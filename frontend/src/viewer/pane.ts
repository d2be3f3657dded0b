/** One canvas: the raster under the current view, and the outlines of the shown frame above it. */
import type { FrameNumber } from "./coordinates";
import type { Loop, Outlines } from "./outlines";
import { HALO_COLOUR, PaneCanvas } from "./pane-canvas";
import type { Raster } from "./raster";
import { type DeviceTransform, deviceTransform, isOneToOne, type View } from "./transform";

/** How outlines are drawn, in CSS pixels of the screen whatever the zoom. */
export interface OutlineStyle {
  readonly colour: string;
  readonly widthPx: number;
  readonly haloPx: number;
}

export class Pane extends PaneCanvas {
  readonly #style: OutlineStyle;
  #outlines: Outlines | null = null;

  constructor(canvas: HTMLCanvasElement, style: OutlineStyle) {
    super(canvas);
    this.#style = style;
  }

  setOverlay(outlines: Outlines | null): void {
    this.#outlines = outlines;
  }

  paint(raster: Raster, view: View, frame: FrameNumber, overlayVisible: boolean): void {
    const size = this.size();
    if (size.width === 0 || size.height === 0) return;
    this.blank();
    raster.refresh();
    const transform = deviceTransform(raster.grid, view, size);
    const context = this.context;
    context.imageSmoothingEnabled = !isOneToOne(transform);
    context.imageSmoothingQuality = "low";
    context.setTransform(transform.scaleX, 0, 0, transform.scaleY, transform.left, transform.top);
    context.drawImage(raster.canvas, 0, 0);
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (overlayVisible) this.#strokeOutlines(this.#outlines?.get(frame) ?? [], transform, size.pixelRatio);
  }

  #strokeOutlines(loops: readonly Loop[], transform: DeviceTransform, pixelRatio: number): void {
    if (loops.length === 0) return;
    const path = outlinePath(loops, transform);
    const context = this.context;
    context.lineJoin = "round";
    context.strokeStyle = HALO_COLOUR;
    context.lineWidth = (this.#style.widthPx + 2 * this.#style.haloPx) * pixelRatio;
    context.stroke(path);
    context.strokeStyle = this.#style.colour;
    context.lineWidth = this.#style.widthPx * pixelRatio;
    context.stroke(path);
  }
}

function outlinePath(loops: readonly Loop[], transform: DeviceTransform): Path2D {
  const path = new Path2D();
  for (const loop of loops) {
    for (let index = 0; index + 1 < loop.length; index += 2) {
      const x = ((loop[index] as number) + 0.5) * transform.scaleX + transform.left;
      const y = ((loop[index + 1] as number) + 0.5) * transform.scaleY + transform.top;
      if (index === 0) path.moveTo(x, y);
      else path.lineTo(x, y);
    }
    path.closePath();
  }
  return path;
}
