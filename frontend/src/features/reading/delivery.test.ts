import { expect, test, vi } from "vitest";
import { ApiError, NetworkError } from "@/api/errors";
import type { Session, SubmitReply } from "@/api/types";
import type { ReadingServer, SubmitBody } from "./api";
import { backoffMs, Delivery, type DeliveryState } from "./delivery";
import { Outbox } from "./outbox";

const ACCOUNT = "reader@example.org";
const body: SubmitBody = {
  reading: "r1",
  lease: 1,
  key: "k1",
  answer: { choice: "left", reason_code: null, comment: "" },
  events: [],
};
const reply: SubmitReply = {
  late: false,
  feedback: null,
  next: { step: "reading", n: 2, total: 3, suggest_break: false, preload: [] },
};

const sessionOf = (email: string | null): Session => ({
  signed_in: email !== null,
  account: email === null ? null : { email, display_name: "", is_site_administrator: false },
  csrf_token: "t",
  awaits: [],
  second_factor_due: false,
  confirmed: true,
  confirm_by: [],
  single_sign_on: null,
});

/** Answers in turn; an `Error` is thrown. */
function inTurn<Value>(...answers: (Value | Error)[]): () => Promise<Value> {
  let last: Value | Error = new Error("nothing to answer with");
  return async () => {
    last = answers.shift() ?? last;
    if (last instanceof Error) throw last;
    return last;
  };
}

async function setUp(submit: () => Promise<SubmitReply>, session: () => Promise<Session>, trial: string) {
  const outbox = new Outbox(ACCOUNT, trial);
  await outbox.write({ reading: "r1", lease: 1, events: [], submit: body });
  const states: DeliveryState[] = [];
  const sent = vi.fn(submit);
  const delivery = new Delivery({
    account: ACCOUNT,
    outbox,
    server: { submit: sent } as unknown as ReadingServer,
    session,
    onState: (state) => states.push(state),
    delayMs: () => 1,
  });
  return { outbox, delivery, states, sent };
}

test("an acknowledged answer leaves the outbox", async () => {
  const { outbox, delivery, states, sent } = await setUp(inTurn(reply), async () => sessionOf(ACCOUNT), "ok");
  expect(await delivery.submit(body)).toEqual(reply);
  expect(sent).toHaveBeenCalledExactlyOnceWith(body);
  expect(states).toEqual(["saving"]);
  expect(await outbox.read()).toBeUndefined();
});

test("the same body goes again until the server has it", async () => {
  const submit = inTurn<SubmitReply>(new NetworkError(), new ApiError(503, "unknown", "down"), reply);
  const { delivery, states, sent } = await setUp(submit, async () => sessionOf(ACCOUNT), "again");
  expect(await delivery.submit(body)).toEqual(reply);
  expect(sent.mock.calls).toEqual([[body], [body], [body]]);
  expect(states).toEqual(["saving", "waiting", "saving", "waiting", "saving"]);
});

test("nothing goes again before the time that the server asked for", async () => {
  const away = new ApiError(503, "internal_error", "away", {}, 120);
  const submit = inTurn<SubmitReply>(away, reply);
  const { delivery, sent } = await setUp(submit, async () => sessionOf(ACCOUNT), "asked");
  const delivered = delivery.submit(body);
  await new Promise((done) => setTimeout(done, 60));
  expect(sent).toHaveBeenCalledTimes(1);
  expect(await delivered).toEqual(reply);
  expect(sent).toHaveBeenCalledTimes(2);
});

test("an ended session asks for the password and loses nothing", async () => {
  const expired = new ApiError(401, "session_expired", "ended");
  const { outbox, delivery, states } = await setUp(
    inTurn<SubmitReply>(expired, reply),
    async () => sessionOf(ACCOUNT),
    "401",
  );
  const done = delivery.submit(body);
  await vi.waitFor(() => expect(states).toEqual(["saving", "sign-in"]));
  expect((await outbox.read())?.submit).toEqual(body);
  delivery.wake();
  expect(await done).toEqual(reply);
});

test("an answer is never sent under another account", async () => {
  const session = inTurn(sessionOf("somebody@example.org"), sessionOf(ACCOUNT));
  const { delivery, states, sent } = await setUp(inTurn(reply), session, "other");
  const done = delivery.submit(body);
  await vi.waitFor(() => expect(states).toEqual(["saving", "other-account"]));
  expect(sent).not.toHaveBeenCalled();
  delivery.wake();
  expect(await done).toEqual(reply);
});

test("a refused answer is kept and said", async () => {
  const conflict = new ApiError(409, "idempotency_conflict", "This key has already been used for another answer.");
  const { outbox, delivery, states } = await setUp(
    inTurn<SubmitReply>(conflict),
    async () => sessionOf(ACCOUNT),
    "409",
  );
  const done = delivery.submit(body);
  await vi.waitFor(() => expect(states).toEqual(["saving", "refused"]));
  delivery.stop();
  expect(await done).toBeNull();
  expect((await outbox.read())?.submit).toEqual(body);
});

test("waiting grows to half a minute and no further", () => {
  expect([1, 2, 3, 6, 20].map((attempt) => backoffMs(attempt, () => 0))).toEqual([1000, 2000, 4000, 30_000, 30_000]);
  expect(backoffMs(1, () => 1)).toBe(1200);
});
