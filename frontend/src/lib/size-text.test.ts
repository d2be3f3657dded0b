import { expect, test } from "vitest";
import { sizeText } from "./size-text";

test("sizes are told in binary units", () => {
  expect([sizeText(10), sizeText(1536 * 1024), sizeText(3 * 1024 ** 3)]).toEqual(["1 KiB", "1.5 MiB", "3.00 GiB"]);
});
