/** A smooth closed line through points: centripetal Catmull-Rom, which neither loops nor overshoots at close points. */

const STEPS_PER_PIXEL = 2;
const FEWEST_STEPS = 4;
const CENTRIPETAL = 0.5;

type Point = readonly [number, number];

const knot = (a: Point, b: Point): number => Math.hypot(b[0] - a[0], b[1] - a[1]) ** CENTRIPETAL;

function blend(a: Point, b: Point, ta: number, tb: number, t: number): Point {
  if (tb === ta) return a;
  const part = (t - ta) / (tb - ta);
  return [a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])];
}

/** The point at `part` (0 to 1) between the middle two of four points (Barry and Goldman's pyramid). */
function pointBetween(four: readonly [Point, Point, Point, Point], part: number): Point {
  const [a, b, c, d] = four;
  const t1 = knot(a, b);
  const t2 = t1 + knot(b, c);
  const t3 = t2 + knot(c, d);
  const t = t1 + part * (t2 - t1);
  const ab = blend(a, b, 0, t1, t);
  const bc = blend(b, c, t1, t2, t);
  const cd = blend(c, d, t2, t3, t);
  return blend(blend(ab, bc, 0, t2, t), blend(bc, cd, t1, t3, t), t1, t2, t);
}

/** Vertices of the line through the given points (x and y in turn); with fewer than three points, the points. */
export function closedSpline(points: readonly number[]): number[] {
  const distinct: Point[] = [];
  for (let index = 0; index + 1 < points.length; index += 2) {
    const point: Point = [points[index] as number, points[index + 1] as number];
    const last = distinct.at(-1);
    if (!last || last[0] !== point[0] || last[1] !== point[1]) distinct.push(point);
  }
  const count = distinct.length;
  if (count < 3) return distinct.flat();
  const at = (index: number): Point => distinct[(index + count) % count] as Point;
  const line: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const four = [at(index - 1), at(index), at(index + 1), at(index + 2)] as const;
    const length = Math.hypot(four[2][0] - four[1][0], four[2][1] - four[1][1]);
    const steps = Math.max(FEWEST_STEPS, Math.ceil(length * STEPS_PER_PIXEL));
    for (let step = 0; step < steps; step += 1) line.push(...pointBetween(four, step / steps));
  }
  return line;
}
