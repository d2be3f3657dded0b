import { expect, test } from "vitest";
import { frameNumber } from "./coordinates";
import { decodeOutlines, OutlinePacketError } from "./outlines";

function packet(values: number[]): string {
  const view = new DataView(new ArrayBuffer(values.length * 2));
  values.forEach((value, index) => {
    view.setInt16(index * 2, value, true);
  });
  return btoa(String.fromCharCode(...new Uint8Array(view.buffer)));
}

const START = 0x4000;

test("loops are told apart by their start mark and their frame", () => {
  const loops = decodeOutlines(
    packet([1, 7, 3 | START, 16, 32, 3, 24, 40, 3, 8, -8, 3 | START, 160, 160, 3, 176, 160, 4 | START, 0, 0, 4, 1, 1]),
  );
  expect([...loops.keys()]).toEqual([3, 4]);
  expect(loops.get(frameNumber(3))?.map((loop) => [...loop])).toEqual([
    [1, 2, 1.5, 2.5, 0.5, -0.5],
    [10, 10, 11, 10],
  ]);
  expect([...(loops.get(frameNumber(4))?.[0] ?? [])]).toEqual([0, 0, 0.0625, 0.0625]);
});

test("padding is left out", () => {
  const loops = decodeOutlines(packet([1, 4, 0 | START, 16, 16, 0, 32, 16, -1, 0, 0, -1, 0, 0]));
  expect([...loops.keys()]).toEqual([0]);
  expect([...(loops.get(frameNumber(0))?.[0] ?? [])]).toEqual([1, 1, 2, 1]);
});

test("a packet of padding alone has no outlines", () => {
  expect(decodeOutlines(packet([1, 2, -1, 0, 0, -1, 0, 0])).size).toBe(0);
});

test("another version and a cut packet are refused", () => {
  expect(() => decodeOutlines(packet([2, 0]))).toThrow("An outline packet has version 2; this page reads 1.");
  expect(() => decodeOutlines(packet([1, 5, 0, 0, 0]))).toThrow(OutlinePacketError);
  expect(() => decodeOutlines("")).toThrow("An outline packet is shorter than its header.");
});
