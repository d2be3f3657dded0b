/**
 * The grey-step test: an 18-step ramp, and fields of 0 % and 100 % with one patch of 5 % and 95 % in one of four
 * quarters, as in TG18-QC (E. Samei et al., AAPM On-Line Report No. 3, 2005, after SMPTE RP 133-1991). The quarter is
 * drawn anew for every field, so that the answer cannot be a habit. Grey values are of 8 bits.
 */

/** The two ends and 16 steps from 8 to 248 between them. */
export const RAMP: readonly number[] = [0, ...Array.from({ length: 16 }, (_, step) => 8 + 16 * step), 255];

export type FieldName = "dark" | "bright";

/** Grey values of a field and of the patch in it: 5 % in 0 %, 95 % in 100 %. */
export const FIELD_GREYS: Readonly<Record<FieldName, { readonly field: number; readonly patch: number }>> = {
  dark: { field: 0, patch: 13 },
  bright: { field: 255, patch: 242 },
};

export const QUARTERS = [1, 2, 3, 4] as const;
const TIMES = 3;

export interface Patch {
  readonly field: FieldName;
  readonly shown: number;
}

export interface PatchAnswer extends Patch {
  /** The quarter the reader named; null where none was seen. */
  readonly chosen: number | null;
}

/** A number from 1 to 4, each as likely as the others. */
function drawnQuarter(): number {
  const byte = crypto.getRandomValues(new Uint8Array(1))[0] ?? 0;
  return (byte % QUARTERS.length) + 1;
}

/** The fields of one try in their order: dark and bright in turn. */
export function drawPatches(quarter: () => number = drawnQuarter): Patch[] {
  return Array.from({ length: 2 * TIMES }, (_, index) => ({
    field: index % 2 === 0 ? "dark" : "bright",
    shown: quarter(),
  }));
}

/** How many patches of a field were not found. */
export function missed(answers: readonly PatchAnswer[], field: FieldName): number {
  return answers.filter((each) => each.field === field && each.chosen !== each.shown).length;
}

const grey = (value: number): string => `rgb(${value}, ${value}, ${value})`;

type Drawing = Pick<CanvasRenderingContext2D, "fillStyle" | "fillRect">;

export function drawRamp(on: Drawing, width: number, height: number): void {
  RAMP.forEach((value, index) => {
    const left = Math.round((index * width) / RAMP.length);
    on.fillStyle = grey(value);
    on.fillRect(left, 0, Math.round(((index + 1) * width) / RAMP.length) - left, height);
  });
}

/** Where the patch of a quarter lies: in the middle of it, a third as wide. Without edges or letters beside it. */
export function patchBox(quarter: number, width: number, height: number): [number, number, number, number] {
  const column = (quarter - 1) % 2;
  const row = quarter > 2 ? 1 : 0;
  return [
    Math.round((column + 1 / 3) * (width / 2)),
    Math.round((row + 1 / 3) * (height / 2)),
    Math.round(width / 6),
    Math.round(height / 6),
  ];
}

export function drawField(on: Drawing, { field, shown }: Patch, width: number, height: number): void {
  const greys = FIELD_GREYS[field];
  on.fillStyle = grey(greys.field);
  on.fillRect(0, 0, width, height);
  on.fillStyle = grey(greys.patch);
  on.fillRect(...patchBox(shown, width, height));
}

/** The answer that a key gives: a quarter, null for "none", or undefined if it is none of the test's keys. */
export function answerOfKey(key: string): number | null | undefined {
  if (key === "0" || key === "n" || key === "N") return null;
  return QUARTERS.find((quarter) => key === String(quarter));
}
