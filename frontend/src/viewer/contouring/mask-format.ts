/**
 * Masks as bytes: the server's EQMK1 (equipoise/imaging/mask.py), byte for byte. A box around the voxels, run lengths
 * inside it in C order, and a CRC-32 at the end. Equal masks give equal bytes on both sides.
 */
import { type MaskVolume, sliceBox } from "./mask-volume";
import { boxUnion, type PixelBox, type Triple, type VolumeGrid, voxelCount } from "./volume-grid";

export class MaskFormatError extends Error {}

const MAGIC = [0x45, 0x51, 0x4d, 0x4b, 0x31]; // "EQMK1"
const ENCODING_VERSION = 1;
const HEADER_BYTES = 168;
const CHECKSUM_BYTES = 4;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ byte) & 0xff] as number);
  return (crc ^ 0xffffffff) >>> 0;
}

interface Box3 {
  readonly start: Triple;
  readonly shape: Triple;
}

function boundingBox(mask: MaskVolume): Box3 {
  let box: PixelBox | undefined;
  let first = -1;
  let last = -1;
  for (let z = 0; z < mask.grid.shapeZyx[0]; z += 1) {
    const found = sliceBox(mask, z);
    if (!found) continue;
    if (first < 0) first = z;
    last = z;
    box = boxUnion(box, found);
  }
  if (!box) return { start: [0, 0, 0], shape: [0, 0, 0] };
  return {
    start: [first, box.y0, box.x0],
    shape: [last - first + 1, box.y1 - box.y0 + 1, box.x1 - box.x0 + 1],
  };
}

/** Alternate run lengths inside a box, the first of voxels outside (perhaps 0). */
function runLengths(mask: MaskVolume, { start, shape }: Box3): number[] {
  const runs: number[] = [];
  if (shape[0] === 0) return runs;
  const [, rows, columns] = mask.grid.shapeZyx;
  let inside = 0;
  let length = 0;
  for (let z = start[0]; z < start[0] + shape[0]; z += 1) {
    for (let y = start[1]; y < start[1] + shape[1]; y += 1) {
      const row = (z * rows + y) * columns;
      for (let index = row + start[2]; index < row + start[2] + shape[2]; index += 1) {
        if (mask.data[index] === inside) {
          length += 1;
        } else {
          runs.push(length);
          inside = 1 - inside;
          length = 1;
        }
      }
    }
  }
  runs.push(length);
  return runs;
}

export function encodeMask(mask: MaskVolume): Uint8Array {
  const box = boundingBox(mask);
  const runs = runLengths(mask, box);
  const bytes = new Uint8Array(HEADER_BYTES + 4 * runs.length + CHECKSUM_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint8(5, ENCODING_VERSION);
  [...mask.grid.shapeZyx, ...box.start, ...box.shape].forEach((value, index) => {
    view.setUint32(8 + 4 * index, value, true);
  });
  [...mask.grid.spacingMmZyx, ...mask.grid.originMmXyz, ...mask.grid.direction].forEach((value, index) => {
    view.setFloat64(44 + 8 * index, value, true);
  });
  view.setUint32(164, runs.length, true);
  runs.forEach((run, index) => {
    view.setUint32(HEADER_BYTES + 4 * index, run, true);
  });
  const body = bytes.length - CHECKSUM_BYTES;
  view.setUint32(body, crc32(bytes.subarray(0, body)), true);
  return bytes;
}

export interface DecodedMask {
  readonly grid: VolumeGrid;
  readonly data: Uint8Array;
}

function checkedView(bytes: Uint8Array): DataView {
  if (bytes.length < HEADER_BYTES + CHECKSUM_BYTES || MAGIC.some((byte, index) => bytes[index] !== byte)) {
    throw new MaskFormatError("Not an EQMK1 mask: magic or header is missing.");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const body = bytes.length - CHECKSUM_BYTES;
  if (view.getUint32(body, true) !== crc32(bytes.subarray(0, body))) {
    throw new MaskFormatError("The EQMK1 mask is damaged: its checksum does not fit.");
  }
  if (view.getUint8(5) !== ENCODING_VERSION) {
    throw new MaskFormatError(`EQMK1 encoding version ${view.getUint8(5)} is unknown; this page reads 1.`);
  }
  return view;
}

export function decodeMask(bytes: Uint8Array): DecodedMask {
  const view = checkedView(bytes);
  const triple = (at: number): Triple => [
    view.getUint32(at, true),
    view.getUint32(at + 4, true),
    view.getUint32(at + 8, true),
  ];
  const floats = (at: number, count: number): number[] =>
    Array.from({ length: count }, (_, index) => view.getFloat64(at + 8 * index, true));
  const grid: VolumeGrid = {
    shapeZyx: triple(8),
    spacingMmZyx: floats(44, 3) as unknown as Triple,
    originMmXyz: floats(68, 3) as unknown as Triple,
    direction: floats(92, 9),
  };
  const data = new Uint8Array(voxelCount(grid));
  const box = { start: triple(20), shape: triple(32) };
  const count = view.getUint32(164, true);
  if (bytes.length !== HEADER_BYTES + 4 * count + CHECKSUM_BYTES) {
    throw new MaskFormatError(`The EQMK1 mask announces ${count} runs, but its length does not fit.`);
  }
  const runs = Array.from({ length: count }, (_, index) => view.getUint32(HEADER_BYTES + 4 * index, true));
  fillRuns(data, grid, box, runs);
  return { grid, data };
}

function fillRuns(data: Uint8Array, grid: VolumeGrid, { start, shape }: Box3, runs: readonly number[]): void {
  const wanted = shape[0] * shape[1] * shape[2];
  const found = runs.reduce((sum, run) => sum + run, 0);
  const fits = start.every((first, axis) => first + (shape[axis] as number) <= (grid.shapeZyx[axis] as number));
  if (wanted !== found || !fits) throw new MaskFormatError("The EQMK1 mask's runs do not fill its box.");
  let at = 0;
  runs.forEach((run, index) => {
    if (index % 2 === 1) fillRunInBox(data, grid, { start, shape }, at, run);
    at += run;
  });
}

/** A run may go over the ends of the box's rows. */
function fillRunInBox(data: Uint8Array, grid: VolumeGrid, { start, shape }: Box3, first: number, run: number): void {
  for (let at = first; at < first + run; ) {
    const x = at % shape[2];
    const row = Math.floor(at / shape[2]);
    const y = start[1] + (row % shape[1]);
    const z = start[0] + Math.floor(row / shape[1]);
    const length = Math.min(first + run - at, shape[2] - x);
    const index = (z * grid.shapeZyx[1] + y) * grid.shapeZyx[2] + start[2] + x;
    data.fill(1, index, index + length);
    at += length;
  }
}

const CHARACTERS_AT_ONCE = 8192;

export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += CHARACTERS_AT_ONCE) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHARACTERS_AT_ONCE));
  }
  return btoa(text);
}

export function fromBase64(base64: string): Uint8Array {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index);
  return bytes;
}
