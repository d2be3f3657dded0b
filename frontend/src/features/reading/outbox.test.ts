import { expect, test } from "vitest";
import type { SubmitBody } from "./api";
import { Outbox } from "./outbox";

const submit: SubmitBody = {
  reading: "r1",
  lease: 2,
  key: "k1",
  answer: { choice: "left", reason_code: null, comment: "" },
  events: [],
};

const record = { reading: "r1", lease: 2, events: [], submit };

test("an answer outlives the page that wrote it", async () => {
  const page = new Outbox("a@example.org", "survives");
  expect(await page.write(record)).toBe(true);
  await page.close();
  expect(await new Outbox("a@example.org", "survives").read()).toEqual({
    account: "a@example.org",
    trial: "survives",
    ...record,
  });
});

test("accounts and trials do not see each other's answers", async () => {
  await new Outbox("a@example.org", "apart").write(record);
  expect(await new Outbox("b@example.org", "apart").read()).toBeUndefined();
  expect(await new Outbox("a@example.org", "other").read()).toBeUndefined();
});

test("only the acknowledged answer is deleted", async () => {
  const outbox = new Outbox("a@example.org", "acknowledged");
  await outbox.write(record);
  await outbox.acknowledge("another-key");
  expect((await outbox.read())?.submit).toEqual(submit);
  await outbox.acknowledge("k1");
  expect(await outbox.read()).toBeUndefined();
});

test("discarding the events of an opening discards neither an answer nor another opening's", async () => {
  const outbox = new Outbox("a@example.org", "discard");
  await outbox.write(record);
  await outbox.discardEvents("r1", 2);
  expect((await outbox.read())?.submit?.key).toBe("k1");
  await outbox.write({ ...record, submit: null });
  await outbox.discardEvents("r1", 1);
  await outbox.discardEvents("r2", 2);
  expect(await outbox.read()).toMatchObject({ reading: "r1", lease: 2 });
  await outbox.discardEvents("r1", 2);
  expect(await outbox.read()).toBeUndefined();
});

test.each([
  ["with its promise", () => Promise.reject(new Error("denied"))],
  [
    "at once",
    () => {
      throw new DOMException("denied", "SecurityError");
    },
  ],
])("where the browser denies the store %s, the page itself keeps the answer", async (_, open) => {
  const outbox = new Outbox("a@example.org", "no-store", open);
  expect(await outbox.read()).toBeUndefined();
  expect(await outbox.write(record)).toBe(false);
  expect((await outbox.read())?.submit?.key).toBe("k1");
  await outbox.acknowledge("k1");
  expect(await outbox.read()).toBeUndefined();
});
