import { expect, test } from "vitest";
import type { Job } from "@/api/types";
import { pollAfterMs } from "./job-query";

const jobIn = (state: Job["state"]): Job => ({ state }) as Job;

test("a job is asked for every second while seen, every ten seconds while hidden, and not once it has ended", () => {
  expect(pollAfterMs(undefined, false)).toBe(1000);
  expect(pollAfterMs(jobIn("running"), false)).toBe(1000);
  expect(pollAfterMs(jobIn("running"), true)).toBe(10_000);
  expect(
    (["succeeded", "failed", "cancelled", "partial"] as const).map((state) => pollAfterMs(jobIn(state), false)),
  ).toEqual([false, false, false, false]);
});
