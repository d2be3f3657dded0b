/** Which rows of the results' tables are shown: those of one group of readers, one stratum of cases, one condition. */
import type { AnalysisTable } from "@/api/types";

/** What rows can be filtered by, and the columns that hold it. */
export const FILTERS = {
  group: ["group"],
  stratum: ["stratum", "level"],
  condition: ["condition"],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type FilterName = keyof typeof FILTERS;
export type Chosen = Readonly<Partial<Record<FilterName, string>>>;

const NAMES = Object.keys(FILTERS) as FilterName[];

function placesOf(table: AnalysisTable, name: FilterName): readonly number[] {
  return FILTERS[name].map((column) => table.columns.indexOf(column)).filter((place) => place >= 0);
}

/** Every value that any table has of each filter, in order of appearance; filters without a choice are left out. */
export function choicesOf(tables: readonly AnalysisTable[]): ReadonlyMap<FilterName, readonly string[]> {
  const found = new Map<FilterName, readonly string[]>();
  for (const name of NAMES) {
    const values = new Set<string>();
    for (const table of tables) {
      for (const place of placesOf(table, name)) {
        for (const row of table.rows)
          if (typeof row[place] === "string" && row[place]) values.add(row[place] as string);
      }
    }
    if (values.size > 1) found.set(name, [...values]);
  }
  return found;
}

/** The rows that fit; a row that says nothing of a filter (the whole, another table) stays. */
export function rowsShown(table: AnalysisTable, chosen: Chosen): readonly unknown[][] {
  const wanted = NAMES.flatMap((name) => {
    const value = chosen[name];
    return value ? [{ value, places: placesOf(table, name) }] : [];
  });
  return table.rows.filter((row) =>
    wanted.every(({ value, places }) => places.every((place) => !row[place] || row[place] === value)),
  );
}
