/** What a key means while contouring. Pure: `runCommand` acts on it. */
import type { ContourSession, ToolName } from "./session";

export type ContourCommand =
  | { readonly type: "tool"; readonly tool: ToolName }
  | { readonly type: "mode" }
  | { readonly type: "size"; readonly steps: number }
  | { readonly type: "undo" | "redo" | "interpolate" | "smooth" | "erase_slice" | "close" | "cancel" | "grow_3d" }
  | { readonly type: "fill_holes"; readonly everySlice: boolean }
  | { readonly type: "copy"; readonly step: 1 | -1 }
  | { readonly type: "cursor"; readonly dx: number; readonly dy: number }
  | { readonly type: "scroll"; readonly slices: number }
  | { readonly type: "paint"; readonly on: boolean }
  | { readonly type: "hide_mask"; readonly on: boolean }
  | { readonly type: "zoom"; readonly factor: number }
  | { readonly type: "fused" }
  | { readonly type: "fused_opacity"; readonly steps: number };

export interface ContourKey {
  readonly key: string;
  readonly repeat: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

/** Keys of the tool rail, as UX has them; the rest of the alphabet in the same spirit. */
export const TOOL_KEYS: Readonly<Record<ToolName, string>> = {
  brush: "B",
  eraser: "E",
  threshold: "T",
  freehand: "F",
  polygon: "P",
  spline: "S",
  livewire: "L",
  grow: "G",
  nudge: "U",
  window: "W",
};

const TOOL_OF_KEY = new Map(Object.entries(TOOL_KEYS).map(([tool, key]) => [key.toLowerCase(), tool as ToolName]));
/** Pixels that an arrow moves the cursor, with and without shift. */
const LONG_STEP = 10;
const OPACITY_STEP = 0.1;
const ZOOM_STEP = 1.25;

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const PLAIN: Readonly<Record<string, ContourCommand>> = {
  "[": { type: "size", steps: -1 },
  "]": { type: "size", steps: 1 },
  "{": { type: "fused_opacity", steps: -1 },
  "}": { type: "fused_opacity", steps: 1 },
  "+": { type: "zoom", factor: ZOOM_STEP },
  "=": { type: "zoom", factor: ZOOM_STEP },
  "-": { type: "zoom", factor: 1 / ZOOM_STEP },
  pageup: { type: "scroll", slices: -1 },
  pagedown: { type: "scroll", slices: 1 },
};

/** Keys that do not repeat while they are held. */
const ONCE: Readonly<Record<string, ContourCommand>> = {
  a: { type: "mode" },
  n: { type: "interpolate" },
  m: { type: "smooth" },
  v: { type: "grow_3d" },
  o: { type: "fused" },
  h: { type: "hide_mask", on: true },
  " ": { type: "paint", on: true },
  enter: { type: "close" },
  escape: { type: "cancel" },
  backspace: { type: "undo" },
  delete: { type: "erase_slice" },
};

const LOOKING: readonly ContourCommand["type"][] = ["cursor", "scroll", "zoom", "fused", "fused_opacity"];

/** Whether a command only looks at the drawing. */
export const isLooking = ({ type }: ContourCommand): boolean => LOOKING.includes(type);

function historyCommand(press: ContourKey): ContourCommand | null {
  const key = press.key.toLowerCase();
  if (key === "z") return { type: press.shiftKey ? "redo" : "undo" };
  return key === "y" ? { type: "redo" } : null;
}

export function contourCommandOf(press: ContourKey): ContourCommand | null {
  if (press.ctrlKey || press.metaKey) return historyCommand(press);
  if (press.altKey) return null;
  const arrow = ARROWS[press.key];
  if (arrow) {
    const step = press.shiftKey ? LONG_STEP : 1;
    return { type: "cursor", dx: arrow[0] * step, dy: arrow[1] * step };
  }
  const key = press.key.toLowerCase();
  const plain = PLAIN[key];
  if (plain || press.repeat) return plain ?? null;
  const tool = TOOL_OF_KEY.get(key);
  if (tool) return { type: "tool", tool };
  if (key === "k") return { type: "fill_holes", everySlice: press.shiftKey };
  if (key === "d") return { type: "copy", step: press.shiftKey ? -1 : 1 };
  return ONCE[key] ?? null;
}

/** What letting a key go means. */
export function contourReleaseOf(key: string): ContourCommand | null {
  if (key === " ") return { type: "paint", on: false };
  return key.toLowerCase() === "h" ? { type: "hide_mask", on: false } : null;
}

const flip = (session: ContourSession): void =>
  session.set({ mode: session.settings.mode === "add" ? "subtract" : "add" });

/** Moves the keyboard's cursor, and draws with it while the space bar is held. */
function moveCursor(session: ContourSession, dx: number, dy: number): void {
  const { focus } = session;
  session.lookAt({ x: focus.x + dx, y: focus.y + dy, z: focus.z });
  const { x, y } = session.focus;
  session.move([x, y]);
}

function paint(session: ContourSession, on: boolean): void {
  const { x, y } = session.focus;
  if (on) session.down(x, y, 1);
  else session.up();
}

/** Does what a command says; `zoomBy` zooms the axial pane to the cursor. */
export function runCommand(
  session: ContourSession,
  command: ContourCommand,
  zoomBy: (factor: number) => void = () => undefined,
): void {
  const act: { readonly [Type in ContourCommand["type"]]: (it: Extract<ContourCommand, { type: Type }>) => void } = {
    tool: (it) => session.set({ tool: it.tool }),
    mode: () => flip(session),
    size: (it) => session.resize(it.steps),
    undo: () => void session.undo(),
    redo: () => void session.redo(),
    interpolate: () => session.interpolate(),
    smooth: () => session.smooth(),
    erase_slice: () => session.eraseSlice(),
    close: () => void session.close(),
    cancel: () => session.cancel(),
    grow_3d: () => session.set({ growDimensions: session.settings.growDimensions === 2 ? 3 : 2 }),
    fill_holes: (it) => session.fillHoles(it.everySlice),
    copy: (it) => session.copyTo(it.step),
    cursor: (it) => moveCursor(session, it.dx, it.dy),
    scroll: (it) => session.scroll(it.slices),
    paint: (it) => paint(session, it.on),
    hide_mask: (it) => session.set({ maskHidden: it.on }),
    zoom: (it) => zoomBy(it.factor),
    fused: () => session.set({ fusedShown: !session.settings.fusedShown }),
    fused_opacity: (it) => {
      const wanted = session.settings.fusedOpacity + it.steps * OPACITY_STEP;
      session.set({ fusedOpacity: Math.round(10 * Math.min(1, Math.max(0, wanted))) / 10 });
    },
  };
  (act[command.type] as (it: ContourCommand) => void)(command);
}
