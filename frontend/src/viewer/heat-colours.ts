/**
 * The fixed colour scale of heat maps: cividis (Nuñez, Anderton, Renslow, PLoS ONE 2018;13:e0199239), made to look the
 * same with and without a colour vision deficiency, brightness rising evenly. Level 0 is clear, so that tissue that the
 * map says nothing of stays as it is; from a quarter of the scale on the colour covers as far as the opacity allows.
 */

/** Red, green, blue at 17 even steps of the scale, as matplotlib 3 gives them. */
const STEPS = [
  [0, 34, 78],
  [0, 46, 106],
  [26, 56, 111],
  [50, 67, 109],
  [67, 78, 108],
  [83, 90, 109],
  [97, 101, 111],
  [111, 112, 115],
  [125, 124, 120],
  [140, 136, 120],
  [155, 148, 118],
  [171, 160, 114],
  [188, 174, 108],
  [205, 187, 99],
  [222, 201, 88],
  [240, 216, 70],
  [254, 232, 56],
] as const;

export const HOTTEST = 255;
/** The level from which on the colour is as opaque as the reader has set it. */
export const FULL_FROM = 64;

export type Rgba = readonly [red: number, green: number, blue: number, alpha: number];

/** The colour of a level from 0 to 255. */
export function heatColour(level: number): Rgba {
  const at = (Math.min(HOTTEST, Math.max(0, level)) / HOTTEST) * (STEPS.length - 1);
  const low = Math.min(STEPS.length - 2, Math.floor(at));
  const share = at - low;
  const from = STEPS[low] as readonly number[];
  const to = STEPS[low + 1] as readonly number[];
  const mixed = [0, 1, 2].map((c) => Math.round((from[c] as number) * (1 - share) + (to[c] as number) * share));
  const alpha = Math.round(HOTTEST * Math.min(1, level / FULL_FROM));
  return [mixed[0] as number, mixed[1] as number, mixed[2] as number, alpha];
}

/** Levels as a picture's RGBA bytes. */
export function colouredHeat(levels: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const table = Array.from({ length: HOTTEST + 1 }, (_, level) => heatColour(level));
  const bytes = new Uint8ClampedArray(levels.length * 4);
  for (let index = 0; index < levels.length; index += 1) bytes.set(table[levels[index] as number] as Rgba, index * 4);
  return bytes;
}

/** The scale as a CSS gradient, cold on the left: what the legend shows. */
export function heatGradient(): string {
  const stops = STEPS.map(([red, green, blue]) => `rgb(${red} ${green} ${blue})`);
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
