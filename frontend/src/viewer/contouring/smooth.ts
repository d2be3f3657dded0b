/** Smoothing an outline: a pixel is inside if most of the disc around it is. */
import type { FillRow } from "./fill";
import { boxAround, type PixelBox, type VolumeGrid } from "./volume-grid";

/** Calls back for every run inside of the smoothed slice; nothing is left of what is smaller than half the disc. */
export function smoothPlane(plane: Uint8Array, grid: VolumeGrid, box: PixelBox, radiusMm: number, fill: FillRow): void {
  const [, rows, columns] = grid.shapeZyx;
  const [, rowMm, columnMm] = grid.spacingMmZyx;
  const reach = { x: Math.floor(radiusMm / columnMm), y: Math.floor(radiusMm / rowMm) };
  const disc: (readonly [number, number])[] = [];
  for (let y = -reach.y; y <= reach.y; y += 1) {
    for (let x = -reach.x; x <= reach.x; x += 1) {
      if (Math.hypot(x * columnMm, y * rowMm) <= radiusMm) disc.push([x, y]);
    }
  }
  const inside = (x: number, y: number): number =>
    x < 0 || y < 0 || x >= columns || y >= rows ? 0 : (plane[y * columns + x] as number);
  const grown = boxAround([box.x0, box.y0, box.x1, box.y1], reach, grid);
  if (!grown) return;
  for (let y = grown.y0; y <= grown.y1; y += 1) {
    for (let x = grown.x0; x <= grown.x1; x += 1) {
      let count = 0;
      for (const [dx, dy] of disc) count += inside(x + dx, y + dy);
      if (2 * count > disc.length) fill(y, x, x);
    }
  }
}
