import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError, NetworkError } from "@/api/errors";
import type { Session } from "@/api/types";
import { Journal } from "@/timing/journal";
import type { RecordedEvent } from "@/timing/recorder";
import type { SubmitBody } from "./api";
import { bringLeftovers } from "./leftovers";
import { Outbox } from "./outbox";

const ACCOUNT = "reader@example.org";
const session = (email: string): Session => ({
  signed_in: true,
  account: { email, display_name: "", is_site_administrator: false },
  csrf_token: "t",
  awaits: [],
  second_factor_due: false,
  confirmed: true,
  confirm_by: [],
  single_sign_on: null,
});
const heard = (sequence: number): RecordedEvent => ({
  sequence,
  kind: "pointer",
  t_ms: sequence,
  clock_id: "killed",
  wall_ms: 1_700_000_000_000 + sequence,
  data: {},
});
const answer: SubmitBody = {
  reading: "r1",
  lease: 2,
  key: "k1",
  answer: { choice: "left", reason_code: null, comment: "" },
  events: [],
};

let trial = 0;
let outbox: Outbox;
let journal: Journal;
let calls: string[];

beforeEach(async () => {
  trial += 1;
  outbox = new Outbox(ACCOUNT, `leftovers-${trial}`);
  journal = new Journal(ACCOUNT, `leftovers-${trial}`);
  calls = [];
  await outbox.write({ reading: "r1", lease: 2, events: [], submit: answer });
  journal.write("r1", 2, heard(0));
});
afterEach(() => outbox.close());

interface Way {
  readonly account?: string;
  readonly free?: boolean;
  readonly refusal?: Error;
}

async function bring({ account = ACCOUNT, free = true, refusal }: Way = {}): Promise<void> {
  const call = (name: string) => async () => {
    calls.push(name);
    if (refusal) throw refusal;
    return {} as never;
  };
  await bringLeftovers({
    account: ACCOUNT,
    server: { sendEvents: call("events"), submit: call("submit") },
    session: async () => session(account),
    outbox,
    journal,
    lock: { take: async () => free, release: vi.fn(() => void calls.push("release")) },
  });
}

test("the events and then the answer are brought, kept no longer, and the lock is let go for the reading", async () => {
  await bring();
  expect(calls).toEqual(["events", "submit", "release"]);
  expect(await outbox.read()).toBeUndefined();
  expect(journal.left()).toEqual([]);
});

test("nothing is sent from beside another window that reads, nor under another account", async () => {
  await bring({ free: false });
  expect(calls).toEqual([]);
  await bring({ account: "other@example.org" });
  expect(calls).toEqual(["release"]);
  expect((await outbox.read())?.submit).toEqual(answer);
  expect(journal.left()).toEqual([{ reading: "r1", lease: 2, events: [heard(0)] }]);
});

test("an answer that does not arrive, or is refused, lies where it lay for the reading screen", async () => {
  for (const refusal of [new NetworkError(), new ApiError(409, "state_conflict", "paused")]) {
    calls = [];
    await bring({ refusal });
    expect(calls).toEqual(["events", "submit", "release"]);
    expect((await outbox.read())?.submit).toEqual(answer);
  }
});
