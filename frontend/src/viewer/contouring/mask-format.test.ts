import { expect, test } from "vitest";
import { decodeMask, encodeMask, fromBase64, toBase64 } from "./mask-format";
import { MaskVolume } from "./mask-volume";
import type { VolumeGrid } from "./volume-grid";

/** Written by `equipoise.imaging.mask.encode_mask` for this grid. */
const GRID: VolumeGrid = {
  shapeZyx: [3, 4, 6],
  spacingMmZyx: [3, 1.5, 0.75],
  originMmXyz: [-12.5, 7.25, 100],
  direction: [0, 1, 0, 1, 0, 0, 0, 0, -1],
};
const PLACE =
  "0000000000000840000000000000f83f000000000000e83f00000000000029c00000000000001d40000000000000594000000000000" +
  "00000000000000000f03f0000000000000000000000000000f03f00000000000000000000000000000000000000000000000000000000" +
  "00000000000000000000f0bf";
const SHAPE = "45514d4b31010000030000000400000006000000";
const HEX = {
  empty: `${SHAPE}${"00".repeat(24)}${PLACE}00000000f8abe03e`,
  some:
    `${SHAPE}010000000100000001000000020000000300000004000000${PLACE}09000000010000000100000001000000010000000200000001000000` +
    "0d00000001000000030000000a5769ab",
  full: `${SHAPE}000000000000000000000000030000000400000006000000${PLACE}02000000000000004800000054548032`,
};
const VOXELS = {
  empty: [],
  some: [
    [1, 1, 2],
    [1, 1, 4],
    [1, 2, 3],
    [2, 3, 1],
  ],
  full: Array.from({ length: 72 }, (_, at) => [Math.floor(at / 24), Math.floor(at / 6) % 4, at % 6]),
} as const;

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from({ length: hex.length / 2 }, (_, at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16));
const hexOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function maskWith(voxels: readonly (readonly number[])[]): MaskVolume {
  const mask = new MaskVolume(GRID);
  mask.begin();
  for (const [z = 0, y = 0, x = 0] of voxels) mask.fillRun(z, y, x, x, 1);
  mask.end();
  return mask;
}

test.each(["empty", "some", "full"] as const)("the %s mask has the server's bytes, both ways", (name) => {
  const mask = maskWith(VOXELS[name]);
  expect(hexOf(encodeMask(mask))).toBe(HEX[name]);
  const decoded = decodeMask(bytesOf(HEX[name]));
  expect(decoded.grid).toEqual(GRID);
  expect(decoded.data).toEqual(mask.data);
});

test("a damaged or foreign mask is refused", () => {
  const bytes = bytesOf(HEX.some);
  bytes[170] = 7;
  expect(() => decodeMask(bytes)).toThrow("its checksum does not fit");
  expect(() => decodeMask(bytesOf(HEX.some).subarray(0, 100))).toThrow("magic or header is missing");
  expect(() => decodeMask(Uint8Array.from([1, 2, 3]))).toThrow("Not an EQMK1 mask");
});

test("bytes and base64 turn into each other", () => {
  const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => (at * 31) & 255);
  expect(fromBase64(toBase64(bytes))).toEqual(bytes);
  expect(toBase64(Uint8Array.from([1, 2, 250]))).toBe("AQL6");
});
