/** The drawing beside its tools: the planes of the volume, the strip of its slices, what is shown of the drawing's size. */
import { type ReactNode, type RefObject, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { components } from "@/api/schema";
import { contouringMessages as text } from "@/lib/messages-contouring";
import type { FusedSeries } from "@/viewer/contouring/fusion";
import type { ContourSession } from "@/viewer/contouring/session";
import frame from "../reading.module.css";
import { canAnswer } from "../state";
import type { TaskScreenProps } from "../tasks/task";
import { useKeyboard } from "../use-keyboard";
import type { ViewerHandle } from "../use-viewer";
import { type Desk, volumeGrid } from "./desk";
import css from "./drawing.module.css";
import type { DrawingAction, Drawn } from "./progress";
import { ToolRail } from "./rail";
import { ToolSettings } from "./tool-settings";
import { useDrawing } from "./use-drawing";

/** What every volume's screen is sent. */
export type VolumeSetup = Pick<
  components["schemas"]["ContouringSetup"],
  "grids" | "style" | "fused" | "show_volume" | "show_clock"
>;

const PLAIN = { colour: "#FFD60A", widthPx: 2, haloPx: 1 };

function fusedSeries(setup: VolumeSetup, frameAt: (image: number) => FusedSeries["frameAt"]): FusedSeries | null {
  const { grids, fused } = setup;
  const grid = grids[1];
  if (!grid || !fused) return null;
  return { grid: volumeGrid(grid), frameAt: frameAt(1), low: fused.lowest, high: fused.highest };
}

/** Renders with every change of the drawing. */
export function useSession(session: ContourSession): void {
  useSyncExternalStore(session.subscribe, session.revision);
}

export interface Work {
  /** The images with everything beside them. */
  readonly images: ReactNode;
  readonly viewer: RefObject<ViewerHandle | null>;
}

/** The work on one volume. `aside` stands below the side planes. */
export function useWork(
  { state, controller, children }: TaskScreenProps,
  setup: VolumeSetup | null,
  { mayDraw, aside = null }: { mayDraw: boolean; aside?: ReactNode },
): Work {
  const { presentation } = state;
  const desk = (state.value as Drawn | null)?.desk ?? null;
  const hosts = {
    axial: useRef<HTMLDivElement>(null),
    sagittal: useRef<HTMLDivElement>(null),
    coronal: useRef<HTMLDivElement>(null),
  };
  const strip = useRef<HTMLCanvasElement>(null);
  const spec = {
    desk,
    mayDraw,
    style: setup ? { colour: setup.style.colour, widthPx: setup.style.width_px, haloPx: setup.style.halo_px } : PLAIN,
    fused: (frameAt: (image: number) => FusedSeries["frameAt"]) => setup && fusedSeries(setup, frameAt),
  };
  const viewer = useDrawing(controller, state, spec, { hosts, strip });
  useKeyboard(controller, viewer);
  const image = presentation?.images[0];
  const images = (
    <main className={css.work}>
      {desk && <ToolRail session={desk.session} disabled={!canAnswer(state) || !mayDraw} />}
      <div
        ref={hosts.axial}
        className={`${css.pane} ${css.axial}`}
        role="img"
        aria-label={text.axial}
        data-tool={desk?.session.settings.tool}
      >
        {image && <div className={css.note}>{text.slice(state.frame - image.first_frame + 1, image.frame_count)}</div>}
      </div>
      <div className={css.side}>
        <div ref={hosts.sagittal} className={css.pane} role="img" aria-label={text.sagittal} />
        <div ref={hosts.coronal} className={css.pane} role="img" aria-label={text.coronal} />
        {aside}
      </div>
      <canvas ref={strip} className={css.strip} role="img" aria-label={text.strip} />
      {children}
    </main>
  );
  return { images, viewer };
}

/** The tool in hand and its settings, volume, longest diameter and time, as far as the protocol shows them. */
export function Hand(props: { desk: Desk; setup: VolumeSetup; disabled: boolean; mayDraw: boolean }) {
  const { desk, setup, disabled, mayDraw } = props;
  return (
    <>
      {mayDraw && <ToolSettings session={desk.session} disabled={disabled} fused={setup.fused !== null} />}
      <Measures desk={desk} showVolume={setup.show_volume} showClock={setup.show_clock} />
    </>
  );
}

function Measures(props: { desk: Desk; showVolume: boolean; showClock: boolean }) {
  const { desk, showVolume, showClock } = props;
  useSession(desk.session);
  const [, tick] = useState(0);
  useEffect(() => {
    if (!showClock) return;
    const timer = setInterval(() => tick((n) => n + 1), 1000);
    return () => clearInterval(timer);
  }, [showClock]);
  const { engine } = desk.session;
  const seconds = Math.floor(desk.now() / 1000);
  return (
    <span className={css.measures}>
      {showVolume && !engine.drawing && text.measures(engine.mask.volumeMl, engine.longestDiameter?.lengthMm ?? null)}
      {showClock && ` ${text.clock(Math.floor(seconds / 60), seconds % 60)}`}
    </span>
  );
}

/** Whether the gaps are to be asked about now. */
export const asksGaps = (value: Drawn | null): boolean => value?.asked === true && value.gaps.length > 0;

export function Gaps({ state, controller }: TaskScreenProps) {
  const { desk, gaps } = state.value as Drawn;
  const back: DrawingAction = { type: "ask_gaps", on: false };
  return (
    <div className={frame.row} role="alert">
      <span className={frame.notice}>{text.gaps(gaps.map((z) => z + 1))}</span>
      <button
        type="button"
        className={frame.tool}
        onClick={(event) => {
          controller.task(back, event.nativeEvent);
          desk.session.lookAt({ ...desk.session.focus, z: gaps[0] ?? 0 });
        }}
      >
        {text.goTo}
      </button>
      <button type="button" className={frame.tool} onClick={() => desk.session.interpolate()}>
        {text.interpolate} <span className={frame.key}>N</span>
      </button>
      <button type="button" className={frame.tool} onClick={(event) => controller.submit(event.nativeEvent)}>
        {text.finishAnyway} <span className={frame.key}>Enter</span>
      </button>
    </div>
  );
}
