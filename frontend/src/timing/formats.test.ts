import { expect, test } from "vitest";
import { duration, timeLeft } from "./formats";

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
