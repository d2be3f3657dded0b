import { expect, test } from "vitest";
import { dayBegins, duration, timeLeft, utcSecond } from "./formats";

test("durations are told as people say them", () => {
  expect([duration(42.4), duration(132), duration(3900), duration(null)]).toEqual([
    "42 s",
    "2 min 12 s",
    "1 h 5 min",
    "–",
  ]);
});

test("time left is told in minutes, then in hours", () => {
  expect([timeLeft(20), timeLeft(840), timeLeft(7200)]).toEqual([
    "less than 1 min left",
    "~ 14 min left",
    "~ 2 h left",
  ]);
});

test("moments of the trail are told in UTC, whatever the browser's time zone", () => {
  expect(utcSecond("2026-03-01T23:30:05.678901+01:00")).toBe("2026-03-01 22:30:05 UTC");
  expect([dayBegins("2026-02-28"), dayBegins("2026-02-28", 1)]).toEqual([
    "2026-02-28T00:00:00.000Z",
    "2026-03-01T00:00:00.000Z",
  ]);
});
