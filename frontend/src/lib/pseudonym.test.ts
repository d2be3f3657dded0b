import { expect, test } from "vitest";
import { pseudonym } from "./pseudonym";

test("a pseudonym is the same on every page load and shows nothing of the name", () => {
  expect(pseudonym('["reader@example.org","trial"]')).toBe("0c9b35be2cbc9bc4");
  expect(pseudonym("")).toMatch(/^[0-9a-f]{16}$/);
});

test("names that differ in a little have different pseudonyms", () => {
  const names = Array.from({ length: 20_000 }, (_, number) => `["reader${number}@example.org","trial"]`);
  expect(new Set(names.map(pseudonym)).size).toBe(names.length);
});
