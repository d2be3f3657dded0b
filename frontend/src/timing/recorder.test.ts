import { expect, test } from "vitest";
import type { Clock } from "./clock";
import { EventRecorder, type RecordedEvent } from "./recorder";

const clockAt = (monotonic: number, wall: number): Clock => ({ monotonicMs: () => monotonic, wallMs: () => wall });

test("events keep the number, the clock and the times they were given when they happened", () => {
  const recorder = new EventRecorder({ clock: clockAt(1234.567, 1_700_000_000_000.4), clockId: "c1" });
  recorder.record("page_load", { visible: true });
  recorder.record("first_paint", { frame: 3 }, 987.65);
  expect(recorder.pending()).toEqual([
    {
      sequence: 0,
      kind: "page_load",
      t_ms: 1234.6,
      clock_id: "c1",
      wall_ms: 1_700_000_000_000,
      data: { visible: true },
    },
    { sequence: 1, kind: "first_paint", t_ms: 987.7, clock_id: "c1", wall_ms: 1_700_000_000_000, data: { frame: 3 } },
  ]);
});

test("what is not acknowledged is sent again, what is acknowledged is not", () => {
  const recorder = new EventRecorder({ clock: clockAt(0, 0), clockId: "c1" });
  for (let n = 0; n < 5; n += 1) recorder.record("pointer");
  expect(recorder.pending(2).map((event) => event.sequence)).toEqual([0, 1]);
  recorder.acknowledge(1);
  expect(recorder.pending().map((event) => event.sequence)).toEqual([2, 3, 4]);
  recorder.acknowledge(1);
  expect(recorder.pending()).toHaveLength(3);
});

test("an event is handed over the moment it is recorded", () => {
  const handed: RecordedEvent[] = [];
  const recorder = new EventRecorder({ clock: clockAt(7, 9), clockId: "c1", onEvent: (event) => handed.push(event) });
  const event = recorder.record("key", { key: "h" });
  expect(handed).toEqual([event]);
  recorder.record("pointer");
  expect(handed.map((each) => [each.sequence, each.kind])).toEqual([
    [0, "key"],
    [1, "pointer"],
  ]);
});
