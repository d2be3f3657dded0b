/** Ties the linked panes of the viewer to the reading's state. */
import { type RefObject, useEffect, useRef } from "react";
import { frameNumber } from "@/viewer/coordinates";
import { LinkedPanes } from "@/viewer/linked-panes";
import type { Outlines } from "@/viewer/outlines";
import type { OutlineStyle } from "@/viewer/pane";
import { attachPointerTools, type PointerHandlers } from "@/viewer/pointer-tools";
import { frameRun, type ReadingController } from "./controller";
import { clampVoi, frameTotal, type ReadingState, windowRange } from "./state";

/** Hounsfield units per CSS pixel of a window drag, at the least and per unit of width. */
const UNITS_PER_PIXEL = 1;
const UNITS_PER_PIXEL_AND_WIDTH = 1 / 500;

/** What a task draws on panes that always show the same frame. */
export interface PanesSpec {
  readonly canvases: readonly RefObject<HTMLCanvasElement | null>[];
  readonly style?: OutlineStyle | undefined;
  /** The outlines of each pane; asked when a reading begins. */
  overlays(): readonly Outlines[];
}

const PLAIN: OutlineStyle = { colour: "#FFFFFF", widthPx: 1, haloPx: 0 };

function makePanes(canvases: HTMLCanvasElement[], spec: PanesSpec, controller: ReadingController): LinkedPanes | null {
  const { presentation, voi } = controller.getState();
  const image = presentation?.images[0];
  if (!image) return null;
  const panes = new LinkedPanes({
    canvases,
    run: frameRun(image),
    loader: controller.loader,
    voi,
    style: spec.style ?? PLAIN,
  });
  spec.overlays().forEach((outlines, index) => {
    panes.setOverlay(index, outlines);
  });
  return panes;
}

function panesOrNull(
  canvases: HTMLCanvasElement[],
  spec: PanesSpec,
  controller: ReadingController,
): LinkedPanes | null {
  try {
    return makePanes(canvases, spec, controller);
  } catch (error) {
    controller.displayFailed(error);
    return null;
  }
}

/** What differs between viewers: how far a drag moves the window, and what the wheel does. */
export interface OwnHandlers {
  window(dx: number, dy: number): void;
  settled?(): void;
  scroll?(frames: number): void;
}

/** What the pointer does to panes and reading; a window or a view is told once, when the hand has come to rest. */
export function pointerHandlers(
  panes: Pick<LinkedPanes, "pan" | "zoom" | "resetView" | "view">,
  controller: ReadingController,
  own: OwnHandlers,
): PointerHandlers {
  let changed: "window" | "view" | null = null;
  return {
    onWindow(dx, dy) {
      own.window(dx, dy);
      changed = "window";
    },
    onPan(dx, dy) {
      panes.pan(dx, dy);
      changed = "view";
    },
    onZoom(factor, at) {
      panes.zoom(factor, at);
      changed = "view";
    },
    onScroll: (frames) => own.scroll?.(frames),
    onReset() {
      panes.resetView();
      controller.reset();
    },
    onSettled() {
      own.settled?.();
      if (changed === "window") controller.act({ type: "set_window", voi: controller.getState().voi, by: "drag" });
      if (changed === "view") controller.act({ type: "zoomed", zoom: panes.view.zoom });
      changed = null;
    },
  };
}

/** Moves the window by a drag: width across, level down. */
export function dragWindow(controller: ReadingController, dx: number, dy: number, unitsPerPixel: number): void {
  const { voi, presentation } = controller.getState();
  const next = { width: voi.width + dx * unitsPerPixel, level: voi.level + dy * unitsPerPixel, invert: voi.invert };
  controller.act({ type: "drag_window", voi: clampVoi(next, windowRange(presentation)) });
}

function handlersFor(panes: LinkedPanes, controller: ReadingController): PointerHandlers {
  return pointerHandlers(panes, controller, {
    window(dx, dy) {
      const { width } = controller.getState().voi;
      dragWindow(controller, dx, dy, Math.max(UNITS_PER_PIXEL, width * UNITS_PER_PIXEL_AND_WIDTH));
    },
    scroll: (frames) => controller.scroll(frames),
  });
}

/** What keys may do to a viewer. */
export interface ViewerHandle {
  resetView(): void;
  zoom?(factor: number): void;
  pan?(dx: number, dy: number): void;
}

export function useViewer(
  controller: ReadingController,
  state: ReadingState,
  spec: PanesSpec,
): RefObject<ViewerHandle | null> {
  const panesRef = useRef<LinkedPanes | null>(null);
  const handle = useRef<ViewerHandle | null>({
    resetView: () => panesRef.current?.resetView(),
    zoom: (factor) => panesRef.current?.zoomMiddle(factor),
    pan: (dx, dy) => panesRef.current?.pan(dx, dy),
  });
  const { presentation } = state;
  const complete = presentation !== null && state.framesLoaded >= frameTotal(presentation);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the canvases are refs, the same for the screen's life
  useEffect(() => {
    if (!presentation || !complete) return;
    const elements = spec.canvases.flatMap((ref) => (ref.current ? [ref.current] : []));
    const panes = panesOrNull(elements, spec, controller);
    if (!panes) return;
    const detach = elements.map((element) => attachPointerTools(element, handlersFor(panes, controller)));
    panesRef.current = panes;
    panes.oncePresented((presentedAtMs) => controller.painted(presentedAtMs));
    return () => {
      for (const off of detach) off();
      panes.destroy();
      panesRef.current = null;
    };
  }, [presentation, complete, controller]);

  const { voi, frame, outlinesHidden } = state;
  const covered = state.helpOpen || state.stage === "paused";
  // biome-ignore lint/correctness/useExhaustiveDependencies: new panes must be told the present state too
  useEffect(() => {
    const panes = panesRef.current;
    if (!panes) return;
    panes.setVoi(voi);
    if (panes.frame !== frame) panes.show(frameNumber(frame));
    panes.setOverlayVisible(!outlinesHidden);
    panes.setBlanked(covered);
  }, [voi, frame, outlinesHidden, covered, complete, presentation]);

  return handle;
}
