/** What a key means on the reading screen. Pure: the controller acts on the command. */
import { canAnswer, type ReadingState } from "./state";
import type { TaskAction } from "./tasks/task";

export type Command =
  | { readonly type: "task"; readonly action: TaskAction }
  /** A key that is the task's and does nothing now: it must not fall through to another meaning. */
  | { readonly type: "none" }
  | { readonly type: "cannot_assess"; readonly reasonCode: string }
  | { readonly type: "clear" }
  | { readonly type: "confirm" }
  | { readonly type: "preset"; readonly index: number }
  | { readonly type: "next_preset" }
  | { readonly type: "zoom"; readonly factor: number }
  | { readonly type: "pan"; readonly dx: number; readonly dy: number }
  | { readonly type: "invert" }
  | { readonly type: "hide_outlines"; readonly on: boolean }
  | { readonly type: "reset" }
  | { readonly type: "comment" }
  | { readonly type: "reasons" }
  | { readonly type: "close_drawer" }
  | { readonly type: "break" }
  | { readonly type: "help" }
  | { readonly type: "scroll"; readonly frames: number };

export interface KeyPress {
  readonly key: string;
  readonly repeat: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey?: boolean;
}

const ARROWS: Readonly<Record<string, string>> = {
  "←": "ArrowLeft",
  "→": "ArrowRight",
  "↓": "ArrowDown",
  "↑": "ArrowUp",
};

const normalised = (key: string): string => ARROWS[key] ?? key.toLowerCase();

/** A key as it is written on a button. */
export function keyLabel(key: string): string {
  const arrow = Object.entries(ARROWS).find(([, name]) => name === key);
  return arrow ? arrow[0] : key.length === 1 ? key.toUpperCase() : key;
}

function reasonCommand(state: ReadingState, key: string): Command | null {
  if (key === "Escape" || normalised(key) === "x") return { type: "close_drawer" };
  const reason = state.presentation?.cannot_assess[Number(key) - 1];
  return /^[1-9]$/.test(key) && reason ? { type: "cannot_assess", reasonCode: reason.code } : null;
}

const PAN_PX = 40;
/** With shift, arrows move the image. */
const PANS: Readonly<Record<string, Command>> = {
  arrowleft: { type: "pan", dx: PAN_PX, dy: 0 },
  arrowright: { type: "pan", dx: -PAN_PX, dy: 0 },
  arrowup: { type: "pan", dx: 0, dy: PAN_PX },
  arrowdown: { type: "pan", dx: 0, dy: -PAN_PX },
};

const LETTERS: Readonly<Record<string, Command>> = {
  enter: { type: "confirm" },
  backspace: { type: "clear" },
  w: { type: "next_preset" },
  "+": { type: "zoom", factor: 1.25 },
  "=": { type: "zoom", factor: 1.25 },
  "-": { type: "zoom", factor: 0.8 },
  i: { type: "invert" },
  r: { type: "reset" },
  c: { type: "comment" },
  x: { type: "reasons" },
  b: { type: "break" },
  "?": { type: "help" },
  pageup: { type: "scroll", frames: -1 },
  pagedown: { type: "scroll", frames: 1 },
};

export function commandOf(state: ReadingState, press: KeyPress): Command | null {
  if (press.ctrlKey || press.metaKey || press.altKey) return null;
  if (state.helpOpen) return press.key === "Escape" || press.key === "?" ? { type: "help" } : null;
  if (!canAnswer(state)) return null;
  const key = normalised(press.key);
  if (key === "h") return press.repeat ? null : { type: "hide_outlines", on: true };
  if (state.drawer === "reasons") {
    const command = reasonCommand(state, press.key);
    if (command) return press.repeat ? null : command;
  }
  const own = taskCommand(state, press);
  if (own) return own.type === "none" ? null : own;
  const moved = press.shiftKey ? PANS[key] : undefined;
  if (moved) return moved;
  if (press.repeat && !key.startsWith("page")) return null;
  return presetCommand(state, press.key) ?? LETTERS[key] ?? null;
}

/** What the key means to the task; it decides itself about keys that are held. */
function taskCommand(state: ReadingState, press: KeyPress): Command | null {
  const { task, presentation, value } = state;
  return task && presentation ? task.key(value, press, presentation) : null;
}

/** Whether a key that is the frame's elsewhere is the task's own here. */
export function taskTakes(state: ReadingState, key: string): boolean {
  const press = { key, repeat: false, ctrlKey: false, metaKey: false, altKey: false };
  return taskCommand(state, press)?.type === "none";
}

function presetCommand(state: ReadingState, key: string): Command | null {
  const index = state.presentation?.windows.findIndex((window) => window.key === key) ?? -1;
  return index >= 0 ? { type: "preset", index } : null;
}
