/** Ties the panes of a planar image to the reading's state: one pane per view. */
import { type RefObject, useEffect, useRef } from "react";
import type { Presentation } from "@/api/types";
import { type ScreenPoint, screenPoint } from "@/viewer/coordinates";
import { type HeatMap, type Mark, PlanarPanes } from "@/viewer/planar-panes";
import { attachPointerTools, type PointerHandlers } from "@/viewer/pointer-tools";
import { frameRun, type ReadingController } from "./controller";
import { frameTotal, type ReadingState, windowRange } from "./state";
import { dragWindow, pointerHandlers, type ViewerHandle } from "./use-viewer";

/** Share of the window's range that a drag of one CSS pixel moves. */
const RANGE_PER_PIXEL = 1 / 400;

export interface PlanarSpec {
  readonly canvases: readonly RefObject<HTMLCanvasElement | null>[];
  readonly heatShown: boolean;
  readonly heatOpacity: number;
  readonly marks: readonly Mark[];
  readonly cursor: { readonly frame: number; readonly x: number; readonly y: number } | null;
  readonly magnifier: boolean;
  /** Where given, a left press or drag goes here instead of to the window: the marking tool is in the hand. */
  onMark?(from: MarkPoint, to: MarkPoint): void;
}

export interface MarkPoint {
  readonly frame: number;
  readonly x: number;
  readonly y: number;
}

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function heatOf(presentation: Presentation): HeatMap | null {
  const map = presentation.aid?.heat_map;
  return map ? { ...map, levels: bytesOf(map.levels) } : null;
}

function handlersFor(panes: PlanarPanes, controller: ReadingController): PointerHandlers {
  let rest = { x: 0, y: 0 };
  return pointerHandlers(panes, controller, {
    window(dx, dy) {
      // Where one grey value is many pixels of drag, what is left over is kept for the next movement.
      rest = { x: rest.x + dx, y: rest.y + dy };
      const { voi: before, presentation } = controller.getState();
      const perPixel = Math.max(0.05, windowRange(presentation).widest * RANGE_PER_PIXEL);
      dragWindow(controller, rest.x, rest.y, perPixel);
      const after = controller.getState().voi;
      if (after.width !== before.width) rest.x = 0;
      if (after.level !== before.level) rest.y = 0;
    },
    settled() {
      rest = { x: 0, y: 0 };
    },
  });
}

function pointIn(element: HTMLElement, event: MouseEvent): ScreenPoint {
  const box = element.getBoundingClientRect();
  return screenPoint(event.clientX - box.left, event.clientY - box.top);
}

/** The marking tool and the magnifier; they see the pointer before the window tools do. */
function attachMarking(
  element: HTMLCanvasElement,
  pane: number,
  panes: PlanarPanes,
  spec: RefObject<PlanarSpec>,
): () => void {
  const stop = new AbortController();
  const { signal } = stop;
  let from: MarkPoint | null = null;
  element.addEventListener(
    "pointerdown",
    (event) => {
      if (!spec.current.onMark || event.button !== 0 || event.shiftKey) return;
      event.stopImmediatePropagation();
      element.setPointerCapture(event.pointerId);
      from = panes.imageAt(pane, pointIn(element, event));
    },
    { signal, capture: true },
  );
  element.addEventListener(
    "pointerup",
    (event) => {
      if (!from) return;
      event.stopImmediatePropagation();
      spec.current.onMark?.(from, panes.imageAt(pane, pointIn(element, event)));
      from = null;
    },
    { signal, capture: true },
  );
  element.addEventListener(
    "pointermove",
    (event) => {
      if (spec.current.magnifier) panes.setMagnifier({ pane, at: pointIn(element, event) });
    },
    { signal },
  );
  element.addEventListener("pointerleave", () => panes.setMagnifier(null), { signal });
  return () => stop.abort();
}

export function usePlanarViewer(
  controller: ReadingController,
  state: ReadingState,
  spec: PlanarSpec,
): RefObject<ViewerHandle | null> {
  const panesRef = useRef<PlanarPanes | null>(null);
  const latest = useRef(spec);
  latest.current = spec;
  const handle = useRef<ViewerHandle | null>({
    resetView: () => panesRef.current?.resetView(),
    zoom: (factor) => panesRef.current?.zoomMiddle(factor),
    pan: (dx, dy) => panesRef.current?.pan(dx, dy),
  });
  const { presentation } = state;
  const complete = presentation !== null && state.framesLoaded >= frameTotal(presentation);
  const address = presentation?.images[0]?.frames ?? "";

  // The panes live as long as the image does: the second half of a sequential pair keeps zoom, pan and picture.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the address stands for the presentation's image
  useEffect(() => {
    const image = controller.getState().presentation?.images[0];
    if (!image || !complete) return;
    const elements = latest.current.canvases.flatMap((ref) => (ref.current ? [ref.current] : []));
    let panes: PlanarPanes;
    try {
      panes = new PlanarPanes({
        canvases: elements,
        run: frameRun(image),
        loader: controller.loader,
        voi: controller.getState().voi,
      });
    } catch (error) {
      controller.displayFailed(error);
      return;
    }
    const made = panes;
    const detach = elements.flatMap((element, pane) => [
      attachMarking(element, pane, made, latest),
      attachPointerTools(element, handlersFor(made, controller)),
    ]);
    panesRef.current = made;
    return () => {
      for (const off of detach) off();
      made.destroy();
      panesRef.current = null;
    };
  }, [address, complete, controller]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: with the images, the new presentation's aid is on the screen
  useEffect(() => {
    const panes = panesRef.current;
    if (!presentation || !complete || !panes) return;
    panes.setHeat(heatOf(presentation));
    panes.oncePresented((presentedAtMs) => controller.painted(presentedAtMs));
  }, [presentation, complete, controller, address]);

  const { voi } = state;
  const covered = state.helpOpen || state.stage === "paused";
  const { heatShown, heatOpacity, marks, cursor, magnifier } = spec;
  // biome-ignore lint/correctness/useExhaustiveDependencies: new panes must be told the present state too
  useEffect(() => {
    const panes = panesRef.current;
    if (!panes) return;
    panes.setVoi(voi);
    panes.setHeatShown(heatShown, heatOpacity);
    panes.setMarks(marks, cursor as never);
    if (!magnifier) panes.setMagnifier(null);
    else if (cursor) panes.setMagnifier(panes.screenAt(cursor as never));
    panes.setBlanked(covered);
  }, [voi, heatShown, heatOpacity, marks, cursor, magnifier, covered, complete, presentation]);

  return handle;
}
