/** Ties the drawing to the reading: its viewport, its keys, its acts in the record. */
import { type RefObject, useEffect, useRef } from "react";
import { ContourViewport } from "@/viewer/contouring/contour-viewport";
import type { FusedSeries } from "@/viewer/contouring/fusion";
import { contourCommandOf, contourReleaseOf, isLooking, runCommand } from "@/viewer/contouring/keys";
import type { MaskStyle } from "@/viewer/contouring/layered-pane";
import type { PlaneName } from "@/viewer/contouring/planes";
import type { FrameAt } from "@/viewer/contouring/region-grow";
import { SliceStrip } from "@/viewer/contouring/slice-strip";
import { type FrameNumber, frameNumber } from "@/viewer/coordinates";
import { frameRun, type ReadingController } from "../controller";
import { canAnswer, clampVoi, frameTotal, type ReadingState, windowRange } from "../state";
import type { ViewerHandle } from "../use-viewer";
import type { Desk } from "./desk";
import { forgetDrawings } from "./kept-drawing";
import type { DrawingAction } from "./progress";

/** Hounsfield units per CSS pixel of a window drag, at the least and per unit of width. */
const UNITS_PER_PIXEL = 1;
const UNITS_PER_PIXEL_AND_WIDTH = 1 / 500;

export interface DrawingElements {
  readonly hosts: Readonly<Record<PlaneName, RefObject<HTMLDivElement | null>>>;
  readonly strip: RefObject<HTMLCanvasElement | null>;
}

export interface DrawingSpec {
  readonly desk: Desk | null;
  /** Whether the hand may draw now; if not, the drawing is only looked at. */
  readonly mayDraw: boolean;
  readonly style: MaskStyle;
  /** The second series, once its frames can be asked for; null without one. */
  fused(frameAt: (image: number) => FrameAt): FusedSeries | null;
}

function frameAtOf(controller: ReadingController, image: number): FrameAt {
  const of = controller.getState().presentation?.images[image];
  if (!of) return () => undefined;
  const run = frameRun(of);
  return (z) => controller.loader.ready(run, frameNumber(of.first_frame + z) as FrameNumber);
}

/** Tells the reading of every finished act and of every other slice. */
function follow(desk: Desk, controller: ReadingController): () => void {
  const { session } = desk;
  let told = session.engine.log.length;
  return session.subscribe(() => {
    const { log } = session.engine;
    if (log.length > told) {
      told = log.length;
      const last = log.at(-1);
      const z = last && "z" in last ? last.z : null;
      const action: DrawingAction = { type: "drew", tool: last?.tool ?? "", z, ...desk.state() };
      controller.task(action);
      void desk.keep();
    }
    if (controller.getState().frame !== session.focus.z) {
      controller.act({ type: "show_slice", frame: session.focus.z });
    }
  });
}

function viewportOf(
  spec: DrawingSpec & { desk: Desk },
  hosts: Readonly<Record<PlaneName, HTMLElement>>,
  controller: ReadingController,
): ContourViewport {
  const windowed = (dx: number, dy: number): void => {
    const { voi, presentation } = controller.getState();
    const perPixel = Math.max(UNITS_PER_PIXEL, voi.width * UNITS_PER_PIXEL_AND_WIDTH);
    const next = { width: voi.width + dx * perPixel, level: voi.level + dy * perPixel, invert: voi.invert };
    controller.act({ type: "drag_window", voi: clampVoi(next, windowRange(presentation)) });
  };
  return new ContourViewport({
    session: spec.desk.session,
    hosts,
    voi: controller.getState().voi,
    style: spec.style,
    fused: spec.fused((image) => frameAtOf(controller, image)),
    onWindow: windowed,
    onSettled: () => controller.act({ type: "set_window", voi: controller.getState().voi, by: "drag" }),
    onReset: () => controller.reset(),
  });
}

/** A focused control keeps the keys that work it. */
function belongsToControl({ target, key }: KeyboardEvent): boolean {
  if (target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLInputElement) return target.type !== "range" || key.startsWith("Arrow");
  if (target instanceof HTMLCanvasElement && target.tabIndex >= 0) return key.startsWith("Arrow");
  return target instanceof HTMLButtonElement && (key === "Enter" || key === " ");
}

function attachKeys(
  desk: Desk,
  viewport: ContourViewport,
  controller: ReadingController,
  mayDraw: () => boolean,
): () => void {
  const { session } = desk;
  const stop = new AbortController();
  const { signal } = stop;
  const down = (event: KeyboardEvent): void => {
    if (belongsToControl(event) || !canAnswer(controller.getState()) || event.key.toLowerCase() === "h") return;
    if (controller.getState().drawer === "reasons" && event.key === "Escape") return;
    const command = contourCommandOf(event);
    if (!command || !(mayDraw() || isLooking(command))) return;
    const ofShape = command.type === "close" || command.type === "cancel" || event.key === "Backspace";
    if (ofShape && !session.pending && !session.engine.drawing) return;
    event.preventDefault();
    if (command.type === "cursor" || command.type === "paint") viewport.cursorByKeys();
    runCommand(session, command, (factor) => viewport.zoomBy(factor));
  };
  const up = (event: KeyboardEvent): void => {
    const command = event.key.toLowerCase() === "h" ? null : contourReleaseOf(event.key);
    if (command && session.engine.drawing) runCommand(session, command);
    else if (command && session.pending?.tool === "freehand") runCommand(session, command);
  };
  // The frame's own listener came first and left the keys of an open shape alone.
  window.addEventListener("keydown", down, { signal });
  window.addEventListener("keyup", up, { signal });
  window.addEventListener("blur", () => session.up(), { signal });
  return () => stop.abort();
}

export function useDrawing(
  controller: ReadingController,
  state: ReadingState,
  spec: DrawingSpec,
  elements: DrawingElements,
): RefObject<ViewerHandle | null> {
  const viewportRef = useRef<ContourViewport | null>(null);
  const { presentation } = state;
  const { desk, mayDraw } = spec;
  const mayDrawNow = useRef(mayDraw);
  mayDrawNow.current = mayDraw;
  const complete = presentation !== null && state.framesLoaded >= frameTotal(presentation);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the elements are refs, the same for the screen's life
  useEffect(() => {
    const { axial, sagittal, coronal } = elements.hosts;
    if (!desk || !complete || !axial.current || !sagittal.current || !coronal.current) return;
    const hosts = { axial: axial.current, sagittal: sagittal.current, coronal: coronal.current };
    const ends: (() => void)[] = [];
    let over = false;
    const begin = async (): Promise<void> => {
      await desk.restore(frameAtOf(controller, 0));
      if (over) return;
      const viewport = viewportOf({ ...spec, desk }, hosts, controller);
      viewportRef.current = viewport;
      ends.push(
        () => viewport.destroy(),
        attachKeys(desk, viewport, controller, () => mayDrawNow.current),
      );
      if (elements.strip.current) {
        const strip = new SliceStrip(elements.strip.current, desk.session);
        ends.push(() => strip.destroy());
      }
      viewport.oncePresented((presentedAtMs) => {
        controller.painted(presentedAtMs);
        const restored: DrawingAction = { type: "restored", ...desk.state() };
        if (restored.acts > 0) controller.task(restored);
      });
      ends.push(follow(desk, controller));
    };
    begin().catch((error: unknown) => controller.displayFailed(error));
    return () => {
      over = true;
      for (const end of ends) end();
      viewportRef.current = null;
    };
  }, [desk, complete, controller]);

  const { voi, frame, outlinesHidden, stage } = state;
  const covered = state.helpOpen || stage === "paused";
  const watching = stage === "reading" && !covered;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new viewport must be told the present state too
  useEffect(() => {
    const viewport = viewportRef.current;
    if (!viewport || !desk) return;
    viewport.setVoi(voi);
    viewport.setBlanked(covered);
    if (desk.session.settings.maskHidden !== outlinesHidden) desk.session.set({ maskHidden: outlinesHidden });
  }, [voi, outlinesHidden, covered, complete, desk, stage]);

  useEffect(() => {
    if (!desk || mayDraw === (desk.session.settings.tool !== "window")) return;
    desk.session.set({ tool: mayDraw ? "brush" : "window" });
  }, [desk, mayDraw]);

  useEffect(() => {
    if (desk && desk.session.focus.z !== frame) desk.session.lookAt({ ...desk.session.focus, z: frame });
  }, [desk, frame]);

  useEffect(() => {
    if (stage === "left") void forgetDrawings();
  }, [stage]);

  useEffect(() => {
    if (!desk) return;
    const look = (): void => desk.session.setVisible(watching && document.visibilityState === "visible");
    look();
    document.addEventListener("visibilitychange", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      desk.session.setVisible(false);
    };
  }, [desk, watching]);

  return viewportRef;
}
