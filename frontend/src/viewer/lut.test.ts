import { expect, test } from "vitest";
import { applyLut, fillLut, greyLevel, LUT_SIZE, type Voi } from "./lut";

/** DICOM PS3.3 C.11.2.1.2.1, written out once more in its own words. */
function standardWindow(value: number, { width, level, invert }: Voi): number {
  let y: number;
  if (value <= level - 0.5 - (width - 1) / 2) y = 0;
  else if (value > level - 0.5 + (width - 1) / 2) y = 255;
  else y = ((value - (level - 0.5)) / (width - 1) + 0.5) * (255 - 0) + 0;
  const grey = Math.round(y);
  return invert ? 255 - grey : grey;
}

const WINDOWS: Voi[] = [
  { width: 1500, level: -600, invert: false },
  { width: 400, level: 40, invert: false },
  { width: 1800, level: 400, invert: true },
  { width: 1, level: 0, invert: false },
  { width: 4000, level: -1200, invert: false },
];

test.each(WINDOWS)("the table holds the standard's formula for every 16-bit value: %o", (voi) => {
  const lut = new Uint32Array(LUT_SIZE);
  fillLut(lut, voi);
  for (let value = -32768; value <= 32767; value += 1) {
    const grey = standardWindow(value, voi);
    const word = lut[value & 0xffff] as number;
    if (word !== (0xff000000 | (grey << 16) | (grey << 8) | grey) >>> 0) {
      throw new Error(`Value ${value}: table ${word.toString(16)}, formula ${grey}.`);
    }
  }
});

test("the ends of a window are black and white, and inversion swaps them", () => {
  expect(greyLevel(-160, { width: 400, level: 40, invert: false })).toBe(0);
  expect(greyLevel(240, { width: 400, level: 40, invert: false })).toBe(255);
  expect(greyLevel(240, { width: 400, level: 40, invert: true })).toBe(0);
  expect(greyLevel(40, { width: 400, level: 40, invert: false })).toBe(128);
});

test("a width of one is a threshold", () => {
  const voi = { width: 1, level: 10, invert: false };
  expect([greyLevel(9, voi), greyLevel(10, voi)]).toEqual([0, 255]);
});

test("pixels of another number than the picture's are refused", () => {
  expect(() => applyLut(new Int16Array(3), new Uint32Array(LUT_SIZE), new Uint32Array(4))).toThrow(
    "A frame has 3 pixels, but its picture has 4.",
  );
});
