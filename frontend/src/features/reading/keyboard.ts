/** What a key means on the reading screen. Pure: the controller acts on the command. */
import { CANNOT_ASSESS, canAnswer, type ReadingState } from "./state";

export type Command =
  | { readonly type: "choose"; readonly choice: string; readonly reasonCode: string | null }
  | { readonly type: "clear" }
  | { readonly type: "confirm" }
  | { readonly type: "preset"; readonly index: number }
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
  return /^[1-9]$/.test(key) && reason ? { type: "choose", choice: CANNOT_ASSESS, reasonCode: reason.code } : null;
}

const LETTERS: Readonly<Record<string, Command>> = {
  enter: { type: "confirm" },
  backspace: { type: "clear" },
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
  if (press.repeat && !key.startsWith("page")) return null;
  if (state.drawer === "reasons") {
    const command = reasonCommand(state, press.key);
    if (command) return command;
  }
  return answerCommand(state, press.key) ?? presetCommand(state, press.key) ?? LETTERS[key] ?? null;
}

function answerCommand(state: ReadingState, key: string): Command | null {
  const wanted = normalised(key);
  const option = state.presentation?.options.find((each) => normalised(each.key) === wanted);
  return option ? { type: "choose", choice: option.value, reasonCode: null } : null;
}

function presetCommand(state: ReadingState, key: string): Command | null {
  const index = state.presentation?.windows.findIndex((window) => window.key === key) ?? -1;
  return index >= 0 ? { type: "preset", index } : null;
}
