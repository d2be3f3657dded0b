/** Panes of one image with one zoom and pan, painted together in one animation frame. */
import { type ImageGrid, type ScreenPoint, screenPoint } from "./coordinates";
import { PaintLoop } from "./paint-loop";
import type { PaneCanvas } from "./pane-canvas";
import { panned, type View, wholeImage, zoomedAt } from "./transform";

export abstract class PaneGroup<P extends PaneCanvas> {
  protected readonly panes: readonly P[];
  readonly #grid: ImageGrid;
  readonly #loop = new PaintLoop(() => this.#paint());
  readonly #resize: ResizeObserver;
  readonly #repaint = (): void => this.request();
  #view: View;
  #blanked = false;

  constructor(panes: readonly P[], grid: ImageGrid) {
    this.panes = panes;
    this.#grid = grid;
    this.#view = wholeImage(grid);
    this.#resize = new ResizeObserver(this.#repaint);
    for (const pane of panes) {
      this.#resize.observe(pane.canvas);
      pane.blank();
    }
    window.addEventListener("resize", this.#repaint);
  }

  get view(): View {
    return this.#view;
  }

  /** Blanked panes show nothing of the case. */
  setBlanked(blanked: boolean): void {
    this.#blanked = blanked;
    if (blanked) this.#blankAll();
    this.request();
  }

  pan(dx: number, dy: number): void {
    const size = this.panes[0]?.size();
    if (size) this.#view = panned(this.#view, this.#grid, size, dx, dy);
    this.request();
  }

  zoom(factor: number, at: ScreenPoint): void {
    const size = this.panes[0]?.size();
    if (size) this.#view = zoomedAt(this.#view, this.#grid, size, factor, at);
    this.request();
  }

  /** Zooms about the middle of the panes: by key. */
  zoomMiddle(factor: number): void {
    const size = this.panes[0]?.size();
    if (size) this.zoom(factor, screenPoint(size.width / 2, size.height / 2));
  }

  resetView(): void {
    this.#view = wholeImage(this.#grid);
    this.request();
  }

  /** Calls back once, when a complete picture has been on the screen; see PaintLoop. */
  oncePresented(callback: (presentedAtMs: number) => void): void {
    this.#loop.oncePresented(callback);
  }

  destroy(): void {
    this.#resize.disconnect();
    window.removeEventListener("resize", this.#repaint);
    this.#loop.stop();
    this.#blankAll();
  }

  protected request(): void {
    this.#loop.request();
  }

  /** Paints every pane; or none, and says so, where a frame is not there yet. */
  protected abstract paintPanes(): boolean;

  #paint(): boolean {
    if (!this.#blanked && this.paintPanes()) return true;
    this.#blankAll();
    return false;
  }

  #blankAll(): void {
    for (const pane of this.panes) pane.blank();
  }
}
