/** Which analyses are shown under a filter: those that were computed of that very part of the readings. */
import type { Analysis } from "@/api/types";

/** Column -> value; no column stands for the whole. */
export type Chosen = Readonly<Record<string, string>>;

export interface Under {
  readonly shown: readonly Analysis[];
  /** Analyses of the whole that nobody has computed of this part. */
  readonly lacking: readonly Analysis["name"][];
  /** How many analyses of external data are left out: they have no parts. */
  readonly external: number;
}

function isOf(analysis: Analysis, chosen: Chosen): boolean {
  const columns = Object.keys(chosen);
  return (
    columns.length === Object.keys(analysis.where).length &&
    columns.every((column) => analysis.where[column] === chosen[column])
  );
}

/** The newest of each analysis of the part; of the whole, every one. */
export function analysesUnder(analyses: readonly Analysis[], chosen: Chosen): Under {
  const whole = analyses.filter((each) => isOf(each, {}));
  if (Object.keys(chosen).length === 0) return { shown: whole, lacking: [], external: 0 };
  const newest = new Map<string, Analysis>();
  for (const each of analyses) if (!each.external_table && isOf(each, chosen)) newest.set(each.name, each);
  const names = new Set(whole.filter((each) => !each.external_table).map((each) => each.name));
  return {
    shown: [...newest.values()],
    lacking: [...names].filter((name) => !newest.has(name)),
    external: whole.filter((each) => each.external_table).length,
  };
}

/** The choice with a column set, or taken out where the value is empty. */
export function withChoice(chosen: Chosen, column: string, value: string): Chosen {
  const { [column]: _, ...others } = chosen;
  return value ? { ...others, [column]: value } : others;
}
