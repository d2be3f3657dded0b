import { expect, test } from "vitest";
import { fillLoops } from "./fill";
import { type Loop, loopsOfSlice } from "./outline";
import { maskOf, randomNumbers } from "./testing";

/** `equipoise.imaging.outline.boundary_loops` of this picture. */
const PICTURE = ["........", "..##....", ".####.#.", ".#..##..", ".####...", "......##", "#.......", "........"];
const SERVER = [
  [
    4, 4.5, 3, 4.5, 2, 4.5, 1, 4.5, 0.5, 4, 0.5, 3, 0.5, 2, 1, 1.5, 1.5, 1, 2, 0.5, 3, 0.5, 3.5, 1, 4, 1.5, 4.5, 2, 5,
    2.5, 5.5, 3, 5, 3.5, 4.5, 4,
  ],
  [6, 2.5, 5.5, 2, 6, 1.5, 6.5, 2],
  [3.5, 3, 3, 2.5, 2, 2.5, 1.5, 3, 2, 3.5, 3, 3.5],
  [7, 5.5, 6, 5.5, 5.5, 5, 6, 4.5, 7, 4.5, 7.5, 5],
  [0, 6.5, -0.5, 6, 0, 5.5, 0.5, 6],
];

/** The loop from its first vertex in reading order, so that loops may begin anywhere. */
function canonical(loop: ArrayLike<number>): string {
  const points = Array.from(
    { length: loop.length / 2 },
    (_, at) => [loop[2 * at] ?? 0, loop[2 * at + 1] ?? 0] as const,
  );
  const rotations = points.map((_, at) => JSON.stringify([...points.slice(at), ...points.slice(0, at)]));
  return rotations.sort()[0] ?? "";
}

test("the loops are the server's, in its direction", () => {
  const loops = loopsOfSlice(maskOf([PICTURE]), 0);
  expect(loops.map(canonical).sort()).toEqual(SERVER.map(canonical).sort());
});

test("filling the loops gives back the mask, also at the image's border", () => {
  const random = randomNumbers(3);
  for (let round = 0; round < 50; round += 1) {
    const density = 1 + random(3);
    const picture = Array.from({ length: 13 }, () =>
      Array.from({ length: 17 }, () => (random(4) < density ? "#" : ".")).join(""),
    );
    const mask = maskOf([picture]);
    const filled = new Uint8Array(mask.data.length);
    fillLoops(loopsOfSlice(mask, 0), "evenodd", 13, (y, x0, x1) => filled.fill(1, y * 17 + x0, y * 17 + x1 + 1));
    expect(filled).toEqual(mask.data);
  }
});

test("an empty slice has no loops", () => {
  const none: Loop[] = [];
  expect(loopsOfSlice(maskOf([["...", "..."]]), 0)).toEqual(none);
});
