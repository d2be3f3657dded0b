/**
 * The state of the reading screen and the one function that changes it. An action that says what the reader did is also
 * what the reading's record says: `recordedEvent` translates it, so that screen and record cannot disagree.
 */
import type { Feedback, Presentation, ReaderStep } from "@/api/types";
import type { Voi } from "@/viewer/lut";
import type { Body, RecordEntry, Task, TaskAction } from "./tasks/task";

export type Stage =
  | "starting"
  | "loading"
  | "reading"
  | "submitting"
  | "feedback"
  | "paused"
  | "taken-over"
  | "failed"
  | "unfit"
  | "left";

export type LeftFor = ReaderStep | "display-check";

export type SaveState = "saved" | "saving" | "waiting" | "sign-in" | "other-account" | "refused";

/** What takes the place of the window controls below the question. */
export type Drawer = "none" | "reasons" | "comment";

export interface ReadingState {
  readonly stage: Stage;
  readonly presentation: Presentation | null;
  readonly task: Task | null;
  /** The task's own part: its answer and what its screen keeps. Only the task looks into it. */
  readonly value: unknown;
  readonly framesLoaded: number;
  /** Why the image cannot be assessed; null unless that is the answer. */
  readonly reasonCode: string | null;
  readonly comment: string;
  readonly voi: Voi;
  readonly frame: number;
  readonly outlinesHidden: boolean;
  readonly drawer: Drawer;
  readonly helpOpen: boolean;
  readonly save: SaveState;
  readonly message: string;
  /** Set when what comes next is not a reading: a step of the server's, or the test of a display not yet tested. */
  readonly leftFor: LeftFor | null;
  /** What a practice reader is told of the answer just given. */
  readonly feedback: Feedback | null;
  /** The protocol would have the reader rest now. */
  readonly breakSuggested: boolean;
}

const CANNOT_ASSESS = "cannot_assess";

const NO_WINDOW: Voi = { width: 1500, level: -600, invert: false };
export const NARROWEST_WINDOW = 1;

export const initialState: ReadingState = {
  stage: "starting",
  presentation: null,
  task: null,
  value: null,
  framesLoaded: 0,
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
  feedback: null,
  breakSuggested: false,
};

export type ReadingAction =
  | { readonly type: "starting" }
  | { readonly type: "opened"; readonly presentation: Presentation; readonly task: Task }
  | { readonly type: "frames_loaded"; readonly count: number }
  | { readonly type: "first_paint" }
  | { readonly type: "task"; readonly action: TaskAction }
  | { readonly type: "cannot_assess"; readonly reasonCode: string | null }
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
  | { readonly type: "unfit"; readonly message: string }
  | { readonly type: "amended"; readonly value: unknown }
  | { readonly type: "feedback"; readonly feedback: Feedback }
  | { readonly type: "suggest_break"; readonly on: boolean }
  | { readonly type: "leave"; readonly step: LeftFor };

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, Math.round(value)));

/** Between which values the window's level may lie, and how wide it may be: what the sliders can show. */
export interface WindowRange {
  readonly lowest: number;
  readonly highest: number;
  readonly widest: number;
}

const WIDEST_CT_WINDOW = 4000;

export function windowRange(presentation: Presentation | null): WindowRange {
  const { lowest, highest } = presentation?.value_range ?? { lowest: -1200, highest: 3000 };
  return { lowest, highest, widest: presentation?.images[0]?.modality === "CT" ? WIDEST_CT_WINDOW : highest - lowest };
}

export function clampVoi(voi: Voi, range: WindowRange): Voi {
  return {
    width: clamp(voi.width, NARROWEST_WINDOW, Math.max(NARROWEST_WINDOW, range.widest)),
    level: clamp(voi.level, range.lowest, range.highest),
    invert: voi.invert,
  };
}

/** The window that the protocol starts with. */
export function startVoi(presentation: Presentation): Voi {
  const preset = presentation.windows[presentation.start_window] ?? presentation.windows[0];
  return preset ? { width: preset.width, level: preset.level, invert: presentation.inverted } : NO_WINDOW;
}

/** Frames of every image of a reading. */
export function frameTotal(presentation: Presentation): number {
  return presentation.images.reduce((sum, image) => sum + image.frame_count, 0);
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Whether a presentation is the second half of the pair whose first half is on the screen: the same images go on. */
export function goesOn(state: ReadingState, presentation: Presentation): boolean {
  const before = state.presentation;
  return (
    presentation.stage === 2 &&
    before?.stage === 1 &&
    before.images.every((image, index) => image.frames === presentation.images[index]?.frames)
  );
}

function opened(state: ReadingState, presentation: Presentation, task: Task): ReadingState {
  const draft: Body | null = presentation.draft;
  const window = draft?.window as Partial<Voi> | undefined;
  const same = goesOn(state, presentation);
  const start = same ? state.voi : startVoi(presentation);
  const image = presentation.images[0];
  return {
    ...initialState,
    stage: "loading",
    save: state.save,
    breakSuggested: state.breakSuggested,
    presentation,
    task,
    value: task.begin(presentation, draft, same ? state.value : null),
    framesLoaded: same ? frameTotal(presentation) : 0,
    frame: same ? state.frame : (image?.start_frame ?? 0),
    reasonCode: text(draft?.reason_code),
    comment: text(draft?.comment) ?? "",
    voi: clampVoi(
      {
        width: window?.width ?? start.width,
        level: window?.level ?? start.level,
        invert: window?.invert ?? start.invert,
      },
      windowRange(presentation),
    ),
  };
}

function withinRun(state: ReadingState, frame: number): number {
  const image = state.presentation?.images[0];
  if (!image) return frame;
  return clamp(frame, image.first_frame, image.first_frame + image.frame_count - 1);
}

/** Whether the reader may still change the answer. */
export function canAnswer(state: ReadingState): boolean {
  return state.stage === "reading" && !state.helpOpen;
}

export function canSubmit(state: ReadingState): boolean {
  const { presentation, task, value, reasonCode } = state;
  if (!canAnswer(state) || !presentation || !task) return false;
  return reasonCode !== null || task.isComplete(value, presentation);
}

function taskActed(state: ReadingState, action: TaskAction): ReadingState {
  const { presentation, task } = state;
  if (!presentation || !task || !canAnswer(state)) return state;
  const value = task.reduce(state.value, action, presentation);
  if (!task.isAnswer(action)) return value === state.value ? state : { ...state, value };
  return { ...state, value, reasonCode: null, drawer: state.drawer === "reasons" ? "none" : state.drawer };
}

/** The image cannot be assessed: nothing else is answered. */
function cannotAssess(state: ReadingState, reasonCode: string | null): ReadingState {
  const { presentation, task } = state;
  if (!presentation || !task || !canAnswer(state)) return state;
  const taken = task.clear(state.value);
  const value = taken ? task.reduce(state.value, taken, presentation) : state.value;
  return { ...state, value, reasonCode, drawer: state.drawer === "reasons" ? "none" : state.drawer };
}

export function reduce(state: ReadingState, action: ReadingAction): ReadingState {
  switch (action.type) {
    case "starting":
      return { ...initialState, save: state.save };
    case "opened":
      return opened(state, action.presentation, action.task);
    case "frames_loaded":
      return { ...state, framesLoaded: action.count };
    case "first_paint":
      return state.stage === "loading" ? { ...state, stage: "reading" } : state;
    case "task":
      return taskActed(state, action.action);
    case "cannot_assess":
      return cannotAssess(state, action.reasonCode);
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
      return { ...state, voi: clampVoi(action.voi, windowRange(state.presentation)) };
    case "show_slice":
      return { ...state, frame: withinRun(state, action.frame) };
    case "zoomed":
      return state;
    case "hide_outlines":
      return { ...state, outlinesHidden: action.on };
    case "pause":
      return state.stage === "reading"
        ? { ...state, stage: "paused", outlinesHidden: false, breakSuggested: false }
        : state;
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
    case "unfit":
      return { ...state, stage: "unfit", message: action.message };
    case "amended":
      return { ...state, value: action.value, reasonCode: null };
    case "feedback":
      return { ...state, stage: "feedback", feedback: action.feedback };
    case "suggest_break":
      return { ...state, breakSuggested: action.on };
    case "leave":
      return { ...state, stage: "left", leftFor: action.step };
  }
}

/** What the reading's record says of an action, or null if the action is not the reader's. */
export function recordedEvent(action: ReadingAction, after: ReadingState): RecordEntry | null {
  switch (action.type) {
    case "first_paint":
      return { kind: "first_paint", data: { frame: after.frame } };
    case "task":
      return after.task?.record(action.action, after.value) ?? null;
    case "cannot_assess":
      return {
        kind: "answer_change",
        data: { choice: after.reasonCode === null ? null : CANNOT_ASSESS, reason_code: after.reasonCode },
      };
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
  return {
    ...state.task?.draft(state.value),
    reason_code: state.reasonCode,
    comment: state.comment,
    window: { ...state.voi },
  };
}

/** The answer as it is submitted. */
export function answerOf(state: ReadingState): Record<string, unknown> {
  const { task, value, reasonCode, comment } = state;
  const own = reasonCode === null ? task?.answer(value) : task?.cannotAssess;
  return { ...own, reason_code: reasonCode, comment };
}
