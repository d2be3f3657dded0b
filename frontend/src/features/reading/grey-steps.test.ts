import { expect, test } from "vitest";
import {
  answerOfKey,
  drawField,
  drawPatches,
  drawRamp,
  FIELD_GREYS,
  missed,
  patchBox,
  QUARTERS,
  RAMP,
} from "./grey-steps";

/** A canvas that remembers what was filled. */
function paper() {
  const filled: [string, number, number, number, number][] = [];
  return {
    fillStyle: "",
    fillRect(x: number, y: number, width: number, height: number): void {
      filled.push([this.fillStyle, x, y, width, height]);
    },
    filled,
  };
}

test("the ramp has 18 steps from black to white, side by side without a gap", () => {
  expect(RAMP).toEqual([0, 8, 24, 40, 56, 72, 88, 104, 120, 136, 152, 168, 184, 200, 216, 232, 248, 255]);
  const on = paper();
  drawRamp(on, 1000, 60);
  expect(on.filled).toHaveLength(18);
  let end = 0;
  for (const [, x, , width] of on.filled) {
    expect(x).toBe(end);
    end += width;
  }
  expect(end).toBe(1000);
});

test("the patches are 5 % in 0 % and 95 % in 100 %", () => {
  expect(FIELD_GREYS.dark).toEqual({ field: 0, patch: Math.round(0.05 * 255) });
  expect(FIELD_GREYS.bright).toEqual({ field: 255, patch: Math.round(0.95 * 255) });
  const on = paper();
  drawField(on, { field: "bright", shown: 3 }, 480, 360);
  expect(on.filled).toEqual([
    ["rgb(255, 255, 255)", 0, 0, 480, 360],
    ["rgb(242, 242, 242)", 80, 240, 80, 60],
  ]);
});

test("a patch lies wholly in its quarter", () => {
  for (const quarter of QUARTERS) {
    const [x, y, width, height] = patchBox(quarter, 480, 360);
    const column = (quarter - 1) % 2;
    const row = quarter > 2 ? 1 : 0;
    expect(x).toBeGreaterThan(column * 240);
    expect(x + width).toBeLessThan((column + 1) * 240);
    expect(y).toBeGreaterThan(row * 180);
    expect(y + height).toBeLessThan((row + 1) * 180);
  }
});

test("dark and bright come in turn, three of each, every quarter as often as the others", () => {
  const fields = drawPatches().map(({ field }) => field);
  expect(fields).toEqual(["dark", "bright", "dark", "bright", "dark", "bright"]);
  const counts = new Map<number, number>();
  for (let n = 0; n < 1000; n += 1) {
    for (const { shown } of drawPatches()) counts.set(shown, (counts.get(shown) ?? 0) + 1);
  }
  expect([...counts.keys()].sort()).toEqual([1, 2, 3, 4]);
  // 6000 draws, 1500 each; five standard deviations of a fair draw are 168.
  for (const count of counts.values()) expect(Math.abs(count - 1500)).toBeLessThan(168);
});

test("a patch is missed where none or another quarter was named", () => {
  const answers = [
    { field: "dark", shown: 1, chosen: 1 },
    { field: "dark", shown: 2, chosen: null },
    { field: "dark", shown: 3, chosen: 4 },
    { field: "bright", shown: 3, chosen: 3 },
  ] as const;
  expect(missed(answers, "dark")).toBe(2);
  expect(missed(answers, "bright")).toBe(0);
});

test("keys answer: 1 to 4, and 0 or N for none", () => {
  expect(["1", "2", "3", "4", "0", "n", "N", "5", "Enter", ""].map(answerOfKey)).toEqual([
    1,
    2,
    3,
    4,
    null,
    null,
    null,
    undefined,
    undefined,
    undefined,
  ]);
});
