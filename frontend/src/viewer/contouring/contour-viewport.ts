/**
 * Axial, sagittal and coronal planes of one volume, linked by a crosshair, with the mask, the tool in hand and what is
 * begun drawn over them. Painting is in animation frames: a movement of the hand is seen in the next one.
 */
import { type ScreenPoint, screenPoint } from "../coordinates";
import type { Voi } from "../lut";
import { PaintLoop } from "../paint-loop";
import { attachPointerTools, type DrawHandlers, type PointerHandlers } from "../pointer-tools";
import type { DeviceTransform } from "../transform";
import { type FusedSeries, fusedPlane } from "./fusion";
import { addLine, colourWord, LayeredPane, loopsPath, type MaskStyle, strokeWithHalo } from "./layered-pane";
import { type Loop, loopsOfPlane, loopsOfSlice } from "./outline";
import { imagePlane, inPlane, maskPlane, type PlaneName, planeGrid, voxelAt } from "./planes";
import type { ContourSession } from "./session";
import { closedSpline } from "./spline";
import { boxUnion, type PixelBox } from "./volume-grid";

export interface ViewportOptions {
  readonly session: ContourSession;
  readonly hosts: Readonly<Record<PlaneName, HTMLElement>>;
  readonly voi: Voi;
  readonly style: MaskStyle;
  readonly fused?: FusedSeries | null;
  /** A window drag over a pane, in CSS pixels. */
  readonly onWindow: (dx: number, dy: number) => void;
  readonly onSettled?: () => void;
  readonly onReset?: () => void;
}

const CROSSHAIR_COLOUR = "rgba(77, 163, 255, 0.55)";
const CURSOR_COLOUR = "#ffffff";
const PREVIEW_COLOUR = "#4da3ff";
/** While a stroke is drawn the side planes follow this much later, so that they do not slow the hand. */
const SIDE_PLANES_EVERY_MS = 120;
/** A click this near the first point closes the shape, in CSS pixels. */
const CLOSE_CSS_PX = 8;
const ANCHOR_CSS_PX = 3;
const PLANES: readonly PlaneName[] = ["axial", "sagittal", "coronal"];

export class ContourViewport {
  readonly #session: ContourSession;
  readonly #options: ViewportOptions;
  readonly #panes: Readonly<Record<PlaneName, LayeredPane>>;
  readonly #colour: number;
  readonly #undo: (() => void)[] = [];
  readonly #loops = new Map<number, { readonly revision: number; readonly loops: readonly Loop[] }>();
  #dirty: PixelBox | null = null;
  #shown = "";
  #shownPlanes = { sagittal: "", coronal: "" };
  #fusedShown = "";
  #imageStale = true;
  #sideAtMs = 0;
  readonly #loop = new PaintLoop((atMs) => this.#paint(atMs));
  #blanked = false;
  #cursorByKeys = false;

  constructor(options: ViewportOptions) {
    this.#options = options;
    this.#session = options.session;
    this.#colour = colourWord(options.style.colour);
    const pane = (plane: PlaneName): LayeredPane =>
      new LayeredPane(options.hosts[plane], planeGrid(plane, options.session.grid), options.voi);
    this.#panes = { axial: pane("axial"), sagittal: pane("sagittal"), coronal: pane("coronal") };
    const { session } = options;
    this.#undo.push(
      session.subscribe(() => this.#request()),
      session.engine.mask.onDirty((z, box) => {
        if (z === session.focus.z) this.#dirty = boxUnion(this.#dirty ?? undefined, box);
        this.#request();
      }),
      this.#watchSize(),
      ...PLANES.map((plane) => this.#attach(plane)),
    );
    this.#request();
  }

  get voi(): Voi {
    return this.#panes.axial.raster.voi;
  }

  setVoi(voi: Voi): void {
    for (const plane of PLANES) this.#panes[plane].raster.setVoi(voi);
    this.#repaintAll();
  }

  /** Blanked panes show nothing of the case. */
  setBlanked(blanked: boolean): void {
    this.#blanked = blanked;
    if (blanked) for (const plane of PLANES) this.#panes[plane].blank();
    this.#repaintAll();
  }

  resetView(): void {
    for (const plane of PLANES) this.#panes[plane].resetView();
    this.#repaintAll();
  }

  /** Zooms the axial pane to the crosshair. */
  zoomBy(factor: number): void {
    this.#panes.axial.zoomBy(factor, this.#focusOnScreen());
    this.#repaintAll();
  }

  /** The next key moves the keyboard's cursor: show it where the crosshair is. */
  cursorByKeys(): void {
    this.#cursorByKeys = true;
    this.#keepFocusInSight();
    this.#request();
  }

  /** Calls back once, when a complete picture has been on the screen; see PaintLoop. */
  oncePresented(callback: (presentedAtMs: number) => void): void {
    this.#loop.oncePresented(callback);
  }

  /** Calls back after the frame that shows all that has happened up to now. */
  afterNextPaint(callback: (presentedAtMs: number) => void): void {
    requestAnimationFrame(() => requestAnimationFrame(callback));
  }

  destroy(): void {
    for (const undo of this.#undo) undo();
    this.#loop.stop();
    for (const plane of PLANES) this.#panes[plane].remove();
  }

  #watchSize(): () => void {
    const observer = new ResizeObserver(() => this.#repaintAll());
    for (const plane of PLANES) observer.observe(this.#options.hosts[plane]);
    const repaint = (): void => this.#repaintAll();
    window.addEventListener("resize", repaint);
    return () => {
      observer.disconnect();
      window.removeEventListener("resize", repaint);
    };
  }

  #attach(plane: PlaneName): () => void {
    return attachPointerTools(this.#options.hosts[plane], this.#pointer(plane), this.#drawing(plane));
  }

  #pointer(plane: PlaneName): PointerHandlers {
    const pane = this.#panes[plane];
    const { onWindow, onSettled, onReset } = this.#options;
    return {
      onWindow,
      onPan: (dx, dy) => {
        pane.panBy(dx, dy);
        this.#repaintAll();
      },
      onZoom: (factor, at) => {
        pane.zoomBy(factor, at);
        this.#repaintAll();
      },
      onScroll: (frames) => this.#scroll(plane, frames),
      onReset: () => {
        this.resetView();
        onReset?.();
      },
      onSettled: () => onSettled?.(),
    };
  }

  #scroll(plane: PlaneName, frames: number): void {
    const { focus } = this.#session;
    if (plane === "axial") this.#session.scroll(frames);
    else if (plane === "sagittal") this.#session.lookAt({ ...focus, x: focus.x + frames });
    else this.#session.lookAt({ ...focus, y: focus.y + frames });
  }

  #drawing(plane: PlaneName): DrawHandlers {
    return plane === "axial" ? this.#drawingOnAxial() : this.#jumping(plane);
  }

  /** On the side planes, and on the axial one with ctrl, the left button takes the crosshair along. */
  #jumping(plane: PlaneName): DrawHandlers {
    const pane = this.#panes[plane];
    const jump = (at: ScreenPoint): void => {
      const { focus, grid } = this.#session;
      this.#session.lookAt(voxelAt(plane, pane.toImage(at), focus, grid));
    };
    return {
      active: () => this.#session.settings.tool !== "window",
      onDown: jump,
      onMove: (points) => {
        const last = points.at(-1);
        if (last) jump(last);
      },
      onUp: () => undefined,
      onCancel: () => undefined,
      onHover: () => undefined,
      onSize: (steps) => this.#session.resize(steps),
    };
  }

  #drawingOnAxial(): DrawHandlers {
    const pane = this.#panes.axial;
    const session = this.#session;
    const jumping = this.#jumping("axial");
    let jump = false;
    return {
      active: jumping.active,
      onDown: (at, event) => {
        this.#cursorByKeys = false;
        jump = event.ctrlKey || event.metaKey;
        if (jump) {
          jumping.onDown(at, event);
          return;
        }
        const { x, y } = pane.toImage(at);
        session.down(x, y, pane.imagePixels(CLOSE_CSS_PX));
      },
      onMove: (points) => {
        if (jump) jumping.onMove(points);
        else session.move(points.flatMap((at) => Object.values(pane.toImage(at))));
      },
      onUp: () => {
        if (!jump) session.up();
      },
      onCancel: () => session.cancel(),
      onHover: (at) => {
        this.#cursorByKeys = false;
        session.hoverAt(at ? pane.toImage(at) : null);
      },
      onSize: (steps) => session.resize(steps),
    };
  }

  #focusOnScreen(): ScreenPoint {
    const { pixelRatio } = this.#panes.axial.size();
    const { scaleX, scaleY, left, top } = this.#panes.axial.transform();
    const { x, y } = this.#session.focus;
    return screenPoint(((x + 0.5) * scaleX + left) / pixelRatio, ((y + 0.5) * scaleY + top) / pixelRatio);
  }

  #keepFocusInSight(): void {
    const pane = this.#panes.axial;
    const { width, height } = pane.size();
    const at = this.#focusOnScreen();
    const over = (value: number, limit: number): number => (value < 0 ? value : value > limit ? value - limit : 0);
    const [dx, dy] = [over(at.x, width), over(at.y, height)];
    if (dx === 0 && dy === 0) return;
    pane.panBy(-dx - Math.sign(dx) * (width / 4), -dy - Math.sign(dy) * (height / 4));
    this.#imageStale = true;
  }

  #repaintAll(): void {
    this.#imageStale = true;
    this.#shownPlanes = { sagittal: "", coronal: "" };
    this.#request();
  }

  #request(): void {
    this.#loop.request();
  }

  #paint(atMs: number): boolean {
    if (this.#blanked || !this.#paintAxial()) return false;
    this.#paintSides(atMs);
    return true;
  }

  #paintAxial(): boolean {
    const { focus, frameAt, engine, grid, settings } = this.#session;
    const frame = frameAt(focus.z);
    const pane = this.#panes.axial;
    if (!frame) {
      pane.blank();
      return false;
    }
    const shown = `${focus.z}`;
    if (this.#shown !== shown) {
      pane.raster.setPixels(frame);
      this.#dirty = { y0: 0, y1: grid.shapeZyx[1] - 1, x0: 0, x1: grid.shapeZyx[2] - 1 };
      this.#shown = shown;
      this.#imageStale = true;
    }
    const fusedOpacity = this.#refreshFused("axial");
    if (this.#imageStale) pane.paintImage(fusedOpacity);
    this.#imageStale = false;
    if (this.#dirty) pane.setMask(engine.mask.plane(focus.z), this.#colour, this.#dirty);
    this.#dirty = null;
    const whole = { y0: 0, y1: grid.shapeZyx[1] - 1, x0: 0, x1: grid.shapeZyx[2] - 1 };
    const fill = settings.maskHidden || engine.mask.count(focus.z) === 0 ? null : settings.fillOpacity;
    pane.paintAbove(fill === null ? null : { box: whole, opacity: fill }, (context, transform, ratio) => {
      this.#strokeOutlines(context, this.#axialLoops(), transform, ratio);
      this.#crosshair(context, "axial", transform, ratio);
      this.#drawPending(context, transform, ratio);
      this.#drawCursor(context, transform, ratio);
    });
    return true;
  }

  /** Makes the coloured layer of the axial plane if the slice has changed; returns its opacity. */
  #refreshFused(plane: PlaneName): number {
    const { fused } = this.#options;
    const { settings, focus, grid } = this.#session;
    const opacity = fused && settings.fusedShown ? settings.fusedOpacity : 0;
    const wanted = `${opacity}:${focus.z}`;
    if (!fused || this.#fusedShown === wanted) return opacity;
    this.#fusedShown = wanted;
    this.#imageStale = true;
    if (opacity > 0) this.#panes[plane].setFused(fusedPlane(fused, plane, focus, grid));
    return opacity;
  }

  #axialLoops(): readonly Loop[] {
    const { mask } = this.#session.engine;
    const z = this.#session.focus.z;
    const revision = mask.revision(z);
    const known = this.#loops.get(z);
    if (known?.revision === revision) return known.loops;
    const loops = loopsOfSlice(mask, z);
    this.#loops.set(z, { revision, loops });
    return loops;
  }

  #strokeOutlines(
    context: CanvasRenderingContext2D,
    loops: readonly Loop[],
    transform: DeviceTransform,
    ratio: number,
  ): void {
    const { maskHidden, outlineShown } = this.#session.settings;
    if (maskHidden || !outlineShown || loops.length === 0) return;
    strokeWithHalo(context, loopsPath(loops, transform), this.#options.style, ratio);
  }

  #crosshair(context: CanvasRenderingContext2D, plane: PlaneName, transform: DeviceTransform, ratio: number): void {
    const at = inPlane(plane, this.#session.focus, this.#session.grid);
    const x = Math.round((at.x + 0.5) * transform.scaleX + transform.left) + 0.5;
    const y = Math.round((at.y + 0.5) * transform.scaleY + transform.top) + 0.5;
    const { width, height } = context.canvas;
    const gap = plane === "axial" ? 24 * ratio : 0;
    context.strokeStyle = CROSSHAIR_COLOUR;
    context.lineWidth = ratio;
    context.beginPath();
    for (const [x0, y0, x1, y1] of [
      [0, y, x - gap, y],
      [x + gap, y, width, y],
      [x, 0, x, y - gap],
      [x, y + gap, x, height],
    ] as const) {
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
    }
    context.stroke();
  }

  #drawPending(context: CanvasRenderingContext2D, transform: DeviceTransform, ratio: number): void {
    const { pending, focus, hover, preview } = this.#session;
    if (!pending || pending.z !== focus.z) return;
    const path = new Path2D();
    const toHover = hover && pending.tool !== "freehand" ? [hover.x, hover.y] : [];
    if (pending.tool === "livewire") {
      addLine(path, [...pending.path, ...preview], transform, false);
    } else if (pending.tool === "spline" && pending.points.length >= 4) {
      addLine(path, closedSpline([...pending.points, ...toHover]), transform, true);
    } else addLine(path, [...pending.points, ...toHover], transform, false);
    strokeWithHalo(context, path, { ...this.#options.style, colour: PREVIEW_COLOUR }, ratio);
    if (pending.tool === "freehand") return;
    context.fillStyle = PREVIEW_COLOUR;
    for (let index = 0; index + 1 < pending.points.length; index += 2) {
      const x = ((pending.points[index] as number) + 0.5) * transform.scaleX + transform.left;
      const y = ((pending.points[index + 1] as number) + 0.5) * transform.scaleY + transform.top;
      context.fillRect(
        x - ANCHOR_CSS_PX * ratio,
        y - ANCHOR_CSS_PX * ratio,
        2 * ANCHOR_CSS_PX * ratio,
        2 * ANCHOR_CSS_PX * ratio,
      );
    }
  }

  /** The ring of the brush where the hand is, or a cross where the keyboard's cursor is. */
  #drawCursor(context: CanvasRenderingContext2D, transform: DeviceTransform, ratio: number): void {
    const { settings, hover, focus, grid } = this.#session;
    const at = this.#cursorByKeys ? focus : hover;
    if (!at || settings.tool === "window") return;
    const x = (at.x + 0.5) * transform.scaleX + transform.left;
    const y = (at.y + 0.5) * transform.scaleY + transform.top;
    const path = new Path2D();
    if (settings.tool in ROUND) {
      const radiusX = (settings.diameterMm / 2 / grid.spacingMmZyx[2]) * transform.scaleX;
      const radiusY = (settings.diameterMm / 2 / grid.spacingMmZyx[1]) * transform.scaleY;
      path.ellipse(x, y, radiusX, radiusY, 0, 0, 2 * Math.PI);
    }
    if (this.#cursorByKeys || !(settings.tool in ROUND)) {
      const arm = 6 * ratio;
      path.moveTo(x - arm, y);
      path.lineTo(x + arm, y);
      path.moveTo(x, y - arm);
      path.lineTo(x, y + arm);
    }
    strokeWithHalo(context, path, { colour: CURSOR_COLOUR, widthPx: 1, haloPx: 1 }, ratio);
  }

  #paintSides(atMs: number): void {
    if (this.#session.engine.drawing && atMs - this.#sideAtMs < SIDE_PLANES_EVERY_MS) {
      this.#request();
      return;
    }
    this.#sideAtMs = atMs;
    this.#paintSide("sagittal");
    this.#paintSide("coronal");
  }

  #paintSide(plane: "sagittal" | "coronal"): void {
    const { focus, grid, engine, settings, frameAt } = this.#session;
    const shown = JSON.stringify([
      focus,
      engine.log.length,
      engine.drawing ? this.#sideAtMs : 0,
      settings.maskHidden,
      settings.fillOpacity,
      settings.outlineShown,
    ]);
    if (this.#shownPlanes[plane] === shown) return;
    this.#shownPlanes[plane] = shown;
    const pane = this.#panes[plane];
    const pixels = imagePlane(plane, focus, grid, frameAt);
    if (pixels) pane.raster.setPixels(pixels);
    pane.paintImage(0);
    const mask = maskPlane(plane, focus, grid, engine.mask.data);
    const box = { y0: 0, y1: pane.grid.rows - 1, x0: 0, x1: pane.grid.columns - 1 };
    pane.setMask(mask, this.#colour, box);
    const fill = settings.maskHidden ? null : { box, opacity: settings.fillOpacity };
    pane.paintAbove(fill, (context, transform, ratio) => {
      this.#strokeOutlines(context, loopsOfPlane(mask, pane.grid.columns, box), transform, ratio);
      this.#crosshair(context, plane, transform, ratio);
    });
  }
}

/** Tools whose reach is a disc of the brush's size. */
const ROUND: Readonly<Partial<Record<string, true>>> = { brush: true, eraser: true, threshold: true, nudge: true };
