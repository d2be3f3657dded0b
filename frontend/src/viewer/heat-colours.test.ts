import { expect, test } from "vitest";
import { colouredHeat, heatColour } from "./heat-colours";

test("the scale begins clear and dark blue and ends opaque and yellow", () => {
  expect(heatColour(0)).toEqual([0, 34, 78, 0]);
  expect(heatColour(255)).toEqual([254, 232, 56, 255]);
  expect(heatColour(64)[3]).toBe(255);
});

test("brightness rises with every step of the scale, so that it reads without colour", () => {
  const luminance = ([r, g, b]: readonly number[]) => 0.2126 * (r ?? 0) + 0.7152 * (g ?? 0) + 0.0722 * (b ?? 0);
  const values = Array.from({ length: 256 }, (_, level) => luminance(heatColour(level)));
  expect(values.slice(16).every((value, index) => value >= (values[index] ?? 0))).toBe(true);
});

test("levels become four bytes each", () => {
  expect([...colouredHeat(Uint8Array.from([0, 255]))]).toEqual([0, 34, 78, 0, 254, 232, 56, 255]);
});
