/**
 * Filling closed shapes: a pixel is inside if its centre is. A hand-drawn stroke is filled by the non-zero rule, so that
 * a loop that crosses itself is filled whole; outlines with holes by the even-odd rule.
 */

export type FillRule = "nonzero" | "evenodd";
export type FillRow = (y: number, x0: number, x1: number) => void;

interface Crossing {
  readonly x: number;
  readonly turn: 1 | -1;
}

/** Where the loops cross a row of pixel centres, from left to right. A vertex on the row belongs to the edge below. */
function crossings(loops: readonly ArrayLike<number>[], y: number): Crossing[] {
  const found: Crossing[] = [];
  for (const loop of loops) {
    const count = loop.length >> 1;
    for (let index = 0; index < count; index += 1) {
      const other = (index + 1) % count;
      const y0 = loop[2 * index + 1] as number;
      const y1 = loop[2 * other + 1] as number;
      if (y0 <= y === y1 <= y) continue;
      const x0 = loop[2 * index] as number;
      const x1 = loop[2 * other] as number;
      found.push({ x: x0 + ((y - y0) / (y1 - y0)) * (x1 - x0), turn: y1 > y0 ? 1 : -1 });
    }
  }
  return found.sort((a, b) => a.x - b.x);
}

/** Calls back for every run of pixels inside; each loop is x and y in turn and closes itself. */
export function fillLoops(loops: readonly ArrayLike<number>[], rule: FillRule, rows: number, fill: FillRow): void {
  let top = Number.POSITIVE_INFINITY;
  let bottom = Number.NEGATIVE_INFINITY;
  for (const loop of loops) {
    for (let index = 1; index < loop.length; index += 2) {
      top = Math.min(top, loop[index] as number);
      bottom = Math.max(bottom, loop[index] as number);
    }
  }
  for (let y = Math.max(0, Math.ceil(top)); y <= Math.min(rows - 1, Math.floor(bottom)); y += 1) {
    fillBetween(crossings(loops, y), rule, (x0, x1) => fill(y, x0, x1));
  }
}

function fillBetween(row: readonly Crossing[], rule: FillRule, fill: (x0: number, x1: number) => void): void {
  let winding = 0;
  for (let index = 0; index + 1 < row.length; index += 1) {
    const here = row[index] as Crossing;
    winding += rule === "evenodd" ? 1 : here.turn;
    const inside = rule === "evenodd" ? winding % 2 === 1 : winding !== 0;
    const x0 = Math.ceil(here.x);
    const x1 = Math.ceil((row[index + 1] as Crossing).x) - 1;
    if (inside && x0 <= x1) fill(x0, x1);
  }
}
