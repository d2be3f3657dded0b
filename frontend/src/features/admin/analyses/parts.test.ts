import { expect, test } from "vitest";
import type { Analysis } from "@/api/types";
import { analysesUnder, withChoice } from "./parts";

const analysis = (id: string, changes: Partial<Analysis> = {}): Analysis =>
  ({ id, name: "roc", where: {}, external_table: null, ...changes }) as Analysis;

const whole = analysis("whole");
const time = analysis("time", { name: "reading-time" });
const external = analysis("external", { name: "survival", external_table: "e" });
const older = analysis("older", { where: { group: "surgery" } });
const newer = analysis("newer", { where: { group: "surgery" } });
const both = analysis("both", { where: { group: "surgery", site: "A" } });
const all = [whole, time, external, older, newer, both];

test("without a filter every analysis of the whole is shown, and none of a part", () => {
  expect(analysesUnder(all, {})).toEqual({ shown: [whole, time, external], lacking: [], external: 0 });
});

test("under a filter nothing is shown but what was computed of that very part", () => {
  expect(analysesUnder(all, { group: "surgery" })).toEqual({
    shown: [newer],
    lacking: ["reading-time"],
    external: 1,
  });
  expect(analysesUnder(all, { site: "A" }).shown).toEqual([]);
  expect(analysesUnder(all, { site: "A", group: "surgery" }).shown).toEqual([both]);
});

test("a choice is set and taken back", () => {
  expect(withChoice({ group: "surgery" }, "site", "A")).toEqual({ group: "surgery", site: "A" });
  expect(withChoice({ group: "surgery" }, "group", "")).toEqual({});
});
