import { expect, test, vi } from "vitest";
import { tabLock } from "./tab-lock";

/** The browser's locks as far as one name goes. */
function fakeLocks(): Pick<LockManager, "request"> {
  let holder: { reject: (error: Error) => void } | null = null;
  const request = (_: string, options: LockOptions, callback: (lock: Lock | null) => unknown): Promise<unknown> => {
    if (holder && !options.steal) return Promise.resolve(callback(null));
    holder?.reject(new DOMException("stolen", "AbortError"));
    return new Promise((resolve, reject) => {
      const mine = { reject };
      holder = mine;
      Promise.resolve(callback({} as Lock)).then((value) => {
        if (holder === mine) holder = null;
        resolve(value);
      });
    });
  };
  return { request } as Pick<LockManager, "request">;
}

test("one tab holds the lock until it lets go", async () => {
  const locks = fakeLocks();
  const first = tabLock("r", () => undefined, locks);
  const second = tabLock("r", () => undefined, locks);
  expect(await first.take({ steal: false })).toBe(true);
  expect(await second.take({ steal: false })).toBe(false);
  first.release();
  await vi.waitFor(async () => expect(await second.take({ steal: false })).toBe(true));
});

test("a lock that is taken away tells its holder", async () => {
  const locks = fakeLocks();
  const lost = vi.fn();
  const first = tabLock("r", lost, locks);
  await first.take({ steal: false });
  expect(await tabLock("r", () => undefined, locks).take({ steal: true })).toBe(true);
  await vi.waitFor(() => expect(lost).toHaveBeenCalledOnce());
});

test("without the browser's locks the server's lease decides alone", async () => {
  const none = tabLock("r", () => undefined, null);
  expect(await none.take({ steal: false })).toBe(true);
});
