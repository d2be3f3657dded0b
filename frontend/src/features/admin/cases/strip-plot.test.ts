import { expect, test } from "vitest";
import { number } from "./numbers";
import { stacked } from "./strip-plot";

test("dots of one value stand above each other, others on the axis", () => {
  expect(stacked([10, 10, 30, 12, 10], 7)).toEqual([0, 1, 0, 2, 3]);
});

test("numbers show at most two decimals and no empty ones", () => {
  expect([number(3), number(0.9765625), number(2.5), number(-0.001)]).toEqual(["3", "0.98", "2.5", "0"]);
});
