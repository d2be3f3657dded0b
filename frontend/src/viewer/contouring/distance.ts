/**
 * Exact Euclidean distances on a plane of pixels that need not be square: Felzenszwalb and Huttenlocher, Distance
 * transforms of sampled functions, Theory of Computing 8, 2012.
 */

const FAR = 1e20;

/** Lower envelope of parabolas along one line of `n` values, in place; `step` between values, `mm` apart. */
function alongLine(values: Float64Array, first: number, step: number, n: number, mm: number): void {
  const f = new Float64Array(n);
  for (let index = 0; index < n; index += 1) f[index] = values[first + index * step] as number;
  const places = new Int32Array(n);
  const borders = new Float64Array(n + 1);
  let last = 0;
  borders[0] = Number.NEGATIVE_INFINITY;
  borders[1] = Number.POSITIVE_INFINITY;
  const weight = mm * mm;
  const meet = (a: number, b: number): number =>
    ((f[b] as number) + weight * b * b - (f[a] as number) - weight * a * a) / (2 * weight * (b - a));
  for (let index = 1; index < n; index += 1) {
    let border = meet(places[last] as number, index);
    while (last > 0 && border <= (borders[last] as number)) {
      last -= 1;
      border = meet(places[last] as number, index);
    }
    last += 1;
    places[last] = index;
    borders[last] = border;
    borders[last + 1] = Number.POSITIVE_INFINITY;
  }
  let part = 0;
  for (let index = 0; index < n; index += 1) {
    while ((borders[part + 1] as number) < index) part += 1;
    const place = places[part] as number;
    values[first + index * step] = weight * (index - place) ** 2 + (f[place] as number);
  }
}

/** Distance in mm of every pixel to the nearest one for which `wanted` holds. */
function distanceTo(plane: Uint8Array, width: number, height: number, wanted: 0 | 1, mm: PixelMm): Float64Array {
  const values = new Float64Array(width * height);
  for (let index = 0; index < values.length; index += 1) values[index] = plane[index] === wanted ? 0 : FAR;
  for (let x = 0; x < width; x += 1) alongLine(values, x, width, height, mm.row);
  for (let y = 0; y < height; y += 1) alongLine(values, y * width, 1, width, mm.column);
  for (let index = 0; index < values.length; index += 1) values[index] = Math.sqrt(values[index] as number);
  return values;
}

/** Size of a pixel in mm: between rows and between columns. */
export interface PixelMm {
  readonly row: number;
  readonly column: number;
}

/** Distance to the nearest pixel of the other kind: positive outside, negative inside. */
export function signedDistance(plane: Uint8Array, width: number, height: number, mm: PixelMm): Float64Array {
  const outside = distanceTo(plane, width, height, 1, mm);
  const inside = distanceTo(plane, width, height, 0, mm);
  for (let index = 0; index < outside.length; index += 1) {
    outside[index] = plane[index] === 1 ? -(inside[index] as number) : (outside[index] as number);
  }
  return outside;
}
