import { expect, test } from "vitest";
import { slugOf } from "./slug";

test("a title becomes a short name for addresses", () => {
  expect(slugOf("Lung tumour contours (2026)")).toBe("lung-tumour-contours-2026");
  expect(slugOf("  Étude n° 3 ")).toBe("etude-n-3");
  expect(slugOf("x".repeat(80))).toHaveLength(60);
});
