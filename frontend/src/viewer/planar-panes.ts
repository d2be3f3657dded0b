/**
 * One pane per view of a planar image (anterior, posterior), with one window, zoom and pan for all. Above the image: a
 * heat map with an opacity, the reader's marks, and a magnifier that follows the pointer.
 */
import { type FrameNumber, frameNumber, type ImagePoint, imagePoint, type ScreenPoint } from "./coordinates";
import type { FrameLoader, FrameRun } from "./frame-loader";
import { colouredHeat } from "./heat-colours";
import type { Voi } from "./lut";
import { BACKGROUND, HALO_COLOUR, PaneCanvas } from "./pane-canvas";
import { PaneGroup } from "./pane-group";
import { Raster, softwareContext } from "./raster";
import { type DeviceTransform, deviceTransform, isOneToOne, toImage, toScreen, type View } from "./transform";

/** A heat map on the image's grid, reduced by a whole factor; frame after frame, rows from the top. */
export interface HeatMap {
  readonly factor: number;
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  readonly levels: Uint8Array;
}

/** A point, or a box if it has a second corner; in image coordinates. */
export interface Mark {
  readonly frame: number;
  readonly x: number;
  readonly y: number;
  readonly x2?: number;
  readonly y2?: number;
}

export interface PlanarPanesOptions {
  readonly canvases: readonly HTMLCanvasElement[];
  readonly run: FrameRun;
  readonly loader: FrameLoader;
  readonly voi: Voi;
}

const MARK_COLOUR = "#FFD60A";
const CURSOR_COLOUR = "#4DA3FF";
const POINT_RADIUS_PX = 7;
const MAGNIFIER_RADIUS_PX = 90;
const MAGNIFICATION = 2.5;

class PlanarPane extends PaneCanvas {
  readonly frame: FrameNumber;
  readonly raster: Raster;
  #heat: HTMLCanvasElement | null = null;

  constructor(canvas: HTMLCanvasElement, frame: FrameNumber, run: FrameRun, voi: Voi) {
    super(canvas);
    this.frame = frame;
    this.raster = new Raster(run.grid, voi);
  }

  setHeat(map: HeatMap | null): void {
    this.#heat = null;
    if (!map || this.frame >= map.frames) return;
    const canvas = document.createElement("canvas");
    canvas.width = map.columns;
    canvas.height = map.rows;
    const pixels = map.rows * map.columns;
    const levels = map.levels.subarray(this.frame * pixels, (this.frame + 1) * pixels);
    softwareContext(canvas).putImageData(new ImageData(colouredHeat(levels), map.columns, map.rows), 0, 0);
    this.#heat = canvas;
  }

  paint(view: View, heat: { factor: number; opacity: number } | null): DeviceTransform {
    const size = this.size();
    this.blank();
    this.raster.refresh();
    const transform = deviceTransform(this.raster.grid, view, size);
    this.#drawImage(transform, heat);
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    return transform;
  }

  #drawImage(transform: DeviceTransform, heat: { factor: number; opacity: number } | null): void {
    const context = this.context;
    context.imageSmoothingEnabled = !isOneToOne(transform);
    context.imageSmoothingQuality = "low";
    context.setTransform(transform.scaleX, 0, 0, transform.scaleY, transform.left, transform.top);
    context.drawImage(this.raster.canvas, 0, 0);
    if (!heat || !this.#heat) return;
    // Pixel n of the map covers pixels n * factor to (n + 1) * factor - 1 of the image.
    const { factor } = heat;
    const { scaleX, scaleY, left, top } = transform;
    context.globalAlpha = heat.opacity;
    context.setTransform(scaleX * factor, 0, 0, scaleY * factor, left, top);
    context.drawImage(this.#heat, 0, 0);
    context.globalAlpha = 1;
  }

  magnify(at: ScreenPoint, transform: DeviceTransform, heat: { factor: number; opacity: number } | null): void {
    const { pixelRatio } = this.size();
    const x = at.x * pixelRatio;
    const y = at.y * pixelRatio;
    const radius = MAGNIFIER_RADIUS_PX * pixelRatio;
    const context = this.context;
    context.save();
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.clip();
    context.fillStyle = BACKGROUND;
    context.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
    this.#drawImage(
      {
        scaleX: transform.scaleX * MAGNIFICATION,
        scaleY: transform.scaleY * MAGNIFICATION,
        left: x - (x - transform.left) * MAGNIFICATION,
        top: y - (y - transform.top) * MAGNIFICATION,
      },
      heat,
    );
    context.restore();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.strokeStyle = CURSOR_COLOUR;
    context.lineWidth = pixelRatio;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.stroke();
  }

  drawMarks(marks: readonly Mark[], transform: DeviceTransform): void {
    const { pixelRatio } = this.size();
    const context = this.context;
    marks.forEach((mark, index) => {
      if (mark.frame !== this.frame) return;
      const path = markPath(mark, transform, pixelRatio);
      for (const [colour, width] of [
        [HALO_COLOUR, 4],
        [MARK_COLOUR, 2],
      ] as const) {
        context.strokeStyle = colour;
        context.lineWidth = width * pixelRatio;
        context.stroke(path);
      }
      const x = (mark.x + 0.5) * transform.scaleX + transform.left;
      const y = (mark.y + 0.5) * transform.scaleY + transform.top;
      context.font = `${12 * pixelRatio}px sans-serif`;
      context.lineWidth = 3 * pixelRatio;
      context.strokeStyle = HALO_COLOUR;
      context.fillStyle = MARK_COLOUR;
      const label = String(index + 1);
      context.strokeText(label, x + (POINT_RADIUS_PX + 3) * pixelRatio, y);
      context.fillText(label, x + (POINT_RADIUS_PX + 3) * pixelRatio, y);
    });
  }

  drawCursor(at: ImagePoint, transform: DeviceTransform): void {
    const { pixelRatio } = this.size();
    const x = (at.x + 0.5) * transform.scaleX + transform.left;
    const y = (at.y + 0.5) * transform.scaleY + transform.top;
    const arm = 14 * pixelRatio;
    const context = this.context;
    context.beginPath();
    context.moveTo(x - arm, y);
    context.lineTo(x + arm, y);
    context.moveTo(x, y - arm);
    context.lineTo(x, y + arm);
    context.strokeStyle = HALO_COLOUR;
    context.lineWidth = 4 * pixelRatio;
    context.stroke();
    context.strokeStyle = CURSOR_COLOUR;
    context.lineWidth = 1.5 * pixelRatio;
    context.stroke();
  }
}

function markPath(mark: Mark, transform: DeviceTransform, pixelRatio: number): Path2D {
  const path = new Path2D();
  const x = (mark.x + 0.5) * transform.scaleX + transform.left;
  const y = (mark.y + 0.5) * transform.scaleY + transform.top;
  if (mark.x2 === undefined || mark.y2 === undefined) {
    path.arc(x, y, POINT_RADIUS_PX * pixelRatio, 0, 2 * Math.PI);
  } else {
    const right = (mark.x2 + 0.5) * transform.scaleX + transform.left;
    const bottom = (mark.y2 + 0.5) * transform.scaleY + transform.top;
    path.rect(Math.min(x, right), Math.min(y, bottom), Math.abs(right - x), Math.abs(bottom - y));
  }
  return path;
}

/** Where the keyboard's cursor or the pointer stands. */
interface Place {
  readonly pane: number;
  readonly at: ScreenPoint;
}

export class PlanarPanes extends PaneGroup<PlanarPane> {
  readonly #run: FrameRun;
  readonly #loader: FrameLoader;
  #heat: HeatMap | null = null;
  #heatShown = true;
  #heatOpacity = 0.5;
  #marks: readonly Mark[] = [];
  #cursor: (ImagePoint & { frame: number }) | null = null;
  #magnifier: Place | null = null;

  constructor(options: PlanarPanesOptions) {
    const { run, voi } = options;
    super(
      options.canvases.map((canvas, index) => new PlanarPane(canvas, frameNumber(run.first + index), run, voi)),
      run.grid,
    );
    this.#run = run;
    this.#loader = options.loader;
  }

  setVoi(voi: Voi): void {
    for (const pane of this.panes) pane.raster.setVoi(voi);
    this.request();
  }

  setHeat(map: HeatMap | null): void {
    this.#heat = map;
    for (const pane of this.panes) pane.setHeat(map);
    this.request();
  }

  setHeatShown(shown: boolean, opacity: number): void {
    this.#heatShown = shown;
    this.#heatOpacity = opacity;
    this.request();
  }

  setMarks(marks: readonly Mark[], cursor: (ImagePoint & { frame: number }) | null): void {
    this.#marks = marks;
    this.#cursor = cursor;
    this.request();
  }

  /** Follows the pointer in a pane; null puts it away. */
  setMagnifier(place: Place | null): void {
    this.#magnifier = place;
    this.request();
  }

  /** The image point under a point of a pane, and the frame that the pane shows. */
  imageAt(pane: number, at: ScreenPoint): ImagePoint & { frame: number } {
    const target = this.panes[pane] as PlanarPane;
    const point = toImage(at, this.#run.grid, this.view, target.size());
    return { ...imagePoint(point.x, point.y), frame: target.frame };
  }

  /** Where an image point lies in its pane. */
  screenAt(point: ImagePoint & { frame: number }): Place {
    const pane = this.panes.findIndex((each) => each.frame === point.frame);
    const size = (this.panes[Math.max(0, pane)] as PlanarPane).size();
    return { pane, at: toScreen(point, this.#run.grid, this.view, size) };
  }

  protected paintPanes(): boolean {
    const frames = this.panes.map((pane) => this.#loader.ready(this.#run, pane.frame));
    if (frames.some((pixels) => !pixels)) return false;
    const heat = this.#heat && this.#heatShown ? { factor: this.#heat.factor, opacity: this.#heatOpacity } : null;
    this.panes.forEach((pane, index) => {
      pane.raster.setPixels(frames[index] as Int16Array);
      const transform = pane.paint(this.view, heat);
      pane.drawMarks(this.#marks, transform);
      if (this.#cursor?.frame === pane.frame) pane.drawCursor(this.#cursor, transform);
      if (this.#magnifier?.pane === index) pane.magnify(this.#magnifier.at, transform, heat);
    });
    return true;
  }
}
