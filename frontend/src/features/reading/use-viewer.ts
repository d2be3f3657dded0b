/** Ties the linked panes of the viewer to the reading's state. */
import { type RefObject, useEffect, useRef } from "react";
import type { Presentation } from "@/api/types";
import { frameNumber } from "@/viewer/coordinates";
import { LinkedPanes } from "@/viewer/linked-panes";
import { decodeOutlines } from "@/viewer/outlines";
import { attachPointerTools, type PointerHandlers } from "@/viewer/pointer-tools";
import { frameRun, type ReadingController } from "./controller";
import { clampVoi, type ReadingState } from "./state";

/** Hounsfield units per CSS pixel of a window drag, at the least and per unit of width. */
const UNITS_PER_PIXEL = 1;
const UNITS_PER_PIXEL_AND_WIDTH = 1 / 500;

function makePanes(
  canvases: HTMLCanvasElement[],
  presentation: Presentation,
  controller: ReadingController,
): LinkedPanes {
  const panes = new LinkedPanes({
    canvases,
    run: frameRun(presentation),
    loader: controller.loader,
    voi: controller.getState().voi,
    style: {
      colour: presentation.style.colour,
      widthPx: presentation.style.width_px,
      haloPx: presentation.style.halo_px,
    },
  });
  presentation.panes.forEach((pane, index) => {
    panes.setOverlay(index, decodeOutlines(pane.outlines));
  });
  return panes;
}

function panesOrNull(
  canvases: HTMLCanvasElement[],
  presentation: Presentation,
  controller: ReadingController,
): LinkedPanes | null {
  try {
    return makePanes(canvases, presentation, controller);
  } catch (error) {
    controller.displayFailed(error);
    return null;
  }
}

function handlersFor(panes: LinkedPanes, controller: ReadingController): PointerHandlers {
  let changed: "window" | "view" | null = null;
  return {
    onWindow(dx, dy) {
      const { voi } = controller.getState();
      const perPixel = Math.max(UNITS_PER_PIXEL, voi.width * UNITS_PER_PIXEL_AND_WIDTH);
      const next = { width: voi.width + dx * perPixel, level: voi.level + dy * perPixel, invert: voi.invert };
      controller.act({ type: "drag_window", voi: clampVoi(next) });
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
    onScroll: (frames) => controller.scroll(frames),
    onReset() {
      panes.resetView();
      controller.reset();
    },
    onSettled() {
      if (changed === "window") controller.act({ type: "set_window", voi: controller.getState().voi, by: "drag" });
      if (changed === "view") controller.act({ type: "zoomed", zoom: panes.view.zoom });
      changed = null;
    },
  };
}

export interface ViewerHandle {
  resetView(): void;
}

export function useViewer(
  controller: ReadingController,
  state: ReadingState,
  canvases: RefObject<HTMLCanvasElement | null>[],
): RefObject<ViewerHandle | null> {
  const panesRef = useRef<LinkedPanes | null>(null);
  const { presentation } = state;
  const complete = presentation !== null && state.framesLoaded === presentation.image.frame_count;

  // biome-ignore lint/correctness/useExhaustiveDependencies: the canvases are refs, the same for the screen's life
  useEffect(() => {
    if (!presentation || !complete) return;
    const elements = canvases.flatMap((ref) => (ref.current ? [ref.current] : []));
    const panes = panesOrNull(elements, presentation, controller);
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

  return panesRef;
}
