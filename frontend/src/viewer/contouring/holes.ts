/** Holes of a slice: pixels outside that cannot reach the image's border over faces. */
import type { FillRow } from "./fill";
import type { PixelBox } from "./volume-grid";

/** Calls back for every pixel of every hole within the box around the slice's pixels. */
export function holesOfPlane(plane: Uint8Array, columns: number, box: PixelBox, fill: FillRow): void {
  const width = box.x1 - box.x0 + 3;
  const height = box.y1 - box.y0 + 3;
  const seen = new Uint8Array(width * height);
  for (let y = box.y0; y <= box.y1; y += 1) {
    const row = plane.subarray(y * columns + box.x0, y * columns + box.x1 + 1);
    seen.set(row, (y - box.y0 + 1) * width + 1);
  }
  const queue = new Int32Array(seen.length);
  let tail = 0;
  const visit = (at: number): void => {
    if (seen[at] !== 0) return;
    seen[at] = 1;
    queue[tail] = at;
    tail += 1;
  };
  visit(0);
  for (let head = 0; head < tail; head += 1) {
    const at = queue[head] as number;
    if (at % width > 0) visit(at - 1);
    if (at % width < width - 1) visit(at + 1);
    if (at >= width) visit(at - width);
    if (at < width * (height - 1)) visit(at + width);
  }
  for (let at = 0; at < seen.length; at += 1) {
    if (seen[at] !== 0) continue;
    const x = (at % width) + box.x0 - 1;
    fill(Math.floor(at / width) + box.y0 - 1, x, x);
  }
}
