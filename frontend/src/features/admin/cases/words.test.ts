import { expect, test } from "vitest";
import { wordsOf } from "./words";

test("words are told apart by spaces, commas and semicolons, and written in capitals", () => {
  expect(wordsOf(" ct, rtstruct;SEG ")).toEqual(["CT", "RTSTRUCT", "SEG"]);
  expect(wordsOf("  ")).toEqual([]);
});
