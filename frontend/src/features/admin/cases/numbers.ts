/** A measured value as people read it: at most two decimals, none that say nothing. */
export function number(value: number): string {
  return String(Number(value.toFixed(2)));
}
