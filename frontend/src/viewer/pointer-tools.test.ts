import { expect, test } from "vitest";
import { WheelSteps } from "./pointer-tools";

test("a notch of a mouse wheel is one frame", () => {
  const wheel = new WheelSteps();
  expect([wheel.steps(100, 0), wheel.steps(-120, 0), wheel.steps(3, 1), wheel.steps(-3, 1)]).toEqual([1, -1, 1, -1]);
});

test("small trackpad movements gather to whole frames", () => {
  const wheel = new WheelSteps();
  const steps = Array.from({ length: 10 }, () => wheel.steps(12, 0));
  expect(steps.reduce((sum, step) => sum + step, 0)).toBe(3);
});
