/** From stored 16-bit values to grey levels: the linear window of DICOM PS3.3 C.11.2.1.2.1, as one table look-up. */

/** Window width and level in stored units (Hounsfield units for CT); `invert` shows high values dark. */
export interface Voi {
  readonly width: number;
  readonly level: number;
  readonly invert: boolean;
}

/** Number of different 16-bit values: one table entry each, indexed by the value's unsigned bit pattern. */
export const LUT_SIZE = 65536;

/** Grey level 0-255 of one stored value: the formula that the table tabulates. */
export function greyLevel(value: number, voi: Voi): number {
  const width = Math.max(1, voi.width);
  const low = voi.level - 0.5 - (width - 1) / 2;
  const high = voi.level - 0.5 + (width - 1) / 2;
  let grey: number;
  if (value <= low) grey = 0;
  else if (value > high) grey = 255;
  else grey = Math.round(((value - (voi.level - 0.5)) / (width - 1) + 0.5) * 255);
  return voi.invert ? 255 - grey : grey;
}

/** Fills `lut` with opaque grey pixels (little-endian RGBA in one word) for every signed 16-bit value. */
export function fillLut(lut: Uint32Array, voi: Voi): void {
  for (let index = 0; index < LUT_SIZE; index += 1) {
    const grey = greyLevel(index > 32767 ? index - LUT_SIZE : index, voi);
    lut[index] = (0xff000000 | (grey << 16) | (grey << 8) | grey) >>> 0;
  }
}

/** Writes the grey pixels of `pixels` into `target`; both have one entry per pixel. */
export function applyLut(pixels: Int16Array, lut: Uint32Array, target: Uint32Array): void {
  if (pixels.length !== target.length) {
    throw new RangeError(`A frame has ${pixels.length} pixels, but its picture has ${target.length}.`);
  }
  for (let index = 0; index < pixels.length; index += 1) {
    target[index] = lut[(pixels[index] as number) & 0xffff] as number;
  }
}
