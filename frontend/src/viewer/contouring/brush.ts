/** Pixels under a round brush of a diameter in millimetres, drawn along a line; pixels need not be square. */
import type { FillRow } from "./fill";
import { boxAround, type VolumeGrid } from "./volume-grid";

/** Square of the distance in mm from (x, y) to the line from (x0, y0) to (x1, y1), all in mm. */
function squaredDistance(x: number, y: number, x0: number, y0: number, x1: number, y1: number): number {
  const dx = x1 - x0;
  const dy = y1 - y0;
  const length2 = dx * dx + dy * dy;
  const along = length2 === 0 ? 0 : Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / length2));
  const ex = x - x0 - along * dx;
  const ey = y - y0 - along * dy;
  return ex * ex + ey * ey;
}

/**
 * Calls back for every run of pixels whose centre is within half the diameter of the line; the pixel under either end is
 * always one of them, however thin the brush.
 *
 * @param line - x0, y0, x1, y1 in pixels; equal ends make a dab.
 */
export function brushLine(line: readonly number[], diameterMm: number, grid: VolumeGrid, fill: FillRow): void {
  const [, rowMm, columnMm] = grid.spacingMmZyx;
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = line;
  const radius = diameterMm / 2;
  const box = boxAround(line, { x: radius / columnMm, y: radius / rowMm }, grid);
  if (!box) return;
  const limit = radius * radius;
  for (let y = box.y0; y <= box.y1; y += 1) {
    let first = -1;
    let last = -1;
    for (let x = box.x0; x <= box.x1; x += 1) {
      const d2 = squaredDistance(x * columnMm, y * rowMm, x0 * columnMm, y0 * rowMm, x1 * columnMm, y1 * rowMm);
      if (d2 > limit) continue;
      if (first < 0) first = x;
      last = x;
    }
    if (first >= 0) fill(y, first, last);
  }
  for (const [x, y] of [
    [x0, y0],
    [x1, y1],
  ] as const) {
    const column = Math.round(x);
    const row = Math.round(y);
    if (column >= box.x0 && column <= box.x1 && row >= box.y0 && row <= box.y1) fill(row, column, column);
  }
}
