import { describe, expect, it } from "vitest";
import { ownPath } from "./paths";

describe("ownPath", () => {
  it.each(["/", "/account", "/trials/7?filter=a%20b#top"])("keeps %s", (to) => {
    expect(ownPath(to)).toBe(to);
  });

  it.each([
    undefined,
    "",
    "trials",
    "https://elsewhere.example/",
    "//elsewhere.example",
    "/\\elsewhere.example",
    "/\t/elsewhere.example",
    "/\n\\elsewhere.example",
    "javascript:alert(1)",
  ])("leads from %j to the start page", (to) => {
    expect(ownPath(to)).toBe("/");
  });
});
