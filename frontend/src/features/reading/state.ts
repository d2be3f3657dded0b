/**
 * The state of the reading screen and the one function that changes it. An action that says what the reader did is also
 * what the reading's record says: `recordedEvent` translates it, so that screen and record cannot disagree.
 */
import type { Presentation, ReaderStep } from "@/api/types";
import type { EventData, EventKind } from "@/timing/recorder";
import type { Voi } from "@/viewer/lut";

export type Stage = "starting" | "loading" | "reading" | "submitting" | "paused" | "taken-over" | "failed" | "left";

export type SaveState = "saved" | "saving" | "waiting" | "sign-in" | "other-account" | "refused";

/** What takes the place of the window controls below the question. */
export type Drawer = "none" | "reasons" | "comment";

export interface ReadingState {
  readonly stage: Stage;
  readonly presentation: Presentation | null;
  readonly framesLoaded: number;
  readonly choice: string | null;
  readonly reasonCode: string | null;
  readonly comment: string;
  readonly voi: Voi;
  readonly frame: number;
  readonly outlinesHidden: boolean;
  readonly drawer: Drawer;
  readonly helpOpen: boolean;
  readonly save: SaveState;
  readonly message: string;
  /** Set when the server has moved on to something that is not a reading. */
  readonly leftFor: ReaderStep | null;
}

export const CANNOT_ASSESS = "cannot_assess";

const NO_WINDOW: Voi = { width: 1500, level: -600, invert: false };
export const NARROWEST_WINDOW = 1;
export const WIDEST_WINDOW = 4000;
export const LOWEST_LEVEL = -1200;
export const HIGHEST_LEVEL = 3000;

export const initialState: ReadingState = {
  stage: "starting",
  presentation: null,
  framesLoaded: 0,
  choice: null,
  reasonCode: null,
  comment: "",
  voi: NO_WINDOW,
  frame: 0,
  outlinesHidden: false,
  drawer: "none",
  helpOpen: false,
  save: "saved",
  message: "",
  leftFor: null,
};

export type ReadingAction =
  | { readonly type: "starting" }
  | { readonly type: "opened"; readonly presentation: Presentation }
  | { readonly type: "frames_loaded"; readonly count: number }
  | { readonly type: "first_paint" }
  | { readonly type: "choose"; readonly choice: string | null; readonly reasonCode?: string | null }
  | { readonly type: "write_comment"; readonly comment: string }
  | { readonly type: "focus_comment" }
  | { readonly type: "blur_comment" }
  | { readonly type: "open_drawer"; readonly drawer: Drawer }
  | { readonly type: "drag_window"; readonly voi: Voi }
  | { readonly type: "set_window"; readonly voi: Voi; readonly by: "drag" | "slider" | "preset" | "invert" | "reset" }
  | { readonly type: "show_slice"; readonly frame: number }
  | { readonly type: "zoomed"; readonly zoom: number }
  | { readonly type: "hide_outlines"; readonly on: boolean }
  | { readonly type: "pause" }
  | { readonly type: "resume" }
  | { readonly type: "open_help" }
  | { readonly type: "close_help" }
  | { readonly type: "submit" }
  | { readonly type: "saving"; readonly save: SaveState; readonly message?: string }
  | { readonly type: "taken_over" }
  | { readonly type: "failed"; readonly message: string }
  | { readonly type: "amended"; readonly choice: string }
  | { readonly type: "leave"; readonly step: ReaderStep };

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, Math.round(value)));

export function clampVoi(voi: Voi): Voi {
  return {
    width: clamp(voi.width, NARROWEST_WINDOW, WIDEST_WINDOW),
    level: clamp(voi.level, LOWEST_LEVEL, HIGHEST_LEVEL),
    invert: voi.invert,
  };
}

/** The window that the protocol starts with. */
export function startVoi(presentation: Presentation): Voi {
  const preset = presentation.windows[presentation.start_window] ?? presentation.windows[0];
  return preset ? { width: preset.width, level: preset.level, invert: false } : NO_WINDOW;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function opened(state: ReadingState, presentation: Presentation): ReadingState {
  const draft = presentation.draft ?? {};
  const window = draft.window as Partial<Voi> | undefined;
  const start = startVoi(presentation);
  return {
    ...initialState,
    stage: "loading",
    save: state.save,
    presentation,
    frame: presentation.image.start_frame,
    choice: text(draft.choice),
    reasonCode: text(draft.reason_code),
    comment: text(draft.comment) ?? "",
    voi: clampVoi({
      width: window?.width ?? start.width,
      level: window?.level ?? start.level,
      invert: window?.invert ?? start.invert,
    }),
  };
}

function withinRun(state: ReadingState, frame: number): number {
  const image = state.presentation?.image;
  if (!image) return frame;
  return clamp(frame, image.first_frame, image.first_frame + image.frame_count - 1);
}

/** Whether the reader may still change the answer. */
export function canAnswer(state: ReadingState): boolean {
  return state.stage === "reading" && !state.helpOpen;
}

export function canSubmit(state: ReadingState): boolean {
  return canAnswer(state) && state.choice !== null && (state.choice !== CANNOT_ASSESS || state.reasonCode !== null);
}

function choose(state: ReadingState, choice: string | null, reasonCode: string | null): ReadingState {
  return { ...state, choice, reasonCode, drawer: state.drawer === "reasons" ? "none" : state.drawer };
}

export function reduce(state: ReadingState, action: ReadingAction): ReadingState {
  switch (action.type) {
    case "starting":
      return { ...initialState, save: state.save };
    case "opened":
      return opened(state, action.presentation);
    case "frames_loaded":
      return { ...state, framesLoaded: action.count };
    case "first_paint":
      return state.stage === "loading" ? { ...state, stage: "reading" } : state;
    case "choose":
      return canAnswer(state) ? choose(state, action.choice, action.reasonCode ?? null) : state;
    case "write_comment":
      return { ...state, comment: action.comment };
    case "focus_comment":
      return { ...state, drawer: "comment" };
    case "blur_comment":
      return state.drawer === "comment" ? { ...state, drawer: "none" } : state;
    case "open_drawer":
      return canAnswer(state) ? { ...state, drawer: action.drawer } : state;
    case "drag_window":
    case "set_window":
      return { ...state, voi: clampVoi(action.voi) };
    case "show_slice":
      return { ...state, frame: withinRun(state, action.frame) };
    case "zoomed":
      return state;
    case "hide_outlines":
      return { ...state, outlinesHidden: action.on };
    case "pause":
      return state.stage === "reading" ? { ...state, stage: "paused", outlinesHidden: false } : state;
    case "resume":
      return state.stage === "paused" ? { ...state, stage: "reading" } : state;
    case "open_help":
      return { ...state, helpOpen: true, outlinesHidden: false };
    case "close_help":
      return { ...state, helpOpen: false };
    case "submit":
      return canSubmit(state) ? { ...state, stage: "submitting", drawer: "none", save: "saving" } : state;
    case "saving":
      return { ...state, save: action.save, message: action.message ?? "" };
    case "taken_over":
      return { ...state, stage: "taken-over" };
    case "failed":
      return { ...state, stage: "failed", message: action.message };
    case "amended":
      return { ...state, choice: action.choice, reasonCode: null };
    case "leave":
      return { ...state, stage: "left", leftFor: action.step };
  }
}

/** What the reading's record says of an action, or null if the action is not the reader's. */
export function recordedEvent(action: ReadingAction, after: ReadingState): { kind: EventKind; data: EventData } | null {
  switch (action.type) {
    case "first_paint":
      return { kind: "first_paint", data: { frame: after.frame } };
    case "choose":
      return { kind: "answer_change", data: { choice: after.choice, reason_code: after.reasonCode } };
    case "focus_comment":
      return { kind: "comment_focus", data: {} };
    case "blur_comment":
      return { kind: "comment_blur", data: {} };
    case "set_window":
      return {
        kind: "window_change",
        data: { width: after.voi.width, level: after.voi.level, invert: after.voi.invert, by: action.by },
      };
    case "show_slice":
      return { kind: "slice_change", data: { frame: after.frame } };
    case "zoomed":
      return { kind: "zoom_change", data: { zoom: Math.round(action.zoom * 1000) / 1000 } };
    case "hide_outlines":
      return { kind: "outline_hidden", data: { on: action.on } };
    case "pause":
      return { kind: "pause", data: { cause: "break" } };
    case "open_help":
      return { kind: "pause", data: { cause: "help" } };
    case "resume":
    case "close_help":
      return { kind: "resume", data: {} };
    case "submit":
      return { kind: "submit", data: {} };
    default:
      return null;
  }
}

/** The unfinished answer as it is kept on the server. */
export function draftOf(state: ReadingState): Record<string, unknown> {
  return { choice: state.choice, reason_code: state.reasonCode, comment: state.comment, window: { ...state.voi } };
}
