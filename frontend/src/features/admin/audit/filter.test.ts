import { expect, test } from "vitest";
import { dayBegins } from "@/timing/formats";
import { filterOf, kindChoices, NOTHING_ASKED } from "./filter";

test("what is not asked for is not sent, and a last day counts to its end", () => {
  expect(filterOf(NOTHING_ASKED)).toEqual({});
  expect(filterOf({ who: "R-01", what: "reading", from: "2026-03-01", to: "2026-03-01" })).toEqual({
    who: "R-01",
    what: "reading",
    since: dayBegins("2026-03-01"),
    until: dayBegins("2026-03-02"),
  });
});

test("kinds stand below the thing that they act on", () => {
  expect(kindChoices(["reading:opened", "reading:submitted", "trial:locked"]).map((one) => one.value)).toEqual([
    "reading",
    "reading:opened",
    "reading:submitted",
    "trial",
    "trial:locked",
  ]);
});
