import { expect, test } from "vitest";
import type { SetEstimate } from "@/api/types";
import { barPlaces, estimateText, percent, shortNumber } from "./numbers";

const estimate = (changes: Partial<SetEstimate>): SetEstimate => ({
  analysis: "mrmc",
  label: "Difference",
  unit: "",
  value: 0.05,
  low: -0.05,
  high: 0.15,
  set_to: 0.08,
  covers: true,
  ...changes,
});

test("numbers have three significant digits and no empty ones", () => {
  expect([shortNumber(0.79634), shortNumber(54.48), shortNumber(-0.0556), shortNumber(1)]).toEqual([
    "0.796",
    "54.5",
    "-0.0556",
    "1",
  ]);
  expect(percent(0.0495)).toBe("5.0 %");
});

test("an estimate is written with its interval, its unit, or not at all", () => {
  expect(estimateText(estimate({ unit: " %", value: 55.7, low: 30, high: 78.6 }))).toBe("55.7 % (30 to 78.6)");
  expect(estimateText(estimate({ low: null, high: null }))).toBe("0.05");
  expect(estimateText(estimate({ value: null, low: null, high: null }))).toBe("not available");
});

test("the bar holds interval, estimate and set value in their order, also where the interval misses", () => {
  const inside = barPlaces(estimate({}));
  expect(inside?.low).toBeCloseTo(0.08);
  expect(inside?.high).toBeCloseTo(0.92);
  expect(inside?.set).toBeGreaterThan(inside?.value ?? 1);
  const missed = barPlaces(estimate({ set_to: 0.3 }));
  expect(missed?.set).toBeCloseTo(0.92);
  expect(missed?.high).toBeLessThan(missed?.set ?? 0);
  expect(barPlaces(estimate({ value: null }))).toBeNull();
  expect(barPlaces(estimate({ low: null, high: null, value: 0.08 }))).toEqual({
    low: 0.08,
    high: 0.08,
    value: 0.08,
    set: 0.08,
  });
});
