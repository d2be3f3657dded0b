import { expect, test } from "vitest";
import { type Command, commandOf, keyLabel } from "./keyboard";
import { initialState, type ReadingState, reduce } from "./state";
import { task } from "./tasks/preference/task";
import { choose as chooseSide } from "./tasks/preference/value";
import { makePresentation } from "./testing";

const choose = (choice: string): Command => ({ type: "task", action: chooseSide(choice) });

const reading: ReadingState = [
  { type: "opened", presentation: makePresentation(), task } as const,
  { type: "first_paint" } as const,
].reduce(reduce, initialState);

const press = (state: ReadingState, key: string, more: object = {}): Command | null =>
  commandOf(state, { key, repeat: false, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

test.each([
  ["ArrowLeft", choose("left")],
  ["ArrowRight", choose("right")],
  ["ArrowDown", choose("none")],
  ["Enter", { type: "confirm" }],
  ["Backspace", { type: "clear" }],
  ["1", { type: "preset", index: 0 }],
  ["2", { type: "preset", index: 1 }],
  ["i", { type: "invert" }],
  ["I", { type: "invert" }],
  ["h", { type: "hide_outlines", on: true }],
  ["r", { type: "reset" }],
  ["c", { type: "comment" }],
  ["x", { type: "reasons" }],
  ["b", { type: "break" }],
  ["?", { type: "help" }],
  ["PageDown", { type: "scroll", frames: 1 }],
])("%s means %o", (key, command) => {
  expect(press(reading, key)).toEqual(command);
});

test("keys without a meaning, and the browser's own, are left alone", () => {
  expect(press(reading, "9")).toBeNull();
  expect(press(reading, "q")).toBeNull();
  expect(press(reading, "r", { ctrlKey: true })).toBeNull();
});

test("a held key answers once", () => {
  expect(press(reading, "ArrowLeft", { repeat: true })).toBeNull();
  expect(press(reading, "h", { repeat: true })).toBeNull();
});

test("with the reasons open, digits choose a reason and Escape closes them", () => {
  const asking = reduce(reading, { type: "open_drawer", drawer: "reasons" });
  expect(press(asking, "2")).toEqual({ type: "cannot_assess", reasonCode: "other" });
  expect(press(asking, "Escape")).toEqual({ type: "close_drawer" });
  expect(press(asking, "ArrowLeft")).toEqual(choose("left"));
});

test("behind the help page, in a pause and after the answer no key answers", () => {
  expect(press(reduce(reading, { type: "open_help" }), "ArrowLeft")).toBeNull();
  expect(press(reduce(reading, { type: "open_help" }), "Escape")).toEqual({ type: "help" });
  expect(press(reduce(reading, { type: "pause" }), "ArrowLeft")).toBeNull();
});

test("a key is written on its button as an arrow or a capital", () => {
  expect([keyLabel("ArrowLeft"), keyLabel("ArrowDown"), keyLabel("b")]).toEqual(["←", "↓", "B"]);
});
