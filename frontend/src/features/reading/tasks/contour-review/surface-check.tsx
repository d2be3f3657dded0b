/** The contour's surface, turning beside the slices until it is touched; no graphics card is needed. */
import { useEffect, useRef } from "react";
import { reviewMessages as text } from "@/lib/messages-contouring";
import { surfaceOf } from "@/viewer/surface/surface-nets";
import { SurfaceView } from "@/viewer/surface/surface-view";
import type { Desk } from "../../drawing/desk";
import css from "./review.module.css";

/** After the last act, so that the hand is not held up. */
const REDRAW_AFTER_MS = 200;

export function SurfaceCheck({ desk, turning }: { desk: Desk; turning: boolean }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<SurfaceView | null>(null);
  useEffect(() => {
    if (!canvas.current) return;
    const { session } = desk;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const surface = new SurfaceView({ canvas: canvas.current, spinning: !calm });
    view.current = surface;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let acts = -1;
    const follow = (): void => {
      const { engine, focus, grid } = session;
      surface.setSlice(focus.z * grid.spacingMmZyx[0]);
      if (engine.drawing || acts === engine.log.length) return;
      const first = acts === -1;
      acts = engine.log.length;
      clearTimeout(timer);
      timer = setTimeout(() => surface.setMesh(surfaceOf(engine.mask.data, grid)), first ? 0 : REDRAW_AFTER_MS);
    };
    follow();
    const off = session.subscribe(follow);
    return () => {
      off();
      clearTimeout(timer);
      surface.destroy();
      view.current = null;
    };
  }, [desk]);
  useEffect(() => {
    if (!turning) view.current?.turnBy(0, 0);
  }, [turning]);
  return <canvas ref={canvas} className={css.surface} role="img" tabIndex={0} aria-label={text.surface} />;
}
