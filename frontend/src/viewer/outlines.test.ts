import { expect, test } from "vitest";
import { frameNumber } from "./coordinates";
import { decodeOutlines, OutlinePacketError } from "./outlines";

const GAP = [Number.NaN, Number.NaN];

function packet(values: number[], version = 1): number[] {
  const view = new DataView(new ArrayBuffer(16 + values.length * 4));
  view.setUint32(0, 0x4c4f5145, true);
  view.setUint16(4, version, true);
  view.setUint32(8, values.length / 2, true);
  values.forEach((value, index) => {
    view.setFloat32(16 + index * 4, value, true);
  });
  return [...new Uint8Array(view.buffer)];
}

function base64(...packets: number[][]): string {
  return btoa(String.fromCharCode(...packets.flat()));
}

test("loops end at a gap and the repeated first vertex is left out", () => {
  const outlines = decodeOutlines(base64(packet([1, 2, 1.5, 2.5, 0.5, -0.5, ...GAP, 10, 10, 11, 10, 10, 10, 10, 10])));
  expect([...outlines.keys()]).toEqual([0]);
  expect(outlines.get(frameNumber(0))?.map((loop) => [...loop])).toEqual([
    [1, 2, 1.5, 2.5, 0.5, -0.5],
    [10, 10, 11, 10],
  ]);
});

test("the packets of a window belong to its frames in order, and an empty one draws nothing", () => {
  const outlines = decodeOutlines(
    base64(
      packet([1, 1, 2, 1, 2, 2, 1, 1]),
      packet([...GAP, ...GAP, ...GAP, ...GAP]),
      packet([3, 3, 4, 3, 4, 4, 3, 3]),
    ),
  );
  expect([...outlines.keys()]).toEqual([0, 2]);
  expect([...(outlines.get(frameNumber(2))?.[0] ?? [])]).toEqual([3, 3, 4, 3, 4, 4]);
});

test("the server's own packet of one pixel is read as it was meant", () => {
  // Written by equipoise.imaging.outline: OutlinePacket(4, (array([[0, -0.5], [0.5, 0], [0, 0.5]]),)).encode()
  const outlines = decodeOutlines("RVFPTAEAAAAEAAAAAAAAAAAAAAAAAAC/AAAAPwAAAAAAAAAAAAAAPwAAAAAAAAC/");
  expect([...(outlines.get(frameNumber(0))?.[0] ?? [])]).toEqual([0, -0.5, 0.5, 0, 0, 0.5]);
});

test("another version, other bytes and a cut packet are refused", () => {
  expect(() => decodeOutlines(base64(packet([1, 1], 2)))).toThrow(
    "An outline packet has version 2; this page reads 1.",
  );
  expect(() => decodeOutlines(base64(packet([1, 1, 2, 2]).slice(0, 20)))).toThrow(OutlinePacketError);
  expect(() => decodeOutlines(btoa("0123456789abcdef"))).toThrow("These bytes are no outline packet.");
  expect(() => decodeOutlines("")).toThrow("An outline packet is shorter than its header.");
});
