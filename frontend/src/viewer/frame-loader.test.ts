import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { frameNumber } from "./coordinates";
import { FrameLoader, type FrameRun, loadOrder } from "./frame-loader";

const run: FrameRun = {
  address: "/frames/abc/",
  first: 0,
  count: 5,
  start: 2,
  grid: { rows: 2, columns: 2, rowSpacingMm: 1, columnSpacingMm: 1 },
};

const frameBytes = (value: number): ArrayBuffer => Int16Array.from([value, value, value, value]).buffer as ArrayBuffer;

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("frames are loaded from the start frame outwards", () => {
  expect(loadOrder(run)).toEqual([2, 1, 3, 0, 4]);
});

test("every frame goes over the wire once, and is ready afterwards", async () => {
  const fetched: string[] = [];
  const loader = new FrameLoader(async (address) => {
    fetched.push(address);
    return new Response(frameBytes(Number(address.at(-1))));
  });
  expect(loader.ready(run, frameNumber(2))).toBeUndefined();
  const progress: number[] = [];
  await loader.loadAll(run, (loaded) => progress.push(loaded));
  await loader.loadAll(run);
  expect(fetched.sort()).toEqual([0, 1, 2, 3, 4].map((n) => `/frames/abc/${n}`));
  expect(progress).toEqual([1, 2, 3, 4, 5]);
  expect([...(loader.ready(run, frameNumber(4)) ?? [])]).toEqual([4, 4, 4, 4]);
});

test("a lost request is sent again, a refused one is not", async () => {
  let attempts = 0;
  const flaky = new FrameLoader(async () => {
    attempts += 1;
    if (attempts < 3) throw new TypeError("Failed to fetch");
    return new Response(frameBytes(1));
  });
  const loading = flaky.loadAll({ ...run, count: 1, start: 0 });
  await vi.runAllTimersAsync();
  await loading;
  expect(attempts).toBe(3);

  let refusals = 0;
  const refused = new FrameLoader(async () => {
    refusals += 1;
    return new Response("", { status: 404 });
  });
  await expect(refused.loadAll({ ...run, count: 1, start: 0 })).rejects.toMatchObject({ status: 404 });
  expect(refusals).toBe(1);
});

test("a frame of the wrong size is not taken for an image", async () => {
  const loader = new FrameLoader(async () => new Response(new ArrayBuffer(6)));
  const loading = loader.loadAll({ ...run, count: 1, start: 0 });
  const outcome = expect(loading).rejects.toThrow("Frame 0 has 6 bytes; 8 were expected.");
  await vi.runAllTimersAsync();
  await outcome;
});

test("frames of other runs are forgotten", async () => {
  const loader = new FrameLoader(async () => new Response(frameBytes(7)));
  const other = { ...run, address: "/frames/def/" };
  await loader.loadAll(run);
  await loader.loadAll(other);
  loader.keepOnly([other.address]);
  expect(loader.ready(run, frameNumber(2))).toBeUndefined();
  expect(loader.ready(other, frameNumber(2))).toBeDefined();
});
