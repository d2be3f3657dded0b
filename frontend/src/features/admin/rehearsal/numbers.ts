/** How estimates are written and where they stand on a bar. */
import type { SetEstimate } from "@/api/types";

const DIGITS = 3;
const PERCENT = 100;

/** Three significant digits, as the reports of the analyses print them. */
export const shortNumber = (value: number): string => String(Number(value.toPrecision(DIGITS)));

export const percent = (share: number): string => `${(PERCENT * share).toFixed(1)} %`;

export function estimateText(one: SetEstimate): string {
  if (one.value === null) return "not available";
  const value = `${shortNumber(one.value)}${one.unit}`;
  if (one.low === null || one.high === null) return value;
  return `${value} (${shortNumber(one.low)} to ${shortNumber(one.high)})`;
}

export interface BarPlaces {
  readonly low: number;
  readonly high: number;
  readonly value: number;
  readonly set: number;
}

const MARGIN = 0.08;

/** Where interval, estimate and set value stand, as shares of the bar's width; null without an estimate. */
export function barPlaces(one: SetEstimate): BarPlaces | null {
  if (one.value === null) return null;
  const low = one.low ?? one.value;
  const high = one.high ?? one.value;
  const least = Math.min(low, one.value, one.set_to);
  const most = Math.max(high, one.value, one.set_to);
  const span = most - least || 1;
  const at = (value: number): number => MARGIN + ((value - least) / span) * (1 - 2 * MARGIN);
  return { low: at(low), high: at(high), value: at(one.value), set: at(one.set_to) };
}
