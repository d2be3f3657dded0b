import { expect, test } from "vitest";
import {
  answerOf,
  canSubmit,
  draftOf,
  initialState,
  type ReadingAction,
  type ReadingState,
  recordedEvent,
  reduce,
} from "./state";
import { task } from "./tasks/preference/task";
import { choose as chooseSide } from "./tasks/preference/value";
import { makePresentation } from "./testing";

const choose = (choice: string | null): ReadingAction => ({ type: "task", action: chooseSide(choice) });
const cannotAssess = (reasonCode: string | null): ReadingAction => ({ type: "cannot_assess", reasonCode });

const after = (state: ReadingState, ...actions: ReadingAction[]): ReadingState => actions.reduce(reduce, state);

const open = (overrides = {}): ReadingState =>
  after(initialState, { type: "opened", presentation: makePresentation(overrides), task }, { type: "first_paint" });

test("a reading starts on its start slice in its start window, with nothing chosen", () => {
  const state = after(initialState, { type: "opened", presentation: makePresentation(), task });
  expect(state).toMatchObject({
    stage: "loading",
    frame: 1,
    value: { choice: null },
    voi: { width: 1500, level: -600, invert: false },
  });
});

test("nothing can be answered before the first picture is on the screen", () => {
  const loading = after(initialState, { type: "opened", presentation: makePresentation(), task });
  expect(reduce(loading, choose("left"))).toBe(loading);
  expect(canSubmit(after(loading, { type: "first_paint" }, choose("left")))).toBe(true);
});

test("a draft brings back choice, comment and window", () => {
  const draft = draftOf(
    after(
      open(),
      choose("right"),
      { type: "write_comment", comment: "blurred" },
      { type: "set_window", voi: { width: 350, level: 50, invert: true }, by: "slider" },
    ),
  );
  expect(open({ draft, resumed: true })).toMatchObject({
    value: { choice: "right" },
    comment: "blurred",
    voi: { width: 350, level: 50, invert: true },
  });
});

test("cannot assess needs a reason", () => {
  expect(canSubmit(after(open(), cannotAssess(null)))).toBe(false);
  const refused = after(open(), choose("left"), cannotAssess("other"));
  expect(canSubmit(refused)).toBe(true);
  expect(answerOf(refused)).toEqual({ choice: "cannot_assess", reason_code: "other", comment: "" });
  expect(answerOf(after(refused, choose("right")))).toEqual({ choice: "right", reason_code: null, comment: "" });
});

test("choosing a reason closes the list of reasons", () => {
  const state = after(open(), { type: "open_drawer", drawer: "reasons" });
  expect(state.drawer).toBe("reasons");
  expect(reduce(state, cannotAssess("other")).drawer).toBe("none");
});

test("an answer that was submitted cannot be changed or submitted again", () => {
  const sent = after(open(), choose("left"), { type: "submit" });
  expect(sent).toMatchObject({ stage: "submitting", save: "saving" });
  expect(after(sent, choose("right"), { type: "submit" })).toMatchObject({ value: { choice: "left" } });
});

test("slices stay within the permitted run", () => {
  expect(after(open(), { type: "show_slice", frame: 99 }).frame).toBe(2);
  expect(after(open(), { type: "show_slice", frame: -5 }).frame).toBe(0);
});

test("windows stay within what the sliders can show", () => {
  const state = after(open(), { type: "drag_window", voi: { width: -4, level: 9999, invert: false } });
  expect(state.voi).toEqual({ width: 1, level: 3000, invert: false });
});

test("a pause covers the images and ends where it began", () => {
  const paused = after(open(), { type: "hide_outlines", on: true }, { type: "pause" });
  expect(paused).toMatchObject({ stage: "paused", outlinesHidden: false });
  expect(reduce(paused, choose("left"))).toBe(paused);
  expect(reduce(paused, { type: "resume" }).stage).toBe("reading");
});

test("the record says what the reader did, and nothing of what the machine did", () => {
  const state = after(open(), cannotAssess("other"));
  const entry = (action: ReadingAction) => recordedEvent(action, reduce(state, action));
  expect(entry(choose("left"))).toEqual({
    kind: "answer_change",
    data: { choice: "left", reason_code: null },
  });
  expect(entry({ type: "open_help" })).toEqual({ kind: "pause", data: { cause: "help" } });
  expect(entry({ type: "show_slice", frame: 2 })).toEqual({ kind: "slice_change", data: { frame: 2 } });
  expect(entry({ type: "saving", save: "waiting" })).toBeNull();
  expect(entry({ type: "drag_window", voi: state.voi })).toBeNull();
  expect(entry({ type: "write_comment", comment: "private words" })).toBeNull();
});
