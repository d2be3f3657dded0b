/** Which point of a figure is meant by a place on its picture. */

/** Where a point lies on the picture (shares from the left and from the top), and what it says. */
export type FigurePoint = readonly [left: number, top: number, words: string];

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** How far off the pointer may be, in CSS pixels. */
export const REACH = 24;

/** The index of the point nearest to a place, in pixels of the picture as it is shown; null where none is in reach. */
export function nearestPoint(
  points: readonly FigurePoint[],
  x: number,
  y: number,
  { width, height }: Size,
): number | null {
  let best: number | null = null;
  let least = REACH * REACH;
  points.forEach(([left, top], index) => {
    const distance = (left * width - x) ** 2 + (top * height - y) ** 2;
    if (distance <= least) {
      best = index;
      least = distance;
    }
  });
  return best;
}

/** The points from left to right, and from top to bottom where they stand above one another. */
export function inReadingOrder(points: readonly FigurePoint[]): readonly FigurePoint[] {
  return [...points].sort((one, other) => one[0] - other[0] || one[1] - other[1]);
}
