import { expect, test } from "vitest";
import type { AnalysisTable } from "@/api/types";
import { choicesOf, rowsShown } from "./table-filter";

const table = (columns: string[], rows: unknown[][]) => ({ name: "t", columns, rows }) as unknown as AnalysisTable;

const scores = table(
  ["participant", "group", "n"],
  [
    ["R-01", "radiology", 9],
    ["R-02", "surgery", 8],
    ["all", null, 17],
  ],
);
const subgroups = table(
  ["subgroup", "level", "median"],
  [
    ["pet", "0", 0.8],
    ["pet", "1", 0.9],
  ],
);

test("what can be filtered by is what the tables hold more than one of", () => {
  expect([...choicesOf([scores, subgroups])]).toEqual([
    ["group", ["radiology", "surgery"]],
    ["stratum", ["0", "1"]],
  ]);
  expect([...choicesOf([table(["group"], [["radiology"]])])]).toEqual([]);
});

test("rows of another group go, rows of the whole and tables without groups stay", () => {
  expect(rowsShown(scores, { group: "surgery" }).map((row) => row[0])).toEqual(["R-02", "all"]);
  expect(rowsShown(subgroups, { group: "surgery" })).toHaveLength(2);
  expect(rowsShown(subgroups, { group: "surgery", stratum: "1" })).toEqual([["pet", "1", 0.9]]);
});
