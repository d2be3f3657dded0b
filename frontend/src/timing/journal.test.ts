import { beforeEach, expect, test } from "vitest";
import { forgetOldEvents, Journal, joined, KEPT_DAYS, MAX_EVENTS, without } from "./journal";
import type { RecordedEvent } from "./recorder";

const event = (sequence: number): RecordedEvent => ({
  sequence,
  kind: "key",
  t_ms: sequence * 10,
  clock_id: "c1",
  wall_ms: 1_700_000_000_000,
  data: { key: "h" },
});
const numbers = (journal: Journal) =>
  journal.left().map(({ reading, lease, events }) => [reading, lease, events.map((each) => each.sequence)]);

beforeEach(() => window.localStorage.clear());

test("an event is in the store before the next line runs, and outlives the page", () => {
  new Journal("a@example.org", "t").write("r1", 2, event(0));
  expect(new Journal("a@example.org", "t").left()).toEqual([{ reading: "r1", lease: 2, events: [event(0)] }]);
});

test("openings are kept apart and come in order", () => {
  const journal = new Journal("a@example.org", "t");
  for (const sequence of [0, 1, 2, 9, 10, 11]) journal.write("r1", 12, event(sequence));
  journal.write("r1", 3, event(0));
  journal.write("r-2_x", 4, event(5));
  expect(numbers(journal)).toEqual([
    ["r1", 3, [0]],
    ["r-2_x", 4, [5]],
    ["r1", 12, [0, 1, 2, 9, 10, 11]],
  ]);
});

test("accounts and trials do not see each other's events", () => {
  new Journal("a@example.org", "t").write("r1", 1, event(0));
  expect(new Journal("b@example.org", "t").left()).toEqual([]);
  expect(new Journal("a@example.org", "t2").left()).toEqual([]);
  new Journal("b@example.org", "t").forget("r1", 1);
  expect(numbers(new Journal("a@example.org", "t"))).toEqual([["r1", 1, [0]]]);
});

test("only what is safe elsewhere is forgotten", () => {
  const journal = new Journal("a@example.org", "t");
  for (const sequence of [0, 1, 2, 3]) journal.write("r1", 1, event(sequence));
  journal.write("r1", 2, event(0));
  window.localStorage.setItem("another's", "kept");
  journal.forget("r1", 1, 2);
  expect(numbers(journal)).toEqual([
    ["r1", 1, [3]],
    ["r1", 2, [0]],
  ]);
  journal.forget("r1", 1);
  expect(numbers(journal)).toEqual([["r1", 2, [0]]]);
  expect(window.localStorage.getItem("another's")).toBe("kept");
});

test("an opening keeps its first two thousand events, and more once some are forgotten", () => {
  const journal = new Journal("a@example.org", "t");
  for (let sequence = 0; sequence < MAX_EVENTS + 5; sequence += 1) journal.write("r1", 1, event(sequence));
  expect(journal.left()[0]?.events.map((each) => each.sequence)).toEqual([...Array(2000).keys()]);
  journal.forget("r1", 1, 1997);
  for (const sequence of [2005, 2006]) journal.write("r1", 1, event(sequence));
  expect(numbers(journal)).toEqual([["r1", 1, [1998, 1999, 2005, 2006]]]);
});

test("where the browser denies the store, nothing is kept and nothing fails", () => {
  const denied = new Journal("a@example.org", "t", () => {
    throw new DOMException("denied", "SecurityError");
  });
  denied.write("r1", 1, event(0));
  denied.forget("r1", 1);
  expect(denied.left()).toEqual([]);
});

test("a full store keeps what it has", () => {
  const journal = new Journal("a@example.org", "t", () => {
    const { localStorage } = window;
    const full = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
    return localStorage.length < 1
      ? localStorage
      : new Proxy(localStorage, { get: (store, name) => (name === "setItem" ? full : bound(store, name)) });
  });
  journal.write("r1", 1, event(0));
  journal.write("r1", 1, event(1));
  expect(numbers(journal)).toEqual([["r1", 1, [0]]]);
});

function bound(store: Storage, name: string | symbol): unknown {
  const value = Reflect.get(store, name, store) as unknown;
  return typeof value === "function" ? value.bind(store) : value;
}

test("what cannot be read is passed over", () => {
  const journal = new Journal("a@example.org", "t");
  journal.write("r1", 1, event(0));
  journal.write("r1", 1, event(1));
  window.localStorage.setItem(window.localStorage.key(0) ?? "", "{ torn");
  expect(numbers(journal)).toEqual([["r1", 1, [1]]]);
});

test("what lies in two places comes once", () => {
  const left = joined([
    { reading: "r1", lease: 1, events: [event(1), event(2)] },
    { reading: "r1", lease: 1, events: [event(2), event(0)] },
    { reading: "r1", lease: 2, events: [] },
  ]);
  expect(left).toEqual([{ reading: "r1", lease: 1, events: [event(0), event(1), event(2)] }]);
  expect(without(left, "r1", 2)).toEqual(left);
  expect(without(left, "r1", 1, 1)).toEqual([{ reading: "r1", lease: 1, events: [event(2)] }]);
  expect(without(left, "r1", 1)).toEqual([]);
});

test("the store names no reader", () => {
  new Journal("a.reader@example.org", "t").write("r1", 1, event(0));
  const key = window.localStorage.key(0) ?? "";
  expect(key).toMatch(/^equipoise-journal:[0-9a-f]{16}:r1:1:0$/);
  expect(`${key}${window.localStorage.getItem(key)}`).not.toContain("reader");
});

test("what nobody sent for thirty days is forgotten, whoever's it is, and what cannot be read", () => {
  const lastDay = event(0).wall_ms + KEPT_DAYS * 86_400_000;
  const journals = ["a@example.org", "b@example.org"].map((account) => new Journal(account, "t"));
  for (const journal of journals) journal.write("r1", 1, event(0));
  journals[0]?.write("r1", 1, { ...event(1), wall_ms: event(1).wall_ms + 1 });
  window.localStorage.setItem("equipoise-journal:torn", "{ torn");
  window.localStorage.setItem("another's", "{ torn");
  forgetOldEvents(lastDay);
  expect(journals.map(numbers)).toEqual([[["r1", 1, [0, 1]]], [["r1", 1, [0]]]]);
  expect(window.localStorage.getItem("equipoise-journal:torn")).toBeNull();
  forgetOldEvents(lastDay + 1);
  expect(journals.map(numbers)).toEqual([[["r1", 1, [1]]], []]);
  expect(window.localStorage.getItem("another's")).toBe("{ torn");
});
