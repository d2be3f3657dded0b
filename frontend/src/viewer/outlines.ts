/**
 * Outlines as they arrive: base64 of one packet per frame of the reading's window, in frame order, all of one length.
 *
 * A packet (the server's `equipoise/imaging/outline.py` writes it), little-endian: "EQOL", u16 version (1), u16 0,
 * u32 capacity, u32 0, then `capacity` pairs of float32 (x, y) in pixels, whole numbers at pixel centres. A pair of NaN
 * ends a loop; after the last loop its first vertex is repeated up to the capacity, which draws nothing.
 */
import { type FrameNumber, frameNumber } from "./coordinates";

/** One closed loop in image space: x and y in turn. */
export type Loop = Float32Array;
export type Outlines = ReadonlyMap<FrameNumber, readonly Loop[]>;

export class OutlinePacketError extends Error {}

const MAGIC = 0x4c4f5145; // "EQOL" read as little-endian
const VERSION = 1;
const HEADER_BYTES = 16;
const BYTES_PER_VERTEX = 8;

function bytesOf(base64: string): DataView {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index);
  return new DataView(bytes.buffer);
}

export function decodeOutlines(base64: string): Outlines {
  const view = bytesOf(base64);
  const outlines = new Map<FrameNumber, readonly Loop[]>();
  let frame = 0;
  for (let at = 0; at < view.byteLength || frame === 0; frame += 1) {
    const capacity = capacityAt(view, at);
    const loops = loopsAt(view, at + HEADER_BYTES, capacity);
    if (loops.length > 0) outlines.set(frameNumber(frame), loops);
    at += HEADER_BYTES + BYTES_PER_VERTEX * capacity;
  }
  return outlines;
}

/** Checks a packet's header and returns how many vertices it holds. */
function capacityAt(view: DataView, at: number): number {
  if (view.byteLength < at + HEADER_BYTES)
    throw new OutlinePacketError("An outline packet is shorter than its header.");
  if (view.getUint32(at, true) !== MAGIC) throw new OutlinePacketError("These bytes are no outline packet.");
  const version = view.getUint16(at + 4, true);
  if (version !== VERSION) throw new OutlinePacketError(`An outline packet has version ${version}; this page reads 1.`);
  const capacity = view.getUint32(at + 8, true);
  const needed = at + HEADER_BYTES + BYTES_PER_VERTEX * capacity;
  if (view.byteLength < needed) {
    throw new OutlinePacketError(`An outline packet has ${view.byteLength} bytes; ${needed} were announced.`);
  }
  return capacity;
}

function loopsAt(view: DataView, at: number, capacity: number): Loop[] {
  const loops: Loop[] = [];
  let points: number[] = [];
  const close = (): void => {
    if (points.length > 0) loops.push(Float32Array.from(points));
    points = [];
  };
  for (let vertex = 0; vertex < capacity; vertex += 1) {
    const x = view.getFloat32(at + BYTES_PER_VERTEX * vertex, true);
    const y = view.getFloat32(at + BYTES_PER_VERTEX * vertex + 4, true);
    if (Number.isNaN(x)) close();
    else if (points.length > 2 && x === points[0] && y === points[1]) break;
    else points.push(x, y);
  }
  close();
  return loops;
}
