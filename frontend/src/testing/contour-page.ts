/**
 * A page with nothing but the contouring engine on a phantom: for browser checks and benchmarks. The address gives the
 * volume: `?slices=130&rows=512&columns=512&fused=1`.
 */
import { ContourViewport } from "@/viewer/contouring/contour-viewport";
import { contourCommandOf, contourReleaseOf, runCommand } from "@/viewer/contouring/keys";
import { encodeMask, toBase64 } from "@/viewer/contouring/mask-format";
import { ContourSession } from "@/viewer/contouring/session";
import { SliceStrip } from "@/viewer/contouring/slice-strip";
import { IDENTITY_DIRECTION, type VolumeGrid } from "@/viewer/contouring/volume-grid";
import { surfaceOf } from "@/viewer/surface/surface-nets";
import { SurfaceView } from "@/viewer/surface/surface-view";

const asked = new URLSearchParams(location.search);
const number = (name: string, otherwise: number): number => Number(asked.get(name) ?? otherwise);
const shape = [number("slices", 130), number("rows", 512), number("columns", 512)] as const;

/** A chest with a lobed lesion in the middle slices and grain that is the same on every machine. */
function phantom([slices, rows, columns]: typeof shape): Int16Array[] {
  let noise = 1;
  return Array.from({ length: slices }, (_, z) => {
    const frame = new Int16Array(rows * columns);
    const away = (z - slices / 2) / (slices / 6);
    const radius = (Math.sqrt(Math.max(0, 1 - away * away)) * columns) / 12;
    for (let at = 0; at < frame.length; at += 1) {
      noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0;
      const x = (at % columns) - columns / 2;
      const y = Math.floor(at / columns) - rows / 2;
      const body = (x / (0.43 * columns)) ** 2 + (y / (0.33 * rows)) ** 2 < 1;
      const lung = ((Math.abs(x) - 0.2 * columns) / (0.15 * columns)) ** 2 + (y / (0.22 * rows)) ** 2 < 1;
      const angle = Math.atan2(y, x - 0.2 * columns);
      const lesion = Math.hypot(x - 0.2 * columns, y) < radius * (1 + 0.12 * Math.sin(5 * angle));
      const value = lesion ? 40 : lung ? -820 : body ? 50 : -1000;
      frame[at] = value + ((noise >>> 16) % 61) - 30;
    }
    return frame;
  });
}

const grid: VolumeGrid = {
  shapeZyx: shape,
  spacingMmZyx: [3, 0.8, 0.8],
  originMmXyz: [0, 0, 0],
  direction: IDENTITY_DIRECTION,
};
const frames = phantom(shape);
const session = new ContourSession({
  grid,
  frameAt: (z) => frames[z],
  now: () => performance.now(),
  focus: { x: Math.round(0.7 * shape[2]), y: shape[1] >> 1, z: shape[0] >> 1 },
});
const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

/** A coarse second series, warm where the lesion is. */
function secondSeries() {
  const size = [Math.max(2, Math.round((shape[0] * 3) / 5)), 100, 100] as const;
  const spacing = [5, (shape[1] * 0.8) / 100, (shape[2] * 0.8) / 100] as const;
  const slices = Array.from({ length: size[0] }, (_, z) =>
    Int16Array.from({ length: 1e4 }, (_, at) => {
      const mm = [(at % 100) * spacing[2], Math.floor(at / 100) * spacing[1], z * 5] as const;
      const away = Math.hypot(mm[0] - 0.7 * shape[2] * 0.8, mm[1] - 0.4 * shape[1], mm[2] - shape[0] * 1.5);
      return Math.round(1000 * Math.exp(-((away / 30) ** 2)));
    }),
  );
  return {
    grid: { shapeZyx: size, spacingMmZyx: spacing, originMmXyz: [0, 0, 0], direction: IDENTITY_DIRECTION },
    frameAt: (z: number) => slices[z],
    low: 100,
    high: 1000,
  } as const;
}

let voi = { width: 400, level: 40, invert: false };
const viewport = new ContourViewport({
  session,
  hosts: { axial: element("axial"), sagittal: element("sagittal"), coronal: element("coronal") },
  voi,
  style: { colour: "#FFD60A", widthPx: 2, haloPx: 1 },
  fused: asked.has("fused") ? secondSeries() : null,
  onWindow(dx, dy) {
    voi = { ...voi, width: Math.max(1, voi.width + dx), level: voi.level + dy };
    viewport.setVoi(voi);
  },
});
new SliceStrip(element<HTMLCanvasElement>("strip"), session);
const surface = new SurfaceView({ canvas: element<HTMLCanvasElement>("surface"), spinning: false });

window.addEventListener("keydown", (event) => {
  const command = contourCommandOf(event);
  if (!command) return;
  event.preventDefault();
  viewport.cursorByKeys();
  runCommand(session, command, (factor) => viewport.zoomBy(factor));
});
window.addEventListener("keyup", (event) => {
  const command = contourReleaseOf(event.key);
  if (command) runCommand(session, command);
});

/** What the checks and the benchmark take hold of. */
const page = {
  session,
  viewport,
  surface,
  surfaceOf: () => surfaceOf(session.engine.mask.data, grid),
  maskBase64: () => toBase64(encodeMask(session.engine.mask)),
  /** CSS pixels in the window of an image point of the axial pane. */
  onScreen(x: number, y: number) {
    const host = element("axial");
    const box = host.getBoundingClientRect();
    const size = { width: box.width, height: box.height };
    const scale = Math.min(size.width / (shape[2] * 0.8), size.height / (shape[1] * 0.8)) * 0.8;
    return {
      x: box.left + size.width / 2 + (x - (shape[2] - 1) / 2) * scale,
      y: box.top + size.height / 2 + (y - (shape[1] - 1) / 2) * scale,
    };
  },
};
Object.assign(window, { contouring: page });
viewport.oncePresented(() => document.body.setAttribute("data-ready", "true"));
