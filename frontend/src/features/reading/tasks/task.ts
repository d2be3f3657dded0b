/**
 * What a reading task brings to the screen. The frame around it (opening, loading, clock, drafts, outbox, breaks, help,
 * "Cannot assess", comment, window, slices) is the same for every task and knows nothing of a task's answer.
 *
 * A sixth task is a folder beside `preference` and one line in `registry.ts`:
 *
 * 1. `info.ts`: name (the protocol's `kind`), parameters and data, said once.
 * 2. `task.ts`: `export const task = defineTask<Value, Action>({ ... })`. `Value` is the task's answer and whatever else
 *    its screen must keep (an overlay's opacity); `Action` is what the reader may do to it. `reduce` is pure; `record`
 *    says which actions stand in the reading's record, so that screen and record cannot disagree.
 * 3. `screen.tsx`: the images and the answer row. `ReadingFrame` gives the second row and the covers, `useKeyboard` the
 *    keys; the viewers are `use-viewer.ts` (linked panes of one frame) and `use-planar-viewer.ts` (one pane per view), or
 *    the task's own.
 * 4. `simulate.ts`: an answer without a screen, for rehearsals and tests.
 *
 * Its setup is typed by the server's schema: `setupOf(presentation, "my-task")`. Every module is fetched when the first
 * reading of its task comes, so another task costs the others nothing.
 */
import type { ComponentType, ReactNode } from "react";
import type { Presentation } from "@/api/types";
import type { EventData, EventKind } from "@/timing/recorder";
import type { ReadingController } from "../controller";
import type { Command, KeyPress } from "../keyboard";
import type { ReadingState } from "../state";

export interface TaskInfo {
  readonly name: string;
  readonly version: string;
  readonly parameters: Readonly<Record<string, { readonly type: string; readonly says: string }>>;
  readonly data: Readonly<Record<string, { readonly type: string; readonly says: string }>>;
}

export interface TaskScreenProps {
  readonly state: ReadingState;
  readonly controller: ReadingController;
  /** Covers laid over the images: break, help, opening. */
  readonly children?: ReactNode;
}

export interface CorrectionProps {
  readonly state: ReadingState;
  readonly onChange: (value: unknown) => void;
}

/** Something the reader does to the task's value. */
export interface TaskAction {
  readonly type: string;
}

export interface RecordEntry {
  readonly kind: EventKind;
  readonly data: EventData;
}

export type Body = Readonly<Record<string, unknown>>;

export interface TaskSpec<Value, Action extends TaskAction> {
  readonly info: TaskInfo;
  /**
   * The value before anything was done, or as a draft left it. `before` is the value of the first half, when the second
   * half of a sequential pair begins.
   */
  begin(presentation: Presentation, draft: Body | null, before: Value | null): Value;
  /** Pure. Returns the same object where nothing changes. */
  reduce(value: Value, action: Action, presentation: Presentation): Value;
  /** What the reading's record says of an action; null for what is not worth a line. */
  record(action: Action, value: Value): RecordEntry | null;
  /** Whether the action answers: it takes "Cannot assess" back. */
  isAnswer(action: Action): boolean;
  /** Takes the answer back (Backspace). */
  clear(value: Value): Action | null;
  isComplete(value: Value, presentation: Presentation): boolean;
  /** The answer as the server takes it, without comment and reason. */
  answer(value: Value): Body;
  /** The answer's part where the image cannot be assessed; the frame adds the reason. */
  readonly cannotAssess: Body;
  /** What a draft keeps, so that another machine can go on. */
  draft(value: Value): Body;
  /** Keys of its own; they go before the frame's. */
  key(value: Value, press: KeyPress, presentation: Presentation): Command | null;
  /** What the help page says of those keys, before the frame's. */
  readonly help: readonly { keys: string; does: string }[];
  /** What the help page says of the mouse, where it is not what it is elsewhere. */
  readonly mouse?: readonly { keys: string; does: string }[];
  /** Whether the answer may be sent as soon as it is complete, where the protocol asks for no confirmation. */
  readonly immediate: boolean;
  readonly Screen: ComponentType<TaskScreenProps>;
  /** Buttons by which the last answer is changed after a block; a task without cannot be corrected there. */
  readonly Correction?: ComponentType<CorrectionProps>;
}

/** A task as the frame sees it: the value is opaque. */
export type Task = TaskSpec<unknown, TaskAction>;

/** Hides the types of value and action from the frame, which only hands them back. */
export function defineTask<Value, Action extends TaskAction>(spec: TaskSpec<Value, Action>): Task {
  return spec as unknown as Task;
}

type Setup = Presentation["setup"];
type SetupOf<Kind extends Setup["kind"]> = Extract<Setup, { kind: Kind }>;

/** The setup of a presentation, once it is known which task it is for. */
export function setupOf<Kind extends Setup["kind"]>(presentation: Presentation, kind: Kind): SetupOf<Kind> {
  const { setup } = presentation;
  if (setup.kind !== kind) throw new Error(`A ${setup.kind} reading was given to the ${kind} screen.`);
  return setup as SetupOf<Kind>;
}
