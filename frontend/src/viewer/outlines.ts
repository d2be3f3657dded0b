/**
 * Outlines as they arrive: a base64 packet of little-endian int16, equally long for every pane of an item.
 *
 * Header: version (1), number of vertices N. Then N triples (frame, x, y), x and y in sixteenths of a pixel from the
 * centre of the first pixel. A triple whose frame has bit 14 set begins a new loop. Frame -1 is padding.
 */
import { type FrameNumber, frameNumber } from "./coordinates";

/** One closed loop in image space: x and y in turn. */
export type Loop = Float32Array;
export type Outlines = ReadonlyMap<FrameNumber, readonly Loop[]>;

export class OutlinePacketError extends Error {}

const VERSION = 1;
const HEADER_VALUES = 2;
const VALUES_PER_VERTEX = 3;
const LOOP_START = 0x4000;
const STEPS_PER_PIXEL = 16;

function bytesOf(base64: string): DataView {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index);
  return new DataView(bytes.buffer);
}

export function decodeOutlines(base64: string): Outlines {
  const view = bytesOf(base64);
  if (view.byteLength < HEADER_VALUES * 2)
    throw new OutlinePacketError("An outline packet is shorter than its header.");
  const version = view.getInt16(0, true);
  if (version !== VERSION) throw new OutlinePacketError(`An outline packet has version ${version}; this page reads 1.`);
  const vertices = view.getUint16(2, true);
  const needed = (HEADER_VALUES + VALUES_PER_VERTEX * vertices) * 2;
  if (view.byteLength < needed) {
    throw new OutlinePacketError(`An outline packet has ${view.byteLength} bytes; ${needed} were announced.`);
  }
  return collectLoops(view, vertices);
}

function collectLoops(view: DataView, vertices: number): Outlines {
  const loops = new Map<FrameNumber, Loop[]>();
  let frame = -1;
  let points: number[] = [];
  const close = (): void => {
    if (points.length > 0) {
      const key = frameNumber(frame);
      loops.set(key, [...(loops.get(key) ?? []), Float32Array.from(points)]);
    }
    points = [];
  };
  for (let vertex = 0; vertex < vertices; vertex += 1) {
    const at = (HEADER_VALUES + VALUES_PER_VERTEX * vertex) * 2;
    const tag = view.getInt16(at, true);
    if (tag === -1) continue;
    const tagFrame = tag & ~LOOP_START;
    if ((tag & LOOP_START) !== 0 || tagFrame !== frame) close();
    frame = tagFrame;
    points.push(view.getInt16(at + 2, true) / STEPS_PER_PIXEL, view.getInt16(at + 4, true) / STEPS_PER_PIXEL);
  }
  close();
  return loops;
}
