import { expect, test } from "vitest";
import { type FigurePoint, inReadingOrder, nearestPoint } from "./nearest-point";

const SIZE = { width: 400, height: 200 };
const POINTS: FigurePoint[] = [
  [0.5, 0.5, "middle"],
  [0.55, 0.5, "right of it"],
  [0, 0, "corner"],
];

test("the nearest point in reach is meant, measured in pixels of the picture as it is shown", () => {
  expect(nearestPoint(POINTS, 208, 100, SIZE)).toBe(0);
  expect(nearestPoint(POINTS, 213, 100, SIZE)).toBe(1);
  expect(nearestPoint(POINTS, 10, 10, SIZE)).toBe(2);
  expect(nearestPoint(POINTS, 20, 20, SIZE)).toBeNull();
  expect(nearestPoint(POINTS, 208, 100, { width: 4000, height: 2000 })).toBeNull();
});

test("the keyboard goes from left to right", () => {
  expect(inReadingOrder(POINTS).map(([, , words]) => words)).toEqual(["corner", "middle", "right of it"]);
});
