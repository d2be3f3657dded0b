import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { POINTER_EVERY_MS, SleepWatch, Throttle, watchPage } from "./page-watch";
import type { EventData, EventKind } from "./recorder";

let heard: [EventKind, EventData][] = [];
const recording = { record: (kind: EventKind, data: EventData = {}) => void heard.push([kind, data]) };

beforeEach(() => {
  heard = [];
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

test("the first event says how things stand", () => {
  watchPage(recording)();
  expect(heard.map(([kind]) => kind)).toEqual(["page_load"]);
  expect(Object.keys(heard[0]?.[1] ?? {}).sort()).toEqual(["focused", "online", "visible"]);
});

test("attention, network and leaving are recorded until the watch stops", () => {
  const stop = watchPage(recording);
  for (const kind of ["blur", "focus", "offline", "online", "pagehide"]) window.dispatchEvent(new Event(kind));
  stop();
  window.dispatchEvent(new Event("blur"));
  expect(heard.map(([kind]) => kind)).toEqual(["page_load", "blur", "focus", "offline", "online", "page_hide"]);
});

test("keys are named, except while the reader writes", () => {
  const stop = watchPage(recording);
  const field = document.createElement("textarea");
  document.body.append(field);
  window.dispatchEvent(new KeyboardEvent("keydown", { key: "h" }));
  window.dispatchEvent(new KeyboardEvent("keydown", { key: "h", repeat: true }));
  field.dispatchEvent(new KeyboardEvent("keydown", { key: "s", bubbles: true }));
  field.remove();
  stop();
  expect(heard.slice(1)).toEqual([
    ["key", { key: "h" }],
    ["key", { typing: true }],
  ]);
});

test("movement passes at most once in its interval", () => {
  const throttle = new Throttle(POINTER_EVERY_MS);
  expect([0, 100, 499, 500, 900, 1001].map((at) => throttle.passes(at))).toEqual([
    true,
    false,
    false,
    true,
    false,
    true,
  ]);
});

test("a wall clock that ran ahead is a sleep; a slow hidden page is not", () => {
  let monotonic = 0;
  let wall = 1_000_000;
  const watch = new SleepWatch({ monotonicMs: () => monotonic, wallMs: () => wall });
  const look = (passed: number, wallPassed: number, visible: boolean) => {
    monotonic += passed;
    wall += wallPassed;
    return watch.look(visible);
  };
  expect(look(5000, 5010, true)).toBeNull();
  expect(look(5000, 605_000, true)).toEqual({ gap_ms: 600_000, seen_by: "clocks" });
  expect(look(60_000, 60_000, false)).toBeNull();
  expect(look(65_000, 65_000, true)).toEqual({ gap_ms: 60_000, seen_by: "timer" });
  expect(look(5000, -3_600_000, true)).toBeNull();
});
